//! A query is taken or refused with a 400, and what is taken can be asked of any playlist.
#![no_main]

use footlight_origin::directives;
use footlight_origin::live::{Counts, Live, Version};
use http::HeaderValue;
use libfuzzer_sys::fuzz_target;
use std::time::Duration;

fuzz_target!(|input: (&str, u64, u64, u64)| {
    let (query, msn, parts, part_target_us) = input;
    match directives::parse(query) {
        Err(refusal) => assert_eq!(refusal.status(), 400),
        Ok(directives) => {
            let Some(ask) = directives.ask else { return };
            let Ok(version) = format!("{msn}.{parts}").parse::<Version>() else { return };
            let counts = Counts::parse(&format!("{}:6", msn.saturating_sub(1)), version, 9).unwrap_or_default();
            let live = Live {
                version,
                counts,
                part_target: (part_target_us > 0).then(|| Duration::from_micros(part_target_us)),
                target_duration: Duration::from_secs(2),
                exact: HeaderValue::from_static("max-age=12"),
                promises: Vec::new(),
                ended: false,
            };
            let _ = live.standing(ask);
        }
    }
});
