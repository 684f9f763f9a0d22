#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: the table of fetches under way, a task for each, their timeouts.
//! One fetch for many requests. Whoever asks first for a key starts it, as a task of its own, so that its end is not bound to that
//! viewer's; whoever asks meanwhile waits for its head and reads its body as it comes.

use crate::answer::{Head, Source};
use crate::failure::Failure;
use crate::fill::Fill;
use crate::freshness;
use crate::key::{Key, Target};
use crate::limits::Limits;
use crate::store::{Store, Stored};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt, Empty};
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::sync::{Semaphore, watch};
use tower::{Service, ServiceExt};

/// What a request to the upstream carries: nothing.
pub type Nothing = Empty<Bytes>;
/// Any error of an upstream or its bodies.
pub type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// What a fetch came to.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The origin answered.
    Answered(Fetched),
    /// It did not.
    Failed(Failure),
}

/// An answer of the origin.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// Its head.
    pub head: Arc<Head>,
    /// Its body.
    pub source: Source,
    /// Whether it may answer others than the one who asked.
    pub shareable: bool,
    /// Which clients it is for, where it varies.
    pub gzip: bool,
    /// Whether the origin confirmed what was kept (304).
    pub confirmed: bool,
}

/// A fetch that is under way, to wait for.
pub type Pending = watch::Receiver<Option<Outcome>>;

/// What one fetch asks for.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// Under which key others find it.
    pub key: Key,
    /// For which clients.
    pub gzip: bool,
    /// What is kept already, to be validated.
    pub kept: Option<Stored>,
}

/// The fetches under way to one upstream.
pub struct Flights<S> {
    upstream: S,
    store: Store,
    limits: Limits,
    places: Arc<Semaphore>,
    under_way: Mutex<HashMap<Key, Pending>>,
}

impl<S> Flights<S> {
    /// None.
    pub fn new(upstream: S, store: Store, limits: Limits) -> Self {
        let places = Arc::new(Semaphore::new(limits.fills));
        Self { upstream, store, limits, places, under_way: Mutex::default() }
    }

    /// How many are under way.
    pub fn count(&self) -> usize {
        self.under_way().len()
    }

