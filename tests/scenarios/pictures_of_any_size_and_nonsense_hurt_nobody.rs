//! Four people share a picture: one's keeps its size, two change theirs fifty times a second from each size to each other one, odd ones among them, and
//! one's sender changes its codec each second without a word. Each stands in their place at every instant, and the stream has no cut.

use crate::harness::clips;
use crate::harness::packaging::assert_ffmpeg_decodes;
use crate::harness::playback::{Viewer, luma_pictures};
use crate::harness::publishers::{send, send_only};
use crate::harness::server::{SMALL, Server};
use crate::support::Setup;
use crate::support::media::{Clip, Frame, Video};

/// Of H.264, whose pictures have even sizes; the smallest and the largest that browsers send upright and across.
const EVEN: [(u32, u32); 10] = [
    (2, 2),
    (16, 16),
    (18, 4),
    (98, 1000),
    (320, 180),
    (640, 360),
    (854, 480),
    (1080, 1920),
    (1280, 720),
    (1920, 1080),
];
/// Of VP8.
const ODD: [(u32, u32); 8] = [(1, 1), (17, 3), (3, 17), (9, 64), (333, 211), (176, 144), (641, 359), (1079, 1919)];
/// Each size has a key frame and another frame.
const FRAMES_PER_SIZE: usize = 2;
const CHANGES_PER_SECOND: u32 = 50;
/// The ten seconds in which 500 changes come of each.
const MEASURED_SEGMENTS: u64 = 5;
const PICTURES: usize = 300;
/// All are seen by then.
const SETTLED_SEGMENTS: u64 = 2;

/// The brightness of each; they stand in a grid in this order.
const LUMA: [u8; 4] = [50, 100, 150, 200];

/// In the middle of each of their pictures, however narrow it is.
const MIDDLES: [(usize, usize); 4] = [(80, 45), (240, 45), (80, 135), (240, 135)];

#[tokio::test(flavor = "multi_thread")]
async fn on_stage() {
    let server = Server::start(&["serve"], SMALL).await;
    let stream = server.go_live("room").await;
    let vp8 = Setup { video: vec![Video::Vp8], audio: true };
    let even = changing(EVEN.map(|(width, height)| clips::grey(LUMA[1], width, height, 1)).to_vec());
    let odd = changing(ODD.map(|(width, height)| clips::grey_in(Video::Vp8, LUMA[2], width, height, 1)).to_vec());
    let _steady = send(&server, "room", "a", clips::grey(LUMA[0], 320, 180, 1)).await;
    let _even = send(&server, "room", "b", even).await;
    let _odd = send_only(&server, "room", "c", &vp8, (Some(odd), true)).await;
    let _other = send(&server, "room", "d", of_another_codec_each_second(LUMA[3])).await;

    let mut viewer = Viewer::new(&server, "room", &stream, "180p");
    let begin = viewer.playlist(0).await.segments().last().expect("segments").msn + SETTLED_SEGMENTS;
    viewer.watch_to(begin + MEASURED_SEGMENTS).await;
    assert_eq!(viewer.discontinuities(), 0);
    assert_ffmpeg_decodes(viewer.file());
    let pictures = luma_pictures(viewer.file(), 320, 180);
    for (number, picture) in pictures.iter().rev().take(PICTURES).enumerate() {
        let tiles = MIDDLES.map(|(x, y)| picture[y * 320 + x]);
        let near = tiles.iter().zip(LUMA).all(|(got, sent)| got.abs_diff(sent) <= 8);
        assert!(near, "{tiles:?}, {number} pictures before the last one");
    }
    let undecodable = server.metric("footlight_stream_undecodable_frames_total").await;
    assert!(undecodable > 0.0, "what was sent as another codec was not that");
    server.end().await;
}

/// A clip that goes from each size to each other one.
fn changing(sizes: Vec<Clip>) -> Clip {
    let codec = sizes[0].codec;
    let other = |from| (0..sizes.len()).filter(move |to| *to != from).flat_map(move |to| [from, to]);
    let order = (0..sizes.len()).flat_map(other);
    let frames = order.flat_map(|size| sizes[size].frames[..FRAMES_PER_SIZE].to_vec()).collect();
    Clip { codec, frames_per_second: CHANGES_PER_SECOND * FRAMES_PER_SIZE as u32, frames }
}

/// A second of H.264 and one of VP8, all of it sent as the H.264 that was agreed on.
fn of_another_codec_each_second(luma: u8) -> Clip {
    let mut clip = clips::grey(luma, 320, 180, 1);
    let vp8 = clips::grey_in(Video::Vp8, luma, 320, 180, 1);
    // Its bytes as a slice.
    clip.frames.extend(vp8.frames.into_iter().map(|frame| Frame {
        data: [vec![0, 0, 0, 1, if frame.key { 0x65 } else { 0x41 }], frame.data].concat(),
        ..frame
    }));
    clip
}
