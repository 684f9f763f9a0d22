//! Frames to publish, and their packets: enough of RFC 6184, RFC 7741, RFC 9628 and the RTP payload format for AV1 to send, written apart from the
//! product's receiver so that each checks the other.

use std::sync::Arc;

/// The longest payload of a packet: what browsers keep to.
const PAYLOAD_BYTES: usize = 1_180;

/// How a clip is packetized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Video {
    H264,
    Vp8,
    Vp9,
    Av1,
}

/// One encoded frame.
#[derive(Debug, Clone)]
pub struct Frame {
    pub key: bool,
    /// H.264: an Annex B byte stream. VP8 and VP9: a frame. AV1: OBUs with their sizes.
    pub data: Vec<u8>,
}

/// Frames that are sent in a loop. The first is a key frame.
#[derive(Debug, Clone)]
pub struct Clip {
    pub codec: Video,
    pub frames_per_second: u32,
    pub frames: Vec<Frame>,
}

impl Clip {
    /// `seconds` of noise in the shape of `width` x `height` video at `bits_per_second`, with a key frame each second
    /// that is five times as large as the rest. No decoder would like it; every parser does.
    pub fn synthetic(codec: Video, (width, height): (u32, u32), bits_per_second: usize, seconds: u32) -> Self {
        let frames_per_second = 30;
        let mean = bits_per_second / 8 / (frames_per_second as usize + 4);
        let mut noise = Noise(u64::from(width) << 32 | u64::from(height));
        let frames = (0..seconds * frames_per_second)
            .map(|number| {
                let key = number % frames_per_second == 0;
                let size = if key { 5 * mean } else { mean };
                // Bytes of 1 to 255: no start code appears by chance.
                let body: Vec<u8> = (0..size).map(|_| (noise.next() % 255) as u8 + 1).collect();
                Frame { key, data: Self::frame(codec, key, (width, height), &body) }
            })
            .collect();
        Self { codec, frames_per_second, frames }
    }

    fn frame(codec: Video, key: bool, size: (u32, u32), body: &[u8]) -> Vec<u8> {
        let mut data = Vec::with_capacity(body.len() + 64);
        match codec {
            Video::H264 => {
                if key {
                    data.extend([0, 0, 0, 1]);
                    data.extend(sps(size.0, size.1));
                    data.extend([0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80]);
                }
                data.extend([0, 0, 0, 1, if key { 0x65 } else { 0x41 }, 0x88]);
            }
            Video::Vp8 if key => {
                let (width, height) = ((size.0 as u16).to_le_bytes(), (size.1 as u16).to_le_bytes());
                data.extend([0x10, 2, 0, 0x9d, 1, 0x2a, width[0], width[1], height[0], height[1]]);
            }
            Video::Vp8 => data.extend([0x11, 2, 0]),
            Video::Vp9 if key => {
                // Profile 0, shown, BT.601, the size (VP9 bitstream specification, section 6.2).
                data.extend(bytes_of(&format!(
                    "10000010{:024b}0100{:016b}{:016b}0000",
                    0x498342,
                    size.0 - 1,
                    size.1 - 1
                )));
            }
            // All references are the first slot, whose size it has.
            Video::Vp9 => data.extend([0x86, 0x3f, 0xc0, 0x02]),
            Video::Av1 => {
                if key {
                    let sequence = format!(
                        "00000000000{:012b}000001111{}",
                        0,
                        format_args!("1111{:016b}{:016b}1", size.0 - 1, size.1 - 1)
                    );
                    push_obu(&mut data, 1, &bytes_of(&sequence));
                }
                let header = if key { 0x10 } else { 0x30 };
                push_obu(&mut data, 6, &[&[header], body].concat());
                return data;
            }
        }
        data.extend(body);
        data
    }

    /// Frames of an IVF file of VP8, VP9 or AV1, with a key frame each `key_every` frames.
    pub fn from_ivf(codec: Video, bytes: &[u8], frames_per_second: u32, key_every: usize) -> Self {
        let (mut rest, mut frames) = (&bytes[32..], Vec::new());
        while let Some((header, after)) = rest.split_first_chunk::<12>() {
            let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
            frames.push(Frame { key: frames.len() % key_every == 0, data: after[..length].to_vec() });
            rest = &after[length..];
        }
        Self { codec, frames_per_second, frames }
    }

    /// The first key frame at or after frame `at`; the clip begins with one.
    pub fn key_frame_from(&self, at: usize) -> usize {
        (at..self.frames.len()).find(|&number| self.frames[number].key).unwrap_or(0)
    }

    /// Frames of an H.264 Annex B file, e.g. of `ffmpeg -c:v libx264 -bf 0 -bsf:v h264_metadata=aud=insert`: each
    /// begins with an access unit delimiter.
    pub fn from_annexb(bytes: &[u8], frames_per_second: u32) -> Self {
        let mut frames: Vec<Frame> = Vec::new();
        for unit in units(bytes) {
            let kind = unit[0] & 0x1f;
            if kind == 9 || frames.is_empty() {
                frames.push(Frame { key: false, data: Vec::new() });
            }
            if kind != 9
                && let Some(frame) = frames.last_mut()
            {
                frame.key |= kind == 5;
                frame.data.extend([0, 0, 0, 1]);
                frame.data.extend(unit);
            }
        }
        Self { codec: Video::H264, frames_per_second, frames }
    }
}

/// Bits as they are written, to whole bytes.
fn bytes_of(bits: &str) -> Vec<u8> {
    let byte = |chunk: &[u8]| u8::from_str_radix(&format!("{:0<8}", String::from_utf8_lossy(chunk)), 2).unwrap();
    bits.as_bytes().chunks(8).map(byte).collect()
}

