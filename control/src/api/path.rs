//! What a route's path names.

use super::problem::Problem;
use crate::rooms::Invalid;
use axum::extract::{FromRequestParts, Path as AxumPath};
use http::request::Parts;
use serde::de::DeserializeOwned;

/// The names in braces of a route, percent-decoded. What is not UTF-8 then is refused in the shape of every other error.
pub(super) struct Path<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match AxumPath::from_request_parts(parts, state).await {
            Ok(AxumPath(names)) => Ok(Self(names)),
            Err(_) => Err(Invalid("path: cannot be read; percent-encode UTF-8".to_owned()).into()),
        }
    }
}
