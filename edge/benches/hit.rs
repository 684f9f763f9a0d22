//! What a hit costs in the same process, by size, without a socket: the key, the look-up, the headers.
//!
//! `cargo bench -p footlight-edge` prints nanoseconds of wall time per hit, the least of five rounds.
#![allow(missing_docs, clippy::disallowed_methods, clippy::unwrap_used, reason = "a benchmark reads the clock")]

use bytes::Bytes;
use footlight_edge::{Body, Edge, Wiring};
use http::{Request, Response};
use http_body_util::{Empty, Full};
use std::convert::Infallible;
use std::time::Instant;

const HITS: u32 = 200_000;
const ROUNDS: u32 = 5;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for bytes in [1_500, 100_000, 10_000_000] {
        let object = Bytes::from(vec![0; bytes]);
        let upstream = tower::service_fn(move |_: Request<Empty<Bytes>>| {
            let response = Response::builder()
                .header("cache-control", "max-age=3600")
                .header("content-type", "video/mp4")
                .header("etag", "\"0123456789abcdef-5dc\"");
            std::future::ready(Ok::<_, Infallible>(response.body(Full::new(object.clone())).unwrap()))
        });
        let edge = Edge::new(upstream, Wiring::default());
        let request = || {
            let request = Request::get("/hls/room/s1/v/12.m4s").header("accept-encoding", "gzip, deflate, br");
            request.body(()).unwrap()
        };
        edge.handle(request()).await;
        let mut best = f64::MAX;
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            for _ in 0..HITS {
                let response = edge.handle(request()).await;
                assert!(matches!(response.into_body(), Body::Whole(whole) if whole.len() == bytes));
            }
            best = best.min(begun.elapsed().as_secs_f64() / f64::from(HITS) * 1e9);
        }
        println!("{bytes:>9} bytes: {best:>5.0} ns per hit");
    }
}
