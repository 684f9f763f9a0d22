//! VP9 (RFC 9628): payloads to a frame, or to a superframe where a picture comes in several spatial layers (VP9 bitstream specification, annex B).

use super::{DepacketizeError, Depacketized, KeyStart};
use crate::bits::Bits;
use crate::picture_size::{PictureLimits, PictureSize};

/// Frames in a superframe: its index counts them in three bits.
const MAX_LAYERS: usize = 8;

/// Joins the payloads of one picture. What follows the first frame of a superframe that a sender made itself is not looked at here.
pub(super) fn frame<'a>(
    limits: PictureLimits,
    payloads: impl Iterator<Item = &'a [u8]>,
) -> Result<Depacketized, DepacketizeError> {
    let mut data = Vec::new();
    // Where each layer's frame begins.
    let mut layers = Vec::new();
    for payload in payloads {
        let descriptor = Descriptor::parse(payload)?;
        if descriptor.starts_frame {
            layers.push(data.len());
        }
        if layers.is_empty() || layers.len() > MAX_LAYERS {
            return Err(DepacketizeError::Structure);
        }
        data.extend_from_slice(&payload[descriptor.bytes..]);
    }
    let (mut key, mut size) = (false, None);
    for (number, &begin) in layers.iter().enumerate() {
        let header = Header::parse(&data[begin..]).ok_or(DepacketizeError::Size(None))?;
        key |= number == 0 && header.key;
        if let Some(announced) = header.size {
            if !limits.admit(announced) {
                return Err(DepacketizeError::Size(Some(announced)));
            }
            size = Some(announced);
        }
    }
    match layers.len() {
        0 => return Err(DepacketizeError::Empty),
        1 => {}
        _ => append_index(&mut data, &layers),
    }
    Ok(Depacketized { data: data.into(), key, size })
}

/// Annex B: a marker with the number of frames and the bytes of a size, the sizes, the marker again.
fn append_index(data: &mut Vec<u8>, begins: &[usize]) {
    let ends = begins.iter().skip(1).copied().chain([data.len()]);
    let sizes: Vec<[u8; 4]> =
        begins.iter().zip(ends).map(|(begin, end)| ((end - begin) as u32).to_le_bytes()).collect();
    let marker = 0b1100_0000 | (3 << 3) | (begins.len() - 1) as u8;
    data.push(marker);
    data.extend(sizes.as_flattened());
    data.push(marker);
}

/// RFC 9628 section 4.2.
struct Descriptor {
    /// Its length.
    bytes: usize,
    /// A layer's frame begins after it (B).
    starts_frame: bool,
    /// The picture is predicted from earlier ones (P).
    predicted: bool,
    /// It belongs to a spatial layer above the lowest.
    upper_layer: bool,
}

impl Descriptor {
    fn parse(payload: &[u8]) -> Result<Self, DepacketizeError> {
        let mut rest = payload.iter().copied();
        let mut next = || rest.next().ok_or(DepacketizeError::Short);
        let first = next()?;
        let (flexible, predicted) = (first & 0x10 != 0, first & 0x40 != 0);
        if first & 0x80 != 0 && next()? & 0x80 != 0 {
            next()?; // A picture id of 15 bits, else of 7.
        }
        let mut upper_layer = false;
        if first & 0x20 != 0 {
            upper_layer = next()? & 0x0e != 0;
            if !flexible {
                next()?; // TL0PICIDX
            }
        }
        if flexible && predicted {
            // Up to three references, each saying whether another follows.
            for _ in 0..3 {
                if next()? & 1 == 0 {
                    break;
                }
            }
        }
        if first & 0x02 != 0 {
            // The scalability structure: sizes of the layers, then a group of pictures.
            let structure = next()?;
            if structure & 0x10 != 0 {
                for _ in 0..4 * (usize::from(structure >> 5) + 1) {
                    next()?;
                }
            }
            if structure & 0x08 != 0 {
                for _ in 0..next()? {
                    for _ in 0..next()? >> 2 & 3 {
                        next()?;
                    }
                }
            }
        }
        let bytes = payload.len() - rest.len();
        if bytes == payload.len() {
            return Err(DepacketizeError::Short);
        }
        Ok(Self { bytes, starts_frame: first & 0x08 != 0, predicted, upper_layer })
    }
}

