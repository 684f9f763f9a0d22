//! A body is read or refused, and no error is as long as what it complains of.
#![no_main]

use footlight_control::fields::Fields;
use footlight_control::rooms::date::Timestamp;
use footlight_control::rooms::ladder::{Ladder, Spelling};
use footlight_control::rooms::layout::Layout;
use footlight_control::rooms::mix::Mix;
use footlight_control::rooms::room::{RoomRequest, upsert};
use footlight_control::rooms::template::TemplateRequest;
use libfuzzer_sys::fuzz_target;
use rand::SeedableRng;
use rand::rngs::StdRng;

const LONGEST_ERROR_BYTES: usize = 600;

fuzz_target!(|body: &[u8]| {
    if let Ok(fields) = Fields::parse(body) {
        bounded(Layout::parse(fields).map(Some));
    }
    if let Ok(fields) = Fields::parse(body) {
        bounded(Mix::parse(fields).map(Some));
    }
    if let Ok(fields) = Fields::parse(body) {
        bounded(TemplateRequest::parse(fields).map(Some));
    }
    for spelling in [Spelling::Snake, Spelling::Camel] {
        if let Ok(mut fields) = Fields::parse(body) {
            bounded(Ladder::parse(&mut fields, spelling));
        }
    }
    let mut fields = match Fields::parse(body) {
        Ok(fields) => fields,
        Err(error) => return assert!(error.to_string().len() < LONGEST_ERROR_BYTES),
    };
    let request = RoomRequest {
        id: bounded(fields.text("id")),
        name: bounded(fields.text("name")),
        enabled: bounded(fields.flag("enabled")),
        size: bounded(fields.count("size")),
        recording_info: bounded(fields.object("recording_info")),
        webhook: bounded(fields.object("webhook")),
        polls: bounded(fields.list("polls")),
        region: bounded(fields.text("region")),
        ..RoomRequest::default()
    };
    let made = upsert(None, None, &request, Timestamp(0), &mut StdRng::seed_from_u64(0));
    if let Some(room) = bounded(made.map(Some)) {
        assert!(footlight_control::rooms::id::is_id(&room.id));
    }
});

fn bounded<T>(read: Result<Option<T>, footlight_control::rooms::Invalid>) -> Option<T> {
    match read {
        Ok(value) => value,
        Err(error) => {
            assert!(error.0.len() < LONGEST_ERROR_BYTES, "{error}");
            None
        }
    }
}
