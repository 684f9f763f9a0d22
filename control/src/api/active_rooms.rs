//! `/v2/active-rooms`: who is on stage. A subset of 100ms's, with how what they send arrives.

use super::auth::Caller;
use super::list::Query;
use super::path::Path;
use super::problem::Problem;
use crate::rooms::peer::{Peer, RoomEvent};
use crate::{Control, Question};
use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Those on stage, by their id.
#[derive(Serialize, ToSchema)]
pub(super) struct Peers {
    peers: BTreeMap<String, Peer>,
}

/// What has lately changed, the oldest first.
#[derive(Serialize, ToSchema)]
pub(super) struct Events {
    events: Vec<RoomEvent>,
}

/// Who is on stage in a room, and how what they send arrives.
///
/// Health is not in 100ms's API. An auth token of the room whose role may publish does, too.
#[utoipa::path(get, path = "/v2/active-rooms/{room}/peers", operation_id = "list_active_peers", tag = "active rooms",
    security(("management" = []), ("auth" = [])),
    params(
        ("room" = String, Path),
        ("user_id" = Option<String>, Query, description = "Nobody else."),
        ("role" = Option<String>, Query, description = "Nobody of another role."),
    ),
    responses((status = 200, body = Peers), (status = "default", body = Problem)))]
pub(super) async fn peers(
    State(control): State<Control>,
    Path(room): Path<String>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> Result<Json<Peers>, Problem> {
    control.may_look_on_stage(&room, caller.auth()).await?;
    let mut peers = control.question(|answer| Question::OnStage { room, answer }).await?;
    let is = |asked: &str, of: &str| query.text(asked).is_none_or(|asked| asked == of);
    peers.retain(|peer| is("user_id", &peer.user_id) && is("role", &peer.role));
    Ok(Json(Peers { peers: peers.into_iter().map(|peer| (peer.id.clone(), peer)).collect() }))
}

/// What has lately changed in a room: who came and left, and what was black, frozen, silent or missing.
///
/// Not in 100ms's API. An auth token of the room whose role may publish does, too. The newest 200 are kept while somebody is on stage or the room is live.
#[utoipa::path(get, path = "/v2/active-rooms/{room}/events", operation_id = "list_room_events", tag = "active rooms",
    security(("management" = []), ("auth" = [])), params(("room" = String, Path)),
    responses((status = 200, body = Events), (status = "default", body = Problem)))]
pub(super) async fn events(
    State(control): State<Control>,
    Path(room): Path<String>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Events>, Problem> {
    control.may_look_on_stage(&room, caller.auth()).await?;
    let events = control.question(|answer| Question::Events { room, answer }).await?;
    Ok(Json(Events { events }))
}
