//! From RTP payloads to a frame, a file for each codec; Opus (RFC 7587) has one packet a frame. Strangers wrote every byte.

mod av1;
mod h264;
mod vp8;
mod vp9;

use crate::picture_size::{PictureLimits, PictureSize};
use bytes::Bytes;
use footlight_media::codec::Codec;
use h264::H264;

/// A frame as the decoder gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depacketized {
    /// In the form that [`Codec`] names.
    pub data: Bytes,
    /// Whether a decoder can begin here.
    pub key: bool,
    /// The size that it announces: every key frame does, and some others of VP9.
    pub size: Option<PictureSize>,
}

/// Why packets did not make a frame. All are the peer's fault, and a key frame repairs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DepacketizeError {
    /// A payload ends before what its header announces.
    #[error("a payload that ends early")]
    Short,
    /// Pieces that do not follow each other, or a payload type of RFC 6184 that was not negotiated.
    #[error("fragments out of order or of an unknown type")]
    Structure,
    /// The picture is larger than [`PictureLimits`] or its size cannot be read.
    #[error("a picture of a size that is not taken: {}", .0.map_or("unreadable".to_owned(), |size| format!("{}x{}", size.width, size.height)))]
    Size(Option<PictureSize>),
    /// Nothing that a decoder could use.
    #[error("no picture in it")]
    Empty,
}

/// The depacketizer of one track.
#[derive(Debug, Clone)]
pub struct Depacketizer {
    limits: PictureLimits,
    codec: Joins,
}

/// How payloads are joined, with what is remembered between frames.
#[derive(Debug, Clone)]
enum Joins {
    H264(H264),
    Vp8,
    Vp9,
    Av1,
    Opus,
}

impl Depacketizer {
    /// `fmtp` is the codec's line of the offer.
    pub fn new(codec: Codec, limits: PictureLimits, fmtp: &str) -> Self {
        let codec = match codec {
            Codec::H264 => Joins::H264(H264::new(limits, fmtp)),
            Codec::Vp8 => Joins::Vp8,
            Codec::Vp9 => Joins::Vp9,
            Codec::Av1 => Joins::Av1,
            Codec::Opus => Joins::Opus,
        };
        Self { limits, codec }
    }

    /// Joins the payloads of one frame, in order.
    pub fn frame<'a>(&mut self, payloads: impl Iterator<Item = &'a [u8]>) -> Result<Depacketized, DepacketizeError> {
        match &mut self.codec {
            Joins::H264(h264) => h264.frame(payloads),
            Joins::Vp8 => vp8::frame(self.limits, payloads),
            Joins::Vp9 => vp9::frame(self.limits, payloads),
            Joins::Av1 => av1::frame(self.limits, payloads),
            Joins::Opus => {
                let mut data = Vec::new();
                payloads.for_each(|payload| data.extend_from_slice(payload));
                if data.is_empty() {
                    return Err(DepacketizeError::Empty);
                }
                Ok(Depacketized { data: data.into(), key: true, size: None })
            }
        }
    }
}

/// What a single packet says about the frame that it may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStart {
    /// A key frame begins here, whatever stood before.
    Certain,
    /// A key frame begins here if the packet before belongs to another frame: parameter sets may have preceded it.
    IfFirst,
    /// None begins here.
    No,
}

/// Whether a key frame may begin with this payload.
pub fn key_start(codec: Codec, payload: &[u8]) -> KeyStart {
    match codec {
        Codec::Opus => KeyStart::Certain,
        Codec::Vp8 => vp8::key_start(payload),
        Codec::Vp9 => vp9::key_start(payload),
        Codec::Av1 => av1::key_start(payload),
        Codec::H264 => h264::key_start(payload),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_survived(
            payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..8),
            fmtp in ".{0,40}",
        ) {
            for codec in Codec::ALL {
                let mut depacketizer = Depacketizer::new(codec, PictureLimits::default(), &fmtp);
                let _ = depacketizer.frame(payloads.iter().map(Vec::as_slice));
                payloads.iter().for_each(|payload| { let _ = key_start(codec, payload); });
            }
        }
    }
}
