//! A publisher that drops and returns, and one that takes over from itself, cost the viewers nothing but the picture while it was away: no
//! discontinuity, no number that goes back or is left out, and a recording that decodes without a word.

use crate::harness::clips;
use crate::harness::packaging::assert_ffmpeg_decodes;
use crate::harness::playback::{Viewer, middle_luma};
use crate::harness::publishers::{send, send_muted};
use crate::harness::server::{SMALL, Server};
use crate::support::Running;
use std::time::Duration;

/// How long the publisher is away; `make soak-return` makes it 90 s.
fn away() -> Duration {
    let seconds = std::env::var("AWAY_SECONDS").ok().and_then(|s| s.parse().ok());
    Duration::from_secs(seconds.unwrap_or(5))
}

async fn publish(server: &Server, luma: u8) -> Running {
    send(server, "room", "someone", clips::grey(luma, 320, 180, 30)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_back_then_taken_over() {
    let server = Server::start(&["serve"], SMALL).await;
    let stream = server.go_live("room").await;
    let mut viewer = Viewer::new(&server, "room", &stream, "180p");
    let first = publish(&server, 80).await;
    viewer.watch_to(6).await;
    // Killed: it sends no DELETE and no more packets.
    drop(first);
    let returns = viewer.segments.len() as u64 + away().as_secs() / 2;
    viewer.watch_to(returns).await;
    let second = publish(&server, 140).await;
    viewer.watch_to(returns + 4).await;
    let shown_after_return = last_luma(&viewer);
    // The same peer from another device, while the first is still sending.
    let third = publish(&server, 220).await;
    viewer.watch_to(returns + 8).await;
    drop((second, third));
    assert_eq!(viewer.discontinuities(), 0);
    assert!(viewer.segments.iter().all(|s| (s.seconds - 2.0).abs() < 1e-6), "{:?}", viewer.segments);
    assert_ffmpeg_decodes(viewer.file());
    assert!(shown_after_return.abs_diff(140) < 12, "{shown_after_return}");
    let shown_at_last = last_luma(&viewer);
    assert!(shown_at_last.abs_diff(220) < 12, "{shown_at_last}: the one that took over fills the picture alone");
    // From the return on somebody is seen in every picture: until the one that takes over has one of its own, the last of the one before it stands.
    let shown = middle_luma(viewer.file());
    let returned = shown.iter().position(|luma| luma.abs_diff(140) < 12).expect("who returned");
    let dark = shown[returned..].iter().filter(|luma| **luma < 128).count();
    assert_eq!(dark, 0, "pictures in which nobody is seen: {:?}", &shown[returned..]);
    server.end().await;
}

/// Who is muted for longer than a dead publisher is waited for leaves the picture, and comes back into it.
#[tokio::test(flavor = "multi_thread")]
async fn muted_and_back() {
    const FULL: u8 = 140;
    let server = Server::start(&["serve"], SMALL).await;
    let stream = server.go_live("room").await;
    let mut viewer = Viewer::new(&server, "room", &stream, "180p");
    let clip = clips::grey(FULL, 320, 180, 30);
    let muted = Duration::from_secs(3)..Duration::from_secs(17);
    let _publisher = send_muted(&server, "room", "someone", clip, muted).await;
    viewer.watch_to(16).await;
    assert_eq!(viewer.discontinuities(), 0);
    assert_ffmpeg_decodes(viewer.file());
    let shown: Vec<bool> = middle_luma(viewer.file()).iter().map(|luma| luma.abs_diff(FULL) < 12).collect();
    let runs: Vec<(bool, usize)> = shown.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() / 30)).collect();
    let [(false, _), (true, before), (false, away), (true, after)] = runs[..] else { panic!("{runs:?}") };
    assert!((9..=13).contains(&before), "3 s and the 8 s for which its last picture stands: {runs:?}");
    assert!((4..=8).contains(&away) && after >= 2, "{runs:?}");
    server.end().await;
}

fn last_luma(viewer: &Viewer) -> u8 {
    *middle_luma(viewer.file()).last().expect("pictures")
}
