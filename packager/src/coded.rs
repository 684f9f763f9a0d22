//! What video encoders give, as CMAF wants it: parameter sets for the init segment, access units for the chunks, CODECS strings. Pure.

use crate::cmaf::TrackHeader;
use crate::ladder::Format;
use crate::layout::Size;
use bytes::{BufMut, Bytes, BytesMut};

/// H.264's NAL unit types (ITU-T H.264 table 7-1).
const AVC_SEI: u8 = 6;
const AVC_SPS: u8 = 7;
const AVC_PPS: u8 = 8;
const AVC_DELIMITER: u8 = 9;
/// HEVC's (ITU-T H.265 table 7-1): supplements are those before and behind a picture.
const HEVC_VPS: u8 = 32;
const HEVC_SPS: u8 = 33;
const HEVC_PPS: u8 = 34;
const HEVC_DELIMITER: u8 = 35;
const HEVC_SEI: [u8; 2] = [39, 40];
/// AV1's OBU types (AV1 specification, section 6.2.2).
const OBU_SEQUENCE_HEADER: u8 = 1;
const OBU_TEMPORAL_DELIMITER: u8 = 2;

/// Reads an encoder's extradata: an Annex B byte stream of parameter sets, or AV1's sequence header. `None` where it is neither.
pub(crate) fn header(format: Format, size: Size, extradata: &[u8]) -> Option<TrackHeader> {
    match format {
        Format::Avc => {
            let (sps, pps) = parameter_sets(extradata)?;
            Some(TrackHeader::Avc { size, sps, pps })
        }
        Format::Hevc => {
            let find = |kind| nal_units(extradata).find(|nal| hevc_type(nal) == kind).map(Bytes::copy_from_slice);
            let [vps, sps, pps] = [find(HEVC_VPS)?, find(HEVC_SPS)?, find(HEVC_PPS)?];
            profile_tier_level(&sps)?;
            Some(TrackHeader::Hevc { size, vps, sps, pps })
        }
        Format::Av1 => {
            let sequence = obus(extradata).find(|obu| obu.kind == OBU_SEQUENCE_HEADER)?;
            sequence_level(sequence.payload)?;
            Some(TrackHeader::Av1 { size, sequence: sequence.sized() })
        }
    }
}

/// An access unit without what stands in the sample entry already, and without delimiters, which are implied. Encoders' SEI say nothing to a player.
pub(crate) fn access_unit(format: Format, coded: &[u8]) -> Bytes {
    match format {
        Format::Avc => length_prefixed(coded, |nal| {
            ![AVC_SEI, AVC_SPS, AVC_PPS, AVC_DELIMITER].contains(&nal.first().map_or(0, |byte| byte & 0x1f))
        }),
        Format::Hevc => length_prefixed(coded, |nal| {
            let kind = hevc_type(nal);
            ![HEVC_VPS, HEVC_SPS, HEVC_PPS, HEVC_DELIMITER].contains(&kind) && !HEVC_SEI.contains(&kind)
        }),
        // Sequence headers stay: a sync sample begins with one (AV1 codec ISO media file format binding, section 2.4).
        Format::Av1 => {
            let mut out = BytesMut::with_capacity(coded.len());
            obus(coded).filter(|obu| obu.kind != OBU_TEMPORAL_DELIMITER).for_each(|obu| out.put_slice(&obu.sized()));
            out.freeze()
        }
    }
}

/// The first SPS and PPS of an Annex B byte stream of H.264.
pub(crate) fn parameter_sets(annex_b: &[u8]) -> Option<(Bytes, Bytes)> {
    let kind = |nal: &[u8]| nal.first().map_or(0, |byte| byte & 0x1f);
    let find = |wanted| nal_units(annex_b).find(|nal| kind(nal) == wanted).map(Bytes::copy_from_slice);
    Some((find(AVC_SPS)?, find(AVC_PPS)?))
}

/// The NAL units between the start codes of an Annex B byte stream (ITU-T H.264 annex B.1), without trailing zero bytes.
pub(crate) fn nal_units(annex_b: &[u8]) -> impl Iterator<Item = &[u8]> {
    let starts: Vec<usize> =
        annex_b.windows(3).enumerate().filter(|(_, w)| *w == [0, 0, 1]).map(|(i, _)| i + 3).collect();
    let ends: Vec<usize> = starts.iter().skip(1).map(|s| s - 3).chain([annex_b.len()]).collect();
    starts.into_iter().zip(ends).map(|(start, end)| {
        let nal = &annex_b[start..end];
        let zeros = nal.iter().rev().take_while(|b| **b == 0).count();
        &nal[..nal.len() - zeros]
    })
}

fn hevc_type(nal: &[u8]) -> u8 {
    nal.first().map_or(0, |byte| byte >> 1 & 0x3f)
}

