#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: holds the window behind a lock, and sleeps until waiters' deadlines.
//! The origin as two `tower::Service`s: [`Origin`] for edges and viewers, [`Publish`] for publishers.
//!
//! One lock guards the window. It is held for a look-up or a PUT's bookkeeping, never over an await and never while a
//! body is read; a fetch of what stands costs the look-up and one small header map, whatever the object's size.

use crate::answer::{self, Body};
use crate::live::Limits;
use crate::object::Object;
use crate::path::ObjectPath;
use crate::refusal::Refusal;
use crate::window::{Audience, Decision, Outcome, Released, WaiterId, Window};
use crate::{collect, directives};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, request};
use metrics::{Counter, counter};
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::sync::oneshot;
use tower::Service;

/// What the viewers' listener takes.
const VIEWERS_ALLOW: &str = "GET, HEAD, OPTIONS";
/// What the publish listener takes.
const PUBLISH_ALLOW: &str = "PUT, DELETE, GET, HEAD";

/// The origin, for whoever fetches. Cheap to clone; all clones are one origin.
#[derive(Clone, Debug)]
pub struct Origin {
    shared: Arc<Shared>,
}

/// The origin, for whoever publishes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Publish {
    origin: Origin,
}

#[derive(Debug)]
struct Shared {
    limits: Limits,
    state: Mutex<State>,
    counters: Counters,
}

/// What has been asked and published, for the process's exporter.
struct Counters {
    answered: Counter,
    waited: Counter,
    refused: Counter,
    published: Counter,
    publish_refused: Counter,
}

impl Counters {
    fn new() -> Self {
        let fetches = |outcome: &'static str| counter!("footlight_origin_fetches_total", "outcome" => outcome);
        let changes = |outcome: &'static str| counter!("footlight_origin_changes_total", "outcome" => outcome);
        Self {
            answered: fetches("answered"),
            waited: fetches("waited"),
            refused: fetches("refused"),
            published: changes("done"),
            publish_refused: changes("refused"),
        }
    }
}

impl std::fmt::Debug for Counters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counters")
    }
}

#[derive(Debug)]
struct State {
    window: Window,
    /// Where each waiter's outcome goes.
    waiting: HashMap<WaiterId, oneshot::Sender<Outcome>>,
}

impl Origin {
    /// An empty origin.
    pub fn new(limits: Limits) -> Self {
        let state = State { window: Window::new(limits.clone()), waiting: HashMap::new() };
        Self { shared: Arc::new(Shared { limits, state: Mutex::new(state), counters: Counters::new() }) }
    }

    /// The side that publishes.
    pub fn publish(&self) -> Publish {
        Publish { origin: self.clone() }
    }

    /// What is held now.
    pub fn usage(&self) -> Usage {
        let state = self.state();
        let window = &state.window;
        Usage { bytes: window.bytes(), objects: window.object_count(), waiters: window.waiter_count() }
    }

    /// Answers a GET or HEAD, now or when what it asks for comes.
    fn fetch(&self, parts: request::Parts, audience: Audience) -> Fetch {
        let counters = &self.shared.counters;
        let path = match ObjectPath::parse(parts.uri.path()) {
            Ok(path) => path,
            Err(error) => {
                counters.refused.increment(1);
                return Fetch::ready(answer::refusal(&error.into(), &parts.method));
            }
        };
        let query = parts.uri.query().unwrap_or("");
        let mut state = self.state();
        let decision = state.window.get(&path, || directives::parse(query), audience, now());
        let (id, deadline) = match decision {
            Decision::Answer(answer) => {
                drop(state);
                counters.answered.increment(1);
                return Fetch::ready(answer::object(&answer, &parts));
            }
            Decision::Refuse(refusal) => {
                drop(state);
                counters.refused.increment(1);
                return Fetch::ready(answer::refusal(&refusal, &parts.method));
            }
            Decision::Wait(id, deadline) => (id, deadline),
        };
        let (sender, receiver) = oneshot::channel();
        state.waiting.insert(id, sender);
        drop(state);
        counters.waited.increment(1);
        let waiting = Waiting { id, origin: self.clone() };
        Fetch::Waiting(Box::pin(wait(waiting, receiver, deadline, parts)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().expect("nothing panics while it holds the window")
    }

    fn put(&self, path: &ObjectPath, object: Object) -> Result<bool, Refusal> {
        let mut state = self.state();
        let put = state.window.put(path, object)?;
        let senders = state.senders(put.released);
        drop(state);
        release(senders);
        Ok(put.replaced)
    }

    fn delete(&self, path: &ObjectPath) -> Result<(), Refusal> {
        let mut state = self.state();
        let released = state.window.delete(path)?;
        let senders = state.senders(released);
        drop(state);
        release(senders);
        Ok(())
    }
}

/// What an origin holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bytes, with what is counted beside each object.
    pub bytes: u64,
    /// Objects.
    pub objects: usize,
    /// Requests that wait.
    pub waiters: usize,
}

impl State {
    fn senders(&mut self, released: Released) -> Vec<(oneshot::Sender<Outcome>, Outcome)> {
        let paired = released.into_iter().map(|(id, outcome)| {
            (self.waiting.remove(&id).expect("a waiter's sender stands as long as the waiter"), outcome)
        });
        paired.collect()
    }
}

/// Outside the lock: each send wakes a task.
fn release(senders: Vec<(oneshot::Sender<Outcome>, Outcome)>) {
    for (sender, outcome) in senders {
        // Who waited may have gone away between the change and here.
        let _ = sender.send(outcome);
    }
}

/// The clock that tests may pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// A request that waits; dropping it takes it out of the window.
struct Waiting {
    id: WaiterId,
    origin: Origin,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.origin.state();
        state.window.abandon(self.id);
        state.waiting.remove(&self.id);
    }
}

