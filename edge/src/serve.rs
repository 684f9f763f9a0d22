#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: sockets, tasks per connection, their timers, and each one's record of its doings.
//! The viewers' listener: HTTP/1.1 and HTTP/2, plain or over TLS, each connection within its limits.
//!
//! It serves any function from request to response, so that a process can put its other routes beside the edge's.

use crate::activity::{Activity, Verdict};
use crate::admission::{Admission, Place};
use crate::limits::Limits;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Bytes of the buffer that HTTP/1.1 reads heads into, at least: hyper takes no less.
const MIN_HEADER_BUFFER: usize = 8 << 10;
/// After a failed accept (out of file descriptors, most likely), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Streams that a peer has reset and that were not yet looked at, before the connection is ended (CVE-2023-44487).
const PENDING_RESETS: usize = 20;
/// For an HTTP/2 connection to end after it was told to: then it is cut.
const GOODBYE: Duration = Duration::from_secs(1);

/// Any error of an answer's body.
type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Where a request came from; among its extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// Serves until `shutdown`, then until its connections' open requests have ended or [`Limits::drain`] has passed. `tls` has
/// its certificates and ALPN from whoever configures it (`h2`, `http/1.1`).
pub async fn run<A, F, B>(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
    answer: A,
) where
    A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<AnyError>,
{
    let admission = Admission::new(limits.connections, limits.connections_per_address);
    let limits = Arc::new(limits);
    let tls = tls.map(TlsAcceptor::from);
    let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let place = match admission.admit(address.ip()) {
            Ok(place) => place,
            // Closed without a word: to say more would cost what the limit is there to save.
            Err(refused) => {
                metrics::counter!("footlight_edge_connections_refused_total").increment(1);
                tracing::debug!(%address, %refused, "a connection was refused");
                continue;
            }
        };
        let connection = Connection { address, limits: limits.clone(), stop: stop.clone(), _place: place };
        tracker.spawn(connection.run(stream, tls.clone(), answer.clone()));
    }
    drop(listener);
    stop.cancel();
    tracker.close();
    tracker.wait().await;
}

struct Connection {
    address: SocketAddr,
    limits: Arc<Limits>,
    stop: CancellationToken,
    _place: Place,
}

impl Connection {
    async fn run<A, F, B>(self, stream: TcpStream, tls: Option<TlsAcceptor>, answer: A)
    where
        A: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<AnyError>,
    {
        // A playlist is one packet: waiting to fill a larger one would cost the viewer a round trip.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY on a connection");
        }
        let Some(tls) = tls else { return self.serve(stream, answer).await };
        match tokio::time::timeout(self.limits.handshake_time, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.serve(stream, answer).await,
            Ok(Err(error)) => tracing::debug!(address = %self.address, %error, "a TLS handshake failed"),
            Err(_) => tracing::debug!(address = %self.address, "a TLS handshake took too long"),
        }
    }

    async fn serve<I, A, F, B>(self, stream: I, answer: A)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        A: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<AnyError>,
    {
        let watch = Watch(Arc::new(Mutex::new(Activity::new(now()))));
        let builder = self.builder();
        let (address, requests) = (self.address, watch.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(address));
            let open = Open::new(requests.clone());
            let answered = answer(request);
            async move { Ok::<_, Infallible>(answered.await.map(|body| Sent::new(body, open))) }
        });
        let io = TokioIo::new(Socket { inner: stream, watch: watch.clone() });
        let mut serving = pin!(builder.serve_connection_with_upgrades(io, service));
        let mut end = tokio::select! {
            end = drive(serving.as_mut(), &watch, &self.limits, None) => end,
            () = self.stop.cancelled() => {
                serving.as_mut().graceful_shutdown();
                let by = now() + self.limits.drain;
                drive(serving.as_mut(), &watch, &self.limits, Some(by)).await
            }
        };
        if matches!(end, End::Closed(Verdict::Idle)) {
            // It may be an HTTP/2 connection, which is owed a GOAWAY (RFC 9113 section 5.4.1).
            serving.as_mut().graceful_shutdown();
            end = drive(serving, &watch, &self.limits, Some(now() + GOODBYE)).await;
        }
        match end {
            End::Served(Ok(())) => {}
            End::Served(Err(error)) => tracing::debug!(%address, error, "a connection ended"),
            End::Closed(verdict) => tracing::debug!(%address, %verdict, "a connection was closed"),
            End::Cut => tracing::debug!(%address, "a connection was cut with a request still open"),
        }
    }

    fn builder(&self) -> auto::Builder<TokioExecutor> {
        let header_bytes = self.limits.header_bytes;
        let mut builder = auto::Builder::new(TokioExecutor::new());
        // Its own timer for heads would count the time between two requests as well.
        builder.http1().timer(TokioTimer::new()).header_read_timeout(None);
        builder.http1().max_buf_size(header_bytes.max(MIN_HEADER_BUFFER));
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(header_bytes).unwrap_or(u32::MAX))
            .max_concurrent_streams(self.limits.h2_streams)
            .max_pending_accept_reset_streams(PENDING_RESETS)
            .keep_alive_interval(self.limits.stall_time)
            .keep_alive_timeout(self.limits.stall_time);
        builder
    }
}

