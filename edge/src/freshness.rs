//! What may be kept, and for how long it may be used: RFC 9111 sections 3 and 4, RFC 5861. Pure: it takes `now`.

use crate::cache_control::CacheControl;
use http::{HeaderMap, StatusCode, header};
use std::time::{Duration, Instant, SystemTime};

/// When a kept response is fresh, and for how long after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// When it came.
    pub since: Instant,
    /// How old it was then: `Age` (RFC 9111 section 4.2.3, corrected_age_value).
    ///
    /// The RFC adds how long the response was waited for, in case it spent that time on the way. Here a blocking request
    /// is held at the origin until what it asks for is made: counted so, a playlist would arrive two seconds old at the
    /// moment of its birth, and a player tunes in by `Age`.
    pub age_on_arrival: Duration,
    /// Fresh until this age.
    pub lifetime: Duration,
    /// Usable for so long after, while it is being fetched anew.
    pub stale_while_revalidate: Duration,
    /// Usable for so long after, when that fails.
    pub stale_if_error: Duration,
}

/// What a kept response is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// To answer.
    Fresh,
    /// To answer, while it is fetched anew.
    WhileRevalidating,
    /// To validate against; to answer only when that fails.
    IfError,
    /// To validate against.
    ToValidate,
}

impl Freshness {
    /// Its age (RFC 9111 section 4.2.3).
    pub fn age(&self, now: Instant) -> Duration {
        self.age_on_arrival + now.saturating_duration_since(self.since)
    }

    /// What it is good for now.
    pub fn at(&self, now: Instant) -> Use {
        let age = self.age(now);
        if age < self.lifetime {
            return Use::Fresh;
        }
        let stale_for = age - self.lifetime;
        if stale_for < self.stale_while_revalidate {
            Use::WhileRevalidating
        } else if stale_for < self.stale_if_error {
            Use::IfError
        } else {
            Use::ToValidate
        }
    }

    /// Whether it may answer in place of a failure.
    pub fn answers_errors(&self, now: Instant) -> bool {
        let age = self.age(now);
        age < self.lifetime + self.stale_if_error.max(self.stale_while_revalidate)
    }

    /// Reads it from a response that came at `now`, which was `wall` on the clock that dates are in.
    pub fn of(headers: &HeaderMap, now: Instant, wall: SystemTime) -> Self {
        let control = CacheControl::parse(headers);
        let usable_stale = !control.must_revalidate && control.s_maxage.is_none() && !control.no_cache;
        let stale = |bound: Duration| if usable_stale { bound } else { Duration::ZERO };
        Self {
            since: now,
            age_on_arrival: age_header(headers),
            lifetime: if control.no_cache {
                Duration::ZERO
            } else {
                lifetime(&control, headers, wall).unwrap_or_default()
            },
            stale_while_revalidate: stale(control.stale_while_revalidate),
            stale_if_error: stale(control.stale_if_error),
        }
    }
}

/// RFC 9111 section 4.2.1, in its order: `s-maxage`, `max-age`, `Expires` less `Date`. Nothing is guessed.
fn lifetime(control: &CacheControl, headers: &HeaderMap, wall: SystemTime) -> Option<Duration> {
    control.s_maxage.or(control.max_age).or_else(|| {
        // A date that cannot be read is in the past (section 5.3).
        let expires = headers.get(header::EXPIRES)?;
        let Some(expires) = date(expires.as_bytes()) else { return Some(Duration::ZERO) };
        let made = headers.get(header::DATE).and_then(|value| date(value.as_bytes())).unwrap_or(wall);
        Some(expires.duration_since(made).unwrap_or_default())
    })
}

fn date(value: &[u8]) -> Option<SystemTime> {
    httpdate::parse_http_date(std::str::from_utf8(value).ok()?.trim()).ok()
}

/// An `Age` that cannot be read is as if it were not there (RFC 9111 section 5.1).
fn age_header(headers: &HeaderMap) -> Duration {
    let age =
        headers.get(header::AGE).and_then(|value| value.to_str().ok()).and_then(|text| text.trim().parse::<u32>().ok());
    Duration::from_secs(age.unwrap_or(0).into())
}

/// Whether a response to a GET may be kept (RFC 9111 section 3): its status is one that this cache understands, nothing
/// forbids it, it says itself for how long, and it varies by nothing but what the key holds.
pub fn is_storable(status: StatusCode, headers: &HeaderMap, wall: SystemTime) -> bool {
    let control = CacheControl::parse(headers);
    let understood = matches!(status, StatusCode::OK | StatusCode::NOT_FOUND | StatusCode::GONE);
    let explicit = lifetime(&control, headers, wall).is_some();
    // Without freshness only a validator makes a kept response of any use.
    let useful = lifetime(&control, headers, wall).is_some_and(|l| !l.is_zero()) || headers.contains_key(header::ETAG);
    understood && explicit && useful && is_shareable(status, headers) && !matches!(vary(headers), Vary::Other)
}

/// Whether one fetch may answer several requests that came while it was under way. A failure may, stored or not.
pub fn is_shareable(status: StatusCode, headers: &HeaderMap) -> bool {
    let control = CacheControl::parse(headers);
    let failed = status.is_client_error() || status.is_server_error();
    failed || (!control.no_store && !control.private && !matches!(vary(headers), Vary::Other))
}

/// What a response varies by (RFC 9110 section 12.5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vary {
    /// Nothing, or `Origin`, which never reaches the upstream: the edge's CORS headers are the same for all.
    Nothing,
    /// `Accept-Encoding`, of which the key holds the normalised form.
    Encoding,
    /// Anything else: it cannot be matched, so it is not kept.
    Other,
}

