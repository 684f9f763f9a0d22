//! H.264 parameter sets and VP8 headers: a size or an error, and never one beyond what the bits can say.
#![no_main]

use footlight_stage::sps::{h264_size, vp8_size};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(size) = h264_size(bytes) {
        assert!(size.width >= 16 && size.width <= 1_056 * 16 && size.height >= 16 && size.height <= 1_056 * 16);
    }
    if let Some(size) = vp8_size(bytes) {
        assert!(size.width < 1 << 14 && size.height < 1 << 14);
    }
});
