#![allow(clippy::disallowed_methods)] // IO: decodes pictures on a thread of their own, in a task that outlives its request.
//! `/v2/live-streams/<id>/background` and `logo`: pictures around the people. Not in 100ms's API, whose pictures are composed by a browser.

use super::auth::Caller;
use super::body::{Body, Upload};
use super::direction::{direction, may_direct};
use super::list::Query;
use super::path::Path;
use super::problem::Problem;
use crate::picture::Picture;
use crate::rooms::Invalid;
use crate::rooms::layout::{Corner, Pictures};
use crate::{Control, Wish};
use axum::extract::{FromRequest, Request, State};
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

/// A picture that was taken.
#[derive(Serialize, ToSchema)]
pub(super) struct Uploaded {
    /// Pixels from left to right of what was sent; it is scaled for the picture that is broadcast.
    width: u32,
    /// Pixels from top to bottom.
    height: u32,
}

/// Nothing is there any more.
#[derive(Serialize, ToSchema)]
pub(super) struct Removed {}

/// Show a picture behind the people of a live stream, from now on.
///
/// Not in 100ms's API. A PNG, JPEG or WebP of at most 4 MiB and 4096x4096 pixels, which fills the canvas; what does not fit in is cut off. It stands in
/// place of a layout's color, and stays when the layout changes. An auth token of the room whose role may stream does, too.
#[utoipa::path(post, path = "/v2/live-streams/{stream}/background", operation_id = "set_live_stream_background", tag = "live streams",
    request_body(content((Vec<u8> = "image/png"), (Vec<u8> = "image/jpeg"), (Vec<u8> = "image/webp"))), security(("management" = []), ("auth" = [])), params(("stream" = String, Path)),
    responses((status = 200, body = Uploaded), (status = "default", body = Problem)))]
pub(super) async fn set_background(
    State(control): State<Control>,
    Path(stream): Path<String>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Json<Uploaded>, Problem> {
    may_direct(&control, &stream, caller).await?;
    upload(&control, &stream, request, |picture| Wish::Background(Some(picture))).await
}

/// Take the picture behind the people of a live stream away.
///
/// Not in 100ms's API.
#[utoipa::path(delete, path = "/v2/live-streams/{stream}/background", operation_id = "remove_live_stream_background", tag = "live streams",
    security(("management" = []), ("auth" = [])), params(("stream" = String, Path)),
    responses((status = 200, body = Removed), (status = "default", body = Problem)))]
pub(super) async fn remove_background(
    State(control): State<Control>,
    Path(stream): Path<String>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Removed>, Problem> {
    may_direct(&control, &stream, caller).await?;
    control.direct(&stream, Wish::Background(None)).await?;
    Ok(Json(Removed {}))
}

/// Show a logo in a corner of a live stream, from now on.
///
/// Not in 100ms's API. A PNG, JPEG or WebP of at most 4 MiB and 4096x4096 pixels. It keeps its transparency and its proportions, and is at most an eighth of
/// the canvas high and a quarter of it wide. An auth token of the room whose role may stream does, too.
#[utoipa::path(post, path = "/v2/live-streams/{stream}/logo", operation_id = "set_live_stream_logo", tag = "live streams",
    request_body(content((Vec<u8> = "image/png"), (Vec<u8> = "image/jpeg"), (Vec<u8> = "image/webp"))), security(("management" = []), ("auth" = [])),
    params(("stream" = String, Path), ("corner" = Option<Corner>, Query, description = "`top-right` where it is absent.")),
    responses((status = 200, body = Uploaded), (status = "default", body = Problem)))]
pub(super) async fn set_logo(
    State(control): State<Control>,
    Path(stream): Path<String>,
    Extension(caller): Extension<Caller>,
    query: Query,
    request: Request,
) -> Result<Json<Uploaded>, Problem> {
    may_direct(&control, &stream, caller).await?;
    let corner = Corner::parse(query.text("corner"))?;
    upload(&control, &stream, request, move |picture| Wish::Logo(Some((picture, corner)))).await
}

/// Take the logo of a live stream away.
///
/// Not in 100ms's API.
#[utoipa::path(delete, path = "/v2/live-streams/{stream}/logo", operation_id = "remove_live_stream_logo", tag = "live streams",
    security(("management" = []), ("auth" = [])), params(("stream" = String, Path)),
    responses((status = 200, body = Removed), (status = "default", body = Problem)))]
pub(super) async fn remove_logo(
    State(control): State<Control>,
    Path(stream): Path<String>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Removed>, Problem> {
    may_direct(&control, &stream, caller).await?;
    control.direct(&stream, Wish::Logo(None)).await?;
    Ok(Json(Removed {}))
}

/// Where a logo is to go.
#[derive(ToSchema)]
#[allow(dead_code)] // Read field by field, so that errors name them; this is its description.
pub(super) struct CornerBody {
    corner: Corner,
}

/// Show the logo of a live stream in another corner, from now on.
///
/// Not in 100ms's API. An auth token of the room whose role may stream does, too.
#[utoipa::path(post, path = "/v2/live-streams/{stream}/logo/corner", operation_id = "move_live_stream_logo", tag = "live streams", request_body = CornerBody,
    security(("management" = []), ("auth" = [])), params(("stream" = String, Path)),
    responses((status = 200, body = Pictures), (status = "default", body = Problem)))]
pub(super) async fn move_logo(
    State(control): State<Control>,
    Path(stream): Path<String>,
    Extension(caller): Extension<Caller>,
    body: Result<Body, Problem>,
) -> Result<Json<Pictures>, Problem> {
    may_direct(&control, &stream, caller.clone()).await?;
    let mut fields = body?.0;
    let corner = fields.text("corner")?.ok_or_else(|| fields.missing("corner", "a string"))?;
    control.direct(&stream, Wish::LogoCorner(Corner::parse(Some(&corner))?)).await?;
    Ok(Json(direction(&control, stream, caller).await?.pictures))
}

async fn upload(
    control: &Control,
    stream: &str,
    request: Request,
    wish: impl FnOnce(Picture) -> Wish + Send + 'static,
) -> Result<Json<Uploaded>, Problem> {
    let place = control.upload_place()?;
    let Upload(file) = Upload::from_request(request, control).await?;
    let (control, stream) = (control.clone(), stream.to_owned());
    // A task of its own: whoever hangs up leaves a picture that is still being read, and its places stay taken until it is where it is needed.
    let shown = tokio::spawn(async move {
        let _place = place;
        // It may be 64 MB of pixels.
        let _turn = control.picture_turn().await?;
        let read = tokio::task::spawn_blocking(move || Picture::parse(&file)).await;
        let picture = read.map_err(|_panicked| unreadable())??;
        let (width, height) = (picture.width(), picture.height());
        control.direct(&stream, wish(picture)).await?;
        Ok(Json(Uploaded { width, height }))
    });
    shown.await.map_err(|_panicked| unreadable())?
}

fn unreadable() -> Invalid {
    Invalid("the picture cannot be read; send another".to_owned())
}
