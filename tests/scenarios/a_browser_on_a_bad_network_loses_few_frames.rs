//! A Chromium that connects and publishes 720p through a network with 5 % loss and up to 20 ms of jitter: it is on stage, nearly every frame that it
//! encodes is assembled, and it is asked for little more than what was lost.

use crate::harness::browsers;
use crate::harness::server::{SMALL, Server};
use crate::support::relay::{Netem, Relay};
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;

/// Frames before the camera is taken away.
const FRAMES: u64 = 415;

#[tokio::test(flavor = "multi_thread")]
async fn with_h264() {
    publishes("H264").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_vp8() {
    publishes("VP8").await;
}

async fn publishes(codec: &str) {
    let server = Server::start(&["serve"], SMALL).await;
    server.rest(http::Method::POST, "/v2/rooms", json!({"id": "room"})).await;
    let (studio, _files) = browsers::studio_of(&server, "testsrc=s=1280x720:r=30:d=4").await;
    let webrtc: SocketAddr = server.url("webrtc").parse().unwrap();
    let relay = Relay::start(webrtc, Netem::new(5, 0.05, Duration::from_millis(20))).await;
    let argument = json!({
        "studio": studio,
        "codec": codec,
        "frames": FRAMES,
        "server": webrtc.port(),
        "relay": relay.address.port(),
        "admin": server.url("admin"),
    });
    let result = browsers::run("bad_network.mjs", argument).await;
    let metrics = result["metrics"].as_str().unwrap();
    let count = |name: &str| metric(metrics, name, codec);
    let (encoded, retransmitted) = (result["encoded"].as_u64().unwrap(), result["retransmitted"].as_u64().unwrap());
    let assembled = count("footlight_track_frames_total");
    println!(
        "{codec}: {encoded} frames encoded, {assembled} assembled, {retransmitted} of {} packets sent again, {} asked for, {} lost; {} lines high",
        result["packets"],
        count("footlight_track_nacked_packets_total"),
        count("footlight_track_lost_packets_total"),
        result["height"],
    );
    assert!(assembled * 100 >= encoded * 99, "{assembled} of {encoded}");
    // As many packets were lost as one in twenty; a tenth of those again, on the way of the request or of the answer.
    let packets = result["packets"].as_u64().unwrap();
    assert!(retransmitted * 100 <= packets * 7, "{retransmitted} of {packets} packets");
    assert!(retransmitted * FRAMES < 150 * encoded, "{retransmitted} for {encoded} frames");
    server.end().await;
}

/// A counter of the publisher's track of `codec`.
fn metric(metrics: &str, name: &str, codec: &str) -> u64 {
    let label = format!("codec=\"{codec}\"");
    let line = metrics.lines().find(|line| line.starts_with(&format!("{name}{{")) && line.contains(&label));
    line.unwrap_or_else(|| panic!("no {name} for {codec} in {metrics}")).rsplit(' ').next().unwrap().parse().unwrap()
}
