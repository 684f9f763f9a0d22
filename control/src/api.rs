//! The REST API: which path is answered by what, and who may ask. Handlers parse, call and render.

mod active_rooms;
mod auth;
mod body;
pub(crate) mod cors;
mod direction;
mod list;
mod live_streams;
mod openapi;
mod path;
mod problem;
mod room_codes;
mod rooms;
mod scenery;
mod templates;
mod token;

use crate::{Control, picture};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

/// Every route there is.
pub(crate) fn router(control: Control) -> Router {
    let open = Router::new().route("/v2/token", post(token::exchange)).route("/openapi.json", get(openapi::document));
    // Elsewhere there is no such route, and who tries is told what everybody is told.
    let open =
        if control.open_to_this_machine() { open.route("/v2/token/management", post(token::management)) } else { open };
    let by_management_token = Router::new()
        .route("/v2/rooms", get(rooms::list).post(rooms::create))
        .route("/v2/rooms/{room}", get(rooms::get).post(rooms::update))
        .route("/v2/templates", get(templates::list).post(templates::create))
        .route("/v2/templates/{template}", get(templates::get).post(templates::update))
        .route("/v2/room-codes/room/{room}", get(room_codes::list).post(room_codes::create_all))
        .route("/v2/room-codes/room/{room}/role/{role}", post(room_codes::create_one))
        .route("/v2/room-codes/code", post(room_codes::enable))
        .route("/v2/live-streams/{stream}", get(live_streams::get))
        .route("/v2/live-streams/{stream}/stop", post(live_streams::stop))
        .route_layer(from_fn_with_state(control.clone(), auth::management));
    let upload = DefaultBodyLimit::max(picture::MAX_BYTES);
    let by_management_or_auth_token = Router::new()
        .route("/v2/live-streams", get(live_streams::list))
        .route("/v2/live-streams/room/{room}/start", post(live_streams::start))
        .route("/v2/live-streams/room/{room}/stop", post(live_streams::stop_room))
        .route("/v2/live-streams/{stream}/layout", get(direction::layout).post(direction::arrange))
        .route("/v2/live-streams/{stream}/mix", get(direction::current_mix).post(direction::mix))
        .route("/v2/live-streams/{stream}/snapshot", get(direction::snapshot))
        .route("/v2/live-streams/{stream}/viewers", get(direction::viewers))
        .route("/v2/active-rooms/{room}/peers", get(active_rooms::peers))
        .route("/v2/active-rooms/{room}/events", get(active_rooms::events))
        .route(
            "/v2/live-streams/{stream}/background",
            post(scenery::set_background).layer(upload).delete(scenery::remove_background),
        )
        .route("/v2/live-streams/{stream}/logo", post(scenery::set_logo).layer(upload).delete(scenery::remove_logo))
        .route("/v2/live-streams/{stream}/logo/corner", post(scenery::move_logo))
        .route_layer(from_fn_with_state(control.clone(), auth::management_or_auth));
    open.merge(by_management_token)
        .merge(by_management_or_auth_token)
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .layer(DefaultBodyLimit::max(body::MAX_BYTES))
        // Outermost: errors need its headers, too, and a preflight carries no token.
        .layer(from_fn_with_state(control.clone(), cors::answer))
        .with_state(control)
}
