//! Which pages of other origins may call the API (WHATWG Fetch, section 3.2). No cookies, so no credentials.

use crate::Control;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

/// How long a browser remembers a preflight, in seconds; two hours are Chromium's most.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, DELETE");
const HEADERS: HeaderValue = HeaderValue::from_static("Authorization, Content-Type");

/// The origins of `cors.origins`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origins {
    all: bool,
    listed: Vec<HeaderValue>,
}

impl Origins {
    /// Reads the setting; an entry that no browser would ever send is given back.
    pub(crate) fn new(entries: &[String]) -> Result<Self, String> {
        let all = entries.iter().any(|entry| entry == "*");
        let listed = entries.iter().filter(|entry| *entry != "*");
        let listed = listed.map(|entry| origin(entry).ok_or_else(|| entry.clone()));
        Ok(Self { all, listed: listed.collect::<Result<_, _>>()? })
    }

    /// What `Access-Control-Allow-Origin` says to a page of `origin`.
    fn allow(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        if self.all {
            return Some(HeaderValue::from_static("*"));
        }
        self.listed.contains(origin).then(|| origin.clone())
    }
}

/// `scheme://host[:port]` in lower case, as browsers serialise it.
fn origin(entry: &str) -> Option<HeaderValue> {
    let entry = entry.to_ascii_lowercase();
    let (scheme, host) = entry.split_once("://")?;
    let plain = !scheme.is_empty() && !host.is_empty() && !host.contains(['/', '?', '#', '@', '*', ' ']);
    plain.then(|| HeaderValue::from_str(&entry).ok()).flatten()
}

/// Answers preflights, and marks every other answer for the page that asked.
pub(super) async fn answer(State(control): State<Control>, request: Request, next: Next) -> Response {
    let allowed = request.headers().get(header::ORIGIN).and_then(|origin| control.cors().allow(origin));
    let preflight = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ORIGIN)
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if preflight {
        StatusCode::NO_CONTENT.into_response()
    } else {
        let mut response = next.run(request).await;
        // Nothing here may be kept by a cache: tokens, and what changes with the next request.
        response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        response
    };
    mark(response.headers_mut(), allowed, preflight);
    response
}

fn mark(headers: &mut HeaderMap, allowed: Option<HeaderValue>, preflight: bool) {
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = allowed else { return };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if preflight {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_origins_are_allowed_and_others_are_not() {
        let check = |entries: &[&str], origin: &'static str, want: Option<&'static str>| {
            let entries: Vec<_> = entries.iter().map(|&e| e.to_owned()).collect();
            let allowed = Origins::new(&entries).unwrap().allow(&HeaderValue::from_static(origin));
            assert_eq!(allowed, want.map(HeaderValue::from_static), "{entries:?} {origin}");
        };
        check(&["*"], "https://a.example", Some("*"));
        check(&["https://A.example"], "https://a.example", Some("https://a.example"));
        check(&["https://a.example"], "http://a.example", None);
        check(&["https://a.example"], "https://a.example:8443", None);
        check(&["https://a.example"], "null", None);
        check(&[], "https://a.example", None);
    }

    #[test]
    fn an_entry_that_cannot_match_is_named() {
        for entry in ["a.example", "https://a.example/", "https://*.example", "https://", "://a", "https://a b"] {
            assert_eq!(Origins::new(&[entry.to_owned()]).unwrap_err(), entry);
        }
    }
}
