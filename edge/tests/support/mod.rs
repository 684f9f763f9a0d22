//! What the scenarios share: an upstream that does as it is told and counts, requests in a line, answers as text.
#![allow(dead_code, unreachable_pub, reason = "each scenario uses its part")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, reason = "scenarios drive tasks")]

use bytes::Bytes;
use footlight_edge::key::QueryRule;
use footlight_edge::{Edge, Limits, Wiring};
use futures_util::future::BoxFuture;
use futures_util::stream;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

pub type Answer = Response<UnsyncBoxBody<Bytes, io::Error>>;
type Script = dyn Fn(usize, Request<()>) -> BoxFuture<'static, io::Result<Answer>> + Send + Sync;

pub const SEGMENT: &str = "/hls/room/s1/v/12.m4s";
pub const PLAYLIST: &str = "/hls/room/s1/v/media.m3u8";

pub const RULES: &[QueryRule] = &[
    QueryRule { prefix: "/hls/", suffix: ".m3u8", keys: &["_HLS_msn", "_HLS_part", "_HLS_skip"] },
    QueryRule { prefix: "/hls/", suffix: "", keys: &[] },
];

/// An upstream that answers by a script, which is told how many requests came before, and the request.
#[derive(Clone)]
pub struct Upstream {
    script: Arc<Script>,
    seen: Arc<Mutex<Vec<Request<()>>>>,
}

impl Upstream {
    pub fn new<F>(script: impl Fn(usize, Request<()>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<Answer>> + Send + 'static,
    {
        let script = move |nth, request| -> BoxFuture<'static, io::Result<Answer>> { Box::pin(script(nth, request)) };
        Self { script: Arc::new(script), seen: Arc::default() }
    }

    /// One that answers at once.
    pub fn answering(script: impl Fn(usize, &Request<()>) -> Answer + Send + Sync + 'static) -> Self {
        Self::new(move |nth, request| std::future::ready(Ok(script(nth, &request))))
    }

    pub fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// The targets asked for, in order.
    pub fn targets(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|request| request.uri().to_string()).collect()
    }

    /// A header of the nth request.
    pub fn header(&self, nth: usize, name: &str) -> String {
        let seen = self.seen.lock().unwrap();
        seen[nth].headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned()
    }
}

impl tower::Service<Request<Empty<Bytes>>> for Upstream {
    type Response = Answer;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Answer>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Empty<Bytes>>) -> Self::Future {
        let request = request.map(drop);
        let mut seen = self.seen.lock().unwrap();
        let nth = seen.len();
        seen.push(request.clone());
        drop(seen);
        (self.script)(nth, request)
    }
}

pub fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Full::new(body.into()).map_err(|never| match never {}).boxed_unsync()).unwrap()
}

/// A body in pieces, as they are sent through the channel; an error breaks it off.
pub fn streamed(headers: &[(&str, &str)], pieces: tokio::sync::mpsc::Receiver<io::Result<&'static str>>) -> Answer {
    let frames = stream::unfold(pieces, |mut pieces| async move {
        let piece = pieces.recv().await?;
        Some((piece.map(|text| http_body::Frame::data(Bytes::from_static(text.as_bytes()))), pieces))
    });
    let (parts, _) = answer(200, headers, "").into_parts();
    Response::from_parts(parts, UnsyncBoxBody::new(StreamBody::new(frames)))
}

pub fn edge(upstream: &Upstream) -> Edge<Upstream> {
    edge_with(upstream, Limits::default())
}

pub fn edge_with(upstream: &Upstream, limits: Limits) -> Edge<Upstream> {
    Edge::new(upstream.clone(), Wiring { limits, query_rules: RULES.into(), verifier: None })
}

/// An answer, read whole.
#[derive(Debug, Clone)]
pub struct Got {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub broken: bool,
}

impl Got {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Status, body and `Cache-Status` in one.
    pub fn line(&self) -> (u16, &str, &str) {
        (self.status.as_u16(), self.text(), self.header("cache-status").trim_start_matches("footlight; "))
    }
}

pub async fn read<B>(response: Response<B>) -> Got
where
    B: http_body::Body<Data = Bytes>,
{
    let (parts, body) = response.into_parts();
    let mut body = std::pin::pin!(body);
    let (mut bytes, mut broken) = (Vec::new(), false);
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => bytes.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Err(_) => {
                broken = true;
                break;
            }
        }
    }
    Got { status: parts.status, headers: parts.headers, body: bytes.into(), broken }
}

pub fn request(method: &str, target: &str, headers: &[(&str, &str)]) -> Request<()> {
    let mut builder = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(target);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(()).unwrap()
}

pub async fn send(edge: &Edge<Upstream>, method: &str, target: &str, headers: &[(&str, &str)]) -> Got {
    read(edge.handle(request(method, target, headers)).await).await
}

pub async fn get(edge: &Edge<Upstream>, target: &str) -> Got {
    send(edge, "GET", target, &[]).await
}

/// Lets every task that can go on do so.
pub async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}
