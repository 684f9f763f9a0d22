//! A flash and a beep that a peer sends together are seen and heard together: within 45 ms from ten seconds after joining.

use crate::harness::playback::{Viewer, beep_times, flash_times, lip_sync};
use crate::harness::server::{SMALL, Server};
use std::path::Path;
use tokio::process::{Child, Command};

/// What people do not notice.
const WITHIN_SECONDS: f64 = 0.045;
const SETTLED_SECONDS: f64 = 10.0;

#[tokio::test(flavor = "multi_thread")]
async fn for_aiortc_and_for_ffmpeg() {
    let server = Server::start(&["serve"], SMALL).await;
    for client in ["aiortc", "ffmpeg"] {
        let stream = server.go_live(client).await;
        let token = server.auth(client, "someone").await;
        let mut publisher = publish(&server, client, &token);
        let mut video = Viewer::new(&server, client, &stream, "180p");
        let mut audio = Viewer::new(&server, client, &stream, "audio");
        // Three segments of slate, then 24 s.
        video.watch_to(15).await;
        audio.watch_to(15).await;
        publisher.kill().await.unwrap();
        let offsets = lip_sync(&flash_times(video.file()), &beep_times(audio.file()));
        let settled: Vec<_> = offsets.iter().filter(|(since, _)| *since >= SETTLED_SECONDS).collect();
        assert!(settled.len() >= 5, "{client}: {offsets:?}");
        assert!(settled.iter().all(|(_, offset)| offset.abs() <= WITHIN_SECONDS), "{client}: {offsets:?}");
        println!("{client}: beep minus flash, by seconds since joining: {offsets:.3?}");
    }
    server.end().await;
}

fn publish(server: &Server, client: &str, token: &str) -> Child {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    Command::new(root.join(".venv/bin/python"))
        .arg(root.join("tests/python/publish.py"))
        .args([client, &format!("{}/whip/{client}", server.url("http")), "--token", token])
        .args(["--seconds", "60", "--width", "320", "--height", "180", "--bitrate", "300000"])
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}
