//! Rendering: the head of a response as it is kept, what is added for viewers, conditions and ranges, and the edge's own
//! problem documents (RFC 9457).

use crate::failure::Failure;
use crate::fill::Reader;
use crate::freshness::{Freshness, Vary, vary};
use crate::playback::{Access, PLAYBACK_ACCESS};
use crate::range::{self, Asked};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body::{Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Instant, SystemTime};

/// `Cache-Status` (RFC 9211).
pub const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
/// What scripts of other origins may read.
const EXPOSED: &str = "Age, Date, ETag, Content-Length, Content-Range, Cache-Status";
/// What passes.
const METHODS: &str = "GET, HEAD, OPTIONS";
/// For how long a browser may remember that it may ask: a day, seconds. Browsers cap it themselves.
const PREFLIGHT_MAX_AGE: &str = "86400";

/// What the edge sends.
#[derive(Debug)]
#[non_exhaustive]
pub enum Body {
    /// Nothing, or nothing more.
    Empty,
    /// All of it, by reference.
    Whole(Bytes),
    /// What has come of it, and the rest as it comes.
    Filling(Reader),
}

/// The fill that a body was read from broke off; the connection has to, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the origin broke off in the middle of an object")]
pub struct BrokenOff;

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if let Self::Filling(reader) = &mut *self {
            return reader.poll_next(cx).map(|next| next.map(|piece| piece.map(Frame::data)));
        }
        match std::mem::replace(&mut *self, Self::Empty) {
            Self::Whole(bytes) if !bytes.is_empty() => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            _ => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Whole(bytes) => bytes.is_empty(),
            // Who announces the length is never asked for more than that: hyper drops such a body with its last byte.
            Self::Filling(reader) => reader.left() == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Filling(reader) => reader.left().map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

/// The head of a response from the origin, made ready for viewers once.
#[derive(Debug, Clone)]
pub struct Head {
    /// Its status.
    pub status: StatusCode,
    /// What viewers see, CORS included, without what changes from answer to answer.
    headers: HeaderMap,
    /// Who may have it.
    pub access: Access,
    /// For how long it is good.
    pub freshness: Freshness,
    /// Whether it varies by `Accept-Encoding`.
    pub varies: bool,
}

impl Head {
    /// Takes what the origin sent at `now`, which is `wall` for dates.
    pub fn new(status: StatusCode, mut headers: HeaderMap, now: Instant, wall: SystemTime) -> Self {
        let access = Access::of(&headers);
        let freshness = Freshness::of(&headers, now, wall);
        let varies = vary(&headers) == Vary::Encoding;
        strip(&mut headers);
        if !headers.contains_key(header::DATE) {
            // RFC 9110 section 6.6.1: who keeps a response without a date notes when it came.
            let date = HeaderValue::try_from(httpdate::fmt_http_date(wall)).expect("a date is header text");
            headers.insert(header::DATE, date);
        }
        add_cors(&mut headers);
        Self { status, headers, access, freshness, varies }
    }

    /// What stands after a 304: the kept response with the headers that came (RFC 9111 section 4.3.4).
    pub fn refreshed(&self, came: HeaderMap, now: Instant, wall: SystemTime) -> Self {
        let mut headers = self.headers.clone();
        if self.access == Access::Token {
            headers.insert(PLAYBACK_ACCESS, HeaderValue::from_static("token"));
        }
        let lengths = [header::CONTENT_LENGTH, header::CONTENT_ENCODING, header::CONTENT_TYPE, header::CONTENT_RANGE];
        for name in came.keys().filter(|name| !lengths.contains(name)) {
            headers.remove(name);
            for value in came.get_all(name) {
                headers.append(name, value.clone());
            }
        }
        if !came.contains_key(header::DATE) {
            headers.remove(header::DATE);
        }
        Self::new(self.status, headers, now, wall)
    }

    /// Its validator.
    pub fn etag(&self) -> Option<&HeaderValue> {
        self.headers.get(header::ETAG)
    }
}

/// Where an answer is from (RFC 9211 section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// The store.
    Store,
    /// The origin, asked for this request.
    Miss,
    /// The origin, asked for an earlier request that was still under way.
    Collapsed,
    /// The store, after the origin was asked and confirmed it, or failed.
    Stale,
    /// The edge itself.
    Edge,
}

impl From {
    fn cache_status(self) -> Option<HeaderValue> {
        let text = match self {
            Self::Store => "footlight; hit",
            Self::Miss => "footlight; fwd=miss",
            Self::Collapsed => "footlight; fwd=miss; collapsed",
            Self::Stale => "footlight; fwd=stale",
            Self::Edge => return None,
        };
        Some(HeaderValue::from_static(text))
    }
}

/// A body to render.
#[derive(Debug, Clone)]
pub enum Source {
    /// It is all here.
    Whole(Bytes),
    /// It is coming.
    Filling(Reader),
}

/// What of a request decides how its answer is rendered.
#[derive(Debug)]
pub struct Wanted {
    /// GET or HEAD.
    pub method: Method,
    /// For conditions and ranges.
    pub headers: HeaderMap,
}

impl Wanted {
    /// Whether it asks for a range, so that a body has to be whole before it is answered.
    pub fn has_range(&self) -> bool {
        self.method == Method::GET && self.headers.contains_key(header::RANGE)
    }
}

