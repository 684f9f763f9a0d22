#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: sends batches to the origin and waits between retries.
//! Publishes batches: HTTP requests to whatever takes them, an `Origin` value in the same process or a connection to one.

use crate::clock::SessionClock;
use crate::ladder::SEGMENT_SECONDS;
use crate::objects::{Body, Change, ContentType, Lifetime, Put};
use crate::playlist::seconds;
use bytes::{Bytes, BytesMut};
use footlight_media::time::SessionTime;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use std::time::Duration;
use tokio::sync::mpsc;
use tower::ServiceExt as _;

/// Tries of one request. With the pauses below they last 6 s: three target durations, after which players have given up on a live edge.
const TRIES: u32 = 6;
/// Before the second try; each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Six target durations (RFC 8216bis appendix B.1): an answer for exactly the version asked.
const EXACT_LIFETIME: &str = "public, max-age=12";
/// Longest answer that is read: a part or the record of a predecessor.
const ANSWER_BYTES: usize = 32 * 1024 * 1024;

/// Why publishing failed. The origin's or ours; each request was tried [`TRIES`] times where that could help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Nobody answered.
    #[error("{method} {path}: no answer from the origin: {cause}")]
    Unreachable {
        /// The request's method.
        method: Method,
        /// The object.
        path: String,
        /// The connection's words.
        cause: String,
    },
    /// The origin refused.
    #[error("{method} {path}: the origin answered {status}: {detail}")]
    Refused {
        /// The request's method.
        method: Method,
        /// The object.
        path: String,
        /// Its status.
        status: StatusCode,
        /// Its problem's text.
        detail: String,
    },
}

/// Sends objects to an origin.
pub struct Publisher<S> {
    origin: S,
}

impl<S, B> Publisher<S>
where
    S: tower::Service<Request<Full<Bytes>>, Response = Response<B>>,
    S::Error: std::fmt::Display,
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Publishes to `origin`, which presents a secret by itself where one is asked for.
    pub const fn new(origin: S) -> Self {
        Self { origin }
    }

    /// Makes changes in their order.
    pub async fn publish(&mut self, changes: Vec<Change>) -> Result<(), PublishError> {
        for change in changes {
            // An origin in this process never makes anybody wait.
            tokio::task::consume_budget().await;
            match change {
                Change::Put(put) => self.put(put).await?,
                Change::Join { mut segment, parts } => {
                    let mut body = BytesMut::new();
                    for part in parts {
                        body.extend_from_slice(&self.get(&part).await?.unwrap_or_default());
                    }
                    segment.bodies = vec![(Body::Full, body.freeze())];
                    self.put(segment).await?;
                }
                Change::Delete(path) => self.delete(&path).await?,
            }
        }
        Ok(())
    }

    /// Makes the changes that come by a queue, and says of each when it was done. Goes on until that fails.
    pub async fn publish_all(
        mut self,
        mut queue: mpsc::Receiver<Vec<Change>>,
        published: mpsc::Sender<SessionTime>,
        clock: SessionClock,
    ) -> PublishError {
        while let Some(changes) = queue.recv().await {
            if let Err(error) = self.publish(changes).await {
                return error;
            }
            let _nobody_listens = published.send(clock.now()).await;
        }
        std::future::pending().await
    }

    /// Fetches an object, private ones included; `None` where there is none.
    pub async fn get(&mut self, path: &str) -> Result<Option<Bytes>, PublishError> {
        let (status, body) = self.send(&Method::GET, path, |request| request, Bytes::new()).await?;
        match status {
            StatusCode::OK => Ok(Some(body)),
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
            _ => Err(refused(Method::GET, path, status, &body)),
        }
    }

    /// Deletes an object; one that is not there is fine.
    pub async fn delete(&mut self, path: &str) -> Result<(), PublishError> {
        let (status, body) = self.send(&Method::DELETE, path, |request| request, Bytes::new()).await?;
        let gone = [StatusCode::NOT_FOUND, StatusCode::GONE].contains(&status);
        if status.is_success() || gone { Ok(()) } else { Err(refused(Method::DELETE, path, status, &body)) }
    }

    async fn put(&mut self, put: Put) -> Result<(), PublishError> {
        let body = match &put.bodies[..] {
            [(_, only)] => only.clone(),
            several => several.iter().map(|(_, body)| &body[..]).collect::<Vec<_>>().concat().into(),
        };
        let (status, answer) = self.send(&Method::PUT, &put.path, |request| put_headers(request, &put), body).await?;
        if status.is_success() { Ok(()) } else { Err(refused(Method::PUT, &put.path, status, &answer)) }
    }

    async fn send(
        &mut self,
        method: &Method,
        path: &str,
        headers: impl Fn(http::request::Builder) -> http::request::Builder,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), PublishError> {
        let mut pause = FIRST_PAUSE;
        let mut tries = 1;
        loop {
            let request = headers(Request::builder().method(method).uri(path));
            let request = request.body(Full::new(body.clone())).expect("paths and headers are made of checked ids");
            let cause = match self.exchange(request).await {
                Ok(answer) if !answer.0.is_server_error() || tries == TRIES => return Ok(answer),
                Ok((status, _)) => status.to_string(),
                Err(cause) if tries == TRIES => {
                    return Err(PublishError::Unreachable { method: method.clone(), path: path.to_owned(), cause });
                }
                Err(cause) => cause,
            };
            tracing::warn!(%method, path, cause, tries, "publishing is tried again");
            tokio::time::sleep(pause).await;
            pause *= 2;
            tries += 1;
        }
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), String> {
        let response =
            self.origin.ready().await.map_err(|e| e.to_string())?.call(request).await.map_err(|e| e.to_string())?;
        let status = response.status();
        let body = http_body_util::Limited::new(response.into_body(), ANSWER_BYTES);
        let body = body.collect().await.map_err(|e| e.to_string())?;
        Ok((status, body.to_bytes()))
    }
}

