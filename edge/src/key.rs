//! What a request asks for: the part of its target that counts, in one spelling.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Path segments, and bytes of each, as the wire's page bounds them. What is beyond cannot exist, so that it never
/// costs the origin a request.
const MAX_SEGMENTS: usize = 8;
const MAX_SEGMENT_BYTES: usize = 128;
/// Bytes of a query that counts whole: more than any player sends, and what a stored key may cost at most.
const MAX_QUERY_BYTES: usize = 1024;

/// Which query keys count on some paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryRule {
    /// For paths that begin so.
    pub prefix: &'static str,
    /// And end so: playlists take directives, segments take none, and a query on a segment must not fetch it again.
    pub suffix: &'static str,
    /// The keys that count, in the order of their names. Others are dropped, and not passed on.
    pub keys: &'static [&'static str],
}

/// A path with the query that counts: the cache's primary key (RFC 9111 section 2) and the upstream's target.
pub type Target = Arc<str>;

/// Which of a target's representations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Variant {
    /// The only one, or not known yet to be one of several.
    Any,
    /// For clients that take gzip.
    Gzip,
    /// For clients that do not.
    Identity,
}

impl Variant {
    /// The one for a client.
    pub fn of(gzip: bool) -> Self {
        if gzip { Self::Gzip } else { Self::Identity }
    }
}

/// What is kept under: a target and a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The primary key.
    pub target: Target,
    /// The secondary key (RFC 9111 section 4.1).
    pub variant: Variant,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        KeyRef { target: &self.target, variant: self.variant }.hash(state);
    }
}

/// A [`Key`] to look for, which costs no allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyRef<'t> {
    /// The primary key.
    pub target: &'t str,
    /// The secondary key.
    pub variant: Variant,
}

impl quick_cache::Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.variant == key.variant && *self.target == *key.target
    }
}

/// Why a target is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Outside the wire's grammar.
    #[error(
        "the path is not valid: segments hold 1 to 128 letters, digits, '.', '_' and '-', none is . or .., and there are at most 8"
    )]
    Path,
    /// A key that counts, for the second time: which of them counts is a matter of opinion, and caches would differ.
    #[error("{0} appears more than once; send it once")]
    Twice(&'static str),
    /// A query that counts whole and is too long to keep.
    #[error("the query is longer than {MAX_QUERY_BYTES} bytes")]
    LongQuery,
}

/// Makes the target of a path and its query.
pub fn target(path: &str, query: Option<&str>, rules: &[QueryRule]) -> Result<Target, KeyError> {
    if !is_object_path(path) {
        return Err(KeyError::Path);
    }
    let Some(query) = query.filter(|query| !query.is_empty()) else { return Ok(path.into()) };
    let Some(rule) = rules.iter().find(|rule| path.starts_with(rule.prefix) && path.ends_with(rule.suffix)) else {
        if query.len() > MAX_QUERY_BYTES {
            return Err(KeyError::LongQuery);
        }
        return Ok(format!("{path}?{query}").into());
    };
    let mut target = String::from(path);
    for key in rule.keys {
        let mut found = query.split('&').filter(|pair| pair.split_once('=').map_or(*pair, |(name, _)| name) == *key);
        let Some(pair) = found.next() else { continue };
        if found.next().is_some() {
            return Err(KeyError::Twice(key));
        }
        if target.len() + pair.len() > path.len() + MAX_QUERY_BYTES {
            return Err(KeyError::LongQuery);
        }
        target.push(if target.len() == path.len() { '?' } else { '&' });
        target.push_str(pair);
    }
    Ok(target.into())
}

fn is_object_path(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else { return false };
    let named = |segment: &str| {
        (1..=MAX_SEGMENT_BYTES).contains(&segment.len())
            && segment != "."
            && segment != ".."
            && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    rest.split('/').count() <= MAX_SEGMENTS && rest.split('/').all(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    const RULES: &[QueryRule] = &[
        QueryRule { prefix: "/hls/", suffix: ".m3u8", keys: &["_HLS_msn", "_HLS_part", "_HLS_skip"] },
        QueryRule { prefix: "/hls/", suffix: "", keys: &[] },
    ];

    fn check(path: &str, query: &str, expected: Result<&str, KeyError>) {
        let got = target(path, Some(query), RULES);
        assert_eq!(got.as_deref().map_err(Clone::clone), expected, "{path}?{query}");
    }

    #[test]
    fn a_target_has_one_spelling() {
        check("/hls/a.m3u8", "", Ok("/hls/a.m3u8"));
        check("/hls/a.m3u8", "_HLS_part=2&_HLS_msn=1", Ok("/hls/a.m3u8?_HLS_msn=1&_HLS_part=2"));
        check("/hls/a.m3u8", "session=9&_HLS_skip=YES&&x", Ok("/hls/a.m3u8?_HLS_skip=YES"));
        check("/hls/a.m3u8", "_HLS_msn=1&_HLS_msn=1", Err(KeyError::Twice("_HLS_msn")));
        check("/hls/a.m3u8", "x=1&x=2", Ok("/hls/a.m3u8"));
        check("/hls/a.m4s", "_HLS_msn=1&bust=2", Ok("/hls/a.m4s"));
        check("/vod/a.m3u8", "b=2&a=1&a=1", Ok("/vod/a.m3u8?b=2&a=1&a=1"));
        check("/vod/a.m3u8", &"x".repeat(1025), Err(KeyError::LongQuery));
        check("/hls/a.m3u8", &format!("_HLS_msn={}", "1".repeat(1025)), Err(KeyError::LongQuery));
        check("/vod/a.m3u8", &"x".repeat(1024), Ok(&format!("/vod/a.m3u8?{}", "x".repeat(1024))));
        for bad in ["", "/", "//a", "/a/", "/a/../b", "/./a", "/a%2f", "/a b", "/1/2/3/4/5/6/7/8/9"] {
            check(bad, "", Err(KeyError::Path));
        }
    }

    proptest! {
        /// However a player orders its directives and whatever else it sends, it asks for the same.
        #[test]
        fn order_and_strangers_do_not_count(
            pairs in Just(vec!["_HLS_msn=7", "_HLS_part=2", "_HLS_skip=YES", "a=1", "b", "", "_hls_msn=9"]).prop_shuffle()
        ) {
            let got = target("/hls/a.m3u8", Some(&pairs.join("&")), RULES);
            prop_assert_eq!(got.as_deref(), Ok("/hls/a.m3u8?_HLS_msn=7&_HLS_part=2&_HLS_skip=YES"));
        }
    }
}
