//! A flash and a beep that a peer sends together are seen and heard together: within 45 ms from ten seconds after joining.

use crate::harness::playback::{Viewer, luma_pictures, mono_samples};
use crate::harness::server::{SMALL, Server};
use std::path::Path;
use tokio::process::{Child, Command};

/// What people do not notice.
const WITHIN_SECONDS: f64 = 0.045;
const SETTLED_SECONDS: f64 = 10.0;
/// The AAC encoder's priming: the audio's first sample lies so much before the video's first picture.
const PRIMING_SECONDS: f64 = 1_024.0 / 48_000.0;

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
        let (flashes, beeps) = (flash_times(&video.file), beep_times(&audio.file));
        let joined = *flashes.first().expect("flashes were seen");
        let offsets: Vec<(f64, f64)> = flashes
            .iter()
            .map(|flash| {
                (
                    flash - joined,
                    beeps.iter().map(|beep| beep - flash).min_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap(),
                )
            })
            .collect();
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

/// When the picture turns white, in seconds since the stream's zero.
fn flash_times(file: &[u8]) -> Vec<f64> {
    let luma: Vec<u8> = luma_pictures(file, 1, 1).into_iter().map(|p| p[0]).collect();
    let rises = luma.windows(2).enumerate().filter(|(_, w)| w[0] < 170 && w[1] >= 170);
    rises.map(|(frame, _)| (frame + 1) as f64 / 30.0).collect()
}

/// When the beep begins, likewise.
fn beep_times(file: &[u8]) -> Vec<f64> {
    let mut times = Vec::new();
    let mut quiet = 0;
    for (i, sample) in mono_samples(file).into_iter().enumerate() {
        if sample.abs() > 0.1 {
            // A beep comes after half a second of silence.
            if quiet > 24_000 {
                times.push(i as f64 / 48_000.0 - PRIMING_SECONDS);
            }
            quiet = 0;
        } else {
            quiet += 1;
        }
    }
    times
}
