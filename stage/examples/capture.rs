#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)] // IO: a server and a file; to fail is to say so.
//! Records what the first session to come sends, as its session core sees it: RTP and sender reports, decrypted.
//!
//! `cargo run -p footlight-stage --example capture -- OUT SECONDS [LOSS_PERCENT]` prints `url: http://...` and then
//! waits for one publisher; any token will do. `/` is a page that publishes a canvas (`?codec=VP8|H264|VP9|AV1`). With a loss,
//! the peer's packets go through a relay that drops and delays them up to 20 ms, always in the same way.

#[path = "../tests/replay/format.rs"]
#[allow(dead_code, unreachable_pub)]
mod format;
#[path = "../tests/support/mod.rs"]
#[allow(unreachable_pub)]
mod support;

use footlight_media::track::PeerKey;
use footlight_stage::config::Config;
use footlight_stage::driver::Stage;
use footlight_stage::whip::{Publisher, Whip};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::relay::{Netem, Relay};
use tokio_util::sync::CancellationToken;

const PAGE: &str = include_str!("../../fixtures/clients/publish.html");

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let out = arguments.next().expect("OUT");
    let seconds: f64 = arguments.next().expect("SECONDS").parse().expect("a number");
    let loss: f64 = arguments.next().map_or(0.0, |percent| percent.parse().expect("a number"));
    let config = Config { listen: "127.0.0.1:0".parse().unwrap(), ..Config::default() };
    let stage = Stage::start(config, Instant::now(), CancellationToken::new()).await.unwrap();
    let mut inputs = stage.tap().await.unwrap();
    let authorize = |_room, _bearer, _ask| {
        Box::pin(std::future::ready(Ok(Publisher { peer: PeerKey("peer".into()), role: String::new() }))) as _
    };
    let whip = Whip::new(stage.clone(), Arc::new(authorize));
    let netem = Netem::new(1, loss / 100.0, Duration::from_millis(20));
    let relay = Relay::start(stage.local_addr(), netem).await;
    let ports = (loss > 0.0).then_some((stage.local_addr().port(), relay.address.port()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("url: http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve(listener, whip, ports));

    let mut bytes = Vec::new();
    let (mut first, mut session) = (None, None);
    while let Some(tapped) = inputs.recv().await {
        if *session.get_or_insert(tapped.session) != tapped.session {
            continue;
        }
        format::write(&mut bytes, tapped.now, &tapped.input);
        if matches!(tapped.input, footlight_stage::session::Input::Rtp(_)) {
            let first = *first.get_or_insert(tapped.now);
            if tapped.now.micros_since(first) > (seconds * 1e6) as i64 {
                break;
            }
        }
    }
    std::fs::write(&out, &bytes).unwrap();
    println!("{out}: {} bytes", bytes.len());
}

/// The page and the endpoint. `ports` are the stage's and the relay's that stands in for it.
async fn serve(listener: tokio::net::TcpListener, whip: Whip, ports: Option<(u16, u16)>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let whip = whip.clone();
        let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let whip = whip.clone();
            async move {
                if request.uri().path() == "/" {
                    let page = http::Response::builder().header("Content-Type", "text/html");
                    return Ok::<_, std::convert::Infallible>(page.body(Full::<bytes::Bytes>::from(PAGE)).unwrap());
                }
                let (mut parts, body) = whip.handle(request).await.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let mut text = String::from_utf8_lossy(&body).into_owned();
                if let Some((stage, relay)) = ports {
                    text = text.replace(&format!(" {stage} typ host"), &format!(" {relay} typ host"));
                }
                parts.headers.remove("content-length");
                Ok(http::Response::from_parts(parts, Full::from(text)))
            }
        });
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}
