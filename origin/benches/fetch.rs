//! What a fetch in the same process costs, by size: the look-up and the header map, whatever the size.
//!
//! `cargo bench -p footlight-origin` prints nanoseconds of wall time per fetch, the least of five rounds.
#![allow(missing_docs, clippy::disallowed_methods, clippy::unwrap_used, reason = "a benchmark reads the clock")]

use bytes::Bytes;
use footlight_origin::{Body, Limits, Origin};
use http::Request;
use http_body_util::{Empty, Full};
use std::time::Instant;
use tower::{Service, ServiceExt};

const FETCHES: u32 = 200_000;
const ROUNDS: u32 = 5;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let origin = Origin::new(Limits::default());
    for bytes in [1_500, 100_000, 10_000_000] {
        let path = format!("/hls/room/s1/v/{bytes}.m4s");
        let put = Request::put(&path).header("content-type", "video/mp4").header("cache-control", "max-age=60");
        let put = put.body(Full::new(Bytes::from(vec![0; bytes]))).unwrap();
        assert_eq!(origin.publish().oneshot(put).await.unwrap().status(), 201);
        let mut best = f64::MAX;
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            for _ in 0..FETCHES {
                let request = Request::get(&path).body(Empty::<Bytes>::new()).unwrap();
                let response = origin.clone().call(request).await.unwrap();
                assert!(matches!(response.into_body(), Body::Whole(whole) if whole.len() == bytes));
            }
            best = best.min(begun.elapsed().as_secs_f64() / f64::from(FETCHES) * 1e9);
        }
        println!("{bytes:>9} bytes: {best:>5.0} ns per fetch");
    }
}
