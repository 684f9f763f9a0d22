//! Picture size as a decoder will believe it: H.264 sequence parameter sets (ITU-T H.264 section 7.3.2.1.1) and VP8
//! key frame headers (RFC 6386 section 9.1).
//!
//! A 197 KB file that claims 8192x8192 cost a decoder 394 MB, so the claim is read here, before any decoder, and
//! compared with [`PictureLimits`].

/// What a peer's picture may measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureLimits {
    /// Pixels in a row.
    pub max_width: u32,
    /// Rows.
    pub max_height: u32,
    /// Pixels in all: what a decoder's memory grows with.
    pub max_pixels: u32,
}

impl Default for PictureLimits {
    /// 4096x2304, upright or on its side.
    fn default() -> Self {
        Self { max_width: 4_096, max_height: 4_096, max_pixels: 4_096 * 2_304 }
    }
}

impl PictureLimits {
    /// Whether a picture of this size is taken.
    pub fn admit(&self, size: PictureSize) -> bool {
        size.width <= self.max_width
            && size.height <= self.max_height
            && u64::from(size.width) * u64::from(size.height) <= u64::from(self.max_pixels)
    }
}

/// A picture's size in pixels, before cropping: what a decoder allocates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureSize {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// A parameter set that cannot be read to its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sequence parameter set that ends early or breaks a bound of H.264 section 7.4.2.1.1")]
pub struct BadSps;

/// Macroblocks in a row or a column at level 6.2, the highest (ITU-T H.264 table A-1: sqrt(8 x 139,264) = 1,055).
const MAX_MACROBLOCKS: u32 = 1_056;
/// `num_ref_frames_in_pic_order_cnt_cycle` is at most 255 (section 7.4.2.1.1).
const MAX_CYCLE: u32 = 255;

