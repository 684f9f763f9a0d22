//! `/v2/rooms`.

use super::body::Body;
use super::list::{self, List, Query};
use super::path::Path;
use super::problem::Problem;
use crate::Control;
use crate::catalog::RoomFilter;
use crate::fields::Fields;
use crate::owner::Input;
use crate::rooms::date::Timestamp;
use crate::rooms::room::{Room, RoomRequest};
use crate::rooms::{Invalid, Refused};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use utoipa::ToSchema;

/// An installation is one workspace of 100ms with one application in it; their ids are the same everywhere, as they name nothing
/// beyond it: "footlight" in ASCII, and a number.
const CUSTOMER_ID: &str = "666f6f746c69676874000000";
const APP_ID: &str = "666f6f746c6967687400000a";

/// A room as 100ms shows it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Room)]
pub(super) struct RoomView {
    id: String,
    name: String,
    enabled: bool,
    description: String,
    customer_id: String,
    app_id: String,
    /// `customer_id`. Deprecated by 100ms.
    customer: String,
    /// As it was given.
    #[schema(value_type = Object)]
    recording_info: Value,
    /// Whether `recording_info` is the template's.
    recording_source_template: bool,
    template_id: String,
    /// The template's name. Deprecated by 100ms.
    template: String,
    region: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    large_room: bool,
    /// Of a session, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_duration_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    polls: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    webhook: Option<Value>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// What a room may be created or updated with. Absent fields stay as they are; unknown ones are ignored.
#[derive(ToSchema)]
#[allow(dead_code)] // Read field by field, so that errors name them; this is its description.
pub(super) struct RoomBody {
    /// Of a new room: `[A-Za-z0-9_-]{1,64}`, chosen by the caller. Not in 100ms's API.
    id: Option<String>,
    /// `[a-zA-Z0-9.-:_]`, whatever the case. Creating a room by the name of another updates that one.
    name: Option<String>,
    /// A disabled room lets nobody in; what goes on in it goes on.
    enabled: Option<bool>,
    description: Option<String>,
    template_id: Option<String>,
    #[schema(value_type = Option<Object>)]
    recording_info: Option<Value>,
    /// `auto`, `eu`, `in` or `us`. Kept and handed back: an installation is where it is.
    region: Option<String>,
    /// Peers at one time: to 2500, with `large_room` to 20000.
    size: Option<u64>,
    large_room: Option<bool>,
    /// Seconds, 120 to 43200.
    max_duration_seconds: Option<u64>,
    polls: Option<Vec<String>>,
    /// `{url, headers}`.
    #[schema(value_type = Option<Object>)]
    webhook: Option<Value>,
}

async fn view(control: &Control, room: Room) -> Result<RoomView, Problem> {
    Ok(named(&control.reader().template_names().await?, room))
}

/// With the name of its template.
fn named(templates: &HashMap<String, String>, room: Room) -> RoomView {
    let settings = room.settings;
    RoomView {
        id: room.id,
        name: room.name,
        enabled: room.enabled,
        description: settings.description,
        customer_id: CUSTOMER_ID.to_owned(),
        app_id: APP_ID.to_owned(),
        customer: CUSTOMER_ID.to_owned(),
        recording_source_template: settings.recording_info.is_none(),
        recording_info: settings.recording_info.unwrap_or_else(|| json!({"enabled": false})),
        template: templates.get(&room.template_id).cloned().unwrap_or_default(),
        template_id: room.template_id,
        region: settings.region.unwrap_or_else(|| "auto".to_owned()),
        size: settings.size,
        large_room: settings.large_room,
        max_duration_seconds: settings.max_duration_seconds,
        polls: settings.polls,
        webhook: settings.webhook,
        created_at: room.created_at,
        updated_at: room.updated_at,
    }
}

/// Create a room, or update the one with this name or id.
#[utoipa::path(post, path = "/v2/rooms", operation_id = "create_room", tag = "rooms", request_body = RoomBody, security(("management" = [])),
    responses((status = 200, body = RoomView), (status = "default", body = Problem)))]
pub(super) async fn create(State(control): State<Control>, Body(fields): Body) -> Result<Json<RoomView>, Problem> {
    let request = request(fields)?;
    let room = control.ask(|answer| Input::CreateRoom { request, answer }).await?;
    Ok(Json(view(&control, room).await?))
}

/// Update a room; `{"enabled": false}` disables it.
#[utoipa::path(post, path = "/v2/rooms/{room}", operation_id = "update_room", tag = "rooms", request_body = RoomBody, security(("management" = [])),
    params(("room" = String, Path)), responses((status = 200, body = RoomView), (status = "default", body = Problem)))]
pub(super) async fn update(
    State(control): State<Control>,
    Path(id): Path<String>,
    Body(fields): Body,
) -> Result<Json<RoomView>, Problem> {
    let request = request(fields)?;
    let room = control.ask(|answer| Input::UpdateRoom { id, request, answer }).await?;
    Ok(Json(view(&control, room).await?))
}

/// One room.
#[utoipa::path(get, path = "/v2/rooms/{room}", operation_id = "get_room", tag = "rooms", security(("management" = [])),
    params(("room" = String, Path)), responses((status = 200, body = RoomView), (status = "default", body = Problem)))]
pub(super) async fn get(State(control): State<Control>, Path(id): Path<String>) -> Result<Json<RoomView>, Problem> {
    let room = control.reader().room(&id).await?.ok_or(Refused::UnknownRoom(id))?;
    Ok(Json(view(&control, room).await?))
}

/// Rooms, newest first.
#[utoipa::path(get, path = "/v2/rooms", operation_id = "list_rooms", tag = "rooms", security(("management" = [])),
    params(
        ("enabled" = Option<bool>, Query, description = "true where it is absent, as in 100ms's API"),
        ("name" = Option<String>, Query, description = "whatever the case"),
        ("template_id" = Option<String>, Query),
        ("limit" = Option<u32>, Query, description = "1 to 100; 10 where it is absent"),
        ("start" = Option<String>, Query, description = "`last` of the page before"),
    ),
    responses((status = 200, body = List<RoomView>), (status = "default", body = Problem)))]
pub(super) async fn list(State(control): State<Control>, query: Query) -> Result<Json<List<RoomView>>, Problem> {
    let page = query.page(list::LIMIT)?;
    let text = |key| query.text(key).map(str::to_owned);
    let enabled = Some(query.flag("enabled")?.unwrap_or(true));
    let filter = RoomFilter { enabled, name: text("name"), template_id: text("template_id") };
    let found = control.reader().rooms(filter, &page).await?.ok_or_else(|| list::unknown_start(&page))?;
    let templates = control.reader().template_names().await?;
    let data = found.into_iter().map(|room| named(&templates, room)).collect();
    Ok(Json(List::new(page.limit, data, |room: &RoomView| &room.id)))
}

fn request(mut fields: Fields) -> Result<RoomRequest, Invalid> {
    if fields.has("template") {
        return Err(Invalid("Invalid body param: template. Use template_id".to_owned()));
    }
    Ok(RoomRequest {
        id: fields.text("id")?,
        name: fields.text("name")?,
        enabled: fields.flag("enabled")?,
        template_id: fields.text("template_id")?,
        description: fields.text("description")?,
        recording_info: fields.object("recording_info")?,
        region: fields.text("region")?,
        size: fields.count("size")?,
        large_room: fields.flag("large_room")?,
        max_duration_seconds: fields.count("max_duration_seconds")?,
        polls: fields.list("polls")?,
        webhook: fields.object("webhook")?,
    })
}
