//! From what was decided to an HTTP answer: conditions, ranges, HEAD, and the problem documents of RFC 9457.

use crate::bodies::Representation;
use crate::directives::Skip;
use crate::object::{Access, PLAYBACK_ACCESS};
use crate::range::{self, Asked};
use crate::refusal::Refusal;
use crate::window::Answer;
use crate::{directives, encoding};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, request};
use http_body::{Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What the origin sends: whole bodies by reference, with their exact size known before the first poll.
#[derive(Debug)]
#[non_exhaustive]
pub enum Body {
    /// Nothing, or nothing more.
    Empty,
    /// All of it, in one frame that shares the object's memory.
    Whole(Bytes),
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match std::mem::replace(&mut *self, Self::Empty) {
            Self::Whole(bytes) if !bytes.is_empty() => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Self::Empty | Self::Whole(_) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        !matches!(self, Self::Whole(bytes) if !bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Empty => SizeHint::with_exact(0),
        }
    }
}

/// Renders the object that answers a GET or HEAD.
pub(crate) fn object(answer: &Answer, request: &request::Parts) -> Response<Body> {
    let object = &answer.object;
    let skip = match &object.live {
        // Whoever was let in had a query that parses, or one that does not count.
        Some(live) if !live.ended => {
            request.uri.query().and_then(|query| directives::parse(query).ok()).map_or(Skip::No, |d| d.skip)
        }
        _ => Skip::No,
    };
    let chosen = object.bodies.select(skip, encoding::accepts_gzip(&request.headers));
    let mut headers = HeaderMap::with_capacity(8);
    let exact = object.live.as_ref().filter(|_| answer.exact).map(|live| &live.exact);
    headers.insert(header::CACHE_CONTROL, exact.unwrap_or(&object.cache_control).clone());
    headers.insert(header::ETAG, chosen.etag.clone());
    if object.bodies.varies() {
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    if object.access == Access::Token {
        headers.insert(PLAYBACK_ACCESS, HeaderValue::from_static("token"));
    }
    if matches_validator(&request.headers, &chosen.etag) {
        return respond(StatusCode::NOT_MODIFIED, headers, Body::Empty);
    }
    headers.insert(header::CONTENT_TYPE, object.content_type.clone());
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if chosen.gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    bytes_of(chosen, headers, request)
}

fn bytes_of(chosen: &Representation, mut headers: HeaderMap, request: &request::Parts) -> Response<Body> {
    let length = chosen.bytes.len() as u64;
    // Range is defined for GET alone (RFC 9110 section 14.2).
    let asked = if request.method == Method::GET { asked_range(&request.headers, chosen) } else { Asked::Whole };
    match asked {
        Asked::Whole => {
            headers.insert(header::CONTENT_LENGTH, chosen.length.clone());
            let body = if request.method == Method::HEAD { Body::Empty } else { Body::Whole(chosen.bytes.clone()) };
            respond(StatusCode::OK, headers, body)
        }
        Asked::Part(part) => {
            let content_range = format!("bytes {}-{}/{length}", part.start, part.end - 1);
            headers.insert(header::CONTENT_RANGE, header_text(content_range));
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(part.end - part.start));
            let index = |at: u64| usize::try_from(at).expect("an index into bytes in memory");
            let bytes = chosen.bytes.slice(index(part.start)..index(part.end));
            respond(StatusCode::PARTIAL_CONTENT, headers, Body::Whole(bytes))
        }
        Asked::Beyond => refusal(&Refusal::Range { length }, &request.method),
    }
}

/// `If-Range` (RFC 9110 section 13.1.5) lets the range count only while the representation is the one it was taken of;
/// the comparison is strong, and a date is never the same, for objects have none.
fn asked_range(headers: &HeaderMap, chosen: &Representation) -> Asked {
    let unchanged = headers.get(header::IF_RANGE).is_none_or(|validator| *validator == chosen.etag);
    match headers.get(header::RANGE).and_then(|range| range.to_str().ok()) {
        Some(range) if unchanged => range::parse(range, chosen.bytes.len() as u64),
        _ => Asked::Whole,
    }
}

/// `If-None-Match`, weak comparison (RFC 9110 section 13.1.2).
fn matches_validator(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let etag = etag.as_bytes();
    headers.get_all(header::IF_NONE_MATCH).iter().any(|list| {
        // Our own validators hold no comma, so that splitting at commas cannot make one of a stranger's pieces.
        list.as_bytes()
            .split(|b| *b == b',')
            .map(<[u8]>::trim_ascii)
            .any(|item| item == b"*" || item == etag || item.strip_prefix(b"W/").is_some_and(|item| item == etag))
    })
}

/// Renders a refusal as `application/problem+json`.
pub(crate) fn refusal(refusal: &Refusal, method: &Method) -> Response<Body> {
    let status = refusal.status();
    let title = status.canonical_reason().unwrap_or("Error");
    let document = serde_json::json!({ "title": title, "status": status.as_u16(), "detail": refusal.to_string() });
    let document = Bytes::from(document.to_string());
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    let cache_control = match refusal.keep() {
        Some(keep) => header_text(format!("max-age={}", keep.as_secs())),
        None => HeaderValue::from_static("no-store"),
    };
    headers.insert(header::CACHE_CONTROL, cache_control);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(document.len()));
    if let Some(after) = refusal.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs()));
    }
    match refusal {
        Refusal::Method { allow, .. } => {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        Refusal::Range { length } => {
            headers.insert(header::CONTENT_RANGE, header_text(format!("bytes */{length}")));
        }
        Refusal::Unauthorized => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"publish\""));
        }
        _ => {}
    }
    let body = if *method == Method::HEAD { Body::Empty } else { Body::Whole(document) };
    respond(status, headers, body)
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut headers = HeaderMap::with_capacity(2);
    if status != StatusCode::NO_CONTENT {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    respond(status, headers, Body::Empty)
}

fn respond(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn header_text(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("numbers and plain words are header text")
}