async fn wait(
    waiting: Waiting,
    mut receiver: oneshot::Receiver<Outcome>,
    deadline: Instant,
    parts: request::Parts,
) -> Response<Body> {
    let outcome = match tokio::time::timeout_at(deadline.into(), &mut receiver).await {
        Ok(outcome) => outcome.expect("the sender is dropped by this waiter alone"),
        Err(_) => {
            let expired = waiting.origin.state().window.expire(waiting.id);
            match expired {
                Some(refusal) => Err(refusal),
                // Released in the moment of the deadline: the outcome is sent, or is about to be.
                None => receiver.await.expect("whoever released this waiter sends its outcome"),
            }
        }
    };
    drop(waiting);
    match outcome {
        Ok(answer) => answer::object(&answer, &parts),
        Err(refusal) => answer::refusal(&refusal, &parts.method),
    }
}

/// The answer to a fetch: ready at once unless the request waits, so that the common case allocates no future.
pub enum Fetch {
    /// It is here.
    Ready(Option<Response<Body>>),
    /// It will be.
    Waiting(Pin<Box<dyn Future<Output = Response<Body>> + Send>>),
}

impl Fetch {
    fn ready(response: Response<Body>) -> Self {
        Self::Ready(Some(response))
    }
}

impl Future for Fetch {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Ready(response) => Poll::Ready(Ok(response.take().expect("a future is not polled after its end"))),
            Self::Waiting(future) => future.as_mut().poll(context).map(Ok),
        }
    }
}

impl<B> Service<Request<B>> for Origin {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Fetch;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Fetch {
        let (parts, _) = request.into_parts();
        match parts.method {
            Method::GET | Method::HEAD => self.fetch(parts, Audience::Viewers),
            Method::OPTIONS => {
                let mut response = answer::empty(StatusCode::NO_CONTENT);
                response.headers_mut().insert(http::header::ALLOW, http::HeaderValue::from_static(VIEWERS_ALLOW));
                Fetch::ready(response)
            }
            _ => Fetch::ready(method_not_allowed(&parts.method, VIEWERS_ALLOW)),
        }
    }
}

impl Publish {
    async fn answer<B>(self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let method = parts.method.clone();
        let path = parts.uri.path().to_owned();
        let done = match method {
            Method::PUT => self.put(&parts, body).await,
            Method::DELETE => ObjectPath::parse(parts.uri.path())
                .map_err(Refusal::from)
                .and_then(|path| self.origin.delete(&path))
                .map(|()| StatusCode::NO_CONTENT),
            Method::GET | Method::HEAD => {
                let response = self.origin.fetch(parts, Audience::Publisher).await;
                return response.unwrap_or_else(|never| match never {});
            }
            _ => return method_not_allowed(&method, PUBLISH_ALLOW),
        };
        match done {
            Ok(status) => {
                self.origin.shared.counters.published.increment(1);
                answer::empty(status)
            }
            Err(refusal) => {
                self.origin.shared.counters.publish_refused.increment(1);
                // Who deletes wants it gone: it never came, or somebody was first.
                let gone = matches!(refusal, Refusal::Missing { .. } | Refusal::Gone { .. });
                if method == Method::DELETE && gone {
                    tracing::debug!(path, "there was nothing to delete");
                } else {
                    tracing::warn!(%method, path, %refusal, "publishing was refused");
                }
                answer::refusal(&refusal, &method)
            }
        }
    }

    async fn put<B>(&self, parts: &request::Parts, body: B) -> Result<StatusCode, Refusal>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let path = ObjectPath::parse(parts.uri.path())?;
        let body = collect::whole(body, self.origin.shared.limits.object_bytes).await?;
        let object = Object::parse(&parts.headers, body)?;
        let replaced = self.origin.put(&path, object)?;
        Ok(if replaced { StatusCode::NO_CONTENT } else { StatusCode::CREATED })
    }
}

impl<B> Service<Request<B>> for Publish
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let publish = self.clone();
        Box::pin(async move { Ok(publish.answer(request).await) })
    }
}

fn method_not_allowed(method: &Method, allow: &'static str) -> Response<Body> {
    answer::refusal(&Refusal::Method { method: method.to_string(), allow }, method)
}
