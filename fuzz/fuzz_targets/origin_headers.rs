//! The headers of a PUT, one `name: value` a line up to an empty line, then its body: it is taken whole, or refused as
//! the publisher's fault.
#![no_main]

use bytes::Bytes;
use footlight_origin::directives::Skip;
use footlight_origin::object::Object;
use footlight_origin::refusal::Fault;
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("video/mp4"));
    headers.insert("cache-control", HeaderValue::from_static("max-age=1"));
    let mut rest = data;
    while let Some(end) = rest.iter().position(|b| *b == b'\n') {
        let (line, after) = (&rest[..end], &rest[end + 1..]);
        rest = after;
        let Some(colon) = line.iter().position(|b| *b == b':') else { break };
        let name = HeaderName::from_bytes(&line[..colon]);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii())) {
            headers.append(name, value);
        }
    }
    match Object::parse(&headers, Bytes::copy_from_slice(rest)) {
        Err(refusal) => assert_eq!((refusal.fault(), refusal.status().as_u16()), (Fault::Publisher, 400)),
        Ok(object) => {
            assert_eq!(object.bodies.byte_count(), rest.len() as u64);
            for skip in [Skip::No, Skip::Segments, Skip::SegmentsAndDateRanges] {
                assert!(!object.bodies.select(skip, false).gzip);
                object.bodies.select(skip, true);
            }
        }
    }
});
