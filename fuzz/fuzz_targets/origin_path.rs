//! What is taken as a path is spelled in the wire's alphabet and begins with its stream.
#![no_main]

use footlight_origin::path::{MAX_SEGMENTS, ObjectPath};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(path) = ObjectPath::parse(text) {
        assert_eq!(path.as_str(), text);
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b)));
        assert!(text.matches('/').count() <= MAX_SEGMENTS);
        assert!(text.split('/').skip(1).all(|segment| !["", ".", ".."].contains(&segment)));
        assert!(text.starts_with(path.stream()));
    }
});
