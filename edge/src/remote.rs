#![allow(clippy::disallowed_methods)] // IO: connections to an origin elsewhere, and their timeouts.
//! An origin in another process, as the same service as one in this: a pool of HTTP/1.1 connections, or one of HTTP/2 with
//! prior knowledge (RFC 9113 section 3.3).

use crate::collapse::{AnyError, Nothing};
use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tower::Service;

/// For a connection to be made: longer than two lost SYNs.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// Target durations for which the origin holds a blocking request before it answers 503.
const HELD_TARGET_DURATIONS: u32 = 3;
/// What the way there and back may take beside.
const TRANSIT: Duration = Duration::from_secs(2);
/// For which an idle connection is kept: less than the origin's own bound, so that it is not closed under a request.
const POOL_IDLE: Duration = Duration::from_secs(60);
/// Idle connections kept: what a burst of parts of all renditions has needed stays for the next.
const POOL_CONNECTIONS: usize = 64;
/// Between two pings of an HTTP/2 connection, which would otherwise only find out on its next request that it is dead.
const PING: Duration = Duration::from_secs(10);

/// How to reach an origin.
#[derive(Debug, Clone)]
pub struct Address {
    /// `http://host:port`, without a path.
    pub url: Uri,
    /// One HTTP/2 connection instead of a pool of HTTP/1.1.
    pub http2: bool,
    /// The longest target duration of its streams.
    pub target_duration: Duration,
}

/// An origin elsewhere. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct Remote {
    client: Client<HttpConnector, Nothing>,
    authority: Authority,
    response_timeout: Duration,
}

/// Why an address cannot be one of an origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Another scheme, or none.
    #[error(
        "the origin's URL is {0}; it must begin with http:// (put the way there inside a private network or a tunnel)"
    )]
    Scheme(Uri),
    /// No host.
    #[error("the origin's URL is {0}; it must name a host, as http://10.0.0.5:8090")]
    Host(Uri),
    /// A path or a query.
    #[error("the origin's URL is {0}; it must end after the port")]
    Path(Uri),
}

/// Why a request has no answer. It is always worth asking again.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// No connection, or it broke.
    #[error("the connection to the origin failed")]
    Connection(#[source] hyper_util::client::legacy::Error),
    /// No answer in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
}

impl Remote {
    /// Makes no connection yet.
    pub fn new(address: Address) -> Result<Self, AddressError> {
        let url = address.url;
        if url.scheme() != Some(&Scheme::HTTP) {
            return Err(AddressError::Scheme(url));
        }
        if url.path() != "/" || url.query().is_some() {
            return Err(AddressError::Path(url));
        }
        let Some(authority) = url.authority().cloned() else { return Err(AddressError::Host(url)) };
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_CONNECTIONS)
            .http2_only(address.http2)
            .http2_keep_alive_interval(address.http2.then_some(PING))
            .http2_adaptive_window(true)
            .build(connector);
        let response_timeout = address.target_duration * HELD_TARGET_DURATIONS + TRANSIT;
        Ok(Self { client, authority, response_timeout })
    }

    /// For how long an answer is waited for.
    pub fn response_timeout(&self) -> Duration {
        self.response_timeout
    }
}

impl Service<Request<Nothing>> for Remote {
    type Response = Response<Arrived>;
    type Error = RemoteError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Arrived>, RemoteError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), RemoteError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Nothing>) -> Self::Future {
        let mut uri = std::mem::take(request.uri_mut()).into_parts();
        uri.scheme = Some(Scheme::HTTP);
        uri.authority = Some(self.authority.clone());
        *request.uri_mut() = Uri::from_parts(uri).expect("scheme, authority and the path that was there");
        let (answer, timeout) = (self.client.request(request), self.response_timeout);
        Box::pin(async move {
            match tokio::time::timeout(timeout, answer).await {
                Ok(answer) => answer.map(|answer| answer.map(Arrived)).map_err(RemoteError::Connection),
                Err(_) => Err(RemoteError::Timeout(timeout)),
            }
        })
    }
}

/// A body from elsewhere. Its pieces are copied once out of the connection's buffer: a kept playlist of 1 KB would
/// otherwise keep that whole buffer, of up to 400 KB, which nobody has counted.
#[derive(Debug)]
pub struct Arrived(Incoming);

impl http_body::Body for Arrived {
    type Data = Bytes;
    type Error = AnyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, AnyError>>> {
        let frame = std::task::ready!(Pin::new(&mut self.0).poll_frame(cx));
        Poll::Ready(frame.map(|frame| Ok(frame?.map_data(|data| Bytes::copy_from_slice(&data)))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &'static str, expected: Result<(), fn(Uri) -> AddressError>) {
        let address = |url| Address { url, http2: false, target_duration: Duration::from_secs(2) };
        let uri = Uri::from_static(url);
        let got = Remote::new(address(uri.clone())).map(|remote| assert_eq!(remote.response_timeout().as_secs(), 8));
        assert_eq!(got, expected.map_err(|error| error(uri)), "{url}");
    }

    #[tokio::test]
    async fn an_address_is_a_plain_http_host() {
        check("http://127.0.0.1:8090", Ok(()));
        check("http://[::1]:8090/", Ok(()));
        check("https://origin.example", Err(AddressError::Scheme));
        check("origin.example:80", Err(AddressError::Scheme));
        check("/origin", Err(AddressError::Scheme));
        check("http://origin.example/live", Err(AddressError::Path));
        check("http://origin.example/?a", Err(AddressError::Path));
    }
}
