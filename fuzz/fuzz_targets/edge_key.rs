//! A target has one spelling: made again of itself it is the same, and a token is no part of it.
#![no_main]

use footlight_edge::key::{self, QueryRule};
use footlight_edge::playback;
use libfuzzer_sys::fuzz_target;

const RULES: &[QueryRule] = &[
    QueryRule { prefix: "/hls/", suffix: ".m3u8", keys: &["_HLS_msn", "_HLS_part", "_HLS_skip"] },
    QueryRule { prefix: "/hls/", suffix: "", keys: &[] },
];

fuzz_target!(|input: (&str, &str)| {
    let (path, query) = input;
    let (_, path) = playback::split_token(path);
    if let Ok(target) = key::target(path, Some(query), RULES) {
        let (path, query) = target.split_once('?').map_or((&*target, None), |(path, query)| (path, Some(query)));
        assert_eq!(key::target(path, query, RULES).as_deref(), Ok(&*target));
        // What a viewer can send as a query is what a URI may hold.
        if query.is_none() {
            target.parse::<http::Uri>().expect("a path of this alphabet is a URI");
        }
    }
});
