//! A server's answer to our offer.
#![no_main]

use footlight_stage::answer::WhipAnswer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(answer) = WhipAnswer::parse(text) {
        assert!(!answer.media.is_empty() && answer.media.iter().all(|m| m.taken));
    }
});