/// The coded size in an SPS, given the whole NAL unit with its header byte.
pub fn h264_size(nal: &[u8]) -> Result<PictureSize, BadSps> {
    let rbsp = without_emulation_prevention(nal.get(1..).ok_or(BadSps)?);
    let mut bits = Bits { bytes: &rbsp, at: 0 };
    let profile = bits.read(8)?;
    bits.read(16)?; // constraint flags and level
    bits.ue()?; // seq_parameter_set_id
    // Profiles whose parameter sets carry a chroma format (section 7.3.2.1.1).
    if matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135) {
        let chroma_format_idc = bits.ue()?;
        if chroma_format_idc > 3 {
            return Err(BadSps);
        }
        if chroma_format_idc == 3 {
            bits.read(1)?; // separate_colour_plane_flag
        }
        bits.ue()?; // bit_depth_luma_minus8
        bits.ue()?; // bit_depth_chroma_minus8
        bits.read(1)?; // qpprime_y_zero_transform_bypass_flag
        if bits.read(1)? == 1 {
            for list in 0..if chroma_format_idc == 3 { 12 } else { 8 } {
                if bits.read(1)? == 1 {
                    skip_scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.ue()?; // log2_max_frame_num_minus4
    match bits.ue()? {
        0 => {
            bits.ue()?; // log2_max_pic_order_cnt_lsb_minus4
        }
        1 => {
            bits.read(1)?; // delta_pic_order_always_zero_flag
            bits.ue()?; // offset_for_non_ref_pic, se(v): as long as ue(v)
            bits.ue()?; // offset_for_top_to_bottom_field
            let cycle = bits.ue()?;
            if cycle > MAX_CYCLE {
                return Err(BadSps);
            }
            for _ in 0..cycle {
                bits.ue()?; // offset_for_ref_frame
            }
        }
        2 => {}
        _ => return Err(BadSps),
    }
    bits.ue()?; // max_num_ref_frames
    bits.read(1)?; // gaps_in_frame_num_value_allowed_flag
    let columns = bits.ue()?.checked_add(1).ok_or(BadSps)?;
    let map_units = bits.ue()?.checked_add(1).ok_or(BadSps)?;
    let frame_mbs_only = bits.read(1)?;
    let rows = map_units.checked_mul(2 - frame_mbs_only).ok_or(BadSps)?;
    if columns > MAX_MACROBLOCKS || rows > MAX_MACROBLOCKS {
        return Err(BadSps);
    }
    Ok(PictureSize { width: columns * 16, height: rows * 16 })
}

/// The size in a VP8 key frame's header; `None` where it is no key frame or too short.
pub fn vp8_size(frame: &[u8]) -> Option<PictureSize> {
    let header: &[u8; 10] = frame.first_chunk()?;
    let key = header[0] & 1 == 0;
    if !key || header[3..6] != [0x9d, 0x01, 0x2a] {
        return None;
    }
    // 14 bits of size below 2 bits of scaling.
    let dimension = |low: u8, high: u8| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    Some(PictureSize { width: dimension(header[6], header[7]), height: dimension(header[8], header[9]) })
}

/// Section 7.3.1: a 3 after two zeros is not part of the payload.
fn without_emulation_prevention(bytes: &[u8]) -> Vec<u8> {
    /// A parameter set with every optional list is about 300 bytes; nothing that is read here lies beyond.
    const ENOUGH: usize = 512;
    let mut out = Vec::with_capacity(bytes.len().min(ENOUGH));
    let mut zeros = 0;
    for &byte in bytes.iter().take(ENOUGH) {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

fn skip_scaling_list(bits: &mut Bits<'_>, entries: u32) -> Result<(), BadSps> {
    let (mut last, mut next) = (8_i64, 8_i64);
    for _ in 0..entries {
        if next != 0 {
            next = (last + bits.se()?).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Ok(())
}

/// A reader of bits, most significant first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn read(&mut self, count: u32) -> Result<u32, BadSps> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8).ok_or(BadSps)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Ok(value)
    }

    /// Exp-Golomb, unsigned (section 9.1). 31 leading zeros are the most that a 32-bit value has.
    fn ue(&mut self) -> Result<u32, BadSps> {
        let mut zeros = 0;
        while self.read(1)? == 0 {
            zeros += 1;
            if zeros > 31 {
                return Err(BadSps);
            }
        }
        Ok((1_u32 << zeros) - 1 + self.read(zeros)?)
    }

    /// Exp-Golomb, signed (section 9.1.1).
    fn se(&mut self) -> Result<i64, BadSps> {
        let code = i64::from(self.ue()?);
        Ok(if code % 2 == 1 { (code + 1) / 2 } else { -(code / 2) })
    }
}

/// An SPS of baseline profile with the given macroblock counts, written bit by bit, for tests.
#[cfg(test)]
pub(crate) fn baseline(columns: u32, map_units: u32) -> Vec<u8> {
    let mut bits = String::new();
    let ue = |bits: &mut String, value: u32| {
        let code = format!("{:b}", u64::from(value) + 1);
        bits.push_str(&"0".repeat(code.len() - 1));
        bits.push_str(&code);
    };
    bits.push_str(&format!("{:08b}{:016b}", 66, 0x001f));
    ue(&mut bits, 0); // id
    ue(&mut bits, 0); // log2_max_frame_num_minus4
    ue(&mut bits, 2); // pic_order_cnt_type
    ue(&mut bits, 1); // max_num_ref_frames
    bits.push('0');
    ue(&mut bits, columns - 1);
    ue(&mut bits, map_units - 1);
    bits.push_str("11");
    bits.push_str("00000001");
    let mut nal = vec![0x67];
    for chunk in bits.as_bytes().chunks(8) {
        let text = format!("{:0<8}", std::str::from_utf8(chunk).unwrap());
        nal.push(u8::from_str_radix(&text, 2).unwrap());
    }
    nal
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_read() {
        let check = |nal: &[u8], want: Option<(u32, u32)>| {
            assert_eq!(h264_size(nal), want.map(|(width, height)| PictureSize { width, height }).ok_or(BadSps));
        };
        check(&baseline(80, 45), Some((1280, 720)));
        check(&baseline(512, 512), Some((8192, 8192)));
        check(&baseline(2_000, 45), None);
        check(&[], None);
        check(&[0x67, 0x42], None);
        // What x264 writes for 640x360 high profile (ffmpeg -c:v libx264, `xxd` of the NAL).
        check(
            &[
                0x67, 0x64, 0x00, 0x1e, 0xac, 0xd9, 0x40, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01,
                0x00, 0x00, 0x03, 0x00, 0x32, 0x0f, 0x16, 0x2d, 0x96,
            ],
            Some((640, 368)),
        );
    }

    #[test]
    fn vp8_sizes_are_read_from_key_frames_only() {
        let key = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x41];
        assert_eq!(vp8_size(&key), Some(PictureSize { width: 640, height: 360 }));
        assert_eq!(vp8_size(&[0x11, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01]), None);
        assert_eq!(vp8_size(&key[..9]), None);
    }

    #[test]
    fn limits_are_on_each_side_and_on_the_whole() {
        let limits = PictureLimits::default();
        let admit = |width, height| limits.admit(PictureSize { width, height });
        assert!(admit(4_096, 2_304) && admit(1_440, 2_560));
        assert!(!admit(8_192, 8_192) && !admit(8_192, 16) && !admit(4_096, 2_320));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = h264_size(&bytes);
            let _ = vp8_size(&bytes);
        }
    }
}
