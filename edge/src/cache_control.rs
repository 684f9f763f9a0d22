//! `Cache-Control` of a response: RFC 9111 section 5.2.2, with the two extensions of RFC 5861.

use http::{HeaderMap, header};
use std::time::Duration;

/// Seconds beyond which a number says no more: RFC 9111 section 1.2.2 asks a cache to take a larger one for 2^31.
const MAX_SECONDS: u64 = 1 << 31;

/// The directives that matter to a shared cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheControl {
    /// Not to be kept at all (5.2.2.5).
    pub no_store: bool,
    /// Not to be kept by a shared cache (5.2.2.7).
    pub private: bool,
    /// To be validated before each use (5.2.2.4).
    pub no_cache: bool,
    /// Never to be used stale (5.2.2.2, and 5.2.2.8 for shared caches).
    pub must_revalidate: bool,
    /// Fresh for so long (5.2.2.1).
    pub max_age: Option<Duration>,
    /// The same for shared caches, above `max-age` (5.2.2.10). It also forbids use when stale.
    pub s_maxage: Option<Duration>,
    /// To be used stale for so long while a fetch is under way (RFC 5861 section 3).
    pub stale_while_revalidate: Duration,
    /// To be used stale for so long when a fetch fails (RFC 5861 section 4).
    pub stale_if_error: Duration,
}

impl CacheControl {
    /// Reads all `Cache-Control` lines. Of a directive given twice, or with a value that cannot be read, the most
    /// restrictive sense is taken (RFC 9111 section 4.2.1).
    pub fn parse(headers: &HeaderMap) -> Self {
        let mut all = Self::default();
        let (mut swr, mut sie) = (None, None);
        for line in headers.get_all(header::CACHE_CONTROL) {
            for directive in split_outside_quotes(line.as_bytes()) {
                let (name, value) = match directive.iter().position(|b| *b == b'=') {
                    Some(at) => (&directive[..at], Some(directive[at + 1..].trim_ascii())),
                    None => (directive, None),
                };
                match name.trim_ascii().to_ascii_lowercase().as_slice() {
                    b"no-store" => all.no_store = true,
                    // With a field list (`private="set-cookie"`) it would concern those fields alone; the whole is safe.
                    b"private" => all.private = true,
                    b"no-cache" => all.no_cache = true,
                    b"must-revalidate" | b"proxy-revalidate" => all.must_revalidate = true,
                    b"max-age" => least(&mut all.max_age, value),
                    b"s-maxage" => least(&mut all.s_maxage, value),
                    b"stale-while-revalidate" => least(&mut swr, value),
                    b"stale-if-error" => least(&mut sie, value),
                    _ => {}
                }
            }
        }
        all.stale_while_revalidate = swr.unwrap_or_default();
        all.stale_if_error = sie.unwrap_or_default();
        all
    }
}

fn least(slot: &mut Option<Duration>, value: Option<&[u8]>) {
    let value = value.and_then(seconds).unwrap_or(Duration::ZERO);
    *slot = Some(slot.map_or(value, |before| before.min(value)));
}

/// delta-seconds (RFC 9111 section 1.2.2), as a token or, leniently, quoted (section 5.2).
fn seconds(value: &[u8]) -> Option<Duration> {
    let value = value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or(value);
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = value.iter().fold(0_u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    Some(Duration::from_secs(number.min(MAX_SECONDS)))
}

/// The items of a list, whose commas inside quoted strings do not divide (RFC 9110 section 5.6.4).
fn split_outside_quotes(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    line.split(move |byte| {
        let plain = !std::mem::take(&mut escaped);
        match byte {
            b'"' if plain => quoted = !quoted,
            b'\\' if plain && quoted => escaped = true,
            b',' if !quoted => return true,
            _ => {}
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn check(lines: &[&'static str], expected: CacheControl) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::CACHE_CONTROL, HeaderValue::from_static(line));
        }
        assert_eq!(CacheControl::parse(&headers), expected, "{lines:?}");
    }

    fn s(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn directives_are_read_as_the_rfc_says_and_doubt_is_taken_strictly() {
        let none = CacheControl::default();
        check(&[], none);
        check(&[""], none);
        check(&["max-age=5"], CacheControl { max_age: s(5), ..none });
        check(&["MAX-AGE = 5 , Public"], CacheControl { max_age: s(5), ..none });
        check(&["max-age=\"5\""], CacheControl { max_age: s(5), ..none });
        check(&["max-age=5, max-age=3"], CacheControl { max_age: s(3), ..none });
        check(&["max-age=5", "max-age=3"], CacheControl { max_age: s(3), ..none });
        check(&["max-age"], CacheControl { max_age: s(0), ..none });
        check(&["max-age=-1"], CacheControl { max_age: s(0), ..none });
        check(&["max-age=1.5"], CacheControl { max_age: s(0), ..none });
        check(&["max-age=99999999999999999999999"], CacheControl { max_age: s(1 << 31), ..none });
        check(&["s-maxage=9, max-age=1"], CacheControl { max_age: s(1), s_maxage: s(9), ..none });
        check(&["no-store"], CacheControl { no_store: true, ..none });
        check(&["private=\"a, no-store\""], CacheControl { private: true, ..none });
        check(&["x=\"\\\", no-store\", no-cache"], CacheControl { no_cache: true, ..none });
        check(&["proxy-revalidate"], CacheControl { must_revalidate: true, ..none });
        check(
            &["max-age=1, stale-while-revalidate=2, stale-if-error=3"],
            CacheControl {
                max_age: s(1),
                stale_while_revalidate: Duration::from_secs(2),
                stale_if_error: Duration::from_secs(3),
                ..none
            },
        );
    }
}
