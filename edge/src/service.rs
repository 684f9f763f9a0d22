#![allow(clippy::disallowed_methods)] // IO: reads the clock for the pure parts, and waits for fetches.
//! One request's way through the edge: method, token, key, store, fetch, answer.

use crate::answer::{self, Body, From, Head, Source, Wanted};
use crate::collapse::{self, AnyError, Fetch, Fetched, Flights, Nothing, Outcome, Pending};
use crate::encoding;
use crate::failure::Failure;
use crate::freshness::Use;
use crate::key::{self, QueryRule, Target, Variant};
use crate::limits::Limits;
use crate::playback::{self, Access, Verifier};
use crate::store::{Found, Store, Stored};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, request};
use metrics::{Counter, counter};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use tower::Service;

/// How often a request goes back to the store and the fetches when what it waited for was not for it: once because it was
/// for clients of the other encoding, once because it may not be shared, and once to spare.
const ROUNDS: usize = 3;

/// What an edge is made of beside its upstream.
#[derive(Clone, Default)]
pub struct Wiring {
    /// Its bounds.
    pub limits: Limits,
    /// Which query keys count where; the first rule that fits is taken. Without one the whole query counts, so that every
    /// query that a viewer makes up is a fetch of its own: give every prefix of objects a rule.
    pub query_rules: Arc<[QueryRule]>,
    /// Who judges viewer tokens. Without one, no token opens anything.
    pub verifier: Option<Verifier>,
}

/// The edge in front of one upstream. Cheap to clone; clones are one edge.
pub struct Edge<S> {
    shared: Arc<Shared<S>>,
}

impl<S> Clone for Edge<S> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

struct Shared<S> {
    wiring: Wiring,
    store: Store,
    flights: Arc<Flights<S>>,
    counters: Counters,
}

/// Answers by where they are from.
struct Counters {
    hits: Counter,
    stale: Counter,
    misses: Counter,
    collapsed: Counter,
    failures: Counter,
}

/// What an edge holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bytes kept, with what is counted beside them.
    pub bytes: u64,
    /// Fetches under way.
    pub fetches: usize,
}

/// A request that has been let in.
struct Asked {
    target: Target,
    gzip: bool,
    token_accepted: bool,
    wanted: Wanted,
}

