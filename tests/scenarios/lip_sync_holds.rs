//! A flash and a beep that a peer sends together are seen and heard together: within 45 ms from ten seconds after it joined, after it was muted, and
//! after it left and came back.

use crate::harness::playback::{Viewer, beep_times, flash_times, lip_sync};
use crate::harness::publishers::publish;
use crate::harness::server::{SMALL, Server};

/// What people do not notice.
const WITHIN_SECONDS: f64 = 0.045;
const SETTLED_SECONDS: f64 = 10.0;
/// Flashes come each second: who misses one has been away.
const AWAY_SECONDS: f64 = 1.5;
/// How long the peer sends before it is muted, between that and its leaving, and after it has come back.
const EPISODE_SECONDS: u64 = 16;

/// `make soak-lip-sync` makes it 30.
fn mute_seconds() -> u64 {
    std::env::var("MUTE_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(4)
}

/// Each in a room of its own, at the same time: what takes a minute is done once.
#[tokio::test(flavor = "multi_thread")]
async fn for_aiortc_and_for_ffmpeg() {
    let server = Server::start(&["serve"], SMALL).await;
    tokio::join!(holds(&server, "aiortc"), holds(&server, "ffmpeg"));
    server.end().await;
}

async fn holds(server: &Server, client: &str) {
    let room = client;
    let stream = server.go_live(room).await;
    let (mute_at, muted) = (EPISODE_SECONDS.to_string(), mute_seconds().to_string());
    let args = ["--seconds", "600", "--mute-at", &mute_at, "--mute-seconds", &muted];
    let mut video = Viewer::new(server, room, &stream, "180p");
    let mut audio = Viewer::new(server, room, &stream, "audio");
    let mut publisher = publish(server, room, client, &args).await;
    // A slate of three segments, the client's start, and two seconds to a segment.
    let leaves = 5 + (2 * EPISODE_SECONDS + mute_seconds()) / 2;
    tokio::join!(video.watch_to(leaves), audio.watch_to(leaves));
    publisher.kill().await.unwrap();
    tokio::join!(video.watch_to(leaves + 3), audio.watch_to(leaves + 3));
    let mut publisher = publish(server, room, client, &["--seconds", "600"]).await;
    let end = leaves + 5 + EPISODE_SECONDS / 2;
    tokio::join!(video.watch_to(end), audio.watch_to(end));
    publisher.kill().await.unwrap();
    let episodes = episodes(&flash_times(video.file()), &beep_times(audio.file()));
    assert_eq!(episodes.len(), 3, "before and after the mute, and after the return: {episodes:.3?}");
    for (when, offsets) in ["joined", "unmuted", "returned"].iter().zip(&episodes) {
        let worst = |settled: bool| {
            let of_these = offsets.iter().filter(|(since, _)| (*since >= SETTLED_SECONDS) == settled);
            of_these.map(|(_, offset)| *offset).max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or_default()
        };
        println!(
            "{client} {when}: worst {:.0} ms in the first 10 s, {:.0} ms after",
            worst(false) * 1e3,
            worst(true) * 1e3
        );
        let settled: Vec<_> = offsets.iter().filter(|(since, _)| *since >= SETTLED_SECONDS).collect();
        assert!(settled.len() >= 3, "{client} {when}: {offsets:.3?}");
        assert!(settled.iter().all(|(_, offset)| offset.abs() <= WITHIN_SECONDS), "{client} {when}: {offsets:.3?}");
    }
}

/// What [`lip_sync`] says of each time that the peer was there.
fn episodes(flashes: &[f64], beeps: &[f64]) -> Vec<Vec<(f64, f64)>> {
    flashes.chunk_by(|a, b| b - a < AWAY_SECONDS).map(|episode| lip_sync(episode, beeps)).collect()
}
