//! Room code in, auth token out: the one request without a token. Clients of 100ms send its JSON as text/plain, which spares their
//! browser a preflight.

use super::body::Body;
use super::problem::Problem;
use crate::Control;
use crate::rooms::id;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// What a code is exchanged for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TokenAnswer {
    /// An auth token, valid for a day.
    token: String,
}

/// What is exchanged.
#[derive(ToSchema)]
#[allow(dead_code)] // Read field by field, so that errors name them; this is its description.
pub(super) struct TokenBody {
    /// A room code, `xxx-xxxx-xxx`.
    code: String,
    /// Names the peer. A new session of the same user replaces the old one.
    user_id: Option<String>,
}

/// Exchange a room code for an auth token. The only request without a token.
#[utoipa::path(post, path = "/v2/token", operation_id = "exchange_room_code", tag = "tokens", request_body = TokenBody, security(),
    responses((status = 200, body = TokenAnswer), (status = "default", body = Problem)))]
pub(super) async fn exchange(
    State(control): State<Control>,
    Body(mut fields): Body,
) -> Result<Json<TokenAnswer>, Problem> {
    let code = fields.required_text("code")?;
    let user = fields.text("user_id")?.unwrap_or_default();
    if !user.is_empty() {
        id::check_user("user_id", &user)?;
    }
    Ok(Json(TokenAnswer { token: control.exchange(&code, &user).await? }))
}
