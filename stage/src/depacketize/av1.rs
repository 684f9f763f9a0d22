//! AV1 (RTP Payload Format For AV1, version 1.0.0): payloads to a temporal unit in the low-overhead bitstream format (AV1 specification, section 5.2),
//! without temporal delimiters.

use super::{DepacketizeError, Depacketized, KeyStart};
use crate::bits::Bits;
use crate::picture_size::{PictureLimits, PictureSize};

/// OBU types (AV1 specification, section 6.2.2).
mod obu {
    pub(super) const SEQUENCE_HEADER: u8 = 1;
    pub(super) const TEMPORAL_DELIMITER: u8 = 2;
    pub(super) const FRAME_HEADER: u8 = 3;
    pub(super) const FRAME: u8 = 6;
    pub(super) const TILE_LIST: u8 = 8;
    pub(super) const PADDING: u8 = 15;
}

const HAS_EXTENSION: u8 = 0x04;
const HAS_SIZE: u8 = 0x02;
/// Bytes of a leb128 number of 32 bits (AV1 specification, section 4.10.5).
const LEB128_BYTES: usize = 8;

/// Joins the payloads of one temporal unit.
pub(super) fn frame<'a>(
    limits: PictureLimits,
    payloads: impl Iterator<Item = &'a [u8]>,
) -> Result<Depacketized, DepacketizeError> {
    let mut unit = TemporalUnit::default();
    // An OBU that goes on in the next packet.
    let mut begun: Option<Vec<u8>> = None;
    for payload in payloads {
        let aggregation = Aggregation::parse(payload)?;
        if aggregation.continues != begun.is_some() {
            return Err(DepacketizeError::Structure);
        }
        let mut elements = aggregation.elements();
        while let Some(element) = elements.next() {
            let element = element?;
            let whole = match begun.take() {
                Some(mut begun) => {
                    begun.extend_from_slice(element);
                    begun
                }
                None => element.to_vec(),
            };
            if aggregation.goes_on && elements.rest.is_empty() {
                begun = Some(whole);
            } else {
                unit.push(&whole, limits)?;
            }
        }
    }
    if begun.is_some() {
        return Err(DepacketizeError::Structure);
    }
    if !unit.has_frame {
        return Err(DepacketizeError::Empty);
    }
    let key = unit.key && unit.size.is_some();
    Ok(Depacketized { data: unit.data.into(), key, size: unit.size })
}

#[derive(Default)]
struct TemporalUnit {
    data: Vec<u8>,
    has_frame: bool,
    /// A key frame is in it.
    key: bool,
    /// What its sequence header allows at most.
    size: Option<PictureSize>,
}

impl TemporalUnit {
    /// Adds an OBU, with its size behind its header, which a sender leaves out.
    fn push(&mut self, obu: &[u8], limits: PictureLimits) -> Result<(), DepacketizeError> {
        let Some((&header, rest)) = obu.split_first() else { return Ok(()) };
        let (extension, mut body) = if header & HAS_EXTENSION != 0 {
            rest.split_at_checked(1).ok_or(DepacketizeError::Short)?
        } else {
            rest.split_at(0)
        };
        if header & HAS_SIZE != 0 {
            let (length, after) = leb128(body).ok_or(DepacketizeError::Short)?;
            body = after.get(..length).ok_or(DepacketizeError::Short)?;
        }
        match header >> 3 & 0x0f {
            obu::TEMPORAL_DELIMITER | obu::TILE_LIST | obu::PADDING => return Ok(()),
            obu::SEQUENCE_HEADER => {
                let size = sequence_size(body).ok_or(DepacketizeError::Size(None))?;
                if !limits.admit(size) {
                    return Err(DepacketizeError::Size(Some(size)));
                }
                self.size = Some(size);
            }
            obu::FRAME_HEADER | obu::FRAME => {
                self.has_frame = true;
                // show_existing_frame is 0 and frame_type 0, KEY_FRAME (section 5.9.2). A still picture's header has neither, and nobody sends one.
                self.key |= body.first().is_some_and(|first| first >> 5 == 0);
            }
            _ => {}
        }
        self.data.push(header | HAS_SIZE);
        self.data.extend_from_slice(extension);
        let mut length = body.len();
        while length >= 0x80 {
            self.data.push(length as u8 | 0x80);
            length >>= 7;
        }
        self.data.push(length as u8);
        self.data.extend_from_slice(body);
        Ok(())
    }
}

