//! H.264 (RFC 6184): payloads of packetization modes 0 and 1 to an Annex B byte stream.

use super::{DepacketizeError, Depacketized, KeyStart};
use crate::picture_size::{PictureLimits, PictureSize};
use crate::sps::{Announced, h264_size};
use bytes::Bytes;

/// H.264 NAL unit types (ITU-T H.264 table 7-1, RFC 6184 table 1).
mod nal {
    pub(super) const SLICE: u8 = 1;
    pub(super) const IDR: u8 = 5;
    pub(super) const SPS: u8 = 7;
    pub(super) const PPS: u8 = 8;
    pub(super) const LAST_SINGLE: u8 = 23;
    pub(super) const STAP_A: u8 = 24;
    pub(super) const FU_A: u8 = 28;
    pub(super) const TYPE_MASK: u8 = 0x1f;
}

/// Annex B start code.
const START_CODE: [u8; 4] = [0, 0, 0, 1];
/// The longest parameter set that is remembered; real ones are under 100 bytes.
const MAX_PARAMETER_SET_BYTES: usize = 1_024;
/// Picture parameter sets that are remembered; encoders use one or two.
const MAX_PPS: usize = 8;

/// The depacketizer of one track. Remembers parameter sets, so that a key frame always carries its own.
#[derive(Debug, Clone)]
pub(super) struct H264 {
    limits: PictureLimits,
    sps: Option<Bytes>,
    pps: Vec<Bytes>,
}

impl H264 {
    /// `fmtp` may carry parameter sets out of band (`sprop-parameter-sets`, RFC 6184 section 8.1).
    pub(super) fn new(limits: PictureLimits, fmtp: &str) -> Self {
        let mut depacketizer = Self { limits, sps: None, pps: Vec::new() };
        let sets = fmtp.split(';').find_map(|pair| pair.trim().strip_prefix("sprop-parameter-sets="));
        for set in sets.unwrap_or("").split(',') {
            use base64::Engine;
            if let Ok(set) = base64::engine::general_purpose::STANDARD.decode(set) {
                depacketizer.remember(&set);
            }
        }
        depacketizer
    }

    pub(super) fn frame<'a>(
        &mut self,
        payloads: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Depacketized, DepacketizeError> {
        let mut frame = H264Frame::default();
        for payload in payloads {
            frame.push(payload)?;
        }
        frame.finish_fragment()?;
        let mut size = None;
        for range in &frame.units {
            let unit = &frame.data[range.clone()];
            if unit[0] & nal::TYPE_MASK == nal::SPS {
                size = Some(self.admitted(unit)?);
            }
            self.remember(unit);
        }
        if !frame.has(nal::IDR) && !(nal::SLICE..nal::IDR).any(|kind| frame.has(kind)) {
            return Err(DepacketizeError::Empty);
        }
        let key = frame.has(nal::IDR);
        if key && !(frame.has(nal::SPS) && frame.has(nal::PPS)) {
            let (data, announced) = self.with_parameter_sets(&frame)?;
            return Ok(Depacketized { data, key, size: size.or(Some(announced)) });
        }
        Ok(Depacketized { data: frame.data.into(), key, size })
    }

    /// The size that an SPS says is shown, of pictures that may be decoded.
    fn admitted(&self, sps: &[u8]) -> Result<PictureSize, DepacketizeError> {
        let Announced { coded, shown } = h264_size(sps).ok_or(DepacketizeError::Size(None))?;
        if self.limits.admit(coded) { Ok(shown) } else { Err(DepacketizeError::Size(Some(coded))) }
    }

    fn remember(&mut self, unit: &[u8]) {
        if unit.len() > MAX_PARAMETER_SET_BYTES {
            return;
        }
        match unit.first().map(|header| header & nal::TYPE_MASK) {
            Some(nal::SPS) if self.sps.as_deref() != Some(unit) => {
                self.sps = Some(Bytes::copy_from_slice(unit));
                self.pps.clear();
            }
            Some(nal::PPS) if !self.pps.iter().any(|known| *known == unit) => {
                if self.pps.len() == MAX_PPS {
                    self.pps.remove(0);
                }
                self.pps.push(Bytes::copy_from_slice(unit));
            }
            _ => {}
        }
    }

    /// A key frame whose parameter sets came earlier or in the SDP, with them in front.
    fn with_parameter_sets(&self, frame: &H264Frame) -> Result<(Bytes, PictureSize), DepacketizeError> {
        let Some(sps) = &self.sps else { return Err(DepacketizeError::Empty) };
        if self.pps.is_empty() {
            return Err(DepacketizeError::Empty);
        }
        let size = self.admitted(sps)?;
        let mut data = Vec::with_capacity(frame.data.len() + MAX_PARAMETER_SET_BYTES);
        for set in std::iter::once(sps).chain(&self.pps) {
            data.extend_from_slice(&START_CODE);
            data.extend_from_slice(set);
        }
        data.extend_from_slice(&frame.data);
        Ok((data.into(), size))
    }
}

