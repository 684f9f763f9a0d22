#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: child processes, threads, Unix sockets.
//! One life of a stream's packager: in a child process behind its fences or in a thread, with the origin as it may use it.

use crate::socket;
use crate::worker::{self, Begin, Worker, WorkerError};
use bytes::Bytes;
use footlight_packager::driver::{self, FromPackager, Start, ToPackager};
use footlight_packager::objects::{CONTENT_TYPES, Stream};
use footlight_packager::publish::Publisher;
use futures_util::{Sink, SinkExt, stream};
use http::{HeaderName, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::PollSender;
use tower::ServiceExt;

/// Longest object that a packager may publish: as in `docs/wire.md`.
const OBJECT_BYTES: usize = 32 * 1024 * 1024;
/// What a packager sends with its objects, beside what begins with `footlight-`.
const HEADERS: [HeaderName; 4] = [header::HOST, header::CONTENT_LENGTH, header::CONTENT_TYPE, header::CACHE_CONTROL];

/// The publishing service that packagers write to: an origin in this process or elsewhere.
pub type Objects = tower::util::BoxCloneSyncService<Request<Full<Bytes>>, Response<ObjectBody>, ObjectError>;
/// Its answers.
pub type ObjectBody = http_body_util::combinators::UnsyncBoxBody<Bytes, ObjectError>;
/// Its failures: the connection's words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ObjectError(pub String);

/// What a packager is told by: not ready while it does not keep up.
pub(crate) type Told = Pin<Box<dyn Sink<ToPackager, Error = WorkerError> + Send>>;

/// How a packager is heard.
pub(crate) enum Says {
    /// Of a child process.
    Process(Box<Worker>),
    /// Of a thread of this process.
    Thread {
        /// What it says.
        from: mpsc::Receiver<FromPackager>,
        /// How it ended.
        result: oneshot::Receiver<Result<(), driver::DriverError>>,
    },
}

/// Starts a packager in a child process, which reaches the origin through this process and no further than its own stream.
pub(crate) async fn in_process(begin: Begin, origin: Objects) -> Result<(Told, Says), WorkerError> {
    let origin = Fenced { stream: begin.start.stream.clone(), origin };
    let (worker, to, objects) = worker::spawn(begin).await?;
    tokio::spawn(serve_objects(objects, origin));
    Ok((Box::pin(to), Says::Process(Box::new(worker))))
}

/// Starts one in a thread of this process.
pub(crate) fn in_thread(start: Start, origin: Objects) -> Result<(Told, Says), WorkerError> {
    let (to, mut queue) = mpsc::channel(worker::MESSAGES);
    let inputs = stream::poll_fn(move |context| queue.poll_recv(context));
    let (outputs, from) = mpsc::channel(worker::MESSAGES);
    let (done, result) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(WorkerError::Spawn)?;
    std::thread::Builder::new()
        .name("packager".into())
        .spawn(move || {
            let publisher = Publisher::new(origin);
            let _nobody_waits = done.send(runtime.block_on(driver::run(start, inputs, outputs, publisher)));
        })
        .map_err(WorkerError::Spawn)?;
    let to = PollSender::new(to).sink_map_err(|_closed| WorkerError::Silent);
    Ok((Box::pin(to), Says::Thread { from, result }))
}

impl Says {
    /// The next message. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<FromPackager, WorkerError> {
        match self {
            Self::Process(worker) => worker.next().await,
            Self::Thread { from, result } => match from.recv().await {
                Some(message) => Ok(message),
                None => match result.await {
                    Ok(Err(error)) => Err(error.into()),
                    Ok(Ok(())) | Err(_) => Err(WorkerError::Silent),
                },
            },
        }
    }
}

/// The origin as one stream's packager may use it.
#[derive(Clone)]
struct Fenced {
    stream: Stream,
    origin: Objects,
}

