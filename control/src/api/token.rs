//! Room code in, auth token out: the one request without a token. Clients of 100ms send its JSON as text/plain, which spares their
//! browser a preflight.

use super::body::Fields;
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

/// `POST /v2/token`.
pub(super) async fn exchange(State(control): State<Control>, mut fields: Fields) -> Result<Json<TokenAnswer>, Problem> {
    let code = fields.required_text("code")?;
    let user = fields.text("user_id")?.unwrap_or_default();
    if !user.is_empty() {
        id::check_user(&user)?;
    }
    Ok(Json(TokenAnswer { token: control.exchange(&code, &user).await? }))
}