/// NAL units of one access unit, as an Annex B byte stream.
#[derive(Default)]
struct H264Frame {
    data: Vec<u8>,
    /// Where each unit lies in `data`, without its start code. Never empty ranges.
    units: Vec<std::ops::Range<usize>>,
    /// A bit for each NAL unit type that is there.
    kinds: u32,
    /// Where the unit that is being put together from fragments begins.
    fragment: Option<usize>,
}

impl H264Frame {
    fn push(&mut self, payload: &[u8]) -> Result<(), DepacketizeError> {
        // Padding packets carry nothing (RFC 3550 section 5.1).
        let Some((&header, rest)) = payload.split_first() else { return Ok(()) };
        match header & nal::TYPE_MASK {
            nal::SLICE..=nal::LAST_SINGLE => {
                self.finish_fragment()?;
                self.unit(payload)
            }
            nal::STAP_A => {
                self.finish_fragment()?;
                let mut rest = rest;
                while let Some((length, tail)) = rest.split_first_chunk::<2>() {
                    let length = usize::from(u16::from_be_bytes(*length));
                    let (unit, tail) = tail.split_at_checked(length).ok_or(DepacketizeError::Short)?;
                    self.unit(unit)?;
                    rest = tail;
                }
                if rest.is_empty() { Ok(()) } else { Err(DepacketizeError::Short) }
            }
            nal::FU_A => self.fragment(header, rest),
            _ => Err(DepacketizeError::Structure),
        }
    }

    fn unit(&mut self, unit: &[u8]) -> Result<(), DepacketizeError> {
        let header = unit.first().ok_or(DepacketizeError::Short)?;
        self.kinds |= 1 << (header & nal::TYPE_MASK);
        self.data.extend_from_slice(&START_CODE);
        let begin = self.data.len();
        self.data.extend_from_slice(unit);
        self.units.push(begin..self.data.len());
        Ok(())
    }

    /// RFC 6184 section 5.8: indicator, header with start and end bits, then a piece of one NAL unit.
    fn fragment(&mut self, indicator: u8, rest: &[u8]) -> Result<(), DepacketizeError> {
        let (&fu_header, piece) = rest.split_first().ok_or(DepacketizeError::Short)?;
        let (start, end) = (fu_header & 0x80 != 0, fu_header & 0x40 != 0);
        if start == self.fragment.is_some() {
            return Err(DepacketizeError::Structure);
        }
        if start {
            self.kinds |= 1 << (fu_header & nal::TYPE_MASK);
            self.data.extend_from_slice(&START_CODE);
            self.fragment = Some(self.data.len());
            self.data.push(indicator & !nal::TYPE_MASK | fu_header & nal::TYPE_MASK);
        }
        self.data.extend_from_slice(piece);
        if end && let Some(begin) = self.fragment.take() {
            self.units.push(begin..self.data.len());
        }
        Ok(())
    }

    fn finish_fragment(&mut self) -> Result<(), DepacketizeError> {
        if self.fragment.is_some() { Err(DepacketizeError::Structure) } else { Ok(()) }
    }

    fn has(&self, kind: u8) -> bool {
        self.kinds & 1 << kind != 0
    }
}