/// Serves a child's publishing requests from the origin, until the child is gone.
async fn serve_objects(objects: UnixStream, origin: Fenced) {
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let origin = origin.clone();
        async move { Ok::<_, Infallible>(origin.forward(request).await) }
    });
    let objects = match socket::split(objects) {
        Ok((read, write)) => TokioIo::new(tokio::io::join(read, write)),
        Err(error) => return tracing::error!(%error, "a packager's object socket"),
    };
    if let Err(error) = hyper::server::conn::http1::Builder::new().serve_connection(objects, service).await {
        tracing::debug!(%error, "a packager's object socket ended");
    }
}

impl Fenced {
    /// A decoder that was taken over speaks here: it can spoil its own stream and no other, and has nothing that a browser would run.
    fn check(&self, request: &http::request::Parts) -> Result<(), String> {
        if !self.stream.owns(request.uri.path()) || request.uri.query().is_some() {
            return Err(format!("{}: not an object of stream {}", request.uri, self.stream.id()));
        }
        let legal = |name: &HeaderName| HEADERS.contains(name) || name.as_str().starts_with("footlight-");
        if let Some(name) = request.headers.keys().find(|name| !legal(name)) {
            return Err(format!("{}: header {name} is not for objects of a stream", request.uri));
        }
        let kind = request.headers.get(header::CONTENT_TYPE);
        if request.method == Method::PUT && !CONTENT_TYPES.iter().any(|known| kind.is_some_and(|kind| kind == known)) {
            return Err(format!("{}: content type {kind:?} is not one of a stream's objects", request.uri));
        }
        Ok(())
    }

    async fn forward<B>(self, request: Request<B>) -> Response<ObjectBody>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        if let Err(text) = self.check(&parts) {
            tracing::warn!(text, "refused to a packager");
            return plain(StatusCode::FORBIDDEN, text);
        }
        let answer = async {
            let body = http_body_util::Limited::new(body, OBJECT_BYTES).collect().await;
            let body = body.map_err(|e| ObjectError(e.to_string()))?.to_bytes();
            self.origin.oneshot(Request::from_parts(parts, Full::new(body))).await
        };
        answer.await.unwrap_or_else(|error| plain(StatusCode::BAD_GATEWAY, error.0))
    }
}

fn plain(status: StatusCode, text: String) -> Response<ObjectBody> {
    let body = Full::new(Bytes::from(text)).map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_packager_reaches_its_own_stream_s_objects_and_brings_nothing_that_a_browser_runs() {
        let origin = tower::service_fn(|request: Request<Full<Bytes>>| async move {
            Ok::<_, ObjectError>(plain(StatusCode::CREATED, request.uri().to_string()))
        });
        let fenced = Fenced { stream: Stream::new("room", "stream", 15), origin: Objects::new(origin) };
        let ask = async |method: Method, path: &str, headers: &[(&str, &str)]| {
            let mut request = Request::builder().method(method).uri(path);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            fenced.clone().forward(request.body(Full::new(Bytes::new())).expect("a request")).await.status()
        };
        let video = ("content-type", "video/mp4");
        let own = "/hls/room/stream/720p/s1.m4s";
        let (yes, no) = (StatusCode::CREATED, StatusCode::FORBIDDEN);
        for (method, path, headers, want) in [
            (Method::PUT, own, &[video, ("footlight-version", "1.0"), ("cache-control", "no-store")][..], yes),
            (Method::GET, own, &[], yes),
            (Method::DELETE, own, &[], yes),
            (Method::PUT, "/live/room/master.m3u8", &[("content-type", "application/vnd.apple.mpegurl")], yes),
            (Method::PUT, "/live/other/master.m3u8", &[("content-type", "application/vnd.apple.mpegurl")], no),
            (Method::DELETE, "/hls/other/stream/720p/s1.m4s", &[], no),
            (Method::GET, "/hls/room/stream/../../other/stream/resume", &[], no),
            (Method::GET, "/hls/room/stream/resume?secret", &[], no),
            (Method::PUT, own, &[("content-type", "text/html")], no),
            (Method::PUT, own, &[], no),
            (Method::PUT, own, &[video, ("set-cookie", "a=b")], no),
            (Method::PUT, own, &[video, ("location", "https://example.org/")], no),
        ] {
            assert_eq!(ask(method.clone(), path, headers).await, want, "{method} {path} {headers:?}");
        }
    }
}