fn put_headers(mut request: http::request::Builder, put: &Put) -> http::request::Builder {
    request = request.header(header::CONTENT_TYPE, content_type(put.content_type));
    request = request.header(header::CACHE_CONTROL, cache_control(put.lifetime));
    if put.private {
        request = request.header("footlight-visibility", "private");
    }
    if put.bodies.len() > 1 {
        let lengths = put.bodies.iter().map(|(name, body)| format!("{}={}", body_name(*name), body.len()));
        request = request.header("footlight-bodies", lengths.collect::<Vec<_>>().join(","));
    }
    if let Some(live) = &put.playlist {
        let counts = live.part_counts.iter().map(|(msn, parts)| format!("{msn}:{parts}"));
        request = request
            .header("footlight-version", format!("{}.{}", live.version.msn, live.version.parts))
            .header("footlight-part-counts", counts.collect::<Vec<_>>().join(","))
            .header("footlight-part-target", seconds(live.part_target))
            .header("footlight-target-duration", SEGMENT_SECONDS)
            .header("footlight-cache-control-exact", EXACT_LIFETIME);
        if let Some(promise) = &live.promise {
            request = request.header("footlight-promises", promise);
        }
        if live.ended {
            request = request.header("footlight-ended", "1");
        }
    }
    request
}

const fn content_type(content_type: ContentType) -> &'static str {
    match content_type {
        ContentType::Playlist => "application/vnd.apple.mpegurl",
        ContentType::Media => "video/mp4",
        ContentType::Picture => "image/jpeg",
        ContentType::Record => "application/octet-stream",
    }
}

fn cache_control(lifetime: Lifetime) -> String {
    match lifetime {
        Lifetime::Immutable { seconds } => format!("public, max-age={seconds}, immutable"),
        Lifetime::Playlist => "public, max-age=1".to_owned(),
        Lifetime::Poster => "public, max-age=5".to_owned(),
        Lifetime::Never => "no-store".to_owned(),
    }
}

const fn body_name(body: Body) -> &'static str {
    match body {
        Body::Full => "full",
        Body::FullGzip => "full.gzip",
        Body::Delta => "delta",
        Body::DeltaGzip => "delta.gzip",
        Body::Delta2 => "delta2",
        Body::Delta2Gzip => "delta2.gzip",
    }
}

fn refused(method: Method, path: &str, status: StatusCode, body: &Bytes) -> PublishError {
    let detail = String::from_utf8_lossy(body).into_owned();
    PublishError::Refused { method, path: path.to_owned(), status, detail }
}
