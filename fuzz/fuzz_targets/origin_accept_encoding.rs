//! gzip is chosen only where the header names it, or anything.
#![no_main]

use footlight_origin::encoding;
use http::{HeaderMap, HeaderValue, header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT_ENCODING, value);
    if encoding::accepts_gzip(&headers) {
        let text = data.to_ascii_lowercase();
        assert!(text.contains(&b'*') || text.windows(4).any(|w| w == b"gzip"));
    }
});
