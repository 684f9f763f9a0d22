//! Pictures that a WebRTC client publishes come out of the playlists, through origin and edge, with the same brightness; in one
//! process and in three.

use crate::harness::clips;
use crate::harness::packaging::assert_ffmpeg_decodes;
use crate::harness::playback::{Viewer, luma_pictures};
use crate::harness::publishers::{send, send_only};
use crate::harness::server::{SMALL, Server};
use crate::support::Setup;
use crate::support::media::Video;

#[tokio::test(flavor = "multi_thread")]
async fn in_one_process() {
    let server = Server::start(&["serve"], SMALL).await;
    scenario(&server, &server).await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_packager_in_a_thread() {
    let server = Server::start(&["serve"], &SMALL.replace("packager:", "packager:\n  isolation: thread")).await;
    scenario(&server, &server).await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn as_origin_packager_and_edge() {
    let (origin, packager) = Server::apart().await;
    let edge = Server::start(&["edge", "--origin", origin.url("http"), "--https", "127.0.0.1:0"], SMALL).await;
    assert!(!edge.data_dir().exists(), "an edge keeps nothing");
    scenario(&packager, &edge).await;
    edge.end().await;
    packager.end().await;
    origin.end().await;
}

/// Four people, each in a codec of their own, stand in one picture.
#[tokio::test(flavor = "multi_thread")]
async fn in_every_codec() {
    let server = Server::start(&["serve"], SMALL).await;
    let stream = server.go_live("room").await;
    let greys = [60, 110, 160, 210];
    let mut publishers = Vec::new();
    for (codec, grey) in [Video::H264, Video::Vp8, Video::Vp9, Video::Av1].into_iter().zip(greys) {
        let setup = Setup { video: vec![codec], audio: true };
        let clip = clips::grey_in(codec, grey, 160, 90, 2);
        publishers.push(send_only(&server, "room", &format!("{codec:?}"), &setup, (Some(clip), true)).await);
    }
    let mut video = Viewer::new(&server, "room", &stream, "180p");
    video.watch_to(8).await;
    let last = luma_pictures(video.file(), 32, 18).pop().expect("pictures");
    let at = |x: usize, y: usize| last[y * 32 + x];
    assert_greys([at(8, 4), at(24, 4), at(8, 13), at(24, 13)], greys);
    assert_ffmpeg_decodes(video.file());
    server.end().await;
}

/// That these are the greys, in whatever places.
fn assert_greys<const N: usize>(mut seen: [u8; N], greys: [u8; N]) {
    let limited = |full: u8| (f32::from(full) * 219.0 / 255.0 + 16.0) as i16;
    seen.sort_unstable();
    let near = |(got, want): (&u8, &u8)| (limited(*got) - limited(*want)).abs() <= 6;
    assert!(seen.iter().zip(&greys).all(near), "{seen:?}, not {greys:?}");
}

/// Two people of different grey publish at `room`; what `edge` serves shows both side by side.
async fn scenario(room: &Server, edge: &Server) {
    let stream = room.go_live("room").await;
    let mut publishers = Vec::new();
    for (user, luma) in [("dark", 60), ("light", 200)] {
        publishers.push(send(room, "room", user, clips::grey(luma, 320, 180, 20)).await);
    }
    let mut video = Viewer::new(edge, "room", &stream, "180p");
    video.watch_to(8).await;
    // Two tiles of 160x90 in the middle of 320x180: one pixel for each, and one of the bar above.
    let last = luma_pictures(video.file(), 32, 18).pop().expect("pictures");
    let at = |x: usize, y: usize| last[y * 32 + x];
    assert_greys([at(8, 9), at(24, 9)], [60, 200]);
    assert!(at(16, 1) < 60, "the bar above the tiles is dark");
    let mut audio = Viewer::new(edge, "room", &stream, "audio");
    audio.watch_to(8).await;
    assert_ffmpeg_decodes(audio.file());
}