/// An OBU with its size (AV1 specification, section 5.3).
fn push_obu(data: &mut Vec<u8>, kind: u8, body: &[u8]) {
    data.push(kind << 3 | 2);
    let mut length = body.len();
    while length >= 0x80 {
        data.push(length as u8 | 0x80);
        length >>= 7;
    }
    data.push(length as u8);
    data.extend(body);
}

/// OBUs without their sizes, and without temporal delimiters, as they travel. All in the file have sizes.
fn obus(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut obus = Vec::new();
    while let Some(&header) = bytes.first() {
        let mut at = 1 + usize::from(header >> 2 & 1);
        let (mut length, mut shift) = (0, 0);
        loop {
            length |= usize::from(bytes[at] & 0x7f) << shift;
            shift += 7;
            at += 1;
            if bytes[at - 1] & 0x80 == 0 {
                break;
            }
        }
        if header >> 3 & 0xf != 2 {
            let extension = &bytes[1..1 + usize::from(header >> 2 & 1)];
            obus.push([&[header & !2], extension, &bytes[at..at + length]].concat());
        }
        bytes = &bytes[at + length..];
    }
    obus
}

/// Baseline profile, level 3.1, as many macroblocks as asked for.
pub fn sps(width: u32, height: u32) -> Vec<u8> {
    let mut bits = format!("{:08b}{:016b}", 66, 0xc01f);
    let mut ue = |value: u32, fixed: &str| {
        let code = format!("{:b}", value + 1);
        bits.push_str(&"0".repeat(code.len() - 1));
        bits.push_str(&code);
        bits.push_str(fixed);
    };
    ue(0, ""); // seq_parameter_set_id
    ue(0, ""); // log2_max_frame_num_minus4
    ue(2, ""); // pic_order_cnt_type
    ue(1, "0"); // max_num_ref_frames, no gaps
    ue(width.div_ceil(16) - 1, "");
    ue(height.div_ceil(16) - 1, "11001"); // frames only, direct 8x8, no cropping, no VUI, stop bit
    std::iter::once(0x67).chain(bytes_of(&bits)).collect()
}

/// NAL units of an Annex B byte stream.
fn units(bytes: &[u8]) -> Vec<&[u8]> {
    let mut starts = Vec::new();
    let mut at = 0;
    while at + 3 <= bytes.len() {
        if bytes[at..at + 3] == [0, 0, 1] {
            starts.push(at + 3);
            at += 3;
        } else {
            at += 1;
        }
    }
    let mut units = Vec::new();
    for (number, &start) in starts.iter().enumerate() {
        let end = starts.get(number + 1).map_or(bytes.len(), |next| next - 3);
        let unit = &bytes[start..end];
        let trimmed = unit.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        if trimmed > 0 {
            units.push(&unit[..trimmed]);
        }
    }
    units
}

/// The RTP payloads of a frame, in order.
pub fn packetize(codec: Video, frame: &Frame) -> Vec<Arc<[u8]>> {
    let mut payloads: Vec<Arc<[u8]>> = Vec::new();
    match codec {
        Video::Vp8 => {
            for (number, piece) in frame.data.chunks(PAYLOAD_BYTES - 1).enumerate() {
                let descriptor = if number == 0 { 0x10 } else { 0 };
                payloads.push(std::iter::once(descriptor).chain(piece.iter().copied()).collect());
            }
        }
        Video::Vp9 => {
            let pieces: Vec<&[u8]> = frame.data.chunks(PAYLOAD_BYTES - 3).collect();
            for (number, piece) in pieces.iter().enumerate() {
                let begins = if number == 0 { 0x08 } else { 0 };
                let ends = if number + 1 == pieces.len() { 0x04 } else { 0 };
                let predicted = if frame.key { 0 } else { 0x40 };
                // With a picture id of 15 bits, always the same: nobody needs it.
                let descriptor = [0x80 | predicted | begins | ends, 0x81, 0x23];
                payloads.push(descriptor.iter().chain(*piece).copied().collect());
            }
        }
        Video::Av1 => {
            for obu in obus(&frame.data) {
                let pieces: Vec<&[u8]> = obu.chunks(PAYLOAD_BYTES - 1).collect();
                for (number, piece) in pieces.iter().enumerate() {
                    let continues = if number > 0 { 0x80 } else { 0 };
                    let goes_on = if number + 1 < pieces.len() { 0x40 } else { 0 };
                    let new_sequence = if frame.key && payloads.is_empty() { 0x08 } else { 0 };
                    // One element, which therefore has no length.
                    let aggregation = continues | goes_on | 0x10 | new_sequence;
                    payloads.push(std::iter::once(aggregation).chain(piece.iter().copied()).collect());
                }
            }
        }
        Video::H264 => {
            for unit in units(&frame.data) {
                if unit.len() <= PAYLOAD_BYTES {
                    payloads.push(unit.into());
                    continue;
                }
                let pieces: Vec<&[u8]> = unit[1..].chunks(PAYLOAD_BYTES - 2).collect();
                for (number, piece) in pieces.iter().enumerate() {
                    let start = if number == 0 { 0x80 } else { 0 };
                    let end = if number + 1 == pieces.len() { 0x40 } else { 0 };
                    let header = [unit[0] & 0xe0 | 28, start | end | unit[0] & 0x1f];
                    payloads.push(header.iter().chain(*piece).copied().collect());
                }
            }
        }
    }
    payloads
}

/// xorshift64*: the same bytes on every run and every machine.
#[derive(Debug, Clone)]
pub struct Noise(pub u64);

impl Noise {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0 = self.0.max(1);
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    /// Evenly distributed over 0..1.
    pub fn fraction(&mut self) -> f64 {
        self.next() as f64 / (1_u64 << 53) as f64
    }
}
