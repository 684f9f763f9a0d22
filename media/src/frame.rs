//! One encoded frame, and the stamps that say where its time went.

use crate::time::SessionTime;
use crate::track::TrackId;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// One whole encoded frame on its way from stage to packager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncodedFrame {
    /// The track that it belongs to.
    pub track: TrackId,
    /// When it is to be shown or heard, on the session clock.
    pub time: SessionTime,
    /// Whether a decoder can begin here. Always true for sound.
    pub key: bool,
    /// Whether frames are known to be missing since the one before. A picture begins anew, at a key frame; what is missing of sound is concealed by the times
    /// of its frames, whatever this says.
    pub discontinuity: bool,
    /// The codec's bytes, in the form that [`crate::codec::Codec`] names.
    pub data: Bytes,
    /// What stage took.
    pub stamps: IngestStamps,
}

/// When a frame passed through stage: points on the session clock, so that both processes read them alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct IngestStamps {
    /// Arrival of its first packet.
    pub first_packet: SessionTime,
    /// Arrival of the packet that completed it, retransmissions included.
    pub last_packet: SessionTime,
    /// When the assembler let it go.
    pub assembled: SessionTime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_survives_the_socket_and_costs_no_more_than_its_bytes_and_a_header() {
        let frame = EncodedFrame {
            track: TrackId(7),
            time: SessionTime::from_micros(-1_234_567),
            key: true,
            discontinuity: false,
            data: Bytes::from(vec![0xab; 10_000]),
            stamps: IngestStamps::default(),
        };
        let wire = postcard::to_stdvec(&frame).expect("plain data always serialises");
        assert!(wire.len() < 10_000 + 40, "{} bytes", wire.len());
        assert_eq!(postcard::from_bytes::<EncodedFrame>(&wire).expect("what was written reads back"), frame);
    }
}
