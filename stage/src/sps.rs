//! Picture size as an H.264 decoder will believe it: sequence parameter sets (ITU-T H.264 section 7.3.2.1.1).

use crate::bits::Bits;
use crate::picture_size::PictureSize;

/// Macroblocks in a row or a column at level 6.2, the highest (ITU-T H.264 table A-1: sqrt(8 x 139,264) = 1,055).
const MAX_MACROBLOCKS: u32 = 1_056;
/// `num_ref_frames_in_pic_order_cnt_cycle` is at most 255 (section 7.4.2.1.1).
const MAX_CYCLE: u32 = 255;

/// What an SPS says of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// Whole macroblocks: what a decoder allocates.
    pub coded: PictureSize,
    /// What of that is shown.
    pub shown: PictureSize,
}

/// The size in an SPS, given the whole NAL unit with its header byte; `None` where it ends early or breaks a bound of section 7.4.2.1.1.
pub fn h264_size(nal: &[u8]) -> Option<Announced> {
    let rbsp = without_emulation_prevention(nal.get(1..)?);
    let mut bits = Bits::new(&rbsp);
    let profile = bits.read(8)?;
    bits.read(16)?; // constraint flags and level
    bits.ue()?; // seq_parameter_set_id
    let mut chroma_format_idc = 1;
    // Profiles whose parameter sets carry a chroma format (section 7.3.2.1.1).
    if matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135) {
        chroma_format_idc = bits.ue()?;
        if chroma_format_idc > 3 {
            return None;
        }
        if chroma_format_idc == 3 {
            bits.read(1)?; // separate_colour_plane_flag
        }
        bits.ue()?; // bit_depth_luma_minus8
        bits.ue()?; // bit_depth_chroma_minus8
        bits.read(1)?; // qpprime_y_zero_transform_bypass_flag
        if bits.flag()? {
            for list in 0..if chroma_format_idc == 3 { 12 } else { 8 } {
                if bits.flag()? {
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
                return None;
            }
            for _ in 0..cycle {
                bits.ue()?; // offset_for_ref_frame
            }
        }
        2 => {}
        _ => return None,
    }
    bits.ue()?; // max_num_ref_frames
    bits.read(1)?; // gaps_in_frame_num_value_allowed_flag
    let columns = bits.ue()?.checked_add(1)?;
    let map_units = bits.ue()?.checked_add(1)?;
    let frame_mbs_only = bits.read(1)?;
    let rows = map_units.checked_mul(2 - frame_mbs_only)?;
    if columns > MAX_MACROBLOCKS || rows > MAX_MACROBLOCKS {
        return None;
    }
    if frame_mbs_only == 0 {
        bits.read(1)?; // mb_adaptive_frame_field_flag
    }
    bits.read(1)?; // direct_8x8_inference_flag
    let coded = PictureSize { width: columns * 16, height: rows * 16 };
    let mut shown = coded;
    if bits.flag()? {
        // In samples of chroma (equations 7-19 to 7-22).
        let across = if matches!(chroma_format_idc, 1 | 2) { 2 } else { 1 };
        let down = (if chroma_format_idc == 1 { 2 } else { 1 }) * (2 - frame_mbs_only);
        let cut = |bits: &mut Bits<'_>, unit: u32| bits.ue()?.checked_add(bits.ue()?)?.checked_mul(unit);
        shown.width = shown.width.checked_sub(cut(&mut bits, across)?).filter(|width| *width > 0)?;
        shown.height = shown.height.checked_sub(cut(&mut bits, down)?).filter(|height| *height > 0)?;
    }
    Some(Announced { coded, shown })
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

fn skip_scaling_list(bits: &mut Bits<'_>, entries: u32) -> Option<()> {
    let (mut last, mut next) = (8_i64, 8_i64);
    for _ in 0..entries {
        if next != 0 {
            next = (last + bits.se()?).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Some(())
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
            assert_eq!(
                h264_size(nal).map(|size| size.coded),
                want.map(|(width, height)| PictureSize { width, height })
            );
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
    fn what_is_cut_off_is_not_shown() {
        // As above; of an interlaced one (x264 with tff=1) the rows are counted in fields.
        let progressive = [
            0x67, 0x64, 0x00, 0x1e, 0xac, 0xd9, 0x40, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00,
            0x00, 0x03, 0x00, 0x32, 0x0f, 0x16, 0x2d, 0x96,
        ];
        let interlaced = [
            0x67, 0x64, 0x00, 0x1e, 0xac, 0xd9, 0x40, 0xa0, 0x63, 0xf3, 0xe0, 0x22, 0x00, 0x00, 0x03, 0x00, 0x02, 0x00,
            0x00, 0x03, 0x00, 0x64, 0x3e, 0x28, 0x53, 0x2c,
        ];
        for sps in [progressive, interlaced] {
            assert_eq!(h264_size(&sps).unwrap().shown, PictureSize { width: 640, height: 360 });
        }
        let whole = h264_size(&baseline(80, 45)).unwrap();
        assert_eq!(whole.shown, whole.coded);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = h264_size(&bytes);
        }
    }
}
