//! What the scenarios share: requests in a line, answers as text, the origin in process.
#![allow(dead_code, unreachable_pub, reason = "each scenario uses its part")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "scenarios drive tasks and sockets")]

use bytes::Bytes;
use footlight_origin::{Limits, Origin};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Service, ServiceExt};

pub const PLAYLIST: &str = "/hls/room/s1/v/media.m3u8";
pub const PART: &str = "/hls/room/s1/v/13.2.m4s";

pub fn request(method: &str, target: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let mut builder = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(target);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Full::new(body.into())).unwrap()
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Got {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub body: Bytes,
}

impl Got {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

pub async fn read<B>(response: Response<B>) -> Got
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Debug,
{
    let (parts, body) = response.into_parts();
    Got { status: parts.status, headers: parts.headers, body: body.collect().await.unwrap().to_bytes() }
}

pub fn origin() -> Origin {
    Origin::new(Limits::default())
}

pub async fn get(origin: &Origin, target: &str) -> Got {
    send(origin, "GET", target, &[]).await
}

pub async fn send(origin: &Origin, method: &str, target: &str, headers: &[(&str, &str)]) -> Got {
    let request = request(method, target, headers, Bytes::new());
    read(origin.clone().call(request).await.unwrap()).await
}

pub async fn publish(origin: &Origin, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Got {
    let request = request(method, target, headers, body.to_owned());
    read(origin.publish().oneshot(request).await.unwrap()).await
}

/// PUTs a plain object.
pub async fn put(origin: &Origin, target: &str, body: &str) -> Got {
    let headers = [("content-type", "video/mp4"), ("cache-control", "max-age=60")];
    publish(origin, "PUT", target, &headers, body).await
}

/// PUTs the live playlist at a version; `more` are headers beside the usual ones.
pub async fn put_version(origin: &Origin, version: &str, counts: &str, more: &[(&str, &str)]) -> Got {
    let mut headers = vec![
        ("content-type", "application/vnd.apple.mpegurl"),
        ("cache-control", "max-age=1"),
        ("footlight-cache-control-exact", "max-age=12"),
        ("footlight-version", version),
        ("footlight-part-counts", counts),
        ("footlight-part-target", "0.342"),
        ("footlight-target-duration", "2"),
    ];
    headers.extend_from_slice(more);
    publish(origin, "PUT", PLAYLIST, &headers, &format!("at {version}")).await
}

/// A request that is under way; it is registered when this returns.
pub async fn start(origin: &Origin, target: &str) -> tokio::task::JoinHandle<Got> {
    let before = origin.usage().waiters;
    let (origin, target) = (origin.clone(), target.to_owned());
    let task = tokio::spawn({
        let origin = origin.clone();
        async move { get(&origin, &target).await }
    });
    while origin.usage().waiters == before && !task.is_finished() {
        tokio::task::yield_now().await;
    }
    task
}
