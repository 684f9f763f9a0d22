//! A range that is granted lies within the representation and is not empty.
#![no_main]

use footlight_edge::range::{self, Asked};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, u64)| {
    let (value, length) = input;
    if let Asked::Part(part) = range::parse(value, length) {
        assert!(part.start < part.end && part.end <= length);
    }
});
