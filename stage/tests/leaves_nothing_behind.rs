#![allow(clippy::disallowed_methods, unreachable_pub, missing_docs, clippy::unwrap_used)] // IO: counts what the process holds.
//! Connects and closes leave nothing behind: tasks, file descriptors and memory are back at their start.
//!
//! `STAGE_CONNECTS` sets how many (200 by default; a release is checked with 10,000). In a process of its own, because it
//! measures the process.

#[path = "support/mod.rs"]
mod support;

use bytes::Bytes;
use footlight_media::track::PeerKey;
use footlight_stage::config::Config;
use footlight_stage::driver::Stage;
use footlight_stage::whip::{Publisher, Whip};
use http::Request;
use http_body_util::{BodyExt, Full};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::media::{Clip, Video};
use support::{Client, Setup};
use tokio_util::sync::CancellationToken;

/// Publishers at one time.
const AT_ONCE: usize = 16;
/// Rounds that fill allocator caches and tables before the first count.
const WARM_UP: usize = 64;
/// What an allocator may keep more at the end: measured were 0.7 to 1.6 MB after 200 connects and 1.5 MB after 1,000. A connection that is
/// leaked takes 170 KB, so that one in eight of 200 is seen.
const GROWTH_KB: usize = 4 * 1_024;

#[derive(Debug, Clone, Copy)]
struct Held {
    tasks: usize,
    descriptors: usize,
    resident_kb: usize,
}

fn held() -> Held {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    Held {
        tasks: tokio::runtime::Handle::current().metrics().num_alive_tasks(),
        descriptors: std::fs::read_dir("/proc/self/fd").unwrap().count(),
        resident_kb: resident.trim().trim_end_matches(" kB").parse().unwrap(),
    }
}

async fn send(whip: &Whip, peer: usize, request: http::request::Builder, body: String) -> http::Response<String> {
    let request = request.header("Authorization", format!("Bearer {peer}")).body(Full::new(Bytes::from(body))).unwrap();
    let (parts, body) = whip.handle(request).await.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    http::Response::from_parts(parts, String::from_utf8(body.into()).unwrap())
}

/// One publisher's life. Every third connects and sends; every second of all goes without a DELETE, by take-over: its URL is given.
async fn round(whip: &Whip, number: usize, clip: &Clip) -> Option<String> {
    let mut client = Client::udp(&Setup { video: vec![Video::Vp8], audio: true }, None).await;
    let post = Request::post("/whip/room").header("Content-Type", "application/sdp");
    let answer = send(whip, number % AT_ONCE, post, client.offer().to_owned()).await;
    assert_eq!(answer.status(), 201, "{}", answer.body());
    if number.is_multiple_of(3) {
        client.accept(answer.body());
        client.publish(Some(clip.clone()), true);
        let sent = tokio::time::timeout(Duration::from_secs(20), client.run_until(|seen| seen.video_frames > 3)).await;
        sent.expect("it connects");
    }
    let url = answer.headers()["location"].to_str().unwrap().to_owned();
    if !number.is_multiple_of(2) {
        return Some(url);
    }
    let deleted = send(whip, number % AT_ONCE, Request::delete(url), String::new()).await;
    assert_eq!(deleted.status(), 200);
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_many_connects_and_closes() {
    let connects: usize = std::env::var("STAGE_CONNECTS").map_or(200, |count| count.parse().unwrap());
    let shutdown = CancellationToken::new();
    let listen = "127.0.0.1:0".parse().unwrap();
    let free = 100_000;
    let config = Config {
        listen,
        offers_per_second: free,
        peer_offers_per_second: free,
        peer_changes_per_second: free,
        ..Config::default()
    };
    let stage = Stage::start(config, Instant::now(), shutdown.clone()).await.unwrap();
    let authorize = |_, bearer: Option<String>, _| {
        let peer = PeerKey(bearer.unwrap_or_default());
        Box::pin(std::future::ready(Ok(Publisher { peer, role: String::new() }))) as _
    };
    let whip = Whip::new(stage.clone(), Arc::new(authorize));
    let clip = Clip::synthetic(Video::Vp8, (160, 96), 100_000, 1);
    let settle = async |left: Vec<(usize, String)>| {
        for (peer, url) in left {
            send(&whip, peer, Request::delete(url), String::new()).await;
        }
        assert!(stage.stats().await.is_empty());
        // Connections close in tasks of their own, within DRIVER_STOP_TIMEOUT of the webrtc crate.
        let end = Instant::now() + Duration::from_secs(10);
        let mut last = held();
        while Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(250)).await;
            let now = held();
            if now.tasks == last.tasks && now.descriptors == last.descriptors && now.tasks <= 8 {
                return now;
            }
            last = now;
        }
        last
    };
    // Gives who was last left on.
    let rounds = async |count: usize| {
        let mut left = HashMap::new();
        for wave in 0..count.div_ceil(AT_ONCE) {
            let wave = (wave * AT_ONCE)..((wave + 1) * AT_ONCE).min(count);
            let urls = futures_util::future::join_all(wave.clone().map(|number| round(&whip, number, &clip))).await;
            left.extend(wave.zip(urls).filter_map(|(number, url)| Some((number % AT_ONCE, url?))));
        }
        left.into_iter().collect::<Vec<_>>()
    };
    let left = rounds(WARM_UP).await;
    let before = settle(left).await;
    let began = Instant::now();
    let left = rounds(connects).await;
    let took = began.elapsed();
    let after = settle(left).await;
    println!("{connects} connects in {took:?}: {before:?} -> {after:?}");
    assert_eq!((before.tasks, before.descriptors), (after.tasks, after.descriptors));
    let grown_kb = after.resident_kb.saturating_sub(before.resident_kb);
    assert!(grown_kb < GROWTH_KB, "{grown_kb} KB more");
    shutdown.cancel();
    stage.ended().await;
}
