#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: child processes, threads, Unix sockets.
//! One life of a stream's packager: in a child process behind its fences or in a thread, with the origin as it may use it.

use crate::worker::{self, Begin, Worker, WorkerError};
use bytes::Bytes;
use footlight_media::time::SessionTime;
use footlight_packager::clock::SessionClock;
use footlight_packager::driver::{self, BATCHES, FromPackager, Start, ToPackager};
use footlight_packager::objects::{Change, Stream};
use footlight_packager::publish::{PublishError, Publisher};
use futures_util::{Sink, SinkExt, stream};
use http::{Request, Response};
use http_body_util::Full;
use std::collections::VecDeque;
use std::pin::Pin;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::PollSender;

/// What a packager may have on its way to the origin: what an origin has room for at all.
const WAITING_BYTES: usize = 512 * 1024 * 1024;

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

/// Starts a packager in a child process.
pub(crate) async fn in_process(begin: Begin) -> Result<(Told, Says), WorkerError> {
    let (worker, to) = worker::spawn(begin).await?;
    Ok((Box::pin(to), Says::Process(Box::new(worker))))
}

/// Starts one in a thread of this process.
pub(crate) fn in_thread(start: Start) -> Result<(Told, Says), WorkerError> {
    let (to, mut queue) = mpsc::channel(worker::MESSAGES);
    let inputs = stream::poll_fn(move |context| queue.poll_recv(context));
    let (outputs, from) = mpsc::channel(worker::MESSAGES);
    let (done, result) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(WorkerError::Spawn)?;
    std::thread::Builder::new()
        .name("packager".into())
        .spawn(move || {
            let _nobody_waits = done.send(runtime.block_on(driver::run(start, inputs, outputs)));
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

/// What a packager publishes, on its way to the origin.
pub(crate) struct Publishing {
    stream: Stream,
    queue: mpsc::Sender<Vec<Change>>,
    published: mpsc::Receiver<SessionTime>,
    /// Weights of what has not been published yet, the oldest first.
    waiting: VecDeque<usize>,
}

impl Publishing {
    /// Beside it comes what does the work, until that fails.
    pub(crate) fn new(
        stream: Stream,
        clock: SessionClock,
        origin: Objects,
    ) -> (Self, impl Future<Output = PublishError>) {
        let (queue, changes) = mpsc::channel(BATCHES);
        let (done, published) = mpsc::channel(BATCHES);
        let work = Publisher::new(origin).publish_all(changes, done, clock);
        (Self { stream, queue, published, waiting: VecDeque::new() }, work)
    }

    /// Takes what a packager wants at the origin, as far as it is its own stream's.
    pub(crate) fn take(&mut self, changes: Vec<Change>) -> Result<(), WorkerError> {
        changes.iter().try_for_each(|change| self.stream.accepts(change)).map_err(WorkerError::Foreign)?;
        let weight = changes.iter().map(Change::weight).sum();
        if self.waiting.iter().sum::<usize>() + weight > WAITING_BYTES {
            return Err(WorkerError::Flood);
        }
        self.waiting.push_back(weight);
        self.queue.try_send(changes).map_err(|_| WorkerError::Flood)
    }

    /// When the next of it was published. Cancel safe.
    pub(crate) async fn published(&mut self) -> Option<SessionTime> {
        let at = self.published.recv().await;
        self.waiting.pop_front();
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Method, StatusCode};
    use http_body_util::BodyExt;
    use std::pin::pin;

    #[tokio::test]
    async fn a_packager_s_own_objects_reach_the_origin_and_no_others() {
        let (asked, mut requests) = mpsc::channel(8);
        let origin = Objects::new(tower::service_fn(move |request: Request<Full<Bytes>>| {
            let asked = asked.clone();
            async move {
                asked.try_send((request.method().clone(), request.uri().path().to_owned())).expect("few requests");
                let mut response = Response::new(Full::default().map_err(|never| match never {}).boxed_unsync());
                *response.status_mut() = StatusCode::CREATED;
                Ok::<_, ObjectError>(response)
            }
        }));
        let (stream, other) = (Stream::new("room", "stream", 15), Stream::new("other", "stream", 15));
        let (mut objects, work) = Publishing::new(stream.clone(), SessionClock::starting_now(), origin);
        let mut work = pin!(work);
        let part = |stream: &Stream| vec![stream.part("720p", 1, 0, Bytes::from_static(b"moof"))];
        let refused = objects.take(part(&other));
        assert!(matches!(refused, Err(WorkerError::Foreign(_))), "{refused:?}");
        objects.take(part(&stream)).expect("its own");
        tokio::select! {
            error = &mut work => panic!("{error}"),
            at = objects.published() => assert!(at.is_some()),
        }
        assert_eq!(
            requests.try_recv().expect("it was sent"),
            (Method::PUT, "/hls/room/stream/720p/s1.0.m4s".to_owned())
        );
        assert!(requests.try_recv().is_err(), "nothing else was");
        let mut long = part(&stream);
        long.push(stream.part("720p", 1, 1, Bytes::from(vec![0; WAITING_BYTES])));
        let flood = objects.take(long);
        assert!(matches!(flood, Err(WorkerError::Flood)), "{flood:?}");
        let flood = (0..=BATCHES).try_for_each(|_| objects.take(part(&stream)));
        assert!(matches!(flood, Err(WorkerError::Flood)), "{flood:?}");
    }
}
