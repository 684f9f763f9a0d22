//! A Chromium that sends its camera in three layers: the one that fits its tile is taken, and another one when the tile changes, without a break.

use crate::harness::packaging::assert_ffmpeg_decodes;
use crate::harness::playback::{Viewer, until};
use crate::harness::publishers::send;
use crate::harness::server::{SMALL, Server};
use crate::harness::{browsers, clips};
use http::Method;
use serde_json::json;
use std::time::Duration;

/// Rows of the camera's picture, and of its layer of half that.
const WHOLE: u32 = 540;
const HALF: u32 = 270;
/// For how long the page publishes at most: what follows fits into it.
const PUBLISHED: Duration = Duration::from_secs(60);
/// Of the layers, in bits per second: less than the page's own, as two cores encode all of them and what is composed.
const BITRATES_BPS: [u32; 3] = [100_000, 250_000, 800_000];
const PATIENCE: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread")]
async fn of_vp8() {
    scenario("VP8").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_h264() {
    scenario("H264").await;
}

async fn scenario(codec: &str) {
    let server =
        Server::start(&["serve"], &SMALL.replace("width: 320, height: 180}\n", "width: 960, height: 540}\n")).await;
    let stream = server.go_live("room").await;
    let (studio, files) = browsers::studio_of(&server, "testsrc=s=960x540:r=30:d=4").await;
    let over = files.path().join("over");
    let argument = json!({"studio": studio, "codec": codec, "seconds": PUBLISHED.as_secs(), "bitrates": BITRATES_BPS, "until": over});
    let publishing = browsers::run("simulcast.mjs", argument);
    let watching = async {
        taken(&server, codec, WHOLE).await;
        // Two tiles stand side by side: half of the picture is enough for each.
        let other = send(&server, "room", "other", clips::grey(120, 320, 180, 2)).await;
        taken(&server, codec, HALF).await;
        let peers = server.rest(Method::GET, "/v2/active-rooms/room/peers", json!({})).await;
        let tracks =
            peers["peers"].as_object().unwrap().values().flat_map(|peer| peer["tracks"].as_object().unwrap().values());
        let camera = tracks.clone().find(|track| track["layers"].as_array().is_some_and(|layers| layers.len() > 1));
        let camera = camera.unwrap_or_else(|| panic!("{peers}"));
        assert!(camera["layers"].as_array().unwrap().contains(&camera["layer"]), "{camera}");
        assert!(camera["round_trip_ms"].as_f64().is_some_and(|ms| ms < 500.0), "{camera}");
        drop(other);
        taken(&server, codec, WHOLE).await;
        let mut viewer = Viewer::new(&server, "room", &stream, "180p");
        let newest = viewer.playlist(0).await.segments().last().expect("segments").msn;
        viewer.watch_to(newest + 1).await;
        assert_eq!(viewer.discontinuities(), 0);
        assert_ffmpeg_decodes(viewer.file());
        let metrics = server.admin("/metrics").await;
        for broken in ["footlight_stream_undecodable_frames_total", "footlight_track_refused_frames_total"] {
            let lines: Vec<&str> = metrics.lines().filter(|line| line.starts_with(&format!("{broken}{{"))).collect();
            assert!(!lines.is_empty() && lines.iter().all(|line| line.ends_with(" 0")), "{lines:?}");
        }
        std::fs::write(&over, "").unwrap();
    };
    let (said, ()) = tokio::join!(publishing, watching);
    println!("{codec}: {said}");
    server.end().await;
}

/// Waits until the browser's picture is taken with so many rows.
async fn taken(server: &Server, codec: &str, height: u32) {
    let label = format!("codec=\"{codec}\"");
    let (name, end) = ("footlight_track_height_pixels{", format!(" {height}"));
    until(PATIENCE, || async {
        let metrics = server.admin("/metrics").await;
        let mut lines = metrics.lines().filter(|line| line.starts_with(name) && line.contains(&label));
        lines.any(|line| line.ends_with(&end)).then_some(())
    })
    .await;
}
