//! H.264 parameter sets: a size or none, and never one beyond what the bits can say.
#![no_main]

use footlight_stage::sps::h264_size;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(size) = h264_size(bytes) {
        assert!(size.width >= 16 && size.width <= 1_056 * 16 && size.height >= 16 && size.height <= 1_056 * 16);
    }
});
