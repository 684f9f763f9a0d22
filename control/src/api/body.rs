#![allow(clippy::disallowed_methods)] // IO: bounds how long a request's body may take.
//! Bodies of requests: a JSON object, whatever Content-Type says, or a file.

use super::problem::Problem;
use crate::fields::Fields;
use crate::picture;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::StatusCode;
use std::time::Duration;

/// The largest room there is to describe is some 4 KB.
pub(super) const MAX_BYTES: usize = 64 * 1024;
/// 64 KB take a slow uplink a second.
const WAIT: Duration = Duration::from_secs(10);

/// 4 MB take a slow uplink a minute.
const UPLOAD_WAIT: Duration = Duration::from_secs(60);

/// Why a body did not arrive. The caller's to mend.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the body is larger than {0} bytes; send less")]
    TooLarge(usize),
    #[error("the body did not arrive within {} seconds", .0.as_secs())]
    TooSlow(Duration),
    #[error("the body broke off")]
    Broken,
}

/// A request's body, read.
pub(super) struct Body(pub(super) Fields);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = read(request, state, WAIT, MAX_BYTES).await?;
        Ok(Self(Fields::parse(&bytes)?))
    }
}

/// A file, whatever Content-Type says: what it is is written in it.
pub(super) struct Upload(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Upload {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Ok(Self(read(request, state, UPLOAD_WAIT, picture::MAX_BYTES).await?))
    }
}

/// A whole body. That it is no longer than `most` is seen to by the route.
async fn read<S: Send + Sync>(request: Request, state: &S, wait: Duration, most: usize) -> Result<Bytes, BodyError> {
    let read = tokio::time::timeout(wait, Bytes::from_request(request, state)).await;
    read.map_err(|_| BodyError::TooSlow(wait))?.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => BodyError::TooLarge(most),
        _ => BodyError::Broken,
    })
}
