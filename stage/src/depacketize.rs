//! From RTP payloads to a frame: H.264 (RFC 6184), VP8 (RFC 7741), Opus (RFC 7587). Strangers wrote every byte.

use crate::sps::{self, PictureLimits, PictureSize};
use bytes::Bytes;
use footlight_media::codec::Codec;

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

/// A frame as the decoder gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depacketized {
    /// In the form that [`Codec`] names.
    pub data: Bytes,
    /// Whether a decoder can begin here.
    pub key: bool,
    /// The size that a key frame announces.
    pub size: Option<PictureSize>,
}

/// Why packets did not make a frame. All are the peer's fault, and a key frame repairs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DepacketizeError {
    /// A payload ends before what its header announces.
    #[error("a payload that ends early")]
    Short,
    /// Fragments that do not follow each other, or a payload type of RFC 6184 that was not negotiated.
    #[error("fragments out of order or of an unknown type")]
    Structure,
    /// The picture is larger than [`PictureLimits`] or its size cannot be read.
    #[error("a picture of a size that is not taken")]
    Size(Option<PictureSize>),
    /// Nothing that a decoder could use.
    #[error("no picture in it")]
    Empty,
}

/// The depacketizer of one track. Remembers H.264 parameter sets, so that a key frame always carries its own.
#[derive(Debug, Clone)]
pub struct Depacketizer {
    codec: Codec,
    limits: PictureLimits,
    sps: Option<Bytes>,
    pps: Vec<Bytes>,
}

impl Depacketizer {
    /// `fmtp` may carry parameter sets out of band (`sprop-parameter-sets`, RFC 6184 section 8.1).
    pub fn new(codec: Codec, limits: PictureLimits, fmtp: &str) -> Self {
        let mut depacketizer = Self { codec, limits, sps: None, pps: Vec::new() };
        if codec == Codec::H264 {
            let sets = fmtp.split(';').find_map(|pair| pair.trim().strip_prefix("sprop-parameter-sets="));
            for set in sets.unwrap_or("").split(',') {
                use base64::Engine;
                if let Ok(set) = base64::engine::general_purpose::STANDARD.decode(set) {
                    depacketizer.remember(&set);
                }
            }
        }
        depacketizer
    }

    /// Joins the payloads of one frame, in order.
    pub fn frame<'a>(&mut self, payloads: impl Iterator<Item = &'a [u8]>) -> Result<Depacketized, DepacketizeError> {
        match self.codec {
            Codec::H264 => self.h264(payloads),
            Codec::Vp8 => self.vp8(payloads),
            Codec::Opus => {
                let mut data = Vec::new();
                payloads.for_each(|payload| data.extend_from_slice(payload));
                if data.is_empty() {
                    return Err(DepacketizeError::Empty);
                }
                Ok(Depacketized { data: data.into(), key: true, size: None })
            }
        }
    }

    fn vp8<'a>(&self, payloads: impl Iterator<Item = &'a [u8]>) -> Result<Depacketized, DepacketizeError> {
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
        let size = sps::vp8_size(&data);
        if key && !size.is_some_and(|size| self.limits.admit(size)) {
            return Err(DepacketizeError::Size(size));
        }
        Ok(Depacketized { data: data.into(), key, size })
    }

    fn h264<'a>(&mut self, payloads: impl Iterator<Item = &'a [u8]>) -> Result<Depacketized, DepacketizeError> {
        let mut frame = H264Frame::default();
        for payload in payloads {
            frame.push(payload)?;
        }
        frame.finish_fragment()?;
        let mut size = None;
        for range in &frame.units {
            let unit = &frame.data[range.clone()];
            if unit[0] & nal::TYPE_MASK == nal::SPS {
                let announced = sps::h264_size(unit).map_err(|_| DepacketizeError::Size(None))?;
                if !self.limits.admit(announced) {
                    return Err(DepacketizeError::Size(Some(announced)));
                }
                size = Some(announced);
            }
            self.remember(unit);
        }
        if !frame.has(nal::IDR) && !(nal::SLICE..nal::IDR).any(|kind| frame.has(kind)) {
            return Err(DepacketizeError::Empty);
        }
        let key = frame.has(nal::IDR);
        if key && !(frame.has(nal::SPS) && frame.has(nal::PPS)) {
            return Ok(Depacketized { data: self.with_parameter_sets(&frame)?, key, size });
        }
        Ok(Depacketized { data: frame.data.into(), key, size })
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
    fn with_parameter_sets(&self, frame: &H264Frame) -> Result<Bytes, DepacketizeError> {
        let Some(sps) = &self.sps else { return Err(DepacketizeError::Empty) };
        let size = sps::h264_size(sps).map_err(|_| DepacketizeError::Size(None))?;
        if self.pps.is_empty() {
            return Err(DepacketizeError::Empty);
        }
        if !self.limits.admit(size) {
            return Err(DepacketizeError::Size(Some(size)));
        }
        let mut data = Vec::with_capacity(frame.data.len() + MAX_PARAMETER_SET_BYTES);
        for set in std::iter::once(sps).chain(&self.pps) {
            data.extend_from_slice(&START_CODE);
            data.extend_from_slice(set);
        }
        data.extend_from_slice(&frame.data);
        Ok(data.into())
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
        Codec::Vp8 => match Vp8Descriptor::parse(payload) {
            Ok(descriptor) if descriptor.starts_frame && payload[descriptor.bytes] & 1 == 0 => KeyStart::Certain,
            _ => KeyStart::No,
        },
        Codec::H264 => h264_key_start(payload),
    }
}

fn h264_key_start(payload: &[u8]) -> KeyStart {
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
