//! The demo's links are printed within seconds, and what they lead to is no slate: both synthetic publishers flash in their tiles.

use crate::harness::playback::{Viewer, luma_pictures};
use crate::harness::server::{SMALL, Server};
use std::time::{Duration, Instant};

/// From the start of the process to the line with the playlist.
const LIVE_WITHIN: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread")]
async fn two_tiles_flash_each_second() {
    let started = Instant::now();
    let server = Server::start(&["demo"], SMALL).await;
    assert!(started.elapsed() < LIVE_WITHIN, "{:?}", started.elapsed());
    let playlist = server.url("playlist").to_owned();
    let path = playlist.strip_prefix(server.url("http")).expect("the demo's own address");
    let (_, master) = server.get(path).await;
    let master = String::from_utf8(master.to_vec()).unwrap();
    // `../../hls/demo/<stream>/180p/media.m3u8`.
    let media = master.lines().find(|line| line.ends_with("/180p/media.m3u8")).expect("the rung is listed");
    let stream = media.split('/').rev().nth(2).unwrap();
    let mut video = Viewer::new(&server, "demo", stream, "180p");
    // The slate that lies before the start, a segment in which they appear, two with both.
    video.watch_to(6).await;
    let pictures = luma_pictures(video.file(), 320, 180);
    let seen = &pictures[pictures.len() - 90..];
    // The middles of the tiles of two publishers on this canvas.
    for (x, y) in [(64, 90), (224, 90)] {
        let middle: Vec<u8> = seen.iter().map(|picture| picture[y * 320 + x]).collect();
        let flashes = middle.windows(2).filter(|w| w[0] < 170 && w[1] >= 170).count();
        assert!((2..=4).contains(&flashes), "tile at {x},{y}: {middle:?}");
        assert!(middle.iter().filter(|luma| **luma < 60).count() > 60, "dark between the flashes: {middle:?}");
    }
    let publishers = server.admin("/metrics").await;
    assert!(publishers.contains("footlight_publishers 2\n"), "{publishers}");
    server.end().await;
}
