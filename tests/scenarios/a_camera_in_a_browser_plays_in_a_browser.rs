//! The product's main job, with a real browser at the viewer's end: what the studio page, aiortc and FFmpeg's WHIP muxer publish, one at a time and
//! together, plays in the watch page without a stall, and the picture is theirs.

use crate::harness::browsers;
use crate::harness::playback::until;
use crate::harness::publishers::publish;
use crate::harness::server::{PATIENCE, SMALL, Server};
use serde_json::{Value, json};

/// The middle of the canvas in 16x9.
const WHOLE: (usize, usize) = (8, 4);

/// How long the watch page plays. A minute by `WATCH_SECONDS=60`, as `make soak-browser` does.
fn watch_seconds() -> u64 {
    std::env::var("WATCH_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(12)
}

/// Two browsers and an encoder share two cores, so the rung is 360p.
fn config() -> String {
    SMALL
        .replace("320, height: 180", "640, height: 360")
        .replace("180p", "360p")
        .replace("bitrate_kbps: 300", "bitrate_kbps: 700")
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_studio_page() {
    plays(&[("studio", WHOLE)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_aiortc() {
    plays(&[("aiortc", WHOLE)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_ffmpeg() {
    plays(&[("ffmpeg", WHOLE)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_all_of_them_together() {
    plays(&[("aiortc", (3, 2)), ("ffmpeg", (11, 2)), ("studio", (7, 6))]).await;
}

/// `clients` publish, in this order, each with the middle of its tile in 16x9; the watch page plays.
async fn plays(clients: &[(&str, (usize, usize))]) {
    let server = Server::start(&["serve"], &config()).await;
    server.go_live("room").await;
    let (studio, watch) = browsers::pages(&server, "room").await;
    let seconds = watch_seconds();
    let mut publishers = Vec::new();
    for (n, (client, _)) in clients.iter().enumerate().filter(|(_, (client, _))| *client != "studio") {
        let luma = grey_of(client).to_string();
        publishers.push(publish(&server, "room", client, &["--luma", &luma, "--seconds", "600"]).await);
        let want = format!("footlight_publishers {}\n", n + 1);
        until(PATIENCE, || async { server.admin("/metrics").await.contains(&want).then_some(()) }).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let studio = clients
        .iter()
        .any(|(client, _)| *client == "studio")
        .then(|| browsers::studio(&studio, browsers::ORANGE, folder.path()));
    let argument =
        json!({"studio": studio, "watch": {"url": watch}, "seconds": seconds, "screenshots": browsers::artifacts()});
    let result = browsers::run("pages.mjs", argument).await;
    let looks = result["looks"].as_array().unwrap();
    assert_eq!(result["stalls"], 0, "{clients:?}: {result}");
    let played = looks.last().unwrap()["time"].as_f64().unwrap() - looks[0]["time"].as_f64().unwrap();
    assert!(played > 0.9 * (seconds as f64 - 1.0), "{clients:?}: {played} s of {seconds} were played: {result}");
    assert_eq!(looks.last().unwrap()["size"], json!([640, 360]));
    assert_eq!(result["status"], "Live");
    // Each has been on the canvas for long when the viewer has caught up; a flash may be in any one picture, in two of three it is not.
    let last = &looks[looks.len() - 3..];
    for (client, (x, y)) in clients {
        let shown = last.iter().filter(|look| is_theirs(client, &look["pixels"][y * 16 + x])).count();
        assert!(shown >= 2, "{client} at {x}, {y} of 16x9: {last:?}");
    }
    drop(publishers);
    server.end().await;
}

/// What each client's picture is filled with, in limited range.
fn grey_of(client: &str) -> i64 {
    if client == "aiortc" { 60 } else { 160 }
}

fn is_theirs(client: &str, pixel: &Value) -> bool {
    if client == "studio" {
        return browsers::is_orange(pixel);
    }
    let want = (grey_of(client) - 16) * 255 / 219;
    (0..3).all(|i| (pixel[i].as_i64().unwrap() - want).abs() <= 10)
}
