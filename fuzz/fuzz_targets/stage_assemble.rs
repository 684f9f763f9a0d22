//! Packets in any order at any time: frames leave in the order of their sequence numbers, and the assembler comes to rest.
#![no_main]

use footlight_media::codec::Codec;
use footlight_media::time::SessionTime;
use footlight_stage::assemble::{Arrival, Assembler};
use footlight_stage::depacketize::Depacketizer;
use footlight_stage::picture_size::PictureLimits;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, Vec<(u16, u8, u8, Vec<u8>, u16)>)| {
    let (codec, packets) = input;
    let codec = Codec::ALL[usize::from(codec) % Codec::ALL.len()];
    let mut assembler = Assembler::new(codec, Depacketizer::new(codec, PictureLimits::default(), ""));
    let mut now = SessionTime::ZERO;
    let inserted = packets.len();
    let mut left = 0;
    for (sequence, timestamp, flags, payload, step) in packets {
        now = now.offset_micros(i64::from(step) * 10);
        let timestamp = u32::from(timestamp) * 3_000;
        let packet = Arrival { sequence, timestamp, marker: flags & 1 != 0, payload: payload.into() };
        assembler.insert(packet, flags & 2 != 0, now);
        while assembler.poll(now).is_some() {
            left += 1;
        }
        let _ = assembler.poll_missing(now);
        assert!(assembler.poll_timeout().is_none_or(|due| due > now), "nothing is left to do now");
    }
    assert!(left <= inserted, "no frame without a packet");
});
