//! A server that is told to end, as a terminal or a service manager tells it, ends its streams first: viewers find ended playlists at an origin that
//! goes on, and the next start finds the streams completed, not failed.

use crate::harness::clips;
use crate::harness::playback::{Viewer, until};
use crate::harness::publishers::send;
use crate::harness::server::{PATIENCE, SMALL, Server};
use crate::harness::usage::family;
use http::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::time::{Duration, Instant};

/// Far less than the ten seconds that are given up.
const AT_ONCE: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_told() {
    let server = Server::start(&["serve"], SMALL).await;
    let stream = server.go_live("room").await;
    let log = server.log();
    // Ctrl-C and a service manager reach the children too.
    for pid in family(server.pid()).into_iter().rev() {
        kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::TERM).unwrap();
    }
    let folder = server.ended().await;
    for says in ["a live stream starts", "a live stream can be played", "a live stream has ended"] {
        let lines = log.lines(says);
        assert_eq!(lines.len(), 1, "{says}: {lines:?}");
        assert!(lines[0].contains("room=\"room\"") && lines[0].contains(&stream), "{lines:?}");
    }
    assert_eq!(log.lines("\x1b"), [""; 0], "a pipe has no colours");
    assert_eq!(log.lines("[lib"), [""; 0], "what FFmpeg says of its encoders is nothing to an operator");
    let server = Server::start_in(folder, &["serve"], SMALL).await;
    let found = server.rest(Method::GET, &format!("/v2/live-streams/{stream}"), json!({})).await;
    assert_eq!(found["status"], "completed", "{found}");
    server.end().await;
}

/// As a port scanner opens, or a pool of connections that needs one less than it thought.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_connections_are_open_on_which_nothing_was_ever_asked() {
    let server = Server::start(&["serve"], SMALL).await;
    let mut silent = Vec::new();
    for listener in ["http", "admin", "webrtc"] {
        let address = server.url(listener).trim_start_matches("http://").to_owned();
        silent.push(tokio::net::TcpStream::connect(address).await.unwrap());
    }
    // All are accepted by then.
    server.admin("/livez").await;
    server.end().await;
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_an_origin_elsewhere() {
    let (origin, packager) = Server::apart().await;
    let stream = packager.go_live("room").await;
    let publisher = send(&packager, "room", "someone", clips::grey(120, 320, 180, 20)).await;
    let mut viewer = Viewer::new(&origin, "room", &stream, "180p");
    viewer.watch_to(5).await;
    let log = packager.log();
    let (_, ends) = tokio::join!(viewer.watch_to(u64::MAX), packager.end());
    assert_eq!(log.lines("players have 10 s").len(), 1);
    assert_eq!(viewer.discontinuities(), 0);
    drop((publisher, ends));
    let left = viewer.segments.last().unwrap().uri.clone();
    let (status, _) = origin.get(&format!("/hls/room/{stream}/180p/{left}")).await;
    assert!(!status.is_success(), "what is left of it was deleted: {status}");
    assert_eq!(origin.log().lines("WARN"), [""; 0]);
    origin.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_once_when_told_twice() {
    let (origin, packager) = Server::apart().await;
    packager.go_live("room").await;
    let log = packager.log();
    let pid = Pid::from_raw(i32::try_from(packager.pid()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    until(PATIENCE, || async { (log.lines("players have 10 s").len() == 1).then_some(()) }).await;
    let told = Instant::now();
    kill_process(pid, Signal::INT).unwrap();
    packager.ended().await;
    assert!(told.elapsed() < AT_ONCE, "{:?}", told.elapsed());
    origin.end().await;
}
