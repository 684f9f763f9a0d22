//! Every way in which the edge itself says no, and the one place that picks a status for it.

use crate::key::KeyError;
use http::StatusCode;
use std::time::Duration;

/// An answer that is neither from the cache nor from the origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nothing but GET, HEAD and OPTIONS passes.
    #[error("{0} is not allowed here; allowed are GET, HEAD, OPTIONS")]
    Method(String),
    /// The target cannot name an object.
    #[error(transparent)]
    Target(#[from] KeyError),
    /// The object needs a viewer token, and none came, or not one for it.
    #[error("this needs a viewer token in front of the path: /t/<token>/...")]
    Forbidden,
    /// The head of the answer did not come in time.
    #[error("the origin has not answered within {0:?}; ask again")]
    TimedOut(Duration),
    /// The origin cannot be reached, or broke off.
    #[error("the origin cannot be reached; ask again")]
    Upstream,
    /// The origin sent more than any object may have.
    #[error("the object is larger than {0} bytes")]
    TooLarge(u64),
    /// As many fetches are under way as may be.
    #[error("{0} fetches are under way already; ask again")]
    Busy(usize),
}

impl Failure {
    /// The status it is answered with.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Target(_) => StatusCode::BAD_REQUEST,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::TimedOut(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::Upstream | Self::TooLarge(_) => StatusCode::BAD_GATEWAY,
            Self::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// After how long the same request may well succeed; `None` where it is the viewer's fault, or no time will help.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TimedOut(_) | Self::Upstream | Self::Busy(_) => Some(Duration::from_secs(1)),
            Self::Method(_) | Self::Target(_) | Self::Forbidden | Self::TooLarge(_) => None,
        }
    }
}