/// Reads `Vary`.
pub fn vary(headers: &HeaderMap) -> Vary {
    let mut result = Vary::Nothing;
    for line in headers.get_all(header::VARY) {
        for name in line.as_bytes().split(|b| *b == b',').map(<[u8]>::trim_ascii) {
            if name.eq_ignore_ascii_case(b"accept-encoding") {
                result = Vary::Encoding;
            } else if !name.is_empty() && !name.eq_ignore_ascii_case(b"origin") {
                return Vary::Other;
            }
        }
    }
    result
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
mod tests {
    use super::*;
    use http::HeaderValue;

    const MADE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    /// What it is good for at each of these ages, in seconds after its arrival.
    fn check(lines: &[(&'static str, &'static str)], uses: &[(u64, Use)]) {
        let arrived = Instant::now();
        let wall = httpdate::parse_http_date(MADE).expect("a date");
        let freshness = Freshness::of(&headers(lines), arrived, wall);
        for (after, expected) in uses {
            assert_eq!(freshness.at(arrived + Duration::from_secs(*after)), *expected, "{lines:?} after {after} s");
        }
    }

    #[test]
    fn a_response_is_used_as_long_as_it_says() {
        use Use::{Fresh, IfError, ToValidate, WhileRevalidating};
        check(&[], &[(0, ToValidate)]);
        check(&[("cache-control", "max-age=2")], &[(0, Fresh), (1, Fresh), (2, ToValidate)]);
        check(&[("cache-control", "max-age=2, s-maxage=4")], &[(3, Fresh), (4, ToValidate)]);
        check(&[("cache-control", "max-age=2"), ("age", "1")], &[(0, Fresh), (1, ToValidate)]);
        check(&[("cache-control", "max-age=2"), ("age", "x")], &[(1, Fresh)]);
        check(&[("cache-control", "no-cache, max-age=9")], &[(0, ToValidate)]);
        check(
            &[("cache-control", "max-age=2, stale-while-revalidate=3, stale-if-error=5")],
            &[(1, Fresh), (2, WhileRevalidating), (4, WhileRevalidating), (5, IfError), (6, IfError), (7, ToValidate)],
        );
        check(&[("cache-control", "max-age=2, stale-if-error=5, must-revalidate")], &[(3, ToValidate)]);
        check(&[("cache-control", "s-maxage=2, stale-if-error=5")], &[(3, ToValidate)]);
        check(&[("expires", "Sun, 06 Nov 1994 08:49:40 GMT")], &[(2, Fresh), (3, ToValidate)]);
        check(
            &[("expires", "Sun, 06 Nov 1994 08:49:40 GMT"), ("date", "Sun, 06 Nov 1994 08:49:39 GMT")],
            &[(0, Fresh), (1, ToValidate)],
        );
        check(&[("expires", "0")], &[(0, ToValidate)]);
        check(&[("expires", "Sun, 06 Nov 1994 08:49:40 GMT"), ("cache-control", "max-age=9")], &[(8, Fresh)]);
    }

    fn check_storable(status: u16, lines: &[(&'static str, &'static str)], expected: bool) {
        let wall = httpdate::parse_http_date(MADE).expect("a date");
        let status = StatusCode::from_u16(status).expect("a status");
        assert_eq!(is_storable(status, &headers(lines), wall), expected, "{status} {lines:?}");
    }

    #[test]
    fn only_what_says_so_itself_is_kept() {
        check_storable(200, &[("cache-control", "max-age=1")], true);
        check_storable(404, &[("cache-control", "max-age=1")], true);
        check_storable(410, &[("cache-control", "max-age=1")], true);
        check_storable(200, &[], false);
        check_storable(404, &[], false);
        check_storable(200, &[("etag", "\"a\"")], false);
        check_storable(200, &[("cache-control", "max-age=0")], false);
        check_storable(200, &[("cache-control", "max-age=0"), ("etag", "\"a\"")], true);
        check_storable(200, &[("cache-control", "max-age=1, no-store")], false);
        check_storable(200, &[("cache-control", "max-age=1, private")], false);
        check_storable(206, &[("cache-control", "max-age=1")], false);
        check_storable(400, &[("cache-control", "max-age=1")], false);
        check_storable(503, &[("cache-control", "max-age=1")], false);
        check_storable(302, &[("cache-control", "max-age=1")], false);
        check_storable(200, &[("cache-control", "max-age=1"), ("vary", "Accept-Encoding, Origin")], true);
        check_storable(200, &[("cache-control", "max-age=1"), ("vary", "cookie")], false);
        check_storable(200, &[("cache-control", "max-age=1"), ("vary", "*")], false);
        check_storable(200, &[("expires", "Sun, 06 Nov 1994 08:49:40 GMT")], true);
    }

    #[test]
    fn a_failure_is_shared_and_a_private_answer_is_not() {
        let shared = |status, lines| is_shareable(status, &headers(lines));
        assert!(shared(StatusCode::NOT_FOUND, &[("cache-control", "no-store")]));
        assert!(shared(StatusCode::SERVICE_UNAVAILABLE, &[("cache-control", "no-store")]));
        assert!(!shared(StatusCode::OK, &[("cache-control", "no-store")]));
        assert!(!shared(StatusCode::OK, &[("cache-control", "private")]));
        assert!(shared(StatusCode::OK, &[]));
    }
}
