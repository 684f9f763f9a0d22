#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: sends batches to the origin and waits between retries.
//! Publishes batches: HTTP requests to whatever takes them, an `Origin` value in the same process or a connection to one.

use crate::objects::{Batch, Change, Put};
use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use std::time::Duration;
use tower::ServiceExt as _;

/// Tries of one request. With the pauses below they last 6 s: three target durations, after which players have given up on a live edge.
const TRIES: u32 = 6;
/// Before the second try; each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
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

    /// Makes a batch's changes in their order.
    pub async fn publish(&mut self, batch: Batch) -> Result<(), PublishError> {
        for change in batch.changes {
            match change {
                Change::Put(put) => self.put(put).await?,
                Change::Join { mut segment, parts } => {
                    let mut body = BytesMut::new();
                    for part in parts {
                        body.extend_from_slice(&self.get(&part).await?.unwrap_or_default());
                    }
                    segment.bodies = vec![("full", body.freeze())];
                    self.put(segment).await?;
                }
                Change::Delete(path) => self.delete(&path).await?,
            }
        }
        Ok(())
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
            several => several.iter().flat_map(|(_, b)| b.clone()).collect(),
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
    request = request.header(header::CONTENT_TYPE, put.content_type).header(header::CACHE_CONTROL, &put.cache_control);
    if put.private {
        request = request.header("footlight-visibility", "private");
    }
    if put.bodies.len() > 1 {
        let lengths: Vec<String> = put.bodies.iter().map(|(name, body)| format!("{name}={}", body.len())).collect();
        request = request.header("footlight-bodies", lengths.join(","));
    }
    if let Some(live) = &put.playlist {
        request = request
            .header("footlight-version", &live.version)
            .header("footlight-part-counts", &live.part_counts)
            .header("footlight-part-target", live.part_target)
            .header("footlight-target-duration", live.target_duration)
            .header("footlight-cache-control-exact", live.exact_cache_control);
        if let Some(promise) = &live.promise {
            request = request.header("footlight-promises", promise);
        }
        if live.ended {
            request = request.header("footlight-ended", "1");
        }
    }
    request
}

fn refused(method: Method, path: &str, status: StatusCode, body: &Bytes) -> PublishError {
    let detail = String::from_utf8_lossy(body).into_owned();
    PublishError::Refused { method, path: path.to_owned(), status, detail }
}
