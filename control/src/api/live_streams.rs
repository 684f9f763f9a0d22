//! `/v2/live-streams`.

use super::auth::Caller;
use super::body::Body;
use super::list::{self, List, Query};
use super::path::Path;
use super::problem::Problem;
use crate::Control;
use crate::catalog::StreamFilter;
use crate::fields::Fields;
use crate::owner::{ControlError, Input};
use crate::rooms::date::Timestamp;
use crate::rooms::ladder::{Ladder, Layer, Spelling};
use crate::rooms::live_stream::{Actor, LiveStream, Recording, StartRequest, Status};
use crate::rooms::{Invalid, Refused, id};
use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

/// A live stream as 100ms shows it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LiveStream)]
pub(super) struct LiveStreamView {
    id: String,
    room_id: String,
    session_id: String,
    status: Status,
    destination: String,
    playback: Playback,
    meeting_url: String,
    recording: Recording,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    stopped_at: Option<Timestamp>,
    /// A peer's user id; empty for a server.
    started_by: String,
    /// A peer's user id; empty for a server.
    stopped_by: String,
    /// `null` until there are any.
    #[schema(value_type = Option<Vec<Object>>)]
    recording_assets: Option<()>,
    /// Why it failed; only there where it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Where to play it.
#[derive(Debug, Serialize, ToSchema)]
struct Playback {
    /// Its multivariant playlist.
    url: String,
}

/// What a start may say.
#[derive(ToSchema)]
#[allow(dead_code)] // Read field by field, so that errors name them; this is its description.
pub(super) struct StartBody {
    /// Kept and handed back; the picture is composed by the server.
    meeting_url: Option<String>,
    /// Which of the `hlsDestinations` of the room's template; needed where there are several, but by an auth token, which means the first of them by name.
    destination: Option<String>,
    /// What is to be made of the stream afterwards.
    recording: Option<Recording>,
    /// What is encoded, the best first, before what the destination says. Not in 100ms's API, and for management tokens alone.
    layers: Option<Vec<Layer>>,
    /// Pictures a second: 15, 24, 25, 30, 48, 50 or 60. Likewise.
    frame_rate: Option<u32>,
}

fn view(control: &Control, stream: LiveStream) -> LiveStreamView {
    let url = format!("{}/hls/{}/{}/master.m3u8", control.public_url(), stream.room_id, stream.id);
    LiveStreamView {
        playback: Playback { url },
        id: stream.id,
        room_id: stream.room_id,
        session_id: stream.session_id,
        status: stream.status,
        destination: stream.request.destination,
        meeting_url: stream.request.meeting_url,
        // Stock clients read its fields without a look at whether it is there.
        recording: stream.request.recording.unwrap_or_default(),
        created_at: stream.created_at,
        started_at: stream.started_at,
        updated_at: stream.updated_at,
        stopped_at: stream.stopped_at,
        started_by: stream.started_by,
        stopped_by: stream.stopped_by,
        recording_assets: None,
        error: stream.error,
    }
}

/// Start the live stream of a room.
///
/// An auth token of the room whose role may stream does, too (not in 100ms's API), and is answered with what goes on already where
/// something does.
#[utoipa::path(post, path = "/v2/live-streams/room/{room}/start", operation_id = "start_live_stream", tag = "live streams", request_body = StartBody,
    security(("management" = []), ("auth" = [])), params(("room" = String, Path)),
    responses((status = 200, body = LiveStreamView), (status = "default", body = Problem)))]
pub(super) async fn start(
    State(control): State<Control>,
    Path(room): Path<String>,
    Extension(caller): Extension<Caller>,
    body: Result<Body, Problem>,
) -> Result<Json<LiveStreamView>, Problem> {
    // Who may not is told so first, whatever the body.
    let by = actor(&control, &room, caller.clone()).await?;
    let request = start_request(body?.0)?;
    if let (Some(_), Caller::Peer(auth)) = (&request.ladder, caller) {
        // What is encoded is paid for by whoever runs the server.
        let act = "choose what is encoded (layers, frame_rate)".to_owned();
        return Err(Refused::NotAllowed { role: auth.role, room: auth.room, act }.into());
    }
    let stream = control.start(&room, request, by).await?;
    Ok(Json(view(&control, stream)))
}

/// Stop what goes on in a room, by either token.
#[utoipa::path(post, path = "/v2/live-streams/room/{room}/stop", operation_id = "stop_live_streams", tag = "live streams",
    security(("management" = []), ("auth" = [])), params(("room" = String, Path)),
    responses((status = 200, body = List<LiveStreamView>), (status = "default", body = Problem)))]
