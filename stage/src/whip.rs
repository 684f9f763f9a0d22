#![allow(clippy::disallowed_methods)] // IO: bounds how long a request's body and its place in line may take, dates TURN credentials.
//! WHIP, the WebRTC-HTTP ingestion protocol (RFC 9725), as HTTP requests in and responses out.
//!
//! `/whip/<room>` takes offers; `/whip/<room>/<session>` is one session: PATCH trickles candidates or restarts ICE,
//! DELETE ends it. Who may do so is decided by [`Authorize`] on every request; a session's URL is no password.

use crate::driver::{AttachError, Found, NewSession, Stage};
use crate::problem::Problem;
use crate::query;
use crate::rate::{RateLimit, RateLimits};
use crate::sdp::{Fragment, MAX_SDP_BYTES, Offer};
use bytes::Bytes;
use footlight_media::track::{Contributor, PeerKey};
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use rand::RngCore;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The media type of offers and answers (RFC 9725 section 4.2).
const SDP: &str = "application/sdp";
/// The media type of PATCH bodies (RFC 8840 section 9).
const SDPFRAG: &str = "application/trickle-ice-sdpfrag";
/// A body of 64 KB takes a slow uplink a second.
const BODY_WAIT: Duration = Duration::from_secs(10);
/// An offer waits this long for its turn before it is told to come back: longer, and the client has given up.
const TURN_WAIT: Duration = Duration::from_secs(2);
/// What a client that found no turn is told.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// What is said with 503 where a room is full: somebody has to leave first.
const ROOM_RETRY_AFTER: Duration = Duration::from_secs(10);
/// Entropy of a session's URL, in bytes: 128 bits (RFC 9725 section 5 asks for unguessable).
const SESSION_ID_BYTES: usize = 16;

const ENDPOINT_METHODS: &str = "POST, OPTIONS";
const SESSION_METHODS: &str = "PATCH, DELETE, OPTIONS";

/// Who a request may act as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publisher {
    /// The peer of the room that the token names.
    pub peer: PeerKey,
    /// What the token calls their part in it.
    pub role: String,
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// POST: to begin a session. OPTIONS with a token: to be told the ICE servers before.
    Join,
    /// PATCH, DELETE: to change or end one that runs.
    Change,
}

/// Why a request may not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No token, or one that is not valid: nothing more is said.
    Unauthorized,
    /// A valid token that does not allow this.
    Forbidden {
        /// Why, for a person: the room, the role.
        reason: String,
        /// What helps.
        cure: &'static str,
    },
    /// A valid token, and no such room.
    UnknownRoom,
    /// Nobody can tell just now.
    Unavailable,
}

/// Decides about a request by room, bearer token and what it is for. Stage knows no tokens.
pub type Authorize =
    Arc<dyn Fn(String, Option<String>, Ask) -> BoxFuture<'static, Result<Publisher, Refusal>> + Send + Sync>;

/// The endpoint. Cheap to clone.
#[derive(Clone)]
pub struct Whip {
    stage: Stage,
    authorize: Authorize,
    turns: Arc<Semaphore>,
    rate: Arc<RateLimit>,
    peer_rates: Arc<RateLimits>,
    peer_changes: Arc<RateLimits>,
}

/// What a path names.
enum Target<'a> {
    Endpoint { room: &'a str },
    Session { room: &'a str, id: &'a str },
}

impl Whip {
    /// An endpoint for `stage`.
    pub fn new(stage: Stage, authorize: Authorize) -> Self {
        let config = stage.config();
        let turns = Arc::new(Semaphore::new(config.concurrent_negotiations.max(1)));
        let rate = Arc::new(RateLimit::new(config.offers_per_second, config.offer_burst));
        let peer_rates = Arc::new(RateLimits::new(config.peer_offers_per_second, config.peer_offer_burst));
        let peer_changes = Arc::new(RateLimits::new(config.peer_changes_per_second, config.peer_change_burst));
        Self { stage, authorize, turns, rate, peer_rates, peer_changes }
    }

