//! `/v2/live-streams/<id>/layout` and `mix`: who is seen where and heard how loud. Not in 100ms's API, whose pictures are composed by a browser.

use super::auth::Caller;
use super::body::Body;
use super::list::Query;
use super::path::Path;
use super::problem::Problem;
use crate::control::warning;
use crate::owner::ControlError;
use crate::rooms::Refused;
use crate::rooms::layout::{Arrangement, Background, Layout, LowerThird, Pictures, Scaling, Screens, Transition};
use crate::rooms::mix::Mix;
use crate::{Control, Direction, Question, Viewers, Wish};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::header;
use serde::Serialize;
use std::collections::HashMap;
use utoipa::ToSchema;

/// What a layout may say.
#[derive(ToSchema)]
#[allow(dead_code)] // Read field by field, so that errors name them; this is its description.
pub(super) struct LayoutBody {
    /// Who is where; `grid` where it is absent.
    r#type: Option<Arrangement>,
    /// What becomes of a picture that has other proportions than its tile; `fit` where it is absent.
    scaling: Option<Scaling>,
    /// Whose picture is the large one, by user id; whoever came first where it is absent.
    focus: Option<String>,
    /// The large one is whoever speaks; until somebody does, and while they have no picture, it is as `focus` says. `false` where it is absent.
    follow_speaker: Option<bool>,
    /// Whose picture stands small in a corner over whatever arrangement, by user id.
    pinned: Option<String>,
    /// Where screens that are shared go; `large` where it is absent.
    screens: Option<Screens>,
    /// How it passes into the next, and into what it becomes when people come and go; `smooth` where it is absent.
    transition: Option<Transition>,
    /// What stands under whose picture, by user id: one line, at most 128 bytes. They need not be on stage yet; with an empty text nothing stands there.
    names: Option<HashMap<String, String>>,
    /// Who is not among `names` has the name that they joined with; `false` where it is absent.
    show_names: Option<bool>,
    /// What is behind the people where no picture was uploaded; the stage where it is absent.
    background: Option<Background>,
    /// Text at the lower left, over the pictures: one or two lines of at most 128 bytes each.
    lower_third: Option<LowerThird>,
}

/// A layout as it is shown from now on.
#[derive(Serialize, ToSchema)]
pub(super) struct Arranged {
    #[serde(flatten)]
    layout: Layout,
    /// What of it cannot be drawn: characters that no font has, for which boxes are. With `show_names` also of the names of who is on stage just now.
    warnings: Vec<String>,
}

/// How a live stream is shown.
#[derive(Serialize, ToSchema)]
pub(super) struct Shown {
    #[serde(flatten)]
    layout: Layout,
    /// What was uploaded beside it; it stays when the layout changes.
    pictures: Pictures,
    /// What of it cannot be drawn, as in the answer to a change; also of those who have come since.
    warnings: Vec<String>,
}

/// What a mix may say.
#[derive(ToSchema)]
#[allow(dead_code)] // Read field by field, so that errors name them; this is its description.
pub(super) struct MixBody {
    /// By user id; who is absent is heard as they come.
    voices: Option<HashMap<String, FaderBody>>,
}

/// How loud one peer is mixed.
#[derive(ToSchema)]
#[allow(dead_code)] // As above.
struct FaderBody {
    /// Decibels above what the peer sends, below it where negative: -60 to 20; 0 where it is absent.
    gain_db: Option<f64>,
    /// Not heard at all; `false` where it is absent.
    muted: Option<bool>,
}

/// Show the people of a live stream otherwise, from now on.
///
/// Not in 100ms's API. What is absent is as at a stream's start: a grid, in which all of each picture is seen. An auth token of the room whose role may
/// stream does, too.
#[utoipa::path(post, path = "/v2/live-streams/{stream}/layout", operation_id = "arrange_live_stream", tag = "live streams", request_body = LayoutBody,
    security(("management" = []), ("auth" = [])), params(("stream" = String, Path)),
    responses((status = 200, body = Arranged), (status = "default", body = Problem)))]
pub(super) async fn arrange(
    State(control): State<Control>,
    Path(stream): Path<String>,
    Extension(caller): Extension<Caller>,
    body: Result<Body, Problem>,
) -> Result<Json<Arranged>, Problem> {
    may_direct(&control, &stream, caller).await?;
    let layout = Layout::parse(body?.0)?;
    let warnings = control.direct(&stream, Wish::Layout(layout.clone())).await?;
    Ok(Json(Arranged { layout, warnings }))
}

/// Make people of a live stream louder or quieter, or mute them, from now on.
///
/// Not in 100ms's API. It is the whole mix: who is absent is heard as they come. It holds for who comes back, and may name who has not come yet. Where the
/// server brings the mix to a loudness, it weighs people against each other. An auth token of the room whose role may stream does, too.
#[utoipa::path(post, path = "/v2/live-streams/{stream}/mix", operation_id = "mix_live_stream", tag = "live streams", request_body = MixBody,
    security(("management" = []), ("auth" = [])), params(("stream" = String, Path)),
    responses((status = 200, body = Mix), (status = "default", body = Problem)))]