/// A payload behind its aggregation header (section 4.4).
struct Aggregation<'a> {
    /// Its first element continues the last of the packet before (Z).
    continues: bool,
    /// Its last element goes on in the next packet (Y).
    goes_on: bool,
    /// How many elements there are, of which the last has no length; 0: all have (W).
    count: u8,
    /// It is the first packet of a coded video sequence (N).
    begins_sequence: bool,
    bytes: &'a [u8],
}

impl<'a> Aggregation<'a> {
    fn parse(payload: &'a [u8]) -> Result<Self, DepacketizeError> {
        let (&header, bytes) = payload.split_first().ok_or(DepacketizeError::Short)?;
        Ok(Self {
            continues: header & 0x80 != 0,
            goes_on: header & 0x40 != 0,
            count: header >> 4 & 3,
            begins_sequence: header & 0x08 != 0,
            bytes,
        })
    }

    const fn elements(&self) -> Elements<'a> {
        Elements { rest: self.bytes, left: if self.count == 0 { None } else { Some(self.count) } }
    }
}

struct Elements<'a> {
    rest: &'a [u8],
    /// Elements that are still to come, where the header says it.
    left: Option<u8>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<&'a [u8], DepacketizeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(1);
            if *left == 0 {
                return Some(Ok(std::mem::take(&mut self.rest)));
            }
        }
        let split = leb128(self.rest).and_then(|(length, rest)| rest.split_at_checked(length));
        let Some((element, rest)) = split else {
            self.rest = &[];
            return Some(Err(DepacketizeError::Short));
        };
        self.rest = rest;
        Some(Ok(element))
    }
}

/// A leb128 number (AV1 specification, section 4.10.5) and what follows it.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().take(LEB128_BYTES).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, &bytes[index + 1..]));
        }
    }
    None
}

/// The largest picture that a sequence header allows (section 5.5.1).
fn sequence_size(body: &[u8]) -> Option<PictureSize> {
    let mut bits = Bits::new(body);
    bits.read(3 + 1)?; // seq_profile, still_picture
    if bits.flag()? {
        bits.read(5)?; // reduced_still_picture_header: seq_level_idx alone
    } else {
        operating_points(&mut bits)?;
    }
    let (width_bits, height_bits) = (bits.read(4)? + 1, bits.read(4)? + 1);
    Some(PictureSize { width: bits.read(width_bits)? + 1, height: bits.read(height_bits)? + 1 })
}

fn operating_points(bits: &mut Bits<'_>) -> Option<()> {
    let mut delay_bits = None;
    if bits.flag()? {
        bits.read(32)?; // num_units_in_display_tick
        bits.read(32)?; // time_scale
        if bits.flag()? {
            bits.ue()?; // num_ticks_per_picture_minus_1
        }
        if bits.flag()? {
            delay_bits = Some(bits.read(5)? + 1);
            bits.read(32)?; // num_units_in_decoding_tick
            bits.read(5 + 5)?;
        }
    }
    let display_delays = bits.flag()?;
    for _ in 0..=bits.read(5)? {
        bits.read(12)?; // operating_point_idc
        if bits.read(5)? > 7 {
            bits.read(1)?; // seq_tier
        }
        if let Some(delay_bits) = delay_bits
            && bits.flag()?
        {
            bits.read(delay_bits)?;
            bits.read(delay_bits)?;
            bits.read(1)?;
        }
        if display_delays && bits.flag()? {
            bits.read(4)?;
        }
    }
    Some(())
}

