#![allow(clippy::disallowed_methods)] // IO: sockets, tasks per connection, their timers.
//! The origin's listeners: HTTP/1.1 and h2c for edges, the same for publishers with a shared secret.
//!
//! Each `run` takes what it serves as values and ends, after its connections, when `shutdown` does.

use crate::answer::{self, Body};
use crate::refusal::Refusal;
use crate::service::{Origin, Publish};
use http::{HeaderMap, Request, Response, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use subtle::ConstantTimeEq;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

/// Bytes of a request's header block.
pub const HEADER_BYTES: usize = 32 << 10;
/// For how long a header block may take to come, which on HTTP/1.1 also bounds the time between two requests, and after
/// which a connection that has not asked for anything is closed: longer than an edge's pool keeps an idle one.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(120);
/// Connections of edges. A hundred edges with twenty connections each fit twice.
pub const VIEWER_CONNECTIONS: usize = 4096;
/// Connections of publishers: one per live stream, and as many again while they reconnect.
pub const PUBLISH_CONNECTIONS: usize = 1024;
/// Streams on one HTTP/2 connection: an edge waits on one per object and version, over all its live streams.
const H2_STREAMS: u32 = 1024;
/// How long open requests may go on after `shutdown`: a blocking request may wait 6 s where a target duration is 2 s.
const DRAIN: Duration = Duration::from_secs(10);
/// After a failed accept (out of file descriptors, most likely), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves edges and viewers.
pub async fn run_viewers(listener: TcpListener, origin: Origin, shutdown: impl Future<Output = ()>) {
    let accept = move |cx: &mut Context<'_>| listener.poll_accept(cx).map_ok(|(stream, _)| no_delay(stream));
    run(accept, VIEWER_CONNECTIONS, shutdown, move |request: Request<Incoming>| origin.clone().call(request)).await;
}

/// Serves publishers who present `secret` (`Authorization: Bearer`).
pub async fn run_publish(listener: TcpListener, publish: Publish, secret: Secret, shutdown: impl Future<Output = ()>) {
    let accept = move |cx: &mut Context<'_>| listener.poll_accept(cx).map_ok(|(stream, _)| no_delay(stream));
    let answer = move |request: Request<Incoming>| {
        let (secret, mut publish) = (secret.clone(), publish.clone());
        async move {
            if !secret.is_in(request.headers()) {
                return Ok(answer::refusal(&Refusal::Unauthorized, request.method()));
            }
            publish.call(request).await
        }
    };
    run(accept, PUBLISH_CONNECTIONS, shutdown, answer).await;
}

/// The publish listener's shared secret. It does not show itself.
#[derive(Clone)]
pub struct Secret(Arc<[u8]>);

impl Secret {
    /// `None` where it would be empty: an empty secret opens the listener to everybody.
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.as_bytes().into()))
    }

    /// Compares in constant time; only the length can be learnt from how long it takes.
    fn is_in(&self, headers: &HeaderMap) -> bool {
        let presented = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes());
        let token = presented.and_then(|value| {
            let (scheme, token) = value.split_at_checked("bearer ".len())?;
            scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
        });
        token.is_some_and(|token| bool::from(token.ct_eq(&self.0)))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A playlist of 1.5 KB is one packet: waiting to fill a larger one would cost the viewer a round trip.
fn no_delay(stream: tokio::net::TcpStream) -> tokio::net::TcpStream {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY on a connection");
    }
    stream
}

async fn run<I, A, F>(
    mut accept: impl FnMut(&mut Context<'_>) -> Poll<io::Result<I>>,
    connections: usize,
    shutdown: impl Future<Output = ()>,
    answer: A,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<Body>, std::convert::Infallible>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(connections));
    let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
    let mut shutdown = pin!(shutdown);
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
            (place, std::future::poll_fn(&mut accept).await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok(stream) => {
                let serving = connection(stream, stop.clone(), answer.clone());
                tracker.spawn(async move {
                    serving.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    stop.cancel();
    tracker.close();
    tracker.wait().await;
}

/// One connection, from its first byte to its end; after `stop` its open requests have [`DRAIN`] to finish.
async fn connection<I, A, F>(stream: I, stop: CancellationToken, answer: A)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Fn(Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = Result<Response<Body>, std::convert::Infallible>> + Send + 'static,
{
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(HEADER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(HEADER_BYTES).expect("32 KiB"))
        .max_concurrent_streams(H2_STREAMS)
        .keep_alive_interval(HEADER_TIMEOUT);
    // Until its first bytes say which protocol it is, a connection is under neither protocol's timers.
    let asked = Arc::new(AtomicBool::new(false));
    let service = service_fn({
        let asked = asked.clone();
        move |request| {
            asked.store(true, Ordering::Relaxed);
            answer(request)
        }
    });
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let never_asked = async {
        tokio::time::sleep(HEADER_TIMEOUT).await;
        if asked.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = never_asked => return tracing::debug!("a connection was closed that asked for nothing"),
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            match tokio::time::timeout(DRAIN, serving).await {
                Ok(ended) => ended,
                Err(_) => return tracing::debug!("a connection was cut with a request still open"),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error, "a connection ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn check(presented: Option<&'static str>, expected: bool) {
        let secret = Secret::new("s3cret").expect("it is not empty");
        let mut headers = HeaderMap::new();
        if let Some(presented) = presented {
            headers.insert(header::AUTHORIZATION, HeaderValue::from_static(presented));
        }
        assert_eq!(secret.is_in(&headers), expected, "{presented:?}");
    }

    #[test]
    fn the_secret_is_taken_whole_and_nothing_else() {
        check(None, false);
        check(Some("Bearer s3cret"), true);
        check(Some("bearer s3cret"), true);
        check(Some("Bearer s3cre"), false);
        check(Some("Bearer s3cret "), false);
        check(Some("Bearer s3crets"), false);
        check(Some("Basic s3cret"), false);
        check(Some("s3cret"), false);
        check(Some("Bearer "), false);
        assert!(Secret::new("").is_none());
    }
}
