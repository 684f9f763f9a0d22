//! The ladder that is there without a word of configuration: its rungs are seen at their sizes, and no segment of any takes more than its variant says.

use crate::harness::clips;
use crate::harness::playback::Viewer;
use crate::harness::publishers::send;
use crate::harness::server::{DEFAULT, Server};
use m3u8_rs::VariantStream;

/// Three segments of slate, and five with somebody in them.
const LAST_SEGMENT: u64 = 8;
const SEGMENT_SECONDS: u64 = 2;
/// What the floor may take of the worst networks, in bits per second.
const FLOOR_BPS: u64 = 192_000;

#[tokio::test(flavor = "multi_thread")]
async fn no_segment_takes_more_than_its_variant_says() {
    let server = Server::start(&["serve"], DEFAULT).await;
    let stream = server.go_live("room").await;
    let _ada = send(&server, "room", "ada", clips::moving(1280, 720, 1_500, 30)).await;
    let (_, master) = server.get(&format!("/hls/room/{stream}/master.m3u8")).await;
    let master = m3u8_rs::parse_master_playlist_res(&master).unwrap();
    let sizes: Vec<_> = master.variants.iter().map(|v| v.resolution.unwrap()).map(|r| (r.width, r.height)).collect();
    assert_eq!(sizes, [(1280, 720), (848, 480), (640, 360), (416, 234)]);

    let mut worst = Vec::new();
    for variant in &master.variants {
        let mut bits = segment_bits(&server, &stream, rendition(&variant.uri)).await;
        let sound = segment_bits(&server, &stream, variant.audio.as_deref().unwrap()).await;
        bits.iter_mut().zip(sound).for_each(|(bits, sound)| *bits += sound);
        let most = bits.into_iter().max().unwrap() / SEGMENT_SECONDS;
        println!("{}: {most} of {} bit/s", variant.uri, variant.bandwidth);
        assert!(most <= variant.bandwidth, "{variant:?}: {most}");
        worst.push((most, variant));
    }
    let (most, VariantStream { average_bandwidth, .. }) = worst.last().unwrap();
    assert!(*most <= FLOOR_BPS && average_bandwidth.unwrap() <= FLOOR_BPS, "{most}, {average_bandwidth:?}");
    server.end().await;
}

/// `720p` of `../../hls/room/stream/720p/media.m3u8`.
fn rendition(uri: &str) -> &str {
    uri.rsplit('/').nth(1).unwrap()
}

/// The size of each segment.
async fn segment_bits(server: &Server, stream: &str, rendition: &str) -> Vec<u64> {
    let mut viewer = Viewer::new(server, "room", stream, rendition);
    viewer.watch_to(LAST_SEGMENT).await;
    let mut bits = Vec::new();
    for segment in &viewer.segments {
        let (_, body) = server.get(&format!("/hls/room/{stream}/{rendition}/{}", segment.uri)).await;
        bits.push(8 * body.len() as u64);
    }
    bits
}
