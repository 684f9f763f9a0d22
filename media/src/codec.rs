//! The codecs that peers send, by the names that SDP uses.

use serde::{Deserialize, Serialize};

/// Sound or picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Sound.
    Audio,
    /// Picture.
    Video,
}

/// A codec of a peer's track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Codec {
    /// H.264, packetization mode 1 (RFC 6184). Frames are Annex B byte streams with their parameter sets in band.
    H264,
    /// VP8 (RFC 7741). Frames are whole VP8 frames (RFC 6386 section 9).
    Vp8,
    /// VP9 (RFC 9628). Frames are whole VP9 frames or superframes (VP9 bitstream specification, annex B).
    Vp9,
    /// AV1 (RTP Payload Format For AV1). Frames are temporal units in the low-overhead bitstream format (AV1 specification, section 5.2), without
    /// temporal delimiters.
    Av1,
    /// Opus (RFC 7587). Frames are Opus packets (RFC 6716 section 3).
    Opus,
}

impl Codec {
    /// Every codec.
    pub const ALL: [Self; 5] = [Self::H264, Self::Vp8, Self::Vp9, Self::Av1, Self::Opus];

    /// Whether this codec carries sound or picture.
    pub const fn kind(self) -> Kind {
        match self {
            Self::H264 | Self::Vp8 | Self::Vp9 | Self::Av1 => Kind::Video,
            Self::Opus => Kind::Audio,
        }
    }

    /// The encoding name of the `a=rtpmap` line (RFC 8866 section 6.6), in its registered spelling.
    pub const fn encoding_name(self) -> &'static str {
        match self {
            Self::H264 => "H264",
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
            Self::Av1 => "AV1",
            Self::Opus => "opus",
        }
    }
}
