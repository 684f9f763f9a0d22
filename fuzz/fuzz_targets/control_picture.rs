//! A picture is read whole or refused in few words, and is never larger than it may be, nor its copies than what was asked for.
#![no_main]

use footlight_control::picture::{MAX_SIDE, Picture};
use libfuzzer_sys::fuzz_target;

const LONGEST_ERROR_BYTES: usize = 600;

fuzz_target!(|file: &[u8]| match Picture::parse(file) {
    Ok(picture) => {
        assert!((1..=MAX_SIDE).contains(&picture.width()) && (1..=MAX_SIDE).contains(&picture.height()));
        assert_eq!(picture.rgba().len() as u64, u64::from(picture.width()) * u64::from(picture.height()) * 4);
        let logo = picture.clone().within(64, 18);
        assert!(logo.width() <= 64 && logo.height() <= 18);
        let background = picture.cover(64, 36);
        assert_eq!((background.width(), background.height()), (64, 36));
    }
    Err(error) => assert!(error.0.len() < LONGEST_ERROR_BYTES, "{error}"),
});