    /// Answers one request. Every answer, errors too, carries CORS headers.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let path = request.uri().path().to_owned();
        let answered = match target(&path) {
            None => Err(Problem::UnknownRoom),
            Some(target) if request.method() == Method::OPTIONS => self.options(&target, request.headers()).await,
            Some(target) => self.route(target, request).await,
        };
        let mut response = answered.unwrap_or_else(Problem::into_response);
        cors(response.headers_mut());
        response
    }

    async fn route<B>(&self, target: Target<'_>, request: Request<B>) -> Result<Response<Full<Bytes>>, Problem>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        match target {
            Target::Endpoint { room } => {
                // GET, HEAD and PUT are kept for later versions (RFC 9725 section 4.2).
                if parts.method != Method::POST {
                    return Err(Problem::MethodNotAllowed { allow: ENDPOINT_METHODS });
                }
                let publisher = self.authorize(room, &parts.headers, Ask::Join).await?;
                let from = query::contributor(publisher.peer, parts.uri.query())?;
                self.post(room, from, publisher.role, &parts.headers, body).await
            }
            Target::Session { room, id } => {
                if parts.method != Method::PATCH && parts.method != Method::DELETE {
                    return Err(Problem::MethodNotAllowed { allow: SESSION_METHODS });
                }
                let publisher = self.authorize(room, &parts.headers, Ask::Change).await?;
                self.peer_changes.of((room, &publisher.peer)).admit(self.stage.now()).map_err(too_often("change"))?;
                let found = self.stage.find(id).await.filter(|found| found.room == room);
                let found = found.ok_or(Problem::UnknownSession)?;
                if found.peer != publisher.peer {
                    let reason = "the session is another peer's".to_owned();
                    return Err(Problem::Forbidden { reason, cure: "change and end sessions of your own only" });
                }
                if parts.method == Method::DELETE {
                    // An ETag on DELETE is ignored (RFC 9725 section 4.3.2).
                    self.stage.detach(id).await;
                    return Ok(Response::new(Full::default()));
                }
                self.patch(id, found, &parts.headers, body).await
            }
        }
    }

    /// A browser's preflight carries no token, and is told what is taken. Who may publish is told the ICE servers, too, so that its offer can
    /// have candidates of theirs (RFC 9725 section 4.6).
    async fn options(&self, target: &Target<'_>, headers: &HeaderMap) -> Result<Response<Full<Bytes>>, Problem> {
        let mut response = preflight(target);
        if let Target::Endpoint { room } = target
            && headers.contains_key(header::AUTHORIZATION)
        {
            let publisher = self.authorize(room, headers, Ask::Join).await?;
            let limit = self.peer_changes.of((room, &publisher.peer));
            limit.admit(self.stage.now()).map_err(too_often("ask for ICE servers"))?;
            self.recommend(response.headers_mut(), &publisher.peer);
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        Ok(response)
    }

    /// Names the ICE servers, with credentials of this peer's own where they are made.
    fn recommend(&self, headers: &mut HeaderMap, peer: &PeerKey) {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        for server in &self.stage.config().ice_servers {
            headers.append(header::LINK, server.link(&peer.0, since_epoch));
        }
    }

    async fn authorize(&self, room: &str, headers: &HeaderMap, ask: Ask) -> Result<Publisher, Problem> {
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer);
        (self.authorize)(room.to_owned(), bearer.map(str::to_owned), ask).await.map_err(|refusal| match refusal {
            Refusal::Unauthorized => Problem::Unauthorized,
            Refusal::Forbidden { reason, cure } => Problem::Forbidden { reason, cure },
            Refusal::UnknownRoom => Problem::UnknownRoom,
            Refusal::Unavailable => Problem::Busy { retry_after: RETRY_AFTER },
        })
    }

    async fn post<B>(
        &self,
        room: &str,
        from: Contributor,
        role: String,
        headers: &HeaderMap,
        body: B,
    ) -> Result<Response<Full<Bytes>>, Problem>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.admit_offer(room, &from.peer)?;
        expect_type(headers, SDP)?;
        let offer = Offer::parse(&read_text(body).await?)?;
        let turn = self.turn().await?;
        let (id, etag, peer) = (random_id(), etag(), from.peer.clone());
        let (stage, of_room, session, tag) = (self.stage.clone(), room.to_owned(), id.clone(), etag.clone());
        let answer = self
            .to_its_end(async move {
                let (number, sink) = stage.new_sink();
                let (peer, answer) = stage.endpoint().negotiate(&offer, sink.clone()).await?;
                let connection = Stage::connection(number, Arc::new(peer), &sink);
                let session = NewSession { id: session, room: of_room, from, role, offer, etag: tag, connection };
                let limit = stage.config().max_sessions_per_room;
                stage.attach(session).await.map_err(|error| match error {
                    AttachError::Full | AttachError::ShuttingDown => Problem::Busy { retry_after: RETRY_AFTER },
                    AttachError::RoomFull => Problem::RoomFull { limit, retry_after: ROOM_RETRY_AFTER },
                })?;
                drop(turn);
                Ok(answer)
            })
            .await?;
        let mut response = Response::new(Full::new(Bytes::from(answer.sdp)));
        *response.status_mut() = StatusCode::CREATED;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(SDP));
        headers.insert(HeaderName::from_static("accept-patch"), HeaderValue::from_static(SDPFRAG));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        insert(headers, header::LOCATION, &format!("/whip/{room}/{id}"));
        insert(headers, header::ETAG, &etag);
        self.recommend(headers, &peer);
        Ok(response)
    }

    /// Whether a negotiation may begin.
    fn admit_offer(&self, room: &str, peer: &PeerKey) -> Result<(), Problem> {
        // The peer's own first: what it is refused costs the others nothing.
        let now = self.stage.now();
        self.peer_rates.of((room, peer)).admit(now).map_err(too_often("offer"))?;
        self.rate.admit(now).map_err(|retry_after| Problem::Busy { retry_after })
    }

    /// A place among the negotiations that are under way.
    async fn turn(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let turn = Arc::clone(&self.turns).acquire_owned();
        let turn = tokio::time::timeout(TURN_WAIT, turn).await.ok().and_then(Result::ok);
        turn.ok_or(Problem::Busy { retry_after: RETRY_AFTER })
    }

    /// A task of its own: a client that hangs up midway leaves no half-made connection, and none that is changed by half.
    async fn to_its_end<T: Send + 'static>(
        &self,
        negotiation: impl Future<Output = Result<T, Problem>> + Send + 'static,
    ) -> Result<T, Problem> {
        self.stage.spawn(negotiation).await.map_err(|error| {
            tracing::error!(%error, "negotiation task");
            Problem::Internal
        })?
    }

    /// RFC 9725 section 4.3: trickle with the current ETag, restart with `*`.
    async fn patch<B>(
        &self,
        id: &str,
        found: Found,
        headers: &HeaderMap,
        body: B,
    ) -> Result<Response<Full<Bytes>>, Problem>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        expect_type(headers, SDPFRAG)?;
        let condition = headers.get(header::IF_MATCH).ok_or(Problem::IfMatchMissing)?;
        let condition = condition.to_str().map_err(|_| Problem::IfMatchMismatch)?.to_owned();
        let fragment = Fragment::parse(&read_text(body).await?)?;
        let one_at_a_time = found.lock().await;
        // Another change may have come first.
        let found = self.stage.find(id).await.ok_or(Problem::UnknownSession)?;
        if !matches(&condition, &found.etag) {
            return Err(Problem::IfMatchMismatch);
        }
        let restart = fragment.credentials.filter(|(ufrag, _)| *ufrag != found.offer.ufrag);
        let Some((ufrag, pwd)) = restart else {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::NO_CONTENT;
            return Ok(response);
        };
        // It costs what an offer costs.
        self.admit_offer(&found.room, &found.peer)?;
        let turn = self.turn().await?;
        let (stage, id) = (self.stage.clone(), id.to_owned());
        let (answer, etag) = self
            .to_its_end(async move {
                let offer = found.offer.restarted(&ufrag, &pwd);
                let answer = stage.endpoint().restart_ice(&found.connection, &offer).await?;
                let etag = etag();
                stage.restarted(&id, offer, etag.clone()).await;
                drop((turn, one_at_a_time));
                Ok((answer, etag))
            })
            .await?;
        let mut response = Response::new(Full::new(Bytes::from(answer.fragment())));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(SDPFRAG));
        insert(headers, header::ETAG, &etag);
        Ok(response)
    }
}

