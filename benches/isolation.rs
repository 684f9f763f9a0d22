#![allow(clippy::disallowed_methods, clippy::unwrap_used, dead_code, unreachable_pub)] // IO: runs servers, and reads what the kernel says of them.
//! What the process boundary costs: CPU time of a server that packages one 720p30 publisher in a child process, against one that does it in a thread at the
//! same time. One after the other they would differ by what the machine's speed does from one minute to the next, which is a tenth and more. See
//! `benches/README.md`.

#[path = "../tests/scenarios/harness/mod.rs"]
mod harness;
#[path = "../stage/tests/support/mod.rs"]
mod support;

use harness::publishers::send;
use harness::server::Server;
use harness::{clips, usage};
use std::time::Duration;
use support::media::Clip;

const PAIRS: usize = 9;
/// How long a pair is measured, after it has settled.
const MEASURED: Duration = Duration::from_secs(20);
const SETTLE: Duration = Duration::from_secs(5);

/// The first rung of the product's defaults, alone.
fn config(isolation: &str) -> String {
    format!(
        "http: {{listen: '127.0.0.1:0'}}\nhttps: {{listen: ''}}\nadmin: {{listen: '127.0.0.1:0'}}\nwebrtc: {{listen: '127.0.0.1:0'}}\n\
         packager: {{isolation: {isolation}, rungs: [{{name: 720p, width: 1280, height: 720, bitrate_kbps: 2500, preset: superfast, audio: audio}}], \
         audio: [{{name: audio, bitrate_kbps: 128}}]}}\n"
    )
}

#[tokio::main]
async fn main() {
    // One and the same work each time: x264's effort depends on the picture.
    let clip = clips::moving(1280, 720, 1_500, 40);
    let mut prices = Vec::new();
    println!("{:>4} {:>14} {:>14} {:>8}", "pair", "thread, cores", "process, cores", "price");
    for number in 1..=PAIRS {
        // Whoever starts second finds the other at work: they take turns.
        let (thread, process) = if number.is_multiple_of(2) {
            let process = Running::start("process", &clip).await;
            (Running::start("thread", &clip).await, process)
        } else {
            let thread = Running::start("thread", &clip).await;
            (thread, Running::start("process", &clip).await)
        };
        tokio::time::sleep(SETTLE).await;
        let (in_thread, in_process) = tokio::join!(thread.cores(), process.cores());
        thread.server.end().await;
        process.server.end().await;
        let price = in_process / in_thread - 1.0;
        println!("{number:>4} {in_thread:>14.4} {in_process:>14.4} {:>6.2} %", price * 100.0);
        prices.push(price);
    }
    prices.sort_by(f64::total_cmp);
    let median = prices[prices.len() / 2];
    println!("median price {:.2} %, target 2 %", median * 100.0);
    println!("{{\"process_boundary_price\": {median:.4}, \"pairs\": {PAIRS}}}");
}

/// A server with somebody on its stage, who leaves it when this is dropped.
struct Running {
    server: Server,
    sender: support::Running,
}

impl Running {
    async fn start(isolation: &str, clip: &Clip) -> Self {
        let server = Server::start(&["serve"], &config(isolation)).await;
        server.go_live("room").await;
        let sender = send(&server, "room", "someone", clip.clone()).await;
        Self { server, sender }
    }

    async fn cores(&self) -> f64 {
        usage::cores(&usage::family(self.server.pid()), MEASURED).await
    }
}
