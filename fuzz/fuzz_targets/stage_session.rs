//! A session core given anything: packets, reports, wishes, at any time. It is never due for ever, and an ended one stays silent.
#![no_main]

use footlight_media::codec::Codec;
use footlight_media::time::SessionTime;
use footlight_media::track::{PeerKey, TrackId};
use footlight_stage::picture_size::{PictureLimits, PictureSize};
use footlight_stage::sdp::OfferedMedia;
use footlight_stage::session::{Input, Output, RtpPacket, SenderReport, Session};
use footlight_stage::simulcast::Simulcast;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|inputs: Vec<(u8, u16, u32, Vec<u8>, u32)>| {
    let mut session = Session::new(PeerKey("peer".into()).into(), PictureLimits::default(), SessionTime::ZERO);
    for (number, codec) in [Codec::Opus, Codec::H264].into_iter().enumerate() {
        let media = OfferedMedia {
            mid: number.to_string(),
            codec,
            payload_type: 96 + number as u8,
            fmtp: String::new(),
            rtx_payload_type: (number == 1).then_some(98),
            ssrc: (number == 0).then_some(0),
            simulcast: (number == 1).then(|| Simulcast {
                rids: ["q", "h", "f"].map(str::to_owned).to_vec(),
                rid_extension: 10,
                repaired_rid_extension: Some(11),
            }),
        };
        session.handle_input(Input::Negotiated { track: TrackId(number as u64), media }, SessionTime::ZERO);
    }
    let mut now = SessionTime::ZERO;
    let mut ended = false;
    for (kind, sequence, timestamp, payload, step) in inputs {
        now = now.offset_micros(i64::from(step % 2_000_000));
        let input = match kind % 8 {
            0 => Input::Timeout,
            1 if step & 1 == 0 => {
                let size = PictureSize { width: timestamp & 0x7ff, height: timestamp >> 16 & 0x7ff };
                Input::Shown(TrackId(u64::from(sequence % 3)), size)
            }
            1 => Input::KeyFrameWanted(TrackId(u64::from(sequence % 3))),
            2 => Input::Report(SenderReport {
                ssrc: u32::from(sequence % 2),
                ntp: u64::from(timestamp) << 20,
                rtp: timestamp,
            }),
            _ => Input::Rtp(RtpPacket {
                ssrc: u32::from(kind >> 3) % 3,
                payload_type: 96 + kind % 3,
                sequence,
                timestamp,
                marker: kind & 0x80 != 0,
                recovered: kind & 0x40 != 0,
                layer: (step & 1 == 0).then_some((step >> 1 & 3) as usize),
                payload: payload.into(),
            }),
        };
        session.handle_input(input, now);
        while let Some(output) = session.poll_output() {
            assert!(!ended, "nothing follows the end");
            ended = matches!(output, Output::NeverSent);
        }
        assert!(!ended || session.poll_timeout().is_none());
    }
});
