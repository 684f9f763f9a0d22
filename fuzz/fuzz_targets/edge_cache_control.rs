//! Whatever a response says of its lifetime, it is reckoned with, and what forbids to be kept is not.
#![no_main]

use footlight_edge::cache_control::CacheControl;
use footlight_edge::freshness::{self, Freshness};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

static NOW: LazyLock<Instant> = LazyLock::new(Instant::now);

fuzz_target!(|input: (&[u8], &[u8], &[u8], &[u8], &[u8], u32)| {
    let (cache_control, age, expires, date, vary, later) = input;
    let mut headers = HeaderMap::new();
    let lines = [("cache-control", cache_control), ("age", age), ("expires", expires), ("date", date), ("vary", vary)];
    for (name, value) in lines {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    let (now, wall) = (*NOW, SystemTime::UNIX_EPOCH);
    let control = CacheControl::parse(&headers);
    if freshness::is_storable(StatusCode::OK, &headers, wall) {
        assert!(!control.no_store && !control.private);
    }
    let freshness = Freshness::of(&headers, now, wall);
    let later = now + Duration::from_secs(later.into());
    assert!(freshness.age(later) >= freshness.age(now));
    let _ = (freshness.at(later), freshness.answers_errors(later));
});