/// Whether a key frame may begin with this payload.
pub(super) fn key_start(payload: &[u8]) -> KeyStart {
    let kind = |byte: u8| byte & nal::TYPE_MASK;
    // first_mb_in_slice, the first ue(v) of a slice header, is 0 exactly if its first bit is 1 (section 7.3.3).
    let first_slice = |byte: Option<&u8>| byte.is_some_and(|byte| byte & 0x80 != 0);
    match payload {
        [header, ..] if kind(*header) == nal::SPS => KeyStart::Certain,
        [header, rest @ ..] if kind(*header) == nal::IDR && first_slice(rest.first()) => KeyStart::IfFirst,
        [header, _, _, unit, ..] if kind(*header) == nal::STAP_A && kind(*unit) == nal::SPS => KeyStart::Certain,
        [header, rest @ ..] if kind(*header) == nal::STAP_A => {
            // An access unit delimiter or SEI may stand before the parameter sets.
            let mut rest = rest;
            while let [high, low, tail @ ..] = rest {
                match tail.first().copied().map(kind) {
                    Some(nal::SPS | nal::IDR) => return KeyStart::IfFirst,
                    _ => {
                        let length = usize::from(u16::from_be_bytes([*high, *low]));
                        rest = tail.get(length..).unwrap_or(&[]);
                    }
                }
            }
            KeyStart::No
        }
        [header, fu_header, rest @ ..]
            if kind(*header) == nal::FU_A
                && fu_header & 0x80 != 0
                && kind(*fu_header) == nal::IDR
                && first_slice(rest.first()) =>
        {
            KeyStart::IfFirst
        }
        _ => KeyStart::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PPS: [u8; 4] = [0x68, 0xce, 0x38, 0x80];

    fn sps() -> Vec<u8> {
        crate::sps::baseline(40, 23)
    }

    fn h264() -> H264 {
        H264::new(PictureLimits::default(), "packetization-mode=1")
    }

    fn join(depacketizer: &mut H264, payloads: &[&[u8]]) -> Result<Depacketized, DepacketizeError> {
        depacketizer.frame(payloads.iter().copied())
    }

    fn stap(units: &[&[u8]]) -> Vec<u8> {
        let mut payload = vec![0x78];
        for unit in units {
            payload.extend((unit.len() as u16).to_be_bytes());
            payload.extend(*unit);
        }
        payload
    }

    fn annexb(units: &[&[u8]]) -> Vec<u8> {
        units.iter().flat_map(|unit| [&START_CODE[..], unit].concat()).collect()
    }

    #[test]
    fn single_units_aggregates_and_fragments_become_one_byte_stream() {
        let frame =
            join(&mut h264(), &[&stap(&[&sps(), &PPS]), &[0x7c, 0x85, 0x88, 1], &[0x7c, 0x05, 2], &[0x7c, 0x45, 3]])
                .unwrap();
        assert!(frame.key);
        assert_eq!(frame.data[..], annexb(&[&sps(), &PPS, &[0x65, 0x88, 1, 2, 3]])[..]);
        let frame = join(&mut h264(), &[&[0x41, 0x9a, 7]]).unwrap();
        assert!(!frame.key);
        assert_eq!(frame.data[..], annexb(&[&[0x41, 0x9a, 7]])[..]);
    }

    #[test]
    fn a_key_frame_without_parameter_sets_gets_those_that_came_before() {
        let mut depacketizer = h264();
        let bare: &[u8] = &[0x65, 0x88, 9];
        assert_eq!(join(&mut depacketizer, &[bare]), Err(DepacketizeError::Empty));
        join(&mut depacketizer, &[&stap(&[&sps(), &PPS, bare])]).unwrap();
        let frame = join(&mut depacketizer, &[bare]).unwrap();
        assert_eq!(frame.data[..], annexb(&[&sps(), &PPS, bare])[..]);
        assert_eq!(frame.size, Some(PictureSize { width: 640, height: 368 }));
    }

    #[test]
    fn parameter_sets_may_stand_in_the_sdp() {
        use base64::Engine;
        let encode = |set: &[u8]| base64::engine::general_purpose::STANDARD.encode(set);
        let fmtp = format!("packetization-mode=1;sprop-parameter-sets={},{}", encode(&sps()), encode(&PPS));
        let mut depacketizer = H264::new(PictureLimits::default(), &fmtp);
        let frame = join(&mut depacketizer, &[&[0x65, 0x88, 9]]).unwrap();
        assert_eq!(frame.data[..], annexb(&[&sps(), &PPS, &[0x65, 0x88, 9]])[..]);
    }

    #[test]
    fn what_is_broken_is_refused_by_name() {
        let check = |payloads: &[&[u8]], want| assert_eq!(join(&mut h264(), payloads), Err(want), "{payloads:?}");
        check(&[&[0x7c]], DepacketizeError::Short);
        check(&[&[0x7c, 0x05, 1]], DepacketizeError::Structure);
        check(&[&[0x7c, 0x85, 1], &[0x7c, 0x85, 1]], DepacketizeError::Structure);
        check(&[&[0x7c, 0x85, 1]], DepacketizeError::Structure);
        check(&[&[0x7c, 0x85, 1], &[0x41, 1]], DepacketizeError::Structure);
        check(&[&[0x78, 0, 9, 1]], DepacketizeError::Short);
        check(&[&[0x78, 0]], DepacketizeError::Short);
        check(&[&[0x78, 0, 0]], DepacketizeError::Short);
        check(&[&[0x79, 1, 2]], DepacketizeError::Structure);
        check(&[&[0x06, 1]], DepacketizeError::Empty);
        check(&[&[0x67, 0x42], &[0x65, 0x88]], DepacketizeError::Size(None));
        check(&[], DepacketizeError::Empty);
    }

    #[test]
    fn pictures_beyond_the_limits_are_refused_with_their_size() {
        let limits = PictureLimits { max_width: 320, ..PictureLimits::default() };
        let mut depacketizer = H264::new(limits, "");
        let refused = join(&mut depacketizer, &[&stap(&[&sps(), &PPS]), &[0x65, 0x88]]);
        assert!(matches!(refused, Err(DepacketizeError::Size(Some(size))) if size.width == 640), "{refused:?}");
        // Nor is the refused set used later.
        assert!(join(&mut depacketizer, &[&[0x65, 0x88]]).is_err());
    }

    #[test]
    fn key_frames_are_recognised_by_their_first_packet() {
        let check = |payload: &[u8], want| assert_eq!(key_start(payload), want, "{payload:x?}");
        check(&stap(&[&sps(), &PPS]), KeyStart::Certain);
        check(&sps(), KeyStart::Certain);
        check(&stap(&[&[9, 0x10], &sps(), &PPS]), KeyStart::IfFirst);
        check(&[0x65, 0x88], KeyStart::IfFirst);
        check(&[0x65, 0x08], KeyStart::No);
        check(&[0x7c, 0x85, 0x88], KeyStart::IfFirst);
        check(&[0x7c, 0x05, 0x88], KeyStart::No);
        check(&[0x41, 0x9a], KeyStart::No);
        check(&[], KeyStart::No);
    }
}
