//! Errors, in 100ms's shape. The only file that chooses a status code.
//!
//! Stock clients show `message` and nothing else, so it says everything; `details` says it again for those who look there.

use super::body::BodyError;
use crate::catalog::CatalogError;
use crate::fields::FieldsError;
use crate::owner::ControlError;
use crate::rooms::token::TokenError;
use crate::rooms::{Invalid, Refused};
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, Uri, header};
use serde::Serialize;
use utoipa::ToSchema;

/// An error's answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub(super) struct Problem {
    /// The status code.
    code: u16,
    /// The thing, its value and the cure.
    message: String,
    /// The same, once more.
    details: Vec<String>,
}

/// How a 503 says when to come back, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("2");

impl Problem {
    fn new(status: StatusCode, message: String) -> Self {
        Self { code: status.as_u16(), details: vec![message.clone()], message }
    }

    fn unauthorized(why: &str) -> Self {
        let message = format!("Token validation error: {why}");
        Self { code: StatusCode::UNAUTHORIZED.as_u16(), message, details: vec![why.to_owned()] }
    }

    /// No token at all.
    pub(super) fn no_token() -> Self {
        Self::unauthorized("no token; send one as `Authorization: Bearer <token>`")
    }

    /// A valid token of the wrong kind.
    pub(super) fn not_management() -> Self {
        let message = "this needs a management token, and the token is an auth token; sign one with type management";
        Self::new(StatusCode::FORBIDDEN, message.to_owned())
    }
}

/// For paths that are none. Whoever asks may have the wrong base URL.
pub(super) async fn no_route(method: Method, uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(200).collect();
    Problem::new(StatusCode::NOT_FOUND, format!("{method} {path}: there is no such route; see /openapi.json"))
}

/// For methods that a path does not have.
pub(super) async fn no_method(method: Method, uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(200).collect();
    let message = format!("{method} {path}: the path has other methods; see /openapi.json");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, message)
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        Self::unauthorized(&error.to_string())
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        // 100ms's prefix is in its details only.
        let details = vec![format!("Invalid body param: {invalid}")];
        Self { code: StatusCode::BAD_REQUEST.as_u16(), message: invalid.0, details }
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        let status = match error {
            BodyError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            BodyError::Broken => StatusCode::BAD_REQUEST,
        };
        Self::new(status, error.to_string())
    }
}

impl From<FieldsError> for Problem {
    fn from(error: FieldsError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error.to_string())
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let status = match refused {
            Refused::Invalid(invalid) => return invalid.into(),
            // 100ms knows no 409; see docs/decisions/a-second-start-is-an-error-to-a-server.md.
            Refused::AlreadyRunning { .. } | Refused::NotOnAir { .. } | Refused::NotOnStage { .. } => {
                StatusCode::BAD_REQUEST
            }
            Refused::NoSnapshot { .. }
            | Refused::NoLogo(_)
            | Refused::UnknownRoom(_)
            | Refused::UnknownTemplate(_)
            | Refused::UnknownStream(_)
            | Refused::UnknownCode(_)
            | Refused::UnknownRole { .. } => StatusCode::NOT_FOUND,
            Refused::RoomDisabled(_) | Refused::CodeDisabled(_) | Refused::NotAllowed { .. } => StatusCode::FORBIDDEN,
        };
        Self::new(status, refused.to_string())
    }
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Refused(refused) => refused.into(),
            ControlError::Catalog(cause) => cause.into(),
            ControlError::Busy | ControlError::Uploads | ControlError::NotNow | ControlError::Closed => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
            }
        }
    }
}

impl From<CatalogError> for Problem {
    fn from(cause: CatalogError) -> Self {
        // The cause names files and values: for the log.
        tracing::error!(%cause, "a request was not answered");
        match cause {
            CatalogError::Full(_) => {
                let message = "the server's disk is full, and nothing was changed; its operator has to free some space";
                Self::new(StatusCode::INSUFFICIENT_STORAGE, message.to_owned())
            }
            CatalogError::Statement(_) => {
                let message = "the catalog did not answer; try again, and see the server's log if it stays so";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, message.to_owned())
            }
            _ => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error; see the server's log".to_owned()),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        match status {
            StatusCode::UNAUTHORIZED => {
                // RFC 9110 section 11.6.1 asks for a challenge.
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, RETRY_AFTER);
            }
            _ => {}
        }
        response
    }
}