/// NAL units behind 32-bit lengths, as sample entries of both codecs say that they are.
fn length_prefixed(annex_b: &[u8], wanted: impl Fn(&[u8]) -> bool) -> Bytes {
    let mut out = BytesMut::with_capacity(annex_b.len() + 16);
    for nal in nal_units(annex_b).filter(|nal| wanted(nal)) {
        out.put_u32(u32::try_from(nal.len()).expect("a frame is below 4 GiB"));
        out.put_slice(nal);
    }
    out.freeze()
}

/// `general_profile_space` to `general_level_idc` of a sequence parameter set (ITU-T H.265 section 7.3.3), as twelve bytes.
fn profile_tier_level(sps: &[u8]) -> Option<[u8; 12]> {
    // The NAL unit's header, and the byte of the VPS's id and the layers. An 03 behind two zeros is no part of it (section 7.3.1.1).
    let mut zeros = 0;
    let mut plain = sps.iter().copied().filter(|byte| {
        let inserted = zeros >= 2 && *byte == 3;
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        !inserted
    });
    let mut bytes = [0; 12];
    plain.nth(2)?;
    for byte in &mut bytes {
        *byte = plain.next()?;
    }
    Some(bytes)
}

/// HEVC's CODECS string (ISO/IEC 14496-15 annex E.3), e.g. `hvc1.1.6.L93.90`.
pub(crate) fn hevc_codecs(sps: &[u8]) -> String {
    let Some([general, c0, c1, c2, c3, constraints @ .., level]) = profile_tier_level(sps) else {
        return "hvc1".to_owned();
    };
    let space = ["", "A", "B", "C"][usize::from(general >> 6)];
    let tier = if general & 0x20 == 0 { 'L' } else { 'H' };
    let compatible = u32::from_be_bytes([c0, c1, c2, c3]).reverse_bits();
    let told = constraints.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let constraints: String = constraints[..told].iter().map(|byte| format!(".{byte:X}")).collect();
    format!("hvc1.{space}{}.{compatible:X}.{tier}{level}{constraints}", general & 0x1f)
}

/// HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 8.3.3.1) of 4:2:0 in 8 bits.
pub(crate) fn hevc_configuration(out: &mut Vec<u8>, sets: [&[u8]; 3]) {
    out.push(1);
    out.extend_from_slice(&profile_tier_level(sets[1]).unwrap_or_default());
    // No least segmentation, parallelism unknown, chroma format 1, two depths of 8 bits, no mean frame rate.
    out.extend_from_slice(&[0xf0, 0, 0xfc, 0xfd, 0xf8, 0xf8, 0, 0]);
    // One temporal layer, which nests; lengths of four bytes; three arrays.
    out.extend_from_slice(&[0x0f, 3]);
    for (kind, set) in [HEVC_VPS, HEVC_SPS, HEVC_PPS].into_iter().zip(sets) {
        // All of them stand here.
        out.extend_from_slice(&[0x80 | kind, 0, 1]);
        out.extend_from_slice(&u16::try_from(set.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend_from_slice(set);
    }
}

/// AV1's CODECS string (AV1 binding, section 5), e.g. `av01.0.05M.08`.
pub(crate) fn av1_codecs(sequence: &[u8]) -> String {
    let level = obus(sequence).next().and_then(|obu| sequence_level(obu.payload));
    level.map_or("av01".to_owned(), |(level, tier)| format!("av01.0.{level:02}{}.08", if tier { 'H' } else { 'M' }))
}

/// AV1CodecConfigurationRecord (AV1 binding, section 2.3.3) of the main profile in 8 bits.
pub(crate) fn av1_configuration(out: &mut Vec<u8>, sequence: &[u8]) {
    let (level, tier) = obus(sequence).next().and_then(|obu| sequence_level(obu.payload)).unwrap_or_default();
    // Marker and version; profile 0 and level; tier, 8 bits, color, 4:2:0 of unknown position; no delay said.
    out.extend_from_slice(&[0x81, level, u8::from(tier) << 7 | 0x0c, 0]);
    out.extend_from_slice(sequence);
}

/// `seq_level_idx` and whether `seq_tier` is the high one, of the first operating point (AV1 specification, section 5.5.1). `None` for what no encoder of
/// ours makes: another profile than the main one, still pictures, timing information.
fn sequence_level(header: &[u8]) -> Option<(u8, bool)> {
    let &[a, b, c, d, ..] = header else { return None };
    let bits = u32::from_be_bytes([a, b, c, d]);
    let read = |from: u32, count: u32| bits >> (32 - from - count) & ((1 << count) - 1);
    // seq_profile, still_picture, reduced_still_picture_header, timing_info_present_flag
    if read(0, 3) != 0 || read(3, 1) != 0 || read(4, 1) != 0 || read(5, 1) != 0 {
        return None;
    }
    // initial_display_delay_present_flag, operating_points_cnt_minus_1 and operating_point_idc are 18 bits.
    let level = u8::try_from(read(24, 5)).ok()?;
    Some((level, level > 7 && read(29, 1) == 1))
}

/// An open bitstream unit (AV1 specification, section 5.3).
struct Obu<'a> {
    kind: u8,
    header: u8,
    extension: Option<u8>,
    payload: &'a [u8],
}

impl Obu<'_> {
    /// With its size in it, as files want all of them.
    fn sized(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.payload.len() + 8);
        out.put_u8(self.header | 0x02);
        out.extend(self.extension);
        let mut left = self.payload.len();
        while left >= 0x80 {
            out.put_u8(u8::try_from(left & 0x7f).expect("seven bits") | 0x80);
            left >>= 7;
        }
        out.put_u8(u8::try_from(left).expect("seven bits"));
        out.put_slice(self.payload);
        out.freeze()
    }
}

