//! `/v2/templates`.

use super::list::{self, List, Query};
use super::path::Path;
use super::problem::Problem;
use crate::Control;
use crate::rooms::Refused;
use crate::rooms::template::Template;
use axum::Json;
use axum::extract::State;

/// The templates that there are.
#[utoipa::path(get, path = "/v2/templates", operation_id = "list_templates", tag = "templates", security(("management" = [])),
    params(("limit" = Option<u32>, Query), ("start" = Option<String>, Query)),
    responses((status = 200, body = List<Template>), (status = "default", body = Problem)))]
pub(super) async fn list(State(control): State<Control>, query: Query) -> Result<Json<List<Template>>, Problem> {
    let page = query.page(list::LIMIT)?;
    let all = control.templates();
    let skipped = match &page.start {
        None => 0,
        Some(start) => {
            let place = all.iter().position(|template| template.id == *start);
            place.ok_or_else(|| list::unknown_start(&page))? + 1
        }
    };
    let wanted = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let data = all.iter().skip(skipped).take(wanted).cloned().collect();
    Ok(Json(List::new(page.limit, data, |template: &Template| &template.id)))
}

/// One template.
#[utoipa::path(get, path = "/v2/templates/{template}", operation_id = "get_template", tag = "templates", security(("management" = [])),
    params(("template" = String, Path)),
    responses((status = 200, body = Template), (status = "default", body = Problem)))]
pub(super) async fn get(State(control): State<Control>, Path(id): Path<String>) -> Result<Json<Template>, Problem> {
    let found = control.templates().iter().find(|template| template.id == id);
    Ok(Json(found.cloned().ok_or(Refused::UnknownTemplate(id))?))
}
