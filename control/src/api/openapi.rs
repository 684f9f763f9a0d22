//! `/openapi.json`: this API, described from the handlers themselves. `tests/openapi.json` is a checked-in copy, so that a change of
//! the API shows in review.

use super::{active_rooms, direction, live_streams, problem, room_codes, rooms, scenery, templates, token};
use axum::Json;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(title = "footlight", description = "Rooms, codes, tokens and live streams, in the shapes of 100ms's API."),
    paths(
        rooms::create,
        rooms::list,
        rooms::get,
        rooms::update,
        templates::list,
        templates::get,
        templates::create,
        templates::update,
        room_codes::create_all,
        room_codes::list,
        room_codes::create_one,
        room_codes::enable,
        token::exchange,
        live_streams::start,
        live_streams::stop_room,
        live_streams::stop,
        direction::arrange,
        direction::layout,
        direction::mix,
        direction::current_mix,
        direction::snapshot,
        direction::viewers,
        active_rooms::peers,
        active_rooms::events,
        scenery::set_background,
        scenery::remove_background,
        scenery::set_logo,
        scenery::remove_logo,
        scenery::move_logo,
        live_streams::list,
        live_streams::get,
    ),
    components(schemas(problem::Problem)),
    modifiers(&Tokens)
)]
struct Api;

struct Tokens;

impl Modify for Tokens {
    fn modify(&self, document: &mut Document) {
        let scheme = |what: &str| {
            let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT");
            SecurityScheme::Http(bearer.description(Some(what.to_owned())).build())
        };
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("management", scheme("A management token: HS256, type management"));
        components.add_security_scheme("auth", scheme("An auth token: HS256, type app, of one role in one room"));
    }
}

/// `GET /openapi.json`. Open to all: it says what the source says.
pub(super) async fn document() -> Json<Document> {
    Json(Api::openapi())
}