/// Renders a response for one viewer.
pub fn render(head: &Head, source: Source, wanted: &Wanted, from: From, now: Instant) -> Response<Body> {
    let mut headers = head.headers.clone();
    if let Some(status) = from.cache_status() {
        headers.insert(CACHE_STATUS, status);
    }
    let age = head.freshness.age(now).as_secs();
    if matches!(from, From::Store | From::Stale) || age > 0 {
        headers.insert(header::AGE, HeaderValue::from(age));
    }
    if head.status != StatusCode::OK {
        return with_length(head.status, headers, source, &wanted.method);
    }
    if head.etag().is_some_and(|etag| matches_validator(&wanted.headers, etag)) {
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::CONTENT_TYPE);
        headers.remove(header::CONTENT_ENCODING);
        return respond(StatusCode::NOT_MODIFIED, headers, Body::Empty);
    }
    let Source::Whole(bytes) = source else { return with_length(head.status, headers, source, &wanted.method) };
    let length = bytes.len() as u64;
    match asked_range(wanted, head.etag(), length) {
        Asked::Whole => with_length(StatusCode::OK, headers, Source::Whole(bytes), &wanted.method),
        Asked::Part(part) => {
            let content_range = format!("bytes {}-{}/{length}", part.start, part.end - 1);
            headers.insert(header::CONTENT_RANGE, text(content_range));
            let index = |at: u64| usize::try_from(at).expect("an index into bytes in memory");
            let bytes = bytes.slice(index(part.start)..index(part.end));
            with_length(StatusCode::PARTIAL_CONTENT, headers, Source::Whole(bytes), &wanted.method)
        }
        Asked::Beyond => {
            for name in [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::ETAG, header::CACHE_CONTROL] {
                headers.remove(name);
            }
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            headers.insert(header::CONTENT_RANGE, text(format!("bytes */{length}")));
            with_length(StatusCode::RANGE_NOT_SATISFIABLE, headers, Source::Whole(Bytes::new()), &wanted.method)
        }
    }
}

fn with_length(status: StatusCode, mut headers: HeaderMap, source: Source, method: &Method) -> Response<Body> {
    let (length, body) = match source {
        Source::Whole(bytes) => (Some(bytes.len() as u64), Body::Whole(bytes)),
        Source::Filling(reader) => (reader.left(), Body::Filling(reader)),
    };
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    respond(status, headers, if *method == Method::HEAD { Body::Empty } else { body })
}

/// Renders a failure of the edge's own.
pub fn failure(failure: &Failure, method: &Method) -> Response<Body> {
    let status = failure.status();
    let title = status.canonical_reason().unwrap_or("Error");
    let document = serde_json::json!({ "title": title, "status": status.as_u16(), "detail": failure.to_string() });
    let mut headers = HeaderMap::with_capacity(10);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(after) = failure.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs()));
    }
    if matches!(failure, Failure::Method(_)) {
        headers.insert(header::ALLOW, HeaderValue::from_static(METHODS));
    }
    add_cors(&mut headers);
    with_length(status, headers, Source::Whole(document.to_string().into()), method)
}

/// Answers OPTIONS, a preflight (Fetch standard, section 3.3) among them. No origin is asked: all objects are alike.
pub fn options() -> Response<Body> {
    let mut headers = HeaderMap::with_capacity(8);
    add_cors(&mut headers);
    headers.insert(header::ALLOW, HeaderValue::from_static(METHODS));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_MAX_AGE));
    respond(StatusCode::NO_CONTENT, headers, Body::Empty)
}

fn respond(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn text(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("numbers and plain words are header text")
}

/// `*` without credentials: what token opens an object is in its path, so that an answer is the same for all pages.
fn add_cors(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
}

/// Removes what is between the origin and the edge: hop-by-hop headers (RFC 9110 section 7.6.1), what names who may have
/// an object, the origin's own CORS, cookies (one viewer's would be every viewer's), and `Age`, which is reckoned anew.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let ours = headers.keys().filter(|name| {
        let name = name.as_str();
        name.starts_with("footlight-") || name.starts_with("access-control-") || name.starts_with("proxy-")
    });
    let mut gone: Vec<HeaderName> = ours.cloned().chain(named).collect();
    gone.extend([
        PLAYBACK_ACCESS,
        CACHE_STATUS,
        HeaderName::from_static("keep-alive"),
        header::CONNECTION,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::SET_COOKIE,
        header::AGE,
        header::CONTENT_LENGTH,
    ]);
    for name in gone {
        headers.remove(name);
    }
}

/// `If-None-Match`, weak comparison (RFC 9110 section 13.1.2).
fn matches_validator(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let etag = opaque(etag.as_bytes());
    headers.get_all(header::IF_NONE_MATCH).iter().any(|list| {
        list.as_bytes().split(|b| *b == b',').map(<[u8]>::trim_ascii).any(|item| item == b"*" || opaque(item) == etag)
    })
}

/// A tag without its mark of weakness (RFC 9110 section 8.8.3).
fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// `Range`, as far as `If-Range` lets it count (RFC 9110 sections 13.1.5 and 14.2): its comparison is strong.
fn asked_range(wanted: &Wanted, etag: Option<&HeaderValue>, length: u64) -> Asked {
    if !wanted.has_range() {
        return Asked::Whole;
    }
    let unchanged = match wanted.headers.get(header::IF_RANGE) {
        None => true,
        Some(validator) => !validator.as_bytes().starts_with(b"W/") && Some(validator) == etag,
    };
    match wanted.headers.get(header::RANGE).and_then(|range| range.to_str().ok()) {
        Some(range) if unchanged => range::parse(range, length),
        _ => Asked::Whole,
    }
}