pub(super) async fn stop_room(
    State(control): State<Control>,
    Path(room): Path<String>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<List<LiveStreamView>>, Problem> {
    let by = actor(&control, &room, caller).await?;
    let stopped = control.stop_room(&room, by).await?;
    let data = stopped.into_iter().map(|stream| view(&control, stream)).collect();
    Ok(Json(List::new(list::LIMIT, data, |stream: &LiveStreamView| &stream.id)))
}

/// Stop a live stream.
#[utoipa::path(post, path = "/v2/live-streams/{stream}/stop", operation_id = "stop_live_stream", tag = "live streams", security(("management" = [])),
    params(("stream" = String, Path)),
    responses((status = 200, body = LiveStreamView), (status = "default", body = Problem)))]
pub(super) async fn stop(
    State(control): State<Control>,
    Path(stream): Path<String>,
) -> Result<Json<LiveStreamView>, Problem> {
    let stopped = control.ask(|answer| Input::StopStream { id: stream, by: Actor::Server, answer }).await?;
    Ok(Json(view(&control, stopped)))
}

/// One live stream.
#[utoipa::path(get, path = "/v2/live-streams/{stream}", operation_id = "get_live_stream", tag = "live streams", security(("management" = [])),
    params(("stream" = String, Path)),
    responses((status = 200, body = LiveStreamView), (status = "default", body = Problem)))]
pub(super) async fn get(
    State(control): State<Control>,
    Path(stream): Path<String>,
) -> Result<Json<LiveStreamView>, Problem> {
    let found = control.reader().stream(&stream).await?.ok_or(Refused::UnknownStream(stream))?;
    Ok(Json(view(&control, found)))
}

/// Live streams, newest first.
///
/// An auth token whose role may stream sees those of its room (not in 100ms's API): a page on stage has to know that the stream has
/// ended.
#[utoipa::path(get, path = "/v2/live-streams", operation_id = "list_live_streams", tag = "live streams",
    security(("management" = []), ("auth" = [])),
    params(
        ("room_id" = Option<String>, Query),
        ("session_id" = Option<String>, Query),
        ("status" = Option<Status>, Query),
        ("limit" = Option<u32>, Query, description = "1 to 100; 10 where it is absent"),
        ("start" = Option<String>, Query, description = "`last` of the page before"),
    ),
    responses((status = 200, body = List<LiveStreamView>), (status = "default", body = Problem)))]
pub(super) async fn list(
    State(control): State<Control>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> Result<Json<List<LiveStreamView>>, Problem> {
    let text = |key| query.text(key).map(str::to_owned);
    let room_id = match caller {
        Caller::Server => text("room_id"),
        Caller::Peer(auth) => {
            let room = text("room_id").unwrap_or_else(|| auth.room.clone());
            control.authorize_live(&room, auth, "see the live streams").await?;
            Some(room)
        }
    };
    let page = query.page(list::LIMIT)?;
    let status = query.text("status").map(status).transpose()?;
    let filter = StreamFilter { room_id, session_id: text("session_id"), status };
    let found = control.reader().streams(filter, &page).await?.ok_or_else(|| list::unknown_start(&page))?;
    let data = found.into_iter().map(|stream| view(&control, stream)).collect();
    Ok(Json(List::new(page.limit, data, |stream: &LiveStreamView| &stream.id)))
}

async fn actor(control: &Control, room: &str, caller: Caller) -> Result<Actor, ControlError> {
    match caller {
        Caller::Server => Ok(Actor::Server),
        Caller::Peer(auth) => control.authorize_live(room, auth, "start or stop the live stream").await,
    }
}

fn start_request(mut fields: Fields) -> Result<StartRequest, Invalid> {
    let recording = fields.fields("recording")?.map(|mut recording| {
        Ok::<_, Invalid>(Recording {
            hls_vod: recording.flag("hls_vod")?.unwrap_or_default(),
            single_file_per_layer: recording.flag("single_file_per_layer")?.unwrap_or_default(),
        })
    });
    Ok(StartRequest {
        meeting_url: fields.text("meeting_url")?.unwrap_or_default(),
        destination: fields.text("destination")?.unwrap_or_default(),
        recording: recording.transpose()?,
        ladder: Ladder::parse(&mut fields, Spelling::Snake)?,
    })
}

fn status(word: &str) -> Result<Status, Invalid> {
    Status::parse(word).ok_or_else(|| {
        let words = Status::ALL.map(Status::as_str).join(", ");
        Invalid(format!("status: {} is none; use one of {words}", id::quoted(word)))
    })
}
