//! Room code in, auth token out: the one request without a token, but for what a demo tells its own page. Clients of 100ms send its JSON as text/plain, which spares their
//! browser a preflight.

use super::body::Body;
use super::problem::{self, Problem};
use crate::Control;
use crate::rooms::id;
use axum::Json;
use axum::extract::State;
use http::uri::Authority;
use http::{HeaderMap, Method, Uri, header};
use serde::Serialize;
use std::net::IpAddr;
use utoipa::ToSchema;

/// What a code is exchanged for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TokenAnswer {
    /// An auth token, valid for a day.
    token: String,
    /// A room code that is for watching alone, to be handed on by who may go live. Not in 100ms's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    watch_code: Option<String>,
}

/// What is exchanged.
#[derive(ToSchema)]
#[allow(dead_code)] // Read field by field, so that errors name them; this is its description.
pub(super) struct TokenBody {
    /// A room code, `xxx-xxxx-xxx`.
    code: String,
    /// Names the peer. A new session of the same user replaces the old one.
    user_id: Option<String>,
}

/// Exchange a room code for an auth token. The only request without a token.
#[utoipa::path(post, path = "/v2/token", operation_id = "exchange_room_code", tag = "tokens", request_body = TokenBody, security(),
    responses((status = 200, body = TokenAnswer), (status = "default", body = Problem)))]
pub(super) async fn exchange(
    State(control): State<Control>,
    Body(mut fields): Body,
) -> Result<Json<TokenAnswer>, Problem> {
    let code = fields.required_text("code")?;
    let user = fields.text("user_id")?.unwrap_or_default();
    if !user.is_empty() {
        id::check_user("user_id", &user)?;
    }
    let (token, watch_code) = control.exchange(&code, &user).await?;
    Ok(Json(TokenAnswer { token, watch_code }))
}

/// A management token for the operator's page, where whoever is at this machine may do everything anyway. Not in the API's description: it is the page's
/// alone.
pub(super) async fn management(
    State(control): State<Control>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Json<TokenAnswer>, Problem> {
    if !is_of_this_machine(&uri, &headers) {
        return Err(problem::no_route(method, uri).await);
    }
    Ok(Json(TokenAnswer { token: control.open_management_token(), watch_code: None }))
}

/// What a proxy adds to what it passes on from elsewhere.
const PROXIES: [&str; 5] = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

/// Whether a request was sent to a loopback address by name or number, by a page from there, as browsers say of each POST. A name that leads here only by
/// its DNS has another Host, and a page of another site another Origin: neither gets a token, whatever CORS lets it read.
fn is_of_this_machine(uri: &Uri, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    // HTTP/2 says it in the URI.
    let Some(host) = uri.authority().map(Authority::as_str).or_else(|| text(header::HOST)) else { return false };
    let origin = text(header::ORIGIN).and_then(|origin| origin.split_once("://"));
    let same_site = origin.is_some_and(|(_, site)| site.eq_ignore_ascii_case(host));
    if PROXIES.iter().any(|name| headers.contains_key(*name)) {
        return false;
    }
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_matches(['[', ']']);
    let is_loopback = name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    same_site && (is_loopback || name.eq_ignore_ascii_case("localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_of_this_machine_is_of_this_machine() {
        let check = |host: &str, origin: Option<&str>, want: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(is_of_this_machine(&Uri::from_static("/v2"), &headers), want, "{host} {origin:?}");
        };
        check("127.0.0.1:8080", None, false);
        check("127.0.0.1:8080", Some("http://127.0.0.1:8080"), true);
        check("localhost:8080", Some("http://LOCALHOST:8080"), true);
        check("localhost", Some("http://localhost"), true);
        check("[::1]:8443", Some("https://[::1]:8443"), true);
        check("127.0.0.1:8080", Some("https://elsewhere.example"), false);
        check("127.0.0.1:8080", Some("http://127.0.0.1:9999"), false);
        check("127.0.0.1:8080", Some("null"), false);
        check("rebound.example:8080", None, false);
        check("192.0.2.1:8080", None, false);
        check("localhost.example", None, false);
        check("127.0.0.1@elsewhere.example", None, false);
        check("", None, false);
        assert!(!is_of_this_machine(&Uri::from_static("/v2"), &HeaderMap::new()));
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, "http://127.0.0.1:8080".parse().unwrap());
        let uri = Uri::from_static("http://127.0.0.1:8080/v2");
        assert!(is_of_this_machine(&uri, &headers));
        headers.insert("x-forwarded-for", "192.0.2.1".parse().unwrap());
        assert!(!is_of_this_machine(&uri, &headers), "a proxy passes it on");
    }
}