/// Room and session ids are `[A-Za-z0-9_-]{1,64}`; anything else names nothing.
fn target(path: &str) -> Option<Target<'_>> {
    let is_id = |id: &str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    };
    let mut segments = path.strip_prefix("/whip/")?.split('/');
    let room = segments.next().filter(|room| is_id(room))?;
    match (segments.next(), segments.next()) {
        (None, None) => Some(Target::Endpoint { room }),
        (Some(id), None) if is_id(id) => Some(Target::Session { room, id }),
        _ => None,
    }
}

/// RFC 9110 section 13.1.1: strong comparison with a list, or `*`, which clients also send quoted.
fn matches(condition: &str, etag: &str) -> bool {
    condition.split(',').map(str::trim).any(|wanted| wanted == etag || wanted == "*" || wanted == "\"*\"")
}

/// What a peer is told that is over its own limit.
fn too_often(what: &'static str) -> impl Fn(Duration) -> Problem {
    move |retry_after| Problem::TooOften { what, retry_after }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn expect_type(headers: &HeaderMap, want: &'static str) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let given = given.split(';').next().unwrap_or("").trim();
    if given.eq_ignore_ascii_case(want) { Ok(()) } else { Err(Problem::UnsupportedMediaType { want }) }
}

async fn read_text<B>(body: B) -> Result<String, Problem>
where
    B: http_body::Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let collected = tokio::time::timeout(BODY_WAIT, Limited::new(body, MAX_SDP_BYTES).collect()).await;
    let bytes = match collected {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => return Err(Problem::TooLarge),
        _ => return Err(Problem::BodyUnreadable),
    };
    String::from_utf8(bytes.into()).map_err(|_| Problem::BodyUnreadable)
}

fn random_id() -> String {
    let mut bytes = [0; SESSION_ID_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A strong entity tag (RFC 9110 section 8.8.3).
fn etag() -> String {
    format!("\"{}\"", random_id())
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn preflight(target: &Target<'_>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    let headers = response.headers_mut();
    let methods = match target {
        Target::Endpoint { .. } => {
            headers.insert(HeaderName::from_static("accept-post"), HeaderValue::from_static(SDP));
            ENDPOINT_METHODS
        }
        Target::Session { .. } => {
            headers.insert(HeaderName::from_static("accept-patch"), HeaderValue::from_static(SDPFRAG));
            SESSION_METHODS
        }
    };
    headers.insert(header::ALLOW, HeaderValue::from_static(methods));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    let allowed = "Authorization, Content-Type, If-Match";
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(allowed));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}

/// Any page may publish with a token of its own; no cookie is ever looked at, so `*` gives nothing away.
fn cors(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let exposed = "Location, ETag, Link, Retry-After, Accept-Patch, Accept-Post";
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
}
