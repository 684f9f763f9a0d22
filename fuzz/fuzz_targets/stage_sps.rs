//! H.264 parameter sets: a size or none, never one beyond what the bits can say, and never more shown than is coded.
#![no_main]

use footlight_stage::sps::h264_size;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(size) = h264_size(bytes) {
        let sides = [(size.coded.width, size.shown.width), (size.coded.height, size.shown.height)];
        for (coded, shown) in sides {
            assert!((16..=1_056 * 16).contains(&coded) && (1..=coded).contains(&shown), "{size:?}");
        }
    }
});