/// How a connection ended.
enum End {
    /// By itself, or because the peer left.
    Served(Result<(), AnyError>),
    /// By its limits.
    Closed(Verdict),
    /// By the time it was given.
    Cut,
}

/// Serves a connection until it ends, its limits say so, or `by` has come; then only the last counts.
///
/// What it may do next is looked at whenever it has done something, so that a bound that begins in between is met to
/// the moment; the timer is set back only when a deadline has come nearer, which costs a busy connection nothing.
async fn drive<S>(mut serving: Pin<&mut S>, watch: &Watch, limits: &Limits, by: Option<Instant>) -> End
where
    S: Future<Output = Result<(), AnyError>>,
{
    let mut timer = pin!(tokio::time::sleep_until(now().into()));
    std::future::poll_fn(|cx| {
        if let Poll::Ready(ended) = serving.as_mut().poll(cx) {
            return Poll::Ready(End::Served(ended));
        }
        loop {
            let now = now();
            let until = match (watch.look(|activity| activity.verdict(limits, now)), by) {
                (_, Some(by)) if now >= by => return Poll::Ready(End::Cut),
                (Ok(until), by) => by.map_or(until, |by| by.min(until)),
                (Err(Verdict::Idle), Some(by)) => by,
                (Err(verdict), _) => return Poll::Ready(End::Closed(verdict)),
            };
            if timer.is_elapsed() || until < timer.deadline().into_std() {
                timer.as_mut().reset(until.into());
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// A connection's record, shared by its socket and its requests.
#[derive(Clone)]
struct Watch(Arc<Mutex<Activity>>);

impl Watch {
    fn look<T>(&self, look: impl FnOnce(&mut Activity) -> T) -> T {
        look(&mut self.0.lock().expect("nothing panics while it holds a connection's record"))
    }
}

/// A request that is open until its answer has been sent, or dropped before.
struct Open {
    watch: Watch,
    completed: bool,
}

impl Open {
    fn new(watch: Watch) -> Self {
        watch.look(|activity| activity.request(now()));
        Self { watch, completed: false }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.watch.look(|activity| activity.answered(self.completed, now()));
    }
}

/// An answer's body. Its request is open as long as this is.
struct Sent<B> {
    inner: B,
    open: Open,
}

impl<B: Body<Data = Bytes> + Unpin> Sent<B> {
    /// A body without bytes is never polled: it is complete as it stands.
    fn new(body: B, mut open: Open) -> Self {
        open.completed = body.is_end_stream();
        Self { inner: body, open }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Sent<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(cx));
        self.open.completed = frame.is_none() || self.inner.is_end_stream();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A socket that notes when bytes move.
struct Socket<I> {
    inner: I,
    watch: Watch,
}

impl<I: AsyncRead + Unpin> AsyncRead for Socket<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        let bytes = &buffer.filled()[before..];
        if !bytes.is_empty() {
            self.watch.look(|activity| activity.read(bytes, now()));
        }
        read
    }
}

impl<I: AsyncWrite + Unpin> Socket<I> {
    fn note(&self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Ready(Ok(1..)) => self.watch.look(|activity| activity.wrote(now())),
            Poll::Pending => self.watch.look(Activity::blocked),
            Poll::Ready(_) => {}
        }
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Socket<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.note(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, pieces);
        self.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
