//! `/v2/templates`.

use super::body::Body;
use super::list::{self, List, Query};
use super::path::Path;
use super::problem::Problem;
use crate::Control;
use crate::owner::Input;
use crate::rooms::template::{Template, TemplateRequest};
use crate::rooms::{Refused, id, ladder};
use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// What a template may be made or replaced with. Unknown fields are ignored, and `roles` are refused: every template has the same.
#[derive(ToSchema)]
#[allow(dead_code)] // Read field by field, so that errors name them; this is its description.
pub(super) struct TemplateBody {
    /// `[a-zA-Z0-9 .-:_]`, whatever the case.
    name: Option<String>,
    /// In 100ms's shape: `hlsDestinations.<name>` has `layers` of `width`, `height`, `videoBitrate` and `audioBitrate` (kbit/s), and
    /// `videoFrameRate`; ours beside them are `preset` and `codec` of a layer. A start names one by `destination`.
    #[schema(value_type = Option<Object>)]
    destinations: Option<Value>,
}

/// The templates that there are, newest first.
#[utoipa::path(get, path = "/v2/templates", operation_id = "list_templates", tag = "templates", security(("management" = [])),
    params(("limit" = Option<u32>, Query), ("start" = Option<String>, Query)),
    responses((status = 200, body = List<Template>), (status = "default", body = Problem)))]
pub(super) async fn list(State(control): State<Control>, query: Query) -> Result<Json<List<Template>>, Problem> {
    let page = query.page(list::LIMIT)?;
    let found = control.reader().templates(&page).await?.ok_or_else(|| list::unknown_start(&page))?;
    Ok(Json(List::new(page.limit, found, |template: &Template| &template.id)))
}

/// One template.
#[utoipa::path(get, path = "/v2/templates/{template}", operation_id = "get_template", tag = "templates", security(("management" = [])),
    params(("template" = String, Path)),
    responses((status = 200, body = Template), (status = "default", body = Problem)))]
pub(super) async fn get(State(control): State<Control>, Path(id): Path<String>) -> Result<Json<Template>, Problem> {
    Ok(Json(control.reader().template(&id).await?.ok_or(Refused::UnknownTemplate(id))?))
}

/// Create a template, or replace the one with this name.
#[utoipa::path(post, path = "/v2/templates", operation_id = "create_template", tag = "templates", request_body = TemplateBody, security(("management" = [])),
    responses((status = 200, body = Template), (status = "default", body = Problem)))]
pub(super) async fn create(State(control): State<Control>, Body(fields): Body) -> Result<Json<Template>, Problem> {
    let request = TemplateRequest::parse(fields)?;
    check(&control, &request.destinations)?;
    Ok(Json(control.ask(|answer| Input::CreateTemplate { request, answer }).await?))
}

/// Replace a template. Streams that go on are as they were started.
#[utoipa::path(post, path = "/v2/templates/{template}", operation_id = "update_template", tag = "templates", request_body = TemplateBody, security(("management" = [])),
    params(("template" = String, Path)), responses((status = 200, body = Template), (status = "default", body = Problem)))]
pub(super) async fn update(
    State(control): State<Control>,
    Path(id): Path<String>,
    Body(fields): Body,
) -> Result<Json<Template>, Problem> {
    let request = TemplateRequest::parse(fields)?;
    check(&control, &request.destinations)?;
    Ok(Json(control.ask(|answer| Input::UpdateTemplate { id, request, answer }).await?))
}

/// Whether what a template wants can be encoded.
fn check(control: &Control, destinations: &Map<String, Value>) -> Result<(), Problem> {
    for (name, ladder) in ladder::destinations(destinations)? {
        if let Some(ladder) = ladder {
            control.check_ladder(&ladder, &format!("destinations.hlsDestinations.{}: ", id::quoted(&name)))?;
        }
    }
    Ok(())
}