/// What is read of an uncompressed header (VP9 bitstream specification, section 6.2).
#[derive(Debug, PartialEq, Eq)]
struct Header {
    key: bool,
    /// Where it says one; else that of an earlier frame.
    size: Option<PictureSize>,
}

impl Header {
    fn parse(frame: &[u8]) -> Option<Self> {
        let mut bits = Bits::new(frame);
        if bits.read(2)? != 2 {
            return None;
        }
        let profile = bits.read(1)? | bits.read(1)? << 1;
        if profile == 3 {
            bits.read(1)?;
        }
        if bits.flag()? {
            return Some(Self { key: false, size: None }); // show_existing_frame
        }
        let (key, shown, resilient) = (!bits.flag()?, bits.flag()?, bits.flag()?);
        if key {
            sync_code(&mut bits)?;
            colour(&mut bits, profile)?;
            return Some(Self { key, size: Some(size(&mut bits)?) });
        }
        let intra_only = !shown && bits.flag()?;
        if !resilient {
            bits.read(2)?; // reset_frame_context
        }
        if intra_only {
            sync_code(&mut bits)?;
            if profile > 0 {
                colour(&mut bits, profile)?;
            }
            bits.read(8)?; // refresh_frame_flags
            return Some(Self { key, size: Some(size(&mut bits)?) });
        }
        // refresh_frame_flags, three references with their signs
        bits.read(8 + 3 * 4)?;
        for _ in 0..3 {
            if bits.flag()? {
                return Some(Self { key, size: None }); // that of a reference
            }
        }
        Some(Self { key, size: Some(size(&mut bits)?) })
    }
}

fn sync_code(bits: &mut Bits<'_>) -> Option<()> {
    (bits.read(24)? == 0x49_83_42).then_some(())
}

fn colour(bits: &mut Bits<'_>, profile: u32) -> Option<()> {
    /// `CS_RGB`.
    const RGB: u32 = 7;
    if profile >= 2 {
        bits.read(1)?; // ten or twelve bits
    }
    let rgb = bits.read(3)? == RGB;
    if !rgb {
        bits.read(1)?; // color_range
    }
    match (profile % 2, rgb) {
        (1, false) => bits.read(3).map(|_| ()), // subsampling and a reserved bit
        (1, true) => bits.read(1).map(|_| ()),
        (_, rgb) => (!rgb).then_some(()),
    }
}

fn size(bits: &mut Bits<'_>) -> Option<PictureSize> {
    Some(PictureSize { width: bits.read(16)? + 1, height: bits.read(16)? + 1 })
}

