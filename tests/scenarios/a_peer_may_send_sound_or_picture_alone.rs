//! A peer that sends sound alone, one that sends a picture alone, and one that connects and sends nothing: the stream goes on without a gap, and shows
//! the one picture there is.

use crate::harness::clips;
use crate::harness::packaging::assert_ffmpeg_decodes;
use crate::harness::playback::{Viewer, middle_luma};
use crate::harness::publishers::send_only;
use crate::harness::server::{SMALL, Server};
use crate::support::Setup;
use crate::support::media::Video;

#[tokio::test(flavor = "multi_thread")]
async fn or_nothing() {
    let server = Server::start(&["serve"], SMALL).await;
    let stream = server.go_live("room").await;
    let h264 = || vec![Video::H264];
    let setup = Setup { video: Vec::new(), audio: true };
    let sound = send_only(&server, "room", "sound", &setup, (None, true)).await;
    let setup = Setup { video: h264(), audio: true };
    let silent = send_only(&server, "room", "silent", &setup, (None, false)).await;
    let mut video = Viewer::new(&server, "room", &stream, "180p");
    let mut audio = Viewer::new(&server, "room", &stream, "audio");
    tokio::join!(video.watch_to(6), audio.watch_to(6));
    let slate = *middle_luma(video.file()).last().unwrap();
    let clip = clips::grey(180, 320, 180, 20);
    let setup = Setup { video: h264(), audio: false };
    let picture = send_only(&server, "room", "picture", &setup, (Some(clip), false)).await;
    tokio::join!(video.watch_to(10), audio.watch_to(10));
    drop((sound, silent, picture));
    assert_eq!(video.discontinuities() + audio.discontinuities(), 0);
    assert_ffmpeg_decodes(video.file());
    assert_ffmpeg_decodes(audio.file());
    assert!(slate < 60, "{slate}: nobody had sent a picture");
    let shown = *middle_luma(video.file()).last().unwrap();
    assert!(shown.abs_diff(180) < 12, "{shown}: the one picture fills the canvas");
    server.end().await;
}
