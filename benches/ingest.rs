#![allow(clippy::disallowed_methods, clippy::unwrap_used, dead_code, unreachable_pub)] // IO: runs a server, and reads what the kernel says of it.
//! What a publisher costs the server that receives it: CPU and memory for 1, 4 and 8 publishers of 720p30 H.264 at 1.5 Mbit/s with Opus, in rooms
//! where no stream runs, so that stage alone works. See `benches/README.md`.

#[path = "../tests/scenarios/harness/mod.rs"]
mod harness;
#[path = "../stage/tests/support/mod.rs"]
mod support;

use harness::publishers::send;
use harness::server::{SMALL, Server};
use harness::usage;
use std::time::Duration;
use support::media::{Clip, Video};

/// How long each count of publishers is measured, after they have settled.
const MEASURED: Duration = Duration::from_secs(20);
const SETTLE: Duration = Duration::from_secs(5);
const COUNTS: [usize; 4] = [0, 1, 4, 8];
const BITS_PER_SECOND: usize = 1_500_000;

struct Row {
    publishers: usize,
    cores: f64,
    rss_mb: f64,
}

#[tokio::main]
async fn main() {
    let mut rows = Vec::new();
    for publishers in COUNTS {
        rows.push(measure(publishers).await);
    }
    println!(
        "{:>10} {:>10} {:>10} {:>22} {:>18}",
        "publishers", "cores", "RSS MB", "cores per publisher", "MB per publisher"
    );
    let idle = &rows[0];
    let mut last = (0.0, 0.0);
    for row in &rows {
        let n = row.publishers.max(1) as f64;
        last = ((row.cores - idle.cores) / n, (row.rss_mb - idle.rss_mb) / n);
        println!("{:>10} {:>10.4} {:>10.1} {:>22.4} {:>18.2}", row.publishers, row.cores, row.rss_mb, last.0, last.1);
    }
    println!("{{\"cpu_per_publisher\": {:.4}, \"mb_per_publisher\": {:.2}}}", last.0, last.1);
}

async fn measure(publishers: usize) -> Row {
    let server = Server::start(&["serve"], SMALL).await;
    server.rest(http::Method::POST, "/v2/rooms", serde_json::json!({"name": "room", "id": "room"})).await;
    let mut running = Vec::new();
    for n in 0..publishers {
        let clip = Clip::synthetic(Video::H264, (1280, 720), BITS_PER_SECOND, 10);
        running.push(send(&server, "room", &format!("user-{n}"), clip).await);
    }
    tokio::time::sleep(SETTLE).await;
    let cores = usage::cores(&[server.pid()], MEASURED).await;
    let rss_mb = usage::rss_mb(server.pid());
    drop(running);
    server.end().await;
    Row { publishers, cores, rss_mb }
}
