#![allow(clippy::disallowed_methods)] // IO: bounds how long a request's body may take.
//! Bodies of requests: a JSON object, whatever Content-Type says.

use super::problem::Problem;
use crate::fields::Fields;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::StatusCode;
use std::time::Duration;

/// The largest room there is to describe is some 4 KB.
pub(super) const MAX_BYTES: usize = 64 * 1024;
/// 64 KB take a slow uplink a second.
const WAIT: Duration = Duration::from_secs(10);

/// Why a body did not arrive. The caller's to mend.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the body is larger than {MAX_BYTES} bytes; send less")]
    TooLarge,
    #[error("the body did not arrive within {} seconds", WAIT.as_secs())]
    TooSlow,
    #[error("the body broke off")]
    Broken,
}

/// A request's body, read.
pub(super) struct Body(pub(super) Fields);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let read = tokio::time::timeout(WAIT, Bytes::from_request(request, state)).await;
        let bytes = read.map_err(|_| BodyError::TooSlow)?.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => BodyError::TooLarge,
            _ => BodyError::Broken,
        })?;
        Ok(Self(Fields::parse(&bytes)?))
    }
}
