#![allow(clippy::disallowed_methods, clippy::unwrap_used, dead_code, unreachable_pub)] // IO: runs servers, and reads what the kernel says of them.
//! What the process boundary costs: CPU time of a server that packages one 720p30 publisher in a child process, against one that does it in a thread, in
//! turns. See `benches/README.md`.

#[path = "../tests/scenarios/harness/mod.rs"]
mod harness;
#[path = "../stage/tests/support/mod.rs"]
mod support;

use harness::publishers::send;
use harness::server::Server;
use harness::{clips, usage};
use std::time::Duration;
use support::media::Clip;

const PAIRS: usize = 7;
/// How long each server is measured, after it has settled.
const MEASURED: Duration = Duration::from_secs(20);
const SETTLE: Duration = Duration::from_secs(5);

/// One rung of 720p at the product's defaults.
fn config(isolation: &str) -> String {
    format!(
        "http: {{listen: '127.0.0.1:0'}}\nhttps: {{listen: ''}}\nadmin: {{listen: '127.0.0.1:0'}}\nwebrtc: {{listen: '127.0.0.1:0'}}\n\
         packager: {{isolation: {isolation}}}\n"
    )
}

#[tokio::main]
async fn main() {
    // One and the same work each time: x264's effort depends on the picture.
    let clip = clips::moving(1280, 720, 1_500, 40);
    let mut pairs = Vec::new();
    println!("{:>4} {:>14} {:>14} {:>8}", "pair", "thread, cores", "process, cores", "price");
    for number in 0..PAIRS {
        // Whoever comes second finds the machine warmer: they take turns.
        let order = if number.is_multiple_of(2) { ["thread", "process"] } else { ["process", "thread"] };
        let (first, second) = (measure(order[0], &clip).await, measure(order[1], &clip).await);
        let (thread, process) = if number.is_multiple_of(2) { (first, second) } else { (second, first) };
        let price = process / thread - 1.0;
        println!("{:>4} {thread:>14.4} {process:>14.4} {:>6.2} %", number + 1, price * 100.0);
        pairs.push(price);
    }
    pairs.sort_by(f64::total_cmp);
    let median = pairs[pairs.len() / 2];
    println!("median price {:.2} %, target 2 %", median * 100.0);
    println!("{{\"process_boundary_price\": {median:.4}, \"pairs\": {PAIRS}}}");
}

async fn measure(isolation: &str, clip: &Clip) -> f64 {
    let server = Server::start(&["serve"], &config(isolation)).await;
    server.go_live("room").await;
    let sender = send(&server, "room", "someone", clip.clone()).await;
    tokio::time::sleep(SETTLE).await;
    let cores = usage::cores(&usage::family(server.pid()), MEASURED).await;
    drop(sender);
    server.end().await;
    cores
}
