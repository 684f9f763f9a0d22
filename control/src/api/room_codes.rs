//! `/v2/room-codes`.

use super::body::Body;
use super::list::{self, List, Query};
use super::path::Path;
use super::problem::Problem;
use crate::Control;
use crate::catalog::CodeFilter;
use crate::owner::{ControlError, Input};
use crate::rooms::Refused;
use crate::rooms::room_code::RoomCode;
use axum::Json;
use axum::extract::State;
use utoipa::ToSchema;

/// Which code is enabled or disabled.
#[derive(ToSchema)]
#[allow(dead_code)] // Read field by field, so that errors name them; this is its description.
pub(super) struct CodeBody {
    /// `xxx-xxxx-xxx`.
    code: String,
    enabled: bool,
}

/// Make a code for each role of a room that has none, and list them all.
#[utoipa::path(post, path = "/v2/room-codes/room/{room}", operation_id = "create_room_codes", tag = "room codes", security(("management" = [])),
    params(("room" = String, Path)),
    responses((status = 200, body = List<RoomCode>), (status = "default", body = Problem)))]
pub(super) async fn create_all(
    State(control): State<Control>,
    Path(room): Path<String>,
) -> Result<Json<List<RoomCode>>, Problem> {
    let codes = create(&control, room, None).await?;
    Ok(Json(List::new(list::CODES_LIMIT, codes, |code: &RoomCode| &code.code)))
}

/// Make a code for one role of a room, or show the one that it has.
#[utoipa::path(post, path = "/v2/room-codes/room/{room}/role/{role}", operation_id = "create_room_code", tag = "room codes", security(("management" = [])),
    params(("room" = String, Path), ("role" = String, Path)),
    responses((status = 200, body = RoomCode), (status = "default", body = Problem)))]
pub(super) async fn create_one(
    State(control): State<Control>,
    Path((room, role)): Path<(String, String)>,
) -> Result<Json<RoomCode>, Problem> {
    let codes = create(&control, room, Some(role)).await?;
    Ok(Json(codes.into_iter().next().expect("the owner answers with the code of the role that it was asked for")))
}

/// Codes of a room, newest first.
#[utoipa::path(get, path = "/v2/room-codes/room/{room}", operation_id = "list_room_codes", tag = "room codes", security(("management" = [])),
    params(
        ("room" = String, Path),
        ("role" = Option<String>, Query),
        ("enabled" = Option<bool>, Query),
        ("limit" = Option<u32>, Query, description = "1 to 100; 20 where it is absent"),
        ("start" = Option<String>, Query, description = "`last` of the page before"),
    ),
    responses((status = 200, body = List<RoomCode>), (status = "default", body = Problem)))]
pub(super) async fn list(
    State(control): State<Control>,
    Path(room): Path<String>,
    query: Query,
) -> Result<Json<List<RoomCode>>, Problem> {
    let page = query.page(list::CODES_LIMIT)?;
    let filter = CodeFilter { enabled: query.flag("enabled")?, role: query.text("role").map(str::to_owned) };
    let reader = control.reader();
    let room = reader.room(&room).await?.ok_or(Refused::UnknownRoom(room))?;
    let found = reader.codes(&room.id, filter, &page).await?.ok_or_else(|| list::unknown_start(&page))?;
    Ok(Json(List::new(page.limit, found, |code: &RoomCode| &code.code)))
}

/// Enable or disable a code.
#[utoipa::path(post, path = "/v2/room-codes/code", operation_id = "enable_room_code", tag = "room codes", security(("management" = [])),
    request_body = CodeBody, responses((status = 200, body = RoomCode), (status = "default", body = Problem)))]
pub(super) async fn enable(State(control): State<Control>, Body(mut fields): Body) -> Result<Json<RoomCode>, Problem> {
    let (code, enabled) = (fields.required_text("code")?, fields.required_flag("enabled")?);
    Ok(Json(control.ask(|answer| Input::EnableCode { code, enabled, answer }).await?))
}

async fn create(control: &Control, room: String, role: Option<String>) -> Result<Vec<RoomCode>, ControlError> {
    control.ask(|answer| Input::CreateCodes { room, role, answer }).await
}