/// The units of a temporal unit; what cannot be read ends it.
fn obus(mut bytes: &[u8]) -> impl Iterator<Item = Obu<'_>> {
    std::iter::from_fn(move || {
        let (&header, mut rest) = bytes.split_first()?;
        let extension = if header & 0x04 == 0 { None } else { Some(*rest.split_off_first()?) };
        let size = if header & 0x02 == 0 { rest.len() } else { leb128(&mut rest)? };
        let payload = rest.split_off(..size)?;
        bytes = rest;
        Some(Obu { kind: header >> 3 & 0x0f, header, extension, payload })
    })
}

/// AV1 specification, section 4.10.5.
fn leb128(bytes: &mut &[u8]) -> Option<usize> {
    let mut value = 0;
    for at in 0..8 {
        let byte = *bytes.split_off_first()?;
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_codes_of_both_lengths_are_found() {
        let stream = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 0, 0, 0, 1, 0x65, 4, 0, 0, 1, 0x06, 9];
        let units: Vec<&[u8]> = nal_units(&stream).collect();
        assert_eq!(units, [&[0x67, 1, 2][..], &[0x68, 3], &[0x65, 4], &[0x06, 9]]);
        assert_eq!(access_unit(Format::Avc, &stream)[..], [0, 0, 0, 2, 0x65, 4]);
    }

    /// x265 4.0's, of 1280x720 at 30 fps: main profile, level 3.1.
    const HEVC_SPS_OF_X265: [u8; 20] = [0x42, 1, 1, 1, 0x60, 0, 0, 3, 0, 0x90, 0, 0, 3, 0, 0, 3, 0, 0x5d, 0xa0, 2];

    #[test]
    fn hevc_says_its_profile_and_level_however_its_bytes_are_escaped() {
        assert_eq!(hevc_codecs(&HEVC_SPS_OF_X265), "hvc1.1.6.L93.90");
        assert_eq!(hevc_codecs(&HEVC_SPS_OF_X265[..10]), "hvc1");
        let stream = [[0, 0, 1].as_slice(), &[0x40, 1], &[0, 0, 1], &HEVC_SPS_OF_X265, &[0, 0, 1, 0x44, 1]].concat();
        let size = Size { width: 1280, height: 720 };
        let Some(TrackHeader::Hevc { vps, sps, pps, .. }) = header(Format::Hevc, size, &stream) else { panic!() };
        assert_eq!((&vps[..], &sps[..], &pps[..]), (&[0x40, 1][..], &HEVC_SPS_OF_X265[..], &[0x44, 1][..]));
        assert!(header(Format::Hevc, size, &stream[..10]).is_none());
        // A delimiter, an SEI and a picture.
        let unit = [0, 0, 1, 0x46, 1, 0, 0, 1, 0x4e, 1, 5, 0, 0, 1, 0x26, 1, 7];
        assert_eq!(access_unit(Format::Hevc, &unit)[..], [0, 0, 0, 3, 0x26, 1, 7]);
    }

    #[test]
    fn av1_says_its_level_and_has_no_delimiters() {
        // Main profile, one operating point, level 3.1 (5).
        let header_obu = [0x0a, 4, 0, 0, 0, 0x28];
        let size = Size { width: 1280, height: 720 };
        let Some(TrackHeader::Av1 { sequence, .. }) = header(Format::Av1, size, &header_obu) else { panic!() };
        assert_eq!((&sequence[..], av1_codecs(&sequence)), (&header_obu[..], "av01.0.05M.08".to_owned()));
        // One without a size gets one.
        assert!(
            matches!(header(Format::Av1, size, &[0x08, 0, 0, 0, 0x28]), Some(TrackHeader::Av1 { sequence, .. }) if sequence[..] == header_obu)
        );
        assert!(header(Format::Av1, size, &[0x0a, 4, 0x20, 0, 0, 0x28]).is_none(), "the high profile");
        let unit = [&[0x12, 0][..], &header_obu, &[0x32, 2, 8, 9]].concat();
        assert_eq!(access_unit(Format::Av1, &unit)[..], unit[2..]);
        assert!(access_unit(Format::Av1, &[0x32, 0xff, 0xff]).is_empty(), "cut off");
    }
}
