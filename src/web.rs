#![allow(clippy::disallowed_types)] // IO: debug builds read the pages from the tree, which rust-embed remembers in a global.
//! The pages, embedded in the binary as `web/` built them.

use bytes::Bytes;
use footlight_edge::encoding::accepts_gzip;
use http::{HeaderMap, Method, Response, StatusCode, header};
use http_body_util::Full;
use rust_embed::RustEmbed;
use std::borrow::Cow;

/// What `make web` built. Its file names carry a hash of their content, but for the pages themselves.
#[derive(RustEmbed)]
#[folder = "web/dist"]
struct Files;

/// Scripts and styles are ours alone; media and API may be elsewhere (an edge, a WHIP server behind another name); `blob:` is what MSE plays from.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; connect-src *; media-src * blob:; img-src 'self' data: blob:; \
     worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; frame-ancestors 'self'";

/// Answers the pages' paths.
#[derive(Debug, Clone, Copy, Default)]
pub struct Web;

impl Web {
    /// `/` is the operator's list, `/studio/<code>` and `/watch/<code>` the pages of a room code; the page itself asks the API what the code is.
    pub fn answer(self, method: &Method, path: &str, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let file = match path.split('/').collect::<Vec<_>>()[..] {
            ["", ""] => "index.html",
            ["", "studio", code] if !code.is_empty() => "studio.html",
            ["", "watch", code] if !code.is_empty() => "watch.html",
            ["", "assets", _] => &path[1..],
            _ => "",
        };
        let Some(found) = Files::get(file) else {
            return text(
                StatusCode::NOT_FOUND,
                "There is no such page. A room's pages are /studio/<room code> and /watch/<room code>.\n",
            );
        };
        if method != Method::GET && method != Method::HEAD {
            let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "Pages are read with GET.\n");
            refused.headers_mut().insert(header::ALLOW, http::HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        // Scripts and styles have a gzipped copy beside them.
        let gzipped = Files::get(&format!("{file}.gz")).filter(|_| accepts_gzip(headers));
        let encoding = gzipped.is_some().then_some((header::CONTENT_ENCODING, "gzip"));
        let content = match gzipped.unwrap_or(found).data {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => Bytes::from(bytes),
        };
        let hashed = file.starts_with("assets/");
        let lifetime = if hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
        let response = Response::builder();
        let response = encoding.into_iter().fold(response, |response, (name, value)| response.header(name, value));
        response
            .header(header::VARY, "Accept-Encoding")
            .header(header::CONTENT_TYPE, content_type(file))
            .header(header::CACHE_CONTROL, lifetime)
            .header(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY)
            .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
            .header(header::REFERRER_POLICY, "no-referrer")
            .header(header::CONTENT_LENGTH, content.len())
            .body(Full::new(if method == Method::HEAD { Bytes::new() } else { content }))
            .expect("static headers are valid")
    }
}

fn text(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
        .header(header::CACHE_CONTROL, "no-store")
        .body(Full::new(Bytes::from_static(text.as_bytes())))
        .expect("static headers are valid")
}

fn content_type(file: &str) -> &'static str {
    match file.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_paths_and_nothing_else_does() {
        let check = |path: &str, want: StatusCode| {
            assert_eq!(Web.answer(&Method::GET, path, &HeaderMap::new()).status(), want, "{path}");
        };
        check("/", StatusCode::OK);
        check("/studio/abc-defg-hij", StatusCode::OK);
        check("/watch/abc-defg-hij", StatusCode::OK);
        check("/studio/", StatusCode::NOT_FOUND);
        check("/studio/a/b", StatusCode::NOT_FOUND);
        check("/assets/../studio.html", StatusCode::NOT_FOUND);
        check("/studio.html", StatusCode::NOT_FOUND);
        assert_eq!(Web.answer(&Method::POST, "/", &HeaderMap::new()).status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    #[test]
    fn scripts_are_gzipped_for_who_takes_it() {
        let script = Files::iter().find(|name| name.ends_with(".js")).expect("the pages were built");
        let answer = |encodings: &'static str| {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, http::HeaderValue::from_static(encodings))]);
            let answer = Web.answer(&Method::GET, &format!("/{script}"), &headers);
            assert_eq!(answer.headers()[header::VARY], "Accept-Encoding");
            assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
            let length: usize = answer.headers()[header::CONTENT_LENGTH].to_str().unwrap().parse().unwrap();
            (answer.headers().contains_key(header::CONTENT_ENCODING), length)
        };
        let (plain, gzipped) = (answer("identity"), answer("gzip, br"));
        assert_eq!((plain.0, gzipped.0), (false, true));
        assert!(gzipped.1 < plain.1, "{gzipped:?} of {plain:?}");
    }
}