/// Whether a key frame may begin with this payload.
pub(super) fn key_start(payload: &[u8]) -> KeyStart {
    let Ok(aggregation) = Aggregation::parse(payload) else { return KeyStart::No };
    let is_sequence_header =
        |element: &[u8]| element.first().is_some_and(|header| header >> 3 & 0x0f == obu::SEQUENCE_HEADER);
    let first = aggregation.elements().next();
    let begins = aggregation.begins_sequence || matches!(first, Some(Ok(element)) if is_sequence_header(element));
    if begins && !aggregation.continues { KeyStart::Certain } else { KeyStart::No }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(payloads: &[&[u8]]) -> Result<Depacketized, DepacketizeError> {
        frame(PictureLimits::default(), payloads.iter().copied())
    }

    /// A sequence header of a picture, written bit by bit: with timing and decoder model where `timed`.
    fn sequence(width: u32, height: u32, timed: bool) -> Vec<u8> {
        let timing =
            if timed { format!("1 {:032b} {:032b} 1 00101 1 01001 {:032b} 00000 00000", 1, 60, 1) } else { "0".into() };
        let point = if timed { "1 0000000001 0000000001 0 1 0011" } else { "1 0011" };
        let bits = format!(
            "000 0 0 {timing} 1 00000 {:012b} 01000 0 {point} 1111 1111 {:016b} {:016b}",
            0,
            width - 1,
            height - 1
        );
        let bits = bits.replace(' ', "");
        let byte = |chunk: &[u8]| u8::from_str_radix(&format!("{:0<8}", String::from_utf8_lossy(chunk)), 2).unwrap();
        std::iter::once(0x08).chain(bits.as_bytes().chunks(8).map(byte)).collect()
    }

    #[test]
    fn sizes_are_read_from_sequence_headers() {
        let check = |obu: &[u8], want: Option<(u32, u32)>| {
            assert_eq!(sequence_size(&obu[1..]), want.map(|(width, height)| PictureSize { width, height }));
        };
        check(&sequence(1280, 720, false), Some((1280, 720)));
        check(&sequence(1280, 720, true), Some((1280, 720)));
        check(&sequence(1280, 720, true)[..20], None);
        check(&[0x08], None);
    }

    #[test]
    fn elements_become_obus_with_their_sizes() {
        let sequence = sequence(640, 360, false);
        let key = [&[0x30, 0x10][..], &[7; 200]].concat();
        // A delimiter and the sequence header with lengths, then the frame without, in three packets.
        let first = [&[0x08 | 0x70, 1, 0x10, sequence.len() as u8], &sequence[..], &key[..50]].concat();
        let second = [&[0xd0], &key[50..120]].concat();
        let third = [&[0x90], &key[120..]].concat();
        let frame = join(&[&first, &second, &third]).unwrap();
        assert!(frame.key);
        assert_eq!(frame.size, Some(PictureSize { width: 640, height: 360 }));
        let body = sequence.len() as u8 - 1;
        let want = [&[0x0a, body], &sequence[1..], &[0x32, 0xc9, 0x01], &key[1..]].concat();
        assert_eq!(frame.data[..], want[..]);
        assert_eq!(key_start(&first), KeyStart::Certain);
        assert_eq!(key_start(&second), KeyStart::No);
        // Without N, by its sequence header.
        assert_eq!(key_start(&[&[0x20, sequence.len() as u8], &sequence[..], &key[..]].concat()), KeyStart::Certain);
    }

    #[test]
    fn sizes_extensions_and_predicted_frames_are_kept() {
        let frame = join(&[&[0x10, 0x36, 0x20, 3, 0x30, 1, 2]]).unwrap();
        assert_eq!((&frame.data[..], frame.key), (&[0x36, 0x20, 3, 0x30, 1, 2][..], false));
        // All elements with lengths, one of them empty.
        let frame = join(&[&[0x00, 0, 3, 0x30, 0x30, 9, 2, 0x78, 1]]).unwrap();
        assert_eq!(frame.data[..], [0x32, 2, 0x30, 9]);
        // A key frame without a sequence header is nothing that a decoder can begin with.
        assert!(!join(&[&[0x10, 0x30, 0x10]]).unwrap().key);
    }

    #[test]
    fn what_is_broken_or_too_large_is_refused_by_name() {
        let check = |payloads: &[&[u8]], want| assert_eq!(join(payloads), Err(want), "{payloads:x?}");
        check(&[], DepacketizeError::Empty);
        check(&[&[]], DepacketizeError::Short);
        check(&[&[0x10, 0x10]], DepacketizeError::Empty);
        check(&[&[0x90, 0x30, 0x30]], DepacketizeError::Structure);
        check(&[&[0x50, 0x30, 0x30]], DepacketizeError::Structure);
        check(&[&[0x50, 0x30, 0x30], &[0x10, 0x30, 0x30]], DepacketizeError::Structure);
        check(&[&[0x00, 9, 0x30]], DepacketizeError::Short);
        check(&[&[0x00, 0x80]], DepacketizeError::Short);
        check(&[&[0x10, 0x34]], DepacketizeError::Short);
        check(&[&[0x10, 0x32, 5, 1]], DepacketizeError::Short);
        check(&[&[0x10, 0x08, 0]], DepacketizeError::Size(None));
        let large = [&[0x10], &sequence(8_192, 8_192, false)[..]].concat();
        let size = PictureSize { width: 8_192, height: 8_192 };
        check(&[&large], DepacketizeError::Size(Some(size)));
    }
}
