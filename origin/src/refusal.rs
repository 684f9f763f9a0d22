//! Every way in which the origin says no: whose fault it is, whether to ask again, and the one place that picks a status.

use crate::live::Version;
use crate::path::PathError;
use http::StatusCode;
use std::time::Duration;

/// An answer that is no object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request's path is no object path.
    #[error("the path is not valid: {0}")]
    Path(#[from] PathError),
    /// A method that this listener does not take.
    #[error("{method} is not allowed here; allowed are {allow}")]
    Method {
        /// What was asked.
        method: String,
        /// The value of `Allow`.
        allow: &'static str,
    },
    /// No such object, and no promise of one.
    #[error("there is no object at this path")]
    Missing {
        /// How long the answer may be kept: one target duration on an ended stream, otherwise not at all.
        keep: Option<Duration>,
    },
    /// It was here and has been deleted.
    #[error("the object at this path has left the window")]
    Gone {
        /// As for [`Refusal::Missing`].
        keep: Option<Duration>,
    },
    /// A delivery directive whose value is no whole number.
    #[error("{directive} is {value:?}; it must be a whole number without leading zeros")]
    NotANumber {
        /// `_HLS_msn` or `_HLS_part`.
        directive: &'static str,
        /// What it was, cut to a readable length.
        value: String,
    },
    /// `_HLS_skip` of a value without a meaning.
    #[error("_HLS_skip is {value:?}; it must be YES or v2")]
    UnknownSkip {
        /// What it was, cut to a readable length.
        value: String,
    },
    /// A delivery directive that appears twice.
    #[error("{directive} appears more than once; send it once")]
    Twice {
        /// Which.
        directive: &'static str,
    },
    /// `_HLS_part` without `_HLS_msn` (RFC 8216bis section 6.2.5.2).
    #[error("_HLS_part has no _HLS_msn beside it; send both")]
    PartWithoutSegment,
    /// Further ahead than the server is willing to hold a request (RFC 8216bis section 6.2.5.2).
    #[error("the version asked for is too far ahead; the stream is at {at}: reload the playlist")]
    TooFarAhead {
        /// Where the playlist is.
        at: Version,
    },
    /// The version asked for, or the promised object, did not come within 3 target durations.
    #[error("waited {waited:?} for it; ask again")]
    WaitedTooLong {
        /// The bound that was reached.
        waited: Duration,
    },
    /// As many requests wait as may wait at all.
    #[error("{limit} requests wait already; ask again")]
    TooManyWaiters {
        /// The bound that was reached.
        limit: usize,
    },
    /// A header of a PUT is missing, malformed, or contradicts another.
    #[error("the header {name} {problem}")]
    Header {
        /// Its name as the wire's page spells it.
        name: &'static str,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// A header that begins with `Footlight-` and means nothing here: passing over it could lose what it was for.
    #[error("the header {0} is not known; see docs/wire.md")]
    UnknownHeader(String),
    /// A PUT that would take a stream's timeline back.
    #[error("the playlist is at {at} and the PUT carries {put}: a timeline never goes back")]
    WentBack {
        /// What stands.
        at: Version,
        /// What was sent.
        put: Version,
    },
    /// A PUT that changes what is constant for a stream.
    #[error("{name} is constant for the stream: it is {at} and the PUT carries {put}")]
    Constant {
        /// Which header.
        name: &'static str,
        /// What stands.
        at: String,
        /// What was sent.
        put: String,
    },
    /// The body of a PUT is larger than any object may be.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The bound that was reached.
        limit: u64,
    },
    /// The body of a PUT stopped coming.
    #[error("the body was not complete after {waited:?}")]
    BodyTooSlow {
        /// The bound that was reached.
        waited: Duration,
    },
    /// The body of a PUT broke off.
    #[error("the body broke off: {0}")]
    BodyBroken(String),
    /// One of the limits on what is held.
    #[error("{what} would be {would}, the limit is {limit}: delete what has left the window, or raise the limit")]
    Full {
        /// `bytes in the stream`, `objects in the stream` or `bytes in the origin`.
        what: &'static str,
        /// What it would be with this PUT.
        would: u64,
        /// What it may be.
        limit: u64,
    },
    /// The publish listener's secret was not presented, or not the right one.
    #[error("publishing needs the header Authorization: Bearer <shared secret>")]
    Unauthorized,
    /// The range begins beyond the end (RFC 9110 section 15.5.17).
    #[error("the range begins beyond the end of {length} bytes")]
    Range {
        /// Bytes of the representation.
        length: u64,
    },
}

/// Whose doing a refusal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Who fetches asked for what cannot be.
    Viewer,
    /// Who publishes sent what cannot be.
    Publisher,
    /// The origin could not, or the stream did not go on in time.
    Us,
}

impl Refusal {
    /// The status it is answered with.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Path(_)
            | Self::NotANumber { .. }
            | Self::UnknownSkip { .. }
            | Self::Twice { .. }
            | Self::PartWithoutSegment
            | Self::TooFarAhead { .. }
            | Self::Header { .. }
            | Self::UnknownHeader(_)
            | Self::BodyBroken(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Missing { .. } => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::WentBack { .. } | Self::Constant { .. } => StatusCode::CONFLICT,
            Self::Gone { .. } => StatusCode::GONE,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Range { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::WaitedTooLong { .. } | Self::TooManyWaiters { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Full { .. } => StatusCode::INSUFFICIENT_STORAGE,
        }
    }

    /// Whose doing it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::WaitedTooLong { .. } | Self::TooManyWaiters { .. } => Fault::Us,
            Self::Header { .. }
            | Self::UnknownHeader(_)
            | Self::WentBack { .. }
            | Self::Constant { .. }
            | Self::TooLarge { .. }
            | Self::BodyTooSlow { .. }
            | Self::BodyBroken(_)
            | Self::Full { .. }
            | Self::Unauthorized => Fault::Publisher,
            _ => Fault::Viewer,
        }
    }

    /// After how long the same request may well succeed; `None` where it never will unchanged.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::WaitedTooLong { .. } | Self::TooManyWaiters { .. } => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    /// For how long a cache may keep the answer.
    pub fn keep(&self) -> Option<Duration> {
        match self {
            Self::Missing { keep } | Self::Gone { keep } => *keep,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(refusal: Refusal, status: u16, fault: Fault, retry_s: Option<u64>) {
        assert_eq!(refusal.status().as_u16(), status, "{refusal}");
        assert_eq!(refusal.fault(), fault, "{refusal}");
        assert_eq!(refusal.retry_after(), retry_s.map(Duration::from_secs), "{refusal}");
    }

    #[test]
    fn a_refusal_says_whose_fault_it_is_and_whether_to_ask_again() {
        check(Refusal::Missing { keep: None }, 404, Fault::Viewer, None);
        check(Refusal::Gone { keep: None }, 410, Fault::Viewer, None);
        check(Refusal::WaitedTooLong { waited: Duration::from_secs(6) }, 503, Fault::Us, Some(1));
        check(Refusal::TooManyWaiters { limit: 1 }, 503, Fault::Us, Some(1));
        check(Refusal::Full { what: "x", would: 2, limit: 1 }, 507, Fault::Publisher, None);
        check(Refusal::UnknownHeader("footlight-x".into()), 400, Fault::Publisher, None);
    }
}