pub(super) async fn mix(
    State(control): State<Control>,
    Path(stream): Path<String>,
    Extension(caller): Extension<Caller>,
    body: Result<Body, Problem>,
) -> Result<Json<Mix>, Problem> {
    may_direct(&control, &stream, caller).await?;
    let mix = Mix::parse(body?.0)?;
    control.direct(&stream, Wish::Mix(mix.clone())).await?;
    Ok(Json(mix))
}

/// How the people of a live stream are shown.
///
/// Not in 100ms's API.
#[utoipa::path(get, path = "/v2/live-streams/{stream}/layout", operation_id = "get_layout", tag = "live streams",
    security(("management" = []), ("auth" = [])), params(("stream" = String, Path)),
    responses((status = 200, body = Shown), (status = "default", body = Problem)))]
pub(super) async fn layout(
    State(control): State<Control>,
    Path(stream): Path<String>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Shown>, Problem> {
    let Direction { layout, pictures, undrawn, .. } = direction(&control, stream, caller).await?;
    Ok(Json(Shown { layout, pictures, warnings: undrawn.iter().map(warning).collect() }))
}

/// How loud the people of a live stream are mixed.
///
/// Not in 100ms's API.
#[utoipa::path(get, path = "/v2/live-streams/{stream}/mix", operation_id = "get_mix", tag = "live streams",
    security(("management" = []), ("auth" = [])), params(("stream" = String, Path)),
    responses((status = 200, body = Mix), (status = "default", body = Problem)))]
pub(super) async fn current_mix(
    State(control): State<Control>,
    Path(stream): Path<String>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Mix>, Problem> {
    Ok(Json(direction(&control, stream, caller).await?.mix))
}

pub(super) async fn direction(control: &Control, stream: String, caller: Caller) -> Result<Direction, Problem> {
    may_direct(control, &stream, caller).await?;
    let stream = control.on_air(&stream).await?.id;
    Ok(control.question(|answer| Question::Direction { stream, answer }).await?)
}

/// A picture of a live stream just now, or of one of its people, as JPEG.
///
/// Not in 100ms's API. An auth token of the room whose role may stream does, too.
#[utoipa::path(get, path = "/v2/live-streams/{stream}/snapshot", operation_id = "take_snapshot", tag = "live streams",
    security(("management" = []), ("auth" = [])), params(("stream" = String, Path), ("peer" = Option<String>, Query, description = "A user id; the programme where it is absent")),
    responses((status = 200, content_type = "image/jpeg", body = Vec<u8>), (status = "default", body = Problem)))]
pub(super) async fn snapshot(
    State(control): State<Control>,
    Path(stream): Path<String>,
    query: Query,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    may_direct(&control, &stream, caller).await?;
    let jpeg = control.snapshot(&stream, query.text("peer").map(str::to_owned)).await?;
    Ok(([(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "no-store")], jpeg).into_response())
}

/// How many watch a live stream, about.
///
/// Not in 100ms's API. Counted are those who ask this server; those at edges of their own are not. An auth token of the room whose role may publish does, too.
#[utoipa::path(get, path = "/v2/live-streams/{stream}/viewers", operation_id = "count_viewers", tag = "live streams",
    security(("management" = []), ("auth" = [])), params(("stream" = String, Path)),
    responses((status = 200, body = Viewers), (status = "default", body = Problem)))]
pub(super) async fn viewers(
    State(control): State<Control>,
    Path(stream): Path<String>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Viewers>, Problem> {
    let unknown = || ControlError::from(Refused::UnknownStream(stream.clone()));
    let found = control.reader().stream(&stream).await?.ok_or_else(unknown)?;
    // A peer hears of streams of its own room alone.
    if matches!(&caller, Caller::Peer(auth) if auth.room != found.room_id) {
        return Err(unknown().into());
    }
    control.may_look_on_stage(&found.room_id, caller.auth()).await?;
    let (room, stream) = (found.room_id, found.id);
    Ok(Json(control.question(|answer| Question::Viewers { room, stream, answer }).await?))
}

pub(super) async fn may_direct(control: &Control, stream: &str, caller: Caller) -> Result<(), Problem> {
    let Caller::Peer(auth) = caller else { return Ok(()) };
    let room = auth.room.clone();
    control.authorize_live(&room, auth, "direct the live stream").await?;
    // A peer hears of streams of its own room alone.
    if control.reader().stream(stream).await?.is_none_or(|found| found.room_id != room) {
        return Err(ControlError::from(Refused::UnknownStream(stream.to_owned())).into());
    }
    Ok(())
}
