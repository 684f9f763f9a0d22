//! A peer that sends sound alone, one that sends a picture alone, and one that connects and sends nothing: the stream goes on without a gap, and shows
//! the one picture there is.

use crate::harness::clips;
use crate::harness::packaging::assert_ffmpeg_decodes;
use crate::harness::playback::{Viewer, middle_luma};
use crate::harness::server::{SMALL, Server};
use crate::support::media::{Clip, Video};
use crate::support::{Client, Running, Setup};

#[tokio::test(flavor = "multi_thread")]
async fn or_nothing() {
    let server = Server::start(&["serve"], SMALL).await;
    let stream = server.go_live("room").await;
    let h264 = || vec![Video::H264];
    let sound = publish(&server, "sound", Setup { video: Vec::new(), audio: true }, None, true).await;
    let silent = publish(&server, "silent", Setup { video: h264(), audio: true }, None, false).await;
    let mut video = Viewer::new(&server, "room", &stream, "180p");
    let mut audio = Viewer::new(&server, "room", &stream, "audio");
    tokio::join!(video.watch_to(6), audio.watch_to(6));
    let slate = *middle_luma(video.file()).last().unwrap();
    let clip = clips::grey(180, 320, 180, 20);
    let picture = publish(&server, "picture", Setup { video: h264(), audio: false }, Some(clip), false).await;
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

/// Connects, and sends what it is given.
async fn publish(server: &Server, user: &str, setup: Setup, clip: Option<Clip>, audio: bool) -> Running {
    let token = server.auth("room", user).await;
    let mut client = Client::udp(&setup, None).await;
    let (answer, _) = server.whip("room", &token, client.offer()).await;
    client.accept(&answer);
    client.publish(clip, audio);
    client.run_until(|seen| seen.connected).await;
    client.spawn()
}
