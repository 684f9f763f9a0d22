//! Headless Chromiums, driven by the scripts of `tests/browser`.

use super::server::{SMALL, Server};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs a script with one JSON argument; answers with the JSON that it printed.
pub async fn run(script: &str, argument: Value) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new("node");
    command.arg(root.join("tests/browser").join(script)).arg(argument.to_string());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"))
}

/// Where screenshots are kept, and what players said, so that a person can look at them.
pub fn artifacts() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The studio and watch pages of a room, by their URLs.
pub async fn pages(server: &Server, room: &str) -> (String, String) {
    let codes = server.rest(http::Method::POST, &format!("/v2/room-codes/room/{room}"), json!({})).await;
    let code = |role: &str| {
        let all = codes["data"].as_array().unwrap();
        let found = all.iter().find(|c| c["role"] == role).unwrap_or_else(|| panic!("no {role} in {codes}"));
        found["code"].as_str().unwrap().to_owned()
    };
    let http = server.url("http");
    (format!("{http}/studio/{}", code("broadcaster")), format!("{http}/watch/{}", code("viewer-near-realtime")))
}

/// The studio page's argument: what Chromium takes for a camera and a microphone is an ffmpeg source and a tone, kept in `folder`.
pub fn studio(url: &str, picture: &str, folder: &Path) -> Value {
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
    make(picture, &["-pix_fmt", "yuv420p"], &camera);
    make("sine=frequency=440:sample_rate=48000:duration=2", &[], &microphone);
    json!({"url": url, "camera": camera, "microphone": microphone})
}

/// Likewise for `room`, with what keeps the files.
pub async fn studio_of(server: &Server, picture: &str) -> (Value, tempfile::TempDir) {
    let (url, _) = pages(server, "room").await;
    let folder = tempfile::tempdir().unwrap();
    (studio(&url, picture, folder.path()), folder)
}

/// A configuration with a choice of qualities, which two cores and a browser hold.
pub fn two_rungs() -> String {
    let small = "{name: 180p, width: 320, height: 180, bitrate_kbps: 300, preset: superfast, audio: audio}";
    let large = "{name: 360p, width: 640, height: 360, bitrate_kbps: 700, preset: superfast, audio: audio}";
    SMALL
        .replace("canvas: {width: 320, height: 180}", "canvas: {width: 640, height: 360}")
        .replace(small, &format!("{large}, {small}"))
}

/// An orange camera of 640x360.
pub const ORANGE: &str = "color=c=0xff8c00:s=640x360:r=30:d=2";

/// Whether a pixel, as red, green and blue, is that orange.
pub fn is_orange(pixel: &Value) -> bool {
    let [red, green, blue] = [0, 1, 2].map(|i| pixel[i].as_i64().unwrap());
    (red - 255).abs() < 40 && (green - 140).abs() < 40 && blue < 60
}
