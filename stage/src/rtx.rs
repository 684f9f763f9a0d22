//! Retransmissions, put back where they belong before anything counts them.
//!
//! The `webrtc` crate unwraps RTX (RFC 4588) after its interceptors, so its NACK generator never learns that a packet
//! was recovered and asks for it again without end. [`UnRtx`] stands between the wire and the NACK generator and
//! rewrites each retransmission into the packet that it repeats.

use rtc::interceptor::{Attribute, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use std::collections::{HashMap, VecDeque};
use std::time::Instant;

/// Between the FEC decoder (6,000) and the NACK generator (7,000).
pub(crate) const SLOT: usize = 6_500;

/// The original sequence number that opens each RTX payload (RFC 4588 section 4).
const OSN_BYTES: usize = 2;

/// The interceptor.
#[derive(Default)]
pub(crate) struct UnRtx {
    /// RTX SSRC to the stream that it repairs.
    repairs: HashMap<u32, Repaired>,
    read: VecDeque<TaggedPacket>,
    write: VecDeque<TaggedPacket>,
}

#[derive(Clone, Copy)]
struct Repaired {
    ssrc: u32,
    payload_type: u8,
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for UnRtx {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, mut message: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtp(packet) = &mut message.message.packet
            && let Some(repaired) = self.repairs.get(&packet.header.ssrc).copied()
        {
            // Padding that probes for bandwidth comes as RTX with nothing in it.
            let Some(osn) = packet.payload.first_chunk::<OSN_BYTES>().copied() else { return Ok(()) };
            packet.header.ssrc = repaired.ssrc;
            packet.header.payload_type = repaired.payload_type;
            packet.header.sequence_number = u16::from_be_bytes(osn);
            packet.header.padding = false;
            packet.payload = packet.payload.slice(OSN_BYTES..);
            message.message.add(Attribute::Retransmission);
        }
        self.read.push_back(message);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.read.pop_front()
    }

    fn handle_write(&mut self, message: TaggedPacket) -> Result<(), Error> {
        self.write.push_back(message);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.write.pop_front()
    }
}

impl Interceptor for UnRtx {
    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        if let Some(rtx) = info.ssrc_rtx {
            self.repairs.insert(rtx, Repaired { ssrc: info.ssrc, payload_type: info.payload_type });
        }
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        if let Some(rtx) = info.ssrc_rtx {
            self.repairs.remove(&rtx);
        }
    }

    fn bind_local_stream(&mut self, _info: &StreamInfo) {}

    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use rtc::interceptor::AttributedPacket;
    use rtc::rtp;
    use rtc::shared::TransportContext;

    /// The instant is carried through untouched; any will do.
    #[allow(clippy::disallowed_methods)]
    fn tagged(ssrc: u32, payload_type: u8, sequence_number: u16, payload: &'static [u8]) -> TaggedPacket {
        let header = rtp::Header { version: 2, ssrc, payload_type, sequence_number, ..Default::default() };
        let packet = Packet::Rtp(rtp::Packet { header, payload: Bytes::from_static(payload) });
        TaggedPacket {
            now: Instant::now(),
            transport: TransportContext::default(),
            message: AttributedPacket::new(packet),
        }
    }

    fn bound() -> UnRtx {
        let mut unrtx = UnRtx::default();
        unrtx.bind_remote_stream(&StreamInfo {
            ssrc: 10,
            ssrc_rtx: Some(11),
            payload_type: 96,
            payload_type_rtx: Some(97),
            ..Default::default()
        });
        unrtx
    }

    #[test]
    fn a_retransmission_becomes_the_packet_that_it_repeats() {
        let mut unrtx = bound();
        unrtx.handle_read(tagged(11, 97, 5, &[0x12, 0x34, 9, 8])).expect("never fails");
        let message = unrtx.poll_read().expect("passed on");
        assert!(message.message.has(&Attribute::Retransmission));
        let Packet::Rtp(packet) = message.message.packet else { panic!("RTP") };
        assert_eq!((packet.header.ssrc, packet.header.payload_type, packet.header.sequence_number), (10, 96, 0x1234));
        assert_eq!(&packet.payload[..], [9, 8]);
    }

    #[test]
    fn probes_are_dropped_and_media_passes_untouched() {
        let mut unrtx = bound();
        unrtx.handle_read(tagged(11, 97, 5, &[])).expect("never fails");
        unrtx.handle_read(tagged(11, 97, 6, &[1])).expect("never fails");
        assert!(unrtx.poll_read().is_none());
        unrtx.handle_read(tagged(10, 96, 7, &[1, 2, 3])).expect("never fails");
        let Packet::Rtp(packet) = unrtx.poll_read().expect("passed on").message.packet else { panic!("RTP") };
        assert_eq!((packet.header.sequence_number, packet.payload.len()), (7, 3));
    }
}
