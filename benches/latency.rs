#![allow(clippy::disallowed_methods, clippy::unwrap_used, dead_code, unreachable_pub)] // IO: runs a server, a sender and a browser.
//! From a frame's being sent to its being on a viewer's screen, by a number in the picture: plain HLS and low-latency HLS with hls.js at its
//! defaults, with and without 2 % loss on the publisher's way, beside what the server's own stamps say. See `benches/README.md`.

#[path = "../tests/scenarios/harness/mod.rs"]
mod harness;
#[path = "../stage/tests/support/mod.rs"]
mod support;

use harness::clips::{self, COUNT_CELL, COUNT_CELLS};
use harness::server::Server;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};
use support::media::Clip;
use support::relay::{Netem, Relay};
use support::{Client, Setup};

/// The first rung of the product's defaults, alone, so that the player does not choose.
const CONFIG: &str = r#"
http: {listen: "127.0.0.1:0"}
https: {listen: ""}
admin: {listen: "127.0.0.1:0"}
webrtc: {listen: "127.0.0.1:0"}
packager:
  rungs: [{name: 720p, width: 1280, height: 720, bitrate_kbps: 2500, preset: superfast, audio: audio}]
  audio: [{name: audio, bitrate_kbps: 128}]
"#;
/// The sender's bits per second, in thousands.
const KBPS: u32 = 1_500;
/// The clip's length: longer than any latency, so that a number names one frame.
const CLIP_SECONDS: u32 = 60;
/// What a run must not exceed, in milliseconds at p95.
const PLAIN_MS: f64 = 8_500.0;
const UPSTREAM_MS: f64 = 400.0;

struct Case {
    name: &'static str,
    low_latency: bool,
    loss: f64,
}

const CASES: [Case; 3] = [
    Case { name: "plain", low_latency: false, loss: 0.0 },
    Case { name: "plain, 2 % loss", low_latency: false, loss: 0.02 },
    Case { name: "low latency, hls.js's defaults", low_latency: true, loss: 0.0 },
];

/// What one case gave.
struct Outcome {
    glass_ms: Vec<f64>,
    watched: Value,
    stages: Vec<Value>,
}

#[tokio::main]
async fn main() {
    let seconds = std::env::var("LATENCY_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(180);
    let clip = clips::counted(KBPS, CLIP_SECONDS);
    let mut outcomes = Vec::new();
    for case in &CASES {
        outcomes.push(run(case, &clip, seconds).await);
    }
    print(&outcomes);
}

async fn run(case: &Case, clip: &Clip, seconds: u64) -> Outcome {
    let server = Server::start(&["serve"], CONFIG).await;
    server.go_live("room").await;
    let webrtc = server.url("webrtc").parse().unwrap();
    let relay = match case.loss > 0.0 {
        true => Some(Relay::start(webrtc, Netem::new(7, case.loss, Duration::ZERO)).await),
        false => None,
    };
    let mut client = Client::udp(&Setup::default(), relay.as_ref().map(|r| r.address)).await;
    let token = server.auth("room", "someone").await;
    let (answer, _) = server.whip("room", &token, client.offer()).await;
    client.accept(&answer);
    client.publish(Some(clip.clone()), true);
    let mut told = client.tell_sent();
    client.run_until(|seen| seen.video_frames > 30).await;
    let sender = client.spawn();
    let playlist = format!("{}/live/room/master.m3u8", server.url("http"));
    let low_latency = case.low_latency;
    let watched = tokio::task::spawn_blocking(move || watch(&playlist, low_latency, seconds)).await.unwrap();
    let trace: Value = serde_json::from_str(&server.admin("/trace/room").await).unwrap();
    drop(sender);
    let mut sent = Vec::new();
    while let Ok(frame) = told.try_recv() {
        sent.push(frame);
    }
    server.end().await;
    let stages = trace["stages"].as_array().unwrap().clone();
    Outcome { glass_ms: latencies(&sent, &watched), watched, stages }
}

fn watch(playlist: &str, low_latency: bool, seconds: u64) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = std::process::Command::new("node")
        .arg(root.join("tests/browser/watch_counted.mjs"))
        .arg(playlist)
        .arg(root.join("web/node_modules/hls.js/dist/hls.min.js"))
        .arg(json!({"lowLatencyMode": low_latency}).to_string())
        .args([seconds.to_string(), COUNT_CELLS.to_string(), COUNT_CELL.0.to_string(), COUNT_CELL.1.to_string()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"))
}

/// For each picture seen, how long ago the frame with its number was sent.
fn latencies(sent: &[(Instant, usize)], watched: &Value) -> Vec<f64> {
    let (now, wall) = (Instant::now(), SystemTime::now());
    let epoch_ms = |at: Instant| {
        let at = wall - now.duration_since(at);
        at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64() * 1e3
    };
    let sent: Vec<(f64, usize)> = sent.iter().map(|(at, number)| (epoch_ms(*at), *number)).collect();
    let seen = watched["seen"].as_array().unwrap();
    let age = |seen: &Value| {
        let (at, number) = (seen[0].as_f64().unwrap(), seen[1].as_u64().unwrap() as usize);
        let frame = sent.iter().rev().find(|(sent_at, sent)| *sent == number && *sent_at <= at);
        at - frame.unwrap_or_else(|| panic!("{number} was seen but never sent")).0
    };
    seen.iter().map(age).collect()
}

fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * q) as usize]
}

fn print(outcomes: &[Outcome]) {
    let row = |stage: &Value, key: &str| stage[key].as_f64().unwrap_or_default();
    let mut summary = serde_json::Map::new();
    for (case, outcome) in CASES.iter().zip(outcomes) {
        let (p50, p95) = (quantile(&outcome.glass_ms, 0.5), quantile(&outcome.glass_ms, 0.95));
        println!("{} ({} pictures)", case.name, outcome.glass_ms.len());
        println!("  {:<32} {:>10} {:>10}", "", "p50 ms", "p95 ms");
        for stage in &outcome.stages {
            let name = stage["stage"].as_str().unwrap();
            println!("  {name:<32} {:>10.1} {:>10.1}", row(stage, "p50_ms"), row(stage, "p95_ms"));
        }
        let before: f64 = ["upstream", "part_wait"]
            .iter()
            .filter_map(|name| outcome.stages.iter().find(|s| s["stage"] == *name))
            .map(|s| row(s, "p50_ms"))
            .sum();
        println!("  {:<32} {:>10.1}", "hold-back, fetch and player", p50 - before);
        println!("  {:<32} {p50:>10.1} {p95:>10.1}", "sent to seen");
        println!(
            "  stalls {}, player's errors {}, pictures without a number {}",
            outcome.watched["stalls"], outcome.watched["errors"], outcome.watched["unread"]
        );
        let upstream = outcome.stages.iter().find(|s| s["stage"] == "upstream").map(|s| row(s, "p95_ms"));
        summary.insert(
            case.name.to_owned(),
            json!({"p50_ms": p50.round(), "p95_ms": p95.round(), "upstream_p95_ms": upstream, "stalls": outcome.watched["stalls"]}),
        );
    }
    println!("targets at p95: plain {PLAIN_MS} ms, upstream {UPSTREAM_MS} ms");
    println!("{}", Value::Object(summary));
}
