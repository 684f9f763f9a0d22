//! A packager's process that stops running, while frames come in, is noticed by its silence and replaced: one discontinuity, and a stop still ends the
//! stream.

use crate::harness::clips;
use crate::harness::playback::{Playlist, Viewer, until};
use crate::harness::publishers::send;
use crate::harness::server::{PATIENCE, SMALL, Server};
use crate::harness::usage::family;
use http::{Method, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

/// The packagers' processes.
fn packagers(server: &Server) -> Vec<Pid> {
    let children = family(server.pid()).into_iter().skip(1);
    children.map(|pid| Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn and_its_stream_can_be_stopped() {
    let server = Server::start(&["serve"], SMALL).await;
    let stream = server.go_live("room").await;
    let publisher = send(&server, "room", "someone", clips::moving(320, 180, 300, 20)).await;
    let mut viewer = Viewer::new(&server, "room", &stream, "180p");
    viewer.watch_to(5).await;
    kill_process(packagers(&server)[0], Signal::STOP).unwrap();
    viewer.watch_to(8).await;
    assert_eq!(viewer.discontinuities(), 1);
    // The one that replaced it hangs too, and nobody waits for it for ever.
    kill_process(packagers(&server)[0], Signal::STOP).unwrap();
    server.rest(Method::POST, "/v2/live-streams/room/room/stop", json!({})).await;
    until(PATIENCE, || async {
        let (status, body) = server.get(&format!("/hls/room/{stream}/180p/media.m3u8")).await;
        let playlist = Playlist(String::from_utf8(body.to_vec()).unwrap());
        (status == StatusCode::OK && playlist.ended()).then_some(())
    })
    .await;
    drop(publisher);
    server.end().await;
}