/// Whether a key frame may begin with this payload.
pub(super) fn key_start(payload: &[u8]) -> KeyStart {
    match Descriptor::parse(payload) {
        Ok(descriptor) if descriptor.starts_frame && !descriptor.predicted && !descriptor.upper_layer => {
            KeyStart::Certain
        }
        _ => KeyStart::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of profile 0, written bit by bit.
    fn header(bits: &str) -> Vec<u8> {
        let bits = bits.replace(' ', "");
        let byte = |chunk: &[u8]| u8::from_str_radix(&format!("{:0<8}", String::from_utf8_lossy(chunk)), 2).unwrap();
        bits.as_bytes().chunks(8).map(byte).collect()
    }

    /// Frame marker, profile 0, shown, not resilient.
    fn key(width: u32, height: u32) -> Vec<u8> {
        header(&format!("10 00 0 0 1 0 {:024b} 001 0 {:016b} {:016b} 0", 0x49_83_42, width - 1, height - 1))
    }

    fn predicted(explicit: Option<(u32, u32)>) -> Vec<u8> {
        let size = explicit.map_or("1".into(), |(w, h)| format!("000 {:016b} {:016b}", w - 1, h - 1));
        header(&format!("10 00 0 1 1 0 00 11111111 0000 0000 0000 {size} 0"))
    }

    fn join(payloads: &[&[u8]]) -> Result<Depacketized, DepacketizeError> {
        frame(PictureLimits::default(), payloads.iter().copied())
    }

    fn with(descriptor: &[u8], frame: &[u8]) -> Vec<u8> {
        [descriptor, frame].concat()
    }

    #[test]
    fn headers_say_what_is_a_key_frame_and_how_large() {
        let size = |width, height| Some(PictureSize { width, height });
        assert_eq!(Header::parse(&key(1280, 720)), Some(Header { key: true, size: size(1280, 720) }));
        assert_eq!(Header::parse(&predicted(None)), Some(Header { key: false, size: None }));
        assert_eq!(Header::parse(&predicted(Some((640, 360)))), Some(Header { key: false, size: size(640, 360) }));
        let intra_only = header(&format!("10 00 0 1 0 0 1 00 {:024b} 11111111 {:016b} {:016b}", 0x49_83_42, 319, 179));
        assert_eq!(Header::parse(&intra_only), Some(Header { key: false, size: size(320, 180) }));
        assert_eq!(Header::parse(&header("10 00 1 000")), Some(Header { key: false, size: None }));
        assert_eq!(Header::parse(&header("01 00 0 0 1 0")), None);
        assert_eq!(Header::parse(&key(1280, 720)[..6]), None);
    }

    #[test]
    fn descriptors_of_every_shape_are_skipped() {
        let whole = predicted(None);
        let check = |descriptor: &[u8]| {
            let frame = join(&[&with(descriptor, &whole)]).unwrap();
            assert_eq!((&frame.data[..], frame.key), (&whole[..], false), "{descriptor:x?}");
        };
        check(&[0x4c]);
        check(&[0xcc, 0x12]);
        check(&[0xcc, 0x92, 0x34]);
        check(&[0xec, 0x92, 0x34, 0x20, 7]);
        check(&[0xfc, 0x12, 0x00, 0x03, 0x05, 0x06]);
        // One layer with its size and a group of two pictures of one and two references.
        check(&[0x4e, 0x18, 5, 0, 2, 208, 2, 0x04, 1, 0x08, 1, 2]);
    }

    #[test]
    fn a_frame_in_pieces_is_joined_and_its_start_is_known() {
        let whole = key(640, 360);
        let (head, tail) = whole.split_at(5);
        let frame = join(&[&with(&[0x08], head), &with(&[0x04], tail)]).unwrap();
        assert_eq!((&frame.data[..], frame.key, frame.size.map(|s| s.width)), (&whole[..], true, Some(640)));
        assert_eq!(key_start(&with(&[0x08], head)), KeyStart::Certain);
        assert_eq!(key_start(&with(&[0x04], tail)), KeyStart::No);
        assert_eq!(key_start(&with(&[0x48], head)), KeyStart::No);
        // An upper spatial layer of a key picture.
        assert_eq!(key_start(&with(&[0x28, 0x03, 0], head)), KeyStart::No);
    }

    #[test]
    fn spatial_layers_become_a_superframe() {
        let (low, high) = (key(320, 180), predicted(Some((640, 360))));
        let frame = join(&[&with(&[0x2c, 0x00, 0], &low), &with(&[0x2c, 0x03, 0], &high)]).unwrap();
        assert!(frame.key);
        assert_eq!(frame.size, Some(PictureSize { width: 640, height: 360 }));
        let index = frame.data.len() - 10;
        assert_eq!(frame.data[..index], [low.clone(), high.clone()].concat()[..]);
        let want = [0xd9, low.len() as u8, 0, 0, 0, high.len() as u8, 0, 0, 0, 0xd9];
        assert_eq!(frame.data[index..], want);
    }

    #[test]
    fn what_is_broken_or_too_large_is_refused_by_name() {
        let check = |payloads: &[&[u8]], want| assert_eq!(join(payloads), Err(want), "{payloads:x?}");
        check(&[], DepacketizeError::Empty);
        check(&[&[0x08]], DepacketizeError::Short);
        check(&[&[0x8a, 0x80]], DepacketizeError::Short);
        check(&[&with(&[0x04], &key(640, 360))], DepacketizeError::Structure);
        check(&[&[0x08, 0]], DepacketizeError::Size(None));
        let layer = with(&[0x0c], &predicted(None));
        check(&[&layer[..]; 9], DepacketizeError::Structure);
        let size = PictureSize { width: 8_192, height: 8_192 };
        check(&[&with(&[0x08], &key(8_192, 8_192))], DepacketizeError::Size(Some(size)));
        check(&[&with(&[0x48], &predicted(Some((8_192, 8_192))))], DepacketizeError::Size(Some(size)));
    }
}
