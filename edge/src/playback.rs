//! Who may have an object: `Playback-Access`, and the viewer's token in front of the path.

use http::{HeaderMap, HeaderName};
use std::sync::Arc;

/// What the origin says of an object; viewers never see it.
pub const PLAYBACK_ACCESS: HeaderName = HeaderName::from_static("playback-access");

/// The path segment that announces a token: `/t/<token>/hls/...`, so that relative URIs inherit it.
const TOKEN_PREFIX: &str = "/t/";
/// Bytes of a token: a signed one of a few claims is under 1 KB.
const MAX_TOKEN_BYTES: usize = 2048;

/// Says whether a token opens a path (given without its token). It is asked on every request that carries one, so it has
/// to be quick, and it looks at its own clock for expiry.
pub type Verifier = Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

/// Who may have an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Who holds a token.
    Token,
}

impl Access {
    /// Reads it from a response. A word that this edge does not know closes the object: a newer origin may mean more by
    /// it.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(PLAYBACK_ACCESS).iter();
        match (values.next(), values.next()) {
            (None, _) => Self::Public,
            (Some(value), None) if value == "public" => Self::Public,
            _ => Self::Token,
        }
    }
}

/// Parts the token from the path. A path that only looks like one with a token is left alone.
pub fn split_token(path: &str) -> (Option<&str>, &str) {
    let parted = path.strip_prefix(TOKEN_PREFIX).and_then(|rest| {
        let slash = rest.find('/')?;
        Some((&rest[..slash], &rest[slash..]))
    });
    match parted {
        Some((token, path)) if (1..=MAX_TOKEN_BYTES).contains(&token.len()) => (Some(token), path),
        _ => (None, path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn check(path: &str, token: Option<&str>, rest: &str) {
        assert_eq!(split_token(path), (token, rest));
    }

    #[test]
    fn a_token_is_parted_from_its_path() {
        check("/t/abc.def/hls/r/s/x.m3u8", Some("abc.def"), "/hls/r/s/x.m3u8");
        check("/hls/t/x", None, "/hls/t/x");
        check("/t/abc", None, "/t/abc");
        check("/t//hls/x", None, "/t//hls/x");
        check("/t/abc/", Some("abc"), "/");
        check("/tt/abc/x", None, "/tt/abc/x");
        check("/t/a/t/b/x", Some("a"), "/t/b/x");
        let long = format!("/t/{}/x", "a".repeat(MAX_TOKEN_BYTES + 1));
        check(&long, None, &long);
    }

    #[test]
    fn an_unknown_access_closes() {
        let access = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(PLAYBACK_ACCESS, HeaderValue::from_static(value));
            }
            Access::of(&headers)
        };
        assert_eq!(access(&[]), Access::Public);
        assert_eq!(access(&["public"]), Access::Public);
        assert_eq!(access(&["token"]), Access::Token);
        assert_eq!(access(&["Public"]), Access::Token);
        assert_eq!(access(&["public", "token"]), Access::Token);
    }
}