    fn under_way(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Pending>> {
        self.under_way.lock().expect("nothing panics while it holds the table")
    }
}

impl<S, B> Flights<S>
where
    S: Service<Request<Nothing>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<AnyError>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<AnyError>,
{
    /// Joins the fetch for a key, or starts it; says whether it was started. `appeared` is asked, with the table locked,
    /// before one is started: between a look-up that found nothing and here another fetch may have come and gone, and
    /// to fetch again what it brought would be a second request for one object. `None` when it has.
    pub fn join(self: &Arc<Self>, fetch: Fetch, appeared: impl FnOnce() -> bool) -> Option<(Pending, bool)> {
        let mut under_way = self.under_way();
        if let Some(pending) = under_way.get(&fetch.key) {
            return Some((pending.clone(), false));
        }
        if appeared() {
            return None;
        }
        let (sender, pending) = watch::channel(None);
        under_way.insert(fetch.key.clone(), pending.clone());
        drop(under_way);
        let entry = Entry { flights: self.clone(), key: fetch.key.clone() };
        tokio::spawn(async move {
            let flights = entry.flights.clone();
            flights.run(&fetch, &sender).await;
            drop(entry);
        });
        Some((pending, true))
    }

    /// A fetch for one request alone, where the origin said that its answer is not to be shared.
    pub fn alone(self: &Arc<Self>, fetch: Fetch) -> Pending {
        let (sender, pending) = watch::channel(None);
        let flights = self.clone();
        tokio::spawn(async move { flights.run(&fetch, &sender).await });
        pending
    }

    /// The head goes out through `sender`, what may be kept into the store, and a long body through a [`Fill`].
    async fn run(&self, fetch: &Fetch, sender: &watch::Sender<Option<Outcome>>) {
        let Ok(_place) = self.places.try_acquire() else {
            sender.send_replace(Some(Outcome::Failed(Failure::Busy(self.limits.fills))));
            return;
        };
        let response = match self.ask(fetch).await {
            Ok(response) => response,
            Err(failure) => {
                sender.send_replace(Some(Outcome::Failed(failure)));
                return;
            }
        };
        let (now, wall) = (tokio::time::Instant::now().into_std(), SystemTime::now());
        let (parts, body) = response.into_parts();
        if let (StatusCode::NOT_MODIFIED, Some(kept)) = (parts.status, &fetch.kept) {
            let head = Arc::new(kept.head.refreshed(parts.headers, now, wall));
            let stored = Stored { head: head.clone(), body: kept.body.clone() };
            self.store.keep(&fetch.key.target, fetch.gzip, stored);
            let source = Source::Whole(kept.body.clone());
            let fetched = Fetched { head, source, shareable: true, gzip: fetch.gzip, confirmed: true };
            sender.send_replace(Some(Outcome::Answered(fetched)));
            return;
        }
        let storable = freshness::is_storable(parts.status, &parts.headers, wall);
        let shareable = freshness::is_shareable(parts.status, &parts.headers);
        let head = Arc::new(Head::new(parts.status, parts.headers, now, wall));
        let answered = |source| {
            let fetched = Fetched { head: head.clone(), source, shareable, gzip: fetch.gzip, confirmed: false };
            Some(Outcome::Answered(fetched))
        };
        match self.fill(body, |source| drop(sender.send_replace(answered(source)))).await {
            Ok(body) => {
                if storable {
                    let stored = Stored { head: head.clone(), body: body.clone() };
                    self.store.keep(&fetch.key.target, fetch.gzip, stored);
                }
                sender.send_replace(answered(Source::Whole(body)));
            }
            // Who has the head has a reader, which breaks off with the fill; who has not is told.
            Err(failure) => {
                tracing::debug!(target = &*fetch.key.target, %failure, "an object was not filled");
                sender.send_replace(Some(Outcome::Failed(failure)));
            }
        }
    }

    async fn ask(&self, fetch: &Fetch) -> Result<Response<B>, Failure> {
        let encoding = if fetch.gzip { "gzip" } else { "identity" };
        let mut request = Request::new(Nothing::new());
        *request.uri_mut() = fetch.key.target.parse().expect("a target is made of what a URI holds");
        request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static(encoding));
        if let Some(etag) = fetch.kept.as_ref().and_then(|kept| kept.head.etag()) {
            request.headers_mut().insert(header::IF_NONE_MATCH, etag.clone());
        }
        let asked = tokio::time::timeout(self.limits.wait, self.upstream.clone().oneshot(request)).await;
        match asked {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                let error = error.into();
                tracing::warn!(target = &*fetch.key.target, error, "the origin could not be asked");
                Err(Failure::Upstream)
            }
            Err(_) => Err(Failure::TimedOut(self.limits.wait)),
        }
    }

    /// Reads a body to its end. One that comes in a single piece is passed on by reference; a longer one is handed to
    /// `begun` as soon as its first piece is here.
    async fn fill(&self, body: B, begun: impl FnOnce(Source)) -> Result<Bytes, Failure> {
        let limit = self.limits.object_bytes;
        let length = body.size_hint().exact();
        if body.size_hint().lower() > limit {
            return Err(Failure::TooLarge(limit));
        }
        let mut body = std::pin::pin!(body);
        let Some(first) = next(body.as_mut(), self.limits.fill_progress).await? else {
            return if length.is_none_or(|length| length == 0) { Ok(Bytes::new()) } else { Err(Failure::Upstream) };
        };
        if body.is_end_stream() && length.is_none_or(|length| length == first.len() as u64) {
            return if first.len() as u64 > limit { Err(Failure::TooLarge(limit)) } else { Ok(first) };
        }
        let fill = Fill::new(length);
        let mut bytes = fill.append(first);
        begun(Source::Filling(fill.reader()));
        while bytes <= limit {
            match next(body.as_mut(), self.limits.fill_progress).await? {
                Some(piece) => bytes = fill.append(piece),
                None => return fill.end().map_err(|_| Failure::Upstream),
            }
        }
        Err(Failure::TooLarge(limit))
    }
}

/// The next piece of a body that is not empty.
async fn next<B>(mut body: Pin<&mut B>, within: Duration) -> Result<Option<Bytes>, Failure>
where
    B: Body<Data = Bytes>,
    B::Error: Into<AnyError>,
{
    loop {
        let frame = tokio::time::timeout(within, body.frame()).await.map_err(|_| Failure::TimedOut(within))?;
        match frame.map(|frame| frame.map(http_body::Frame::into_data)) {
            Some(Ok(Ok(piece))) if !piece.is_empty() => return Ok(Some(piece)),
            Some(Ok(_)) => {}
            Some(Err(_)) => return Err(Failure::Upstream),
            None => return Ok(None),
        }
    }
}

/// The place of a fetch in the table. It leaves with the fetch, even where that panics: a key is never left with a fetch
/// that will not come.
struct Entry<S> {
    flights: Arc<Flights<S>>,
    key: Key,
}

impl<S> Drop for Entry<S> {
    fn drop(&mut self) {
        self.flights.under_way().remove(&self.key);
    }
}

/// Waits for the head of a fetch, for as long as one request waits.
pub async fn head(mut pending: Pending, within: Duration) -> Outcome {
    match tokio::time::timeout(within, pending.wait_for(Option::is_some)).await {
        Ok(Ok(outcome)) => outcome.clone().expect("it was waited for until there is one"),
        // The task ended without a word: it panicked, or the runtime is going down.
        Ok(Err(_)) => Outcome::Failed(Failure::Upstream),
        Err(_) => Outcome::Failed(Failure::TimedOut(within)),
    }
}

/// The key that a fetch goes by: the target alone until it is known to vary.
pub fn key(target: &Target, variant: crate::key::Variant) -> Key {
    Key { target: target.clone(), variant }
}
