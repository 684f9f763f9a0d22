//! Queries of WHIP endpoints: a name that is taken can be shown, and no text is too much.
#![no_main]

use footlight_media::track::PeerKey;
use footlight_stage::query::{MAX_NAME_BYTES, contributor};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|query: &str| {
    match contributor(PeerKey("ada".to_owned()), Some(query)) {
        Ok(from) => {
            let name = from.name.unwrap_or_else(|| "nobody".to_owned());
            assert!(!name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.contains(char::is_control));
        }
        Err(error) => assert!(error.value().chars().count() < 500),
    }
});
