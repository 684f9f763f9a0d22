//! Errors of the WHIP endpoint as RFC 9457 problems, and the only place that knows their status codes.

use crate::peer::NegotiationError;
use crate::query::QueryError;
use crate::sdp::SdpError;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use std::time::Duration;

/// What went wrong with a request. Each variant is one thing that a client can do something about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    Unauthorized,
    Forbidden { reason: String, cure: &'static str },
    UnknownRoom,
    UnknownSession,
    Query(QueryError),
    MethodNotAllowed { allow: &'static str },
    UnsupportedMediaType { want: &'static str },
    TooLarge,
    BodyUnreadable,
    Sdp(SdpError),
    OfferRejected(String),
    IfMatchMissing,
    IfMatchMismatch,
    Busy { retry_after: Duration },
    RoomFull { limit: usize, retry_after: Duration },
    TooOften { what: &'static str, retry_after: Duration },
    Internal,
}

impl Problem {
    /// Status, title, then thing, value and cure: what it is about, what was found, what to do.
    fn describe(&self) -> (StatusCode, &'static str, &'static str, String, &'static str) {
        let text = String::new;
        match self {
            Self::Unauthorized => (
                StatusCode::UNAUTHORIZED,
                "Not authorised",
                "Authorization header",
                text(),
                "send `Authorization: Bearer <token>` with a valid token",
            ),
            Self::Forbidden { reason, cure } => {
                (StatusCode::FORBIDDEN, "Not allowed", "permission", reason.clone(), *cure)
            }
            Self::UnknownRoom => (StatusCode::NOT_FOUND, "No such room", "room", text(), "create the room first"),
            Self::UnknownSession => (
                StatusCode::NOT_FOUND,
                "No such session",
                "session URL",
                text(),
                "the session has ended; POST a new offer to the endpoint",
            ),
            Self::Query(error) => {
                (StatusCode::BAD_REQUEST, "Query not understood", error.parameter(), error.value(), error.cure())
            }
            Self::MethodNotAllowed { allow } => (
                StatusCode::METHOD_NOT_ALLOWED,
                "Method not allowed",
                "allowed methods",
                allow.to_string(),
                "use one of them",
            ),
            Self::UnsupportedMediaType { want } => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Unsupported media type",
                "expected Content-Type",
                want.to_string(),
                "send that",
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "Body too large",
                "body",
                format!("more than {} bytes", crate::sdp::MAX_SDP_BYTES),
                "send a shorter body",
            ),
            Self::BodyUnreadable => (
                StatusCode::BAD_REQUEST,
                "Body unreadable",
                "body",
                text(),
                "send the whole body as UTF-8 within ten seconds",
            ),
            Self::Sdp(error) => Self::describe_sdp(error),
            Self::OfferRejected(reason) => (
                StatusCode::NOT_ACCEPTABLE,
                "Offer cannot be answered",
                "offer",
                reason.clone(),
                "offer Opus, and H.264, VP8, VP9 or AV1, as a WebRTC client does",
            ),
            Self::IfMatchMissing => (
                StatusCode::PRECONDITION_REQUIRED,
                "If-Match is required",
                "If-Match header",
                text(),
                "send the session's ETag to trickle, or `*` to restart ICE",
            ),
            Self::IfMatchMismatch => (
                StatusCode::PRECONDITION_FAILED,
                "If-Match does not match",
                "If-Match header",
                text(),
                "the session was restarted meanwhile: use the ETag of the last 200 or 201",
            ),
            Self::TooOften { what, retry_after } => (
                StatusCode::TOO_MANY_REQUESTS,
                "Too many requests of this peer",
                "token",
                format!("may {what} again in {} ms", retry_after.as_millis()),
                "wait for Retry-After, and give each client a user of its own",
            ),
            Self::Busy { retry_after } => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Too busy",
                "server",
                format!("free in {} ms", retry_after.as_millis()),
                "try again after Retry-After",
            ),
            Self::RoomFull { limit, .. } => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Room is full",
                "room",
                format!("has {limit} sessions, which is webrtc.max_sessions_per_room"),
                "wait for Retry-After until somebody has left, or have the operator raise that",
            ),
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Internal error",
                "server",
                text(),
                "try again; the server's log has the cause",
            ),
        }
    }

    fn describe_sdp(error: &SdpError) -> (StatusCode, &'static str, &'static str, String, &'static str) {
        match error {
            SdpError::Malformed(_) => (
                StatusCode::BAD_REQUEST,
                "Malformed SDP",
                "body",
                error.to_string(),
                "send SDP as the WebRTC API produces it",
            ),
            SdpError::TooMany { .. } => {
                (StatusCode::BAD_REQUEST, "SDP over a limit", "body", error.to_string(), "send fewer")
            }
            SdpError::Unacceptable { .. } => (
                StatusCode::NOT_ACCEPTABLE,
                "Offer cannot be accepted as a whole",
                "offer",
                error.to_string(),
                "offer one bundled stream of at most one audio (Opus) and one video (H.264, VP8, VP9 or AV1) section, sendonly",
            ),
            SdpError::Setup(_) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "DTLS role not supported",
                "a=setup",
                error.to_string(),
                "offer a=setup:actpass, active or passive",
            ),
        }
    }

    pub(crate) fn into_response(self) -> Response<Full<Bytes>> {
        let (status, title, thing, value, cure) = self.describe();
        let mut body = serde_json::json!({
            "type": "about:blank",
            "title": title,
            "status": status.as_u16(),
            // The three in a sentence, for clients that show a person one member (RFC 9457 section 3.1.4).
            "detail": detail(thing, &value, cure),
            "thing": thing,
            "cure": cure,
        });
        if !value.is_empty() {
            body["value"] = value.into();
        }
        let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self {
            Self::Unauthorized => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::MethodNotAllowed { allow } => {
                headers.insert(header::ALLOW, HeaderValue::from_static(allow));
            }
            Self::Busy { retry_after } | Self::RoomFull { retry_after, .. } | Self::TooOften { retry_after, .. } => {
                // Whole seconds, at least one (RFC 9110 section 10.2.3).
                let seconds = retry_after.as_secs_f64().ceil().max(1.0) as u64;
                headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            _ => {}
        }
        response
    }
}

fn detail(thing: &str, value: &str, cure: &str) -> String {
    if value.is_empty() { format!("{thing}: {cure}.") } else { format!("{thing}: {value}; {cure}.") }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}

impl From<SdpError> for Problem {
    fn from(error: SdpError) -> Self {
        Self::Sdp(error)
    }
}

impl From<NegotiationError> for Problem {
    fn from(error: NegotiationError) -> Self {
        match error {
            NegotiationError::Rejected(reason) => Self::OfferRejected(reason),
            NegotiationError::Internal(reason) => {
                tracing::error!(%reason, "negotiation");
                Self::Internal
            }
        }
    }
}