impl<S, B> Edge<S>
where
    S: Service<Request<Nothing>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<AnyError>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<AnyError>,
{
    /// An empty edge.
    pub fn new(upstream: S, wiring: Wiring) -> Self {
        let store = Store::new(wiring.limits.cache_bytes, wiring.limits.object_bytes);
        let flights = Arc::new(Flights::new(upstream, store.clone(), wiring.limits.clone()));
        let answers = |from: &'static str| counter!("footlight_edge_answers_total", "from" => from);
        let counters = Counters {
            hits: answers("hit"),
            stale: answers("stale"),
            misses: answers("miss"),
            collapsed: answers("collapsed"),
            failures: answers("failure"),
        };
        Self { shared: Arc::new(Shared { wiring, store, flights, counters }) }
    }

    /// What is held now.
    pub fn usage(&self) -> Usage {
        Usage { bytes: self.shared.store.bytes(), fetches: self.shared.flights.count() }
    }

    /// Answers a request: at once where the store can, otherwise when the origin has.
    pub fn handle<R>(&self, request: Request<R>) -> Answering {
        let (parts, _) = request.into_parts();
        let method = parts.method.clone();
        if method == Method::OPTIONS {
            return Answering::ready(answer::options());
        }
        let asked = match self.admit(parts) {
            Ok(asked) => asked,
            Err(failure) => return Answering::ready(self.fail(&failure, &method)),
        };
        let now = now();
        let kept = match self.shared.store.find(&asked.target, asked.gzip) {
            Found::Stored(kept) => kept,
            Found::NoVariant => return self.later(asked, Variant::of, None),
            Found::Nothing => return self.later(asked, |_| Variant::Any, None),
        };
        match kept.head.freshness.at(now) {
            Use::Fresh => {}
            Use::WhileRevalidating => self.revalidate(&asked, &kept),
            Use::IfError | Use::ToValidate => return self.later(asked, variant_of(&kept.head), Some(kept)),
        }
        self.shared.counters.hits.increment(1);
        Answering::ready(self.finish(&asked, &kept.head, Source::Whole(kept.body), From::Store, now))
    }

    fn admit(&self, parts: request::Parts) -> Result<Asked, Failure> {
        if parts.method != Method::GET && parts.method != Method::HEAD {
            return Err(Failure::Method(parts.method.to_string()));
        }
        let (token, path) = playback::split_token(parts.uri.path());
        let wiring = &self.shared.wiring;
        let target = key::target(path, parts.uri.query(), &wiring.query_rules)?;
        let token_accepted = match (token, &wiring.verifier) {
            (Some(token), Some(verifier)) => verifier(token, path),
            _ => false,
        };
        let gzip = encoding::accepts_gzip(&parts.headers);
        Ok(Asked { target, gzip, token_accepted, wanted: Wanted { method: parts.method, headers: parts.headers } })
    }

    fn later(&self, asked: Asked, variant: fn(bool) -> Variant, kept: Option<Stored>) -> Answering {
        let edge = self.clone();
        let variant = variant(asked.gzip);
        Answering::Later(Box::pin(async move { edge.fetch(asked, variant, kept).await }))
    }

    /// Starts a fetch that nobody waits for, unless one is under way.
    fn revalidate(&self, asked: &Asked, kept: &Stored) {
        let key = collapse::key(&asked.target, variant_of(&kept.head)(asked.gzip));
        let fetch = Fetch { key, gzip: asked.gzip, kept: Some(kept.clone()) };
        let _ = self.shared.flights.join(fetch, || false);
    }

    async fn fetch(self, asked: Asked, mut variant: Variant, mut kept: Option<Stored>) -> Response<Body> {
        let within = self.shared.wiring.limits.wait;
        let mut alone = false;
        for _ in 0..ROUNDS {
            let fetch = Fetch { key: collapse::key(&asked.target, variant), gzip: asked.gzip, kept: kept.clone() };
            let (pending, started) = if alone {
                (self.shared.flights.alone(fetch), true)
            } else {
                match self.shared.flights.join(fetch, || self.fresh(&asked).is_some()) {
                    Some(joined) => joined,
                    None => match self.fresh(&asked) {
                        Some(stored) => return self.hit(&asked, stored),
                        None => continue,
                    },
                }
            };
            let fetched = match self.await_head(pending, within).await {
                Ok(fetched) => fetched,
                Err(failure) => return self.failed(&asked, kept.as_ref(), &failure),
            };
            if fetched.head.varies && fetched.gzip != asked.gzip {
                variant = Variant::of(asked.gzip);
                kept = None;
            } else if !fetched.shareable && !started {
                alone = true;
            } else {
                return self.answer(&asked, kept.as_ref(), fetched, started).await;
            }
        }
        self.failed(&asked, kept.as_ref(), &Failure::Upstream)
    }

    async fn await_head(&self, pending: Pending, within: std::time::Duration) -> Result<Fetched, Failure> {
        match collapse::head(pending, within).await {
            Outcome::Answered(fetched) => Ok(fetched),
            Outcome::Failed(failure) => Err(failure),
        }
    }

    fn fresh(&self, asked: &Asked) -> Option<Stored> {
        match self.shared.store.find(&asked.target, asked.gzip) {
            Found::Stored(stored) if stored.head.freshness.at(now()) == Use::Fresh => Some(stored),
            _ => None,
        }
    }

    fn hit(&self, asked: &Asked, stored: Stored) -> Response<Body> {
        self.shared.counters.hits.increment(1);
        self.finish(asked, &stored.head, Source::Whole(stored.body), From::Store, now())
    }

    async fn answer(&self, asked: &Asked, kept: Option<&Stored>, fetched: Fetched, started: bool) -> Response<Body> {
        // RFC 5861 section 4: these are the errors that a stale response may stand in for.
        let failed = matches!(
            fetched.head.status,
            StatusCode::INTERNAL_SERVER_ERROR
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        );
        if failed && let Some(stale) = self.stale(asked, kept) {
            return stale;
        }
        let (from, counter) = match (fetched.confirmed, started) {
            (true, _) => (From::Stale, &self.shared.counters.stale),
            (false, true) if kept.is_some() => (From::Stale, &self.shared.counters.stale),
            (false, true) => (From::Miss, &self.shared.counters.misses),
            (false, false) => (From::Collapsed, &self.shared.counters.collapsed),
        };
        counter.increment(1);
        let source = match fetched.source {
            Source::Filling(reader) if asked.wanted.has_range() => match reader.whole().await {
                Ok(bytes) => Source::Whole(bytes),
                Err(_) => return self.fail(&Failure::Upstream, &asked.wanted.method),
            },
            source => source,
        };
        self.finish(asked, &fetched.head, source, from, now())
    }

    fn failed(&self, asked: &Asked, kept: Option<&Stored>, failure: &Failure) -> Response<Body> {
        self.stale(asked, kept).unwrap_or_else(|| self.fail(failure, &asked.wanted.method))
    }

    /// What is kept, where it may stand in for a failure.
    fn stale(&self, asked: &Asked, kept: Option<&Stored>) -> Option<Response<Body>> {
        let now = now();
        let kept = kept.filter(|kept| kept.head.freshness.answers_errors(now))?;
        self.shared.counters.stale.increment(1);
        Some(self.finish(asked, &kept.head, Source::Whole(kept.body.clone()), From::Stale, now))
    }

    /// The last door: whoever is refused here learns nothing but that a token is needed.
    fn finish(&self, asked: &Asked, head: &Head, source: Source, from: From, now: Instant) -> Response<Body> {
        if head.access == Access::Token && !asked.token_accepted {
            return self.fail(&Failure::Forbidden, &asked.wanted.method);
        }
        answer::render(head, source, &asked.wanted, from, now)
    }

    fn fail(&self, failure: &Failure, method: &Method) -> Response<Body> {
        self.shared.counters.failures.increment(1);
        answer::failure(failure, method)
    }
}

fn variant_of(head: &Head) -> fn(bool) -> Variant {
    if head.varies { Variant::of } else { |_| Variant::Any }
}

/// The clock that tests may pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The answer to a request: here at once when it is from the store, so that a hit allocates no future.
pub enum Answering {
    /// It is here.
    Ready(Option<Response<Body>>),
    /// It will be.
    Later(Pin<Box<dyn Future<Output = Response<Body>> + Send>>),
}

impl Answering {
    fn ready(response: Response<Body>) -> Self {
        Self::Ready(Some(response))
    }
}

impl Future for Answering {
    type Output = Response<Body>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response<Body>> {
        match self.get_mut() {
            Self::Ready(response) => Poll::Ready(response.take().expect("a future is not polled after its end")),
            Self::Later(future) => future.as_mut().poll(context),
        }
    }
}

impl<S, B, R> Service<Request<R>> for Edge<S>
where
    S: Service<Request<Nothing>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<AnyError>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<AnyError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Infallibly;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<R>) -> Infallibly {
        Infallibly(self.handle(request))
    }
}

/// [`Answering`] in the form of a service, which here never fails: failures are answers.
pub struct Infallibly(Answering);

impl Future for Infallibly {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(Ok)
    }
}
