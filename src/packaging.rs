#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: child processes, threads, Unix sockets.
//! One life of a stream's packager: in a child process behind its fences or in a thread, with the origin as it may use it.

use crate::worker::{self, Begin, Worker, WorkerError};
use bytes::Bytes;
use footlight_packager::driver::{self, FromPackager, Start, ToPackager};
use footlight_packager::objects::Stream;
use footlight_packager::publish::Publisher;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tower::ServiceExt;

/// Longest object that a packager may publish: as in `docs/wire.md`.
const OBJECT_BYTES: usize = 32 * 1024 * 1024;

/// The publishing service that packagers write to: an origin in this process or elsewhere.
pub type Objects = tower::util::BoxCloneSyncService<Request<Full<Bytes>>, Response<ObjectBody>, ObjectError>;
/// Its answers.
pub type ObjectBody = http_body_util::combinators::UnsyncBoxBody<Bytes, ObjectError>;
/// Its failures: the connection's words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ObjectError(pub String);

/// A running packager, wherever it runs.
pub(crate) struct Packager {
    /// What it is told. Full while it does not keep up.
    pub(crate) to: mpsc::Sender<ToPackager>,
    says: Says,
}

/// How a packager is heard.
enum Says {
    Process(Box<Worker>),
    Thread { from: mpsc::Receiver<FromPackager>, result: oneshot::Receiver<Result<(), driver::DriverError>> },
}

impl Packager {
    /// Starts one in a child process, which reaches the origin through this process and no further than its own stream.
    pub(crate) async fn in_process(begin: &Begin, origin: Objects) -> Result<Self, WorkerError> {
        let origin = Fenced { stream: begin.start.stream.clone(), origin };
        let (worker, objects) = worker::spawn(begin).await?;
        let to = worker.to.clone();
        tokio::spawn(serve_objects(objects, origin));
        Ok(Self { to, says: Says::Process(Box::new(worker)) })
    }

    /// Starts one in a thread of this process.
    pub(crate) fn in_thread(start: Start, origin: Objects) -> Result<Self, WorkerError> {
        let (to, inputs) = mpsc::channel(worker::MESSAGES);
        let (outputs, from) = mpsc::channel(worker::MESSAGES);
        let (done, result) = oneshot::channel();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(WorkerError::Spawn)?;
        std::thread::Builder::new()
            .name("packager".into())
            .spawn(move || {
                let publisher = Publisher::new(origin);
                let _nobody_waits = done.send(runtime.block_on(driver::run(start, inputs, outputs, publisher)));
            })
            .map_err(WorkerError::Spawn)?;
        Ok(Self { to, says: Says::Thread { from, result } })
    }

    /// The next message. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<FromPackager, WorkerError> {
        match &mut self.says {
            Says::Process(worker) => worker.next().await,
            Says::Thread { from, result } => match from.recv().await {
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
    let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(objects), service).await;
    if let Err(error) = served {
        tracing::debug!(%error, "a packager's object socket ended");
    }
}

impl Fenced {
    async fn forward(self, request: Request<hyper::body::Incoming>) -> Response<ObjectBody> {
        let (parts, body) = request.into_parts();
        // A decoder that was taken over speaks here: it can spoil its own stream and no other.
        if !self.stream.owns(parts.uri.path()) || parts.uri.query().is_some() {
            let text = format!("{}: not an object of stream {}", parts.uri, self.stream.id());
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
