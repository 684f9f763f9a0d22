//! VP8 (RFC 7741): payloads to a frame (RFC 6386 section 9).

use super::{DepacketizeError, Depacketized, KeyStart};
use crate::picture_size::{PictureLimits, PictureSize};

/// Joins the payloads of one frame.
pub(super) fn frame<'a>(
    limits: PictureLimits,
    payloads: impl Iterator<Item = &'a [u8]>,
) -> Result<Depacketized, DepacketizeError> {
    let mut data = Vec::new();
    for payload in payloads {
        let descriptor = Vp8Descriptor::parse(payload)?;
        if descriptor.starts_frame != data.is_empty() {
            return Err(DepacketizeError::Structure);
        }
        data.extend_from_slice(&payload[descriptor.bytes..]);
    }
    let first = data.first().ok_or(DepacketizeError::Empty)?;
    // The inverse key frame flag (RFC 6386 section 9.1).
    let key = first & 1 == 0;
    let size = vp8_size(&data);
    if key && !size.is_some_and(|size| limits.admit(size)) {
        return Err(DepacketizeError::Size(size));
    }
    Ok(Depacketized { data: data.into(), key, size })
}

/// The size in a VP8 key frame's header; `None` where it is no key frame or too short.
fn vp8_size(frame: &[u8]) -> Option<PictureSize> {
    let header: &[u8; 10] = frame.first_chunk()?;
    let key = header[0] & 1 == 0;
    if !key || header[3..6] != [0x9d, 0x01, 0x2a] {
        return None;
    }
    // 14 bits of size below 2 bits of scaling.
    let dimension = |low: u8, high: u8| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    Some(PictureSize { width: dimension(header[6], header[7]), height: dimension(header[8], header[9]) })
}

/// RFC 7741 section 4.2.
struct Vp8Descriptor {
    /// Its length.
    bytes: usize,
    /// S is set and the partition is the first: the frame header follows.
    starts_frame: bool,
}

impl Vp8Descriptor {
    fn parse(payload: &[u8]) -> Result<Self, DepacketizeError> {
        let at = |index: usize| payload.get(index).copied().ok_or(DepacketizeError::Short);
        let first = at(0)?;
        let mut bytes = 1;
        if first & 0x80 != 0 {
            let extension = at(1)?;
            bytes = 2;
            if extension & 0x80 != 0 {
                // A picture id of 15 bits where its first bit is set, else of 7.
                bytes += if at(2)? & 0x80 != 0 { 2 } else { 1 };
            }
            bytes += usize::from(extension & 0x40 != 0); // TL0PICIDX
            bytes += usize::from(extension & 0x30 != 0); // TID, Y, KEYIDX share a byte
        }
        if payload.len() <= bytes {
            return Err(DepacketizeError::Short);
        }
        Ok(Self { bytes, starts_frame: first & 0x10 != 0 && first & 0x07 == 0 })
    }
}

/// Whether a key frame may begin with this payload.
pub(super) fn key_start(payload: &[u8]) -> KeyStart {
    match Vp8Descriptor::parse(payload) {
        Ok(descriptor) if descriptor.starts_frame && payload[descriptor.bytes] & 1 == 0 => KeyStart::Certain,
        _ => KeyStart::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(payloads: &[&[u8]]) -> Result<Depacketized, DepacketizeError> {
        frame(PictureLimits::default(), payloads.iter().copied())
    }

    #[test]
    fn sizes_are_read_from_key_frames_only() {
        let key = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x41];
        assert_eq!(vp8_size(&key), Some(PictureSize { width: 640, height: 360 }));
        assert_eq!(vp8_size(&[0x11, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01]), None);
        assert_eq!(vp8_size(&key[..9]), None);
    }

    #[test]
    fn descriptors_of_every_shape_are_skipped() {
        let check = |descriptor: &[u8]| {
            let frame = join(&[&[descriptor, &[0x31, 7, 7]].concat()]).unwrap();
            assert_eq!((&frame.data[..], frame.key), (&[0x31, 7, 7][..], false), "{descriptor:?}");
        };
        check(&[0x10]);
        check(&[0x90, 0x80, 0x12]);
        check(&[0x90, 0x80, 0x92, 0x34]);
        check(&[0x90, 0xe0, 0x92, 0x34, 1, 0x40]);
        check(&[0x90, 0x10, 0x05]);
    }

    #[test]
    fn frames_begin_at_their_beginning() {
        assert_eq!(join(&[&[0x00, 1, 2]]), Err(DepacketizeError::Structure));
        assert_eq!(join(&[&[0x10, 1], &[0x10, 1]]), Err(DepacketizeError::Structure));
        assert_eq!(join(&[&[0x90, 0x80]]), Err(DepacketizeError::Short));
    }

    #[test]
    fn pictures_beyond_the_limits_are_refused_with_their_size() {
        let limits = PictureLimits { max_width: 320, ..PictureLimits::default() };
        let key: &[u8] = &[0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01, 5];
        let refused = frame(limits, std::iter::once(key));
        assert_eq!(refused, Err(DepacketizeError::Size(Some(PictureSize { width: 640, height: 360 }))));
    }

    #[test]
    fn key_frames_are_recognised_by_their_first_packet() {
        assert_eq!(key_start(&[0x10, 0x10, 0]), KeyStart::Certain);
        assert_eq!(key_start(&[0x10, 0x11, 0]), KeyStart::No);
        assert_eq!(key_start(&[0x00, 0x10, 0]), KeyStart::No);
    }
}
