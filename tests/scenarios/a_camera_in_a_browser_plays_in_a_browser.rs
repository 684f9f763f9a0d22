//! The product's main job, with real browsers at both ends: the studio page publishes a camera, the watch page plays it without a stall, and the
//! picture is the camera's.

use crate::harness::server::{SMALL, Server};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How long the watch page plays. A minute by `WATCH_SECONDS=60`, as `make soak-browser` does.
fn watch_seconds() -> u64 {
    std::env::var("WATCH_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(15)
}

/// Two browsers and an encoder share two cores, so the rung is 360p.
fn config() -> String {
    SMALL
        .replace("320, height: 180", "640, height: 360")
        .replace("180p", "360p")
        .replace("bitrate_kbps: 300", "bitrate_kbps: 700")
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_stall_and_in_its_colours() {
    let server = Server::start(&["serve"], &config()).await;
    server.rest(http::Method::POST, "/v2/rooms", json!({"name": "room", "id": "room"})).await;
    let codes = server.rest(http::Method::POST, "/v2/room-codes/room/room", json!({})).await;
    let code = |role: &str| {
        let all = codes["data"].as_array().unwrap();
        let found = all.iter().find(|c| c["role"] == role).unwrap_or_else(|| panic!("no {role} in {codes}"));
        found["code"].as_str().unwrap().to_owned()
    };
    let (studio, watch) = (code("broadcaster"), code("viewer-near-realtime"));
    let http = server.url("http").to_owned();
    let seconds = watch_seconds();
    let folder = tempfile::tempdir().unwrap();
    let result = tokio::task::spawn_blocking(move || {
        let (camera, microphone) = capture_files(folder.path());
        run_browsers(
            &format!("{http}/studio/{studio}"),
            &format!("{http}/watch/{watch}"),
            &camera,
            &microphone,
            seconds,
        )
    });
    let result = result.await.unwrap();
    let looks = result["looks"].as_array().unwrap();
    assert_eq!(result["stalls"], 0, "{result}");
    let played = looks.last().unwrap()["time"].as_f64().unwrap() - looks[0]["time"].as_f64().unwrap();
    assert!(played > 0.9 * (seconds as f64 - 1.0), "{played} s of {seconds} were played: {result}");
    // The camera is orange; the slate that came before it is nearly black.
    let pixel = |look: &Value| [0, 1, 2].map(|i| look["pixel"][i].as_i64().unwrap());
    let orange = |[r, g, b]: [i64; 3]| (r - 255).abs() < 40 && (g - 140).abs() < 40 && b < 60;
    let last = pixel(looks.last().unwrap());
    assert!(orange(last), "{last:?} is not the camera's orange");
    assert_eq!(looks.last().unwrap()["size"], json!([640, 360]));
    assert_eq!(result["status"], "Live");
    server.end().await;
}

/// An orange picture of 640x360 and a tone, as Chromium takes them for a camera and a microphone.
fn capture_files(folder: &Path) -> (PathBuf, PathBuf) {
    let (camera, microphone) = (folder.join("camera.y4m"), folder.join("microphone.wav"));
    let make = |source: &str, args: &[&str], file: &Path| {
        let output = Command::new("ffmpeg")
            .args(["-v", "error", "-f", "lavfi", "-i", source])
            .args(args)
            .arg(file)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    make("color=c=0xff8c00:s=640x360:r=30:d=2", &["-pix_fmt", "yuv420p"], &camera);
    make("sine=frequency=440:sample_rate=48000:duration=2", &[], &microphone);
    (camera, microphone)
}

fn run_browsers(studio: &str, watch: &str, camera: &Path, microphone: &Path, seconds: u64) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Kept, so that a person can look at what the pages looked like.
    let screenshots = root.join("artifacts");
    std::fs::create_dir_all(&screenshots).unwrap();
    let output = Command::new("node")
        .arg(root.join("tests/browser/studio_to_watch.mjs"))
        .args([studio, watch])
        .args([camera, microphone])
        .arg(seconds.to_string())
        .arg(&screenshots)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"))
}
