//! RTP payloads: any bytes make a frame or an error. What is a frame is not empty, and a key frame's size is within the limits.
#![no_main]

use footlight_media::codec::Codec;
use footlight_stage::depacketize::{Depacketizer, key_start};
use footlight_stage::picture_size::PictureLimits;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &str, Vec<Vec<u8>>)| {
    let (codec, fmtp, payloads) = input;
    let codec = Codec::ALL[usize::from(codec) % Codec::ALL.len()];
    let limits = PictureLimits::default();
    let mut depacketizer = Depacketizer::new(codec, limits, fmtp);
    for payload in &payloads {
        let _ = key_start(codec, payload);
    }
    for frame in payloads.chunks(4) {
        if let Ok(frame) = depacketizer.frame(frame.iter().map(Vec::as_slice)) {
            assert!(!frame.data.is_empty());
            assert!(frame.size.is_none_or(|size| limits.admit(size)));
        }
    }
});
