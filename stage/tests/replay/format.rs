//! How captured sessions are kept: what a session core was given, in order, little-endian, one record after the other.
//!
//! A record is a kind (one byte), the session clock (i64, microseconds) and, by kind:
//! 0 negotiated: codec (0 H.264, 1 VP8, 2 Opus, 3 VP9, 4 AV1), payload type, RTX payload type or 255, SSRC (u32) or 0, mid and fmtp
//! (each a u16 length and text);
//! 4 negotiated, with simulcast: as 0, then the number of layers and their names (each a u16 length and text);
//! 1 RTP: SSRC (u32), payload type, sequence (u16), timestamp (u32), marker, payload (u16 length and bytes);
//! 3 RTP that names its layer: as 1, then the layer (u8);
//! 2 sender report: SSRC (u32), NTP (u64), RTP timestamp (u32).

use bytes::Bytes;
use footlight_media::codec::Codec;
use footlight_media::time::SessionTime;
use footlight_media::track::TrackId;
use footlight_stage::sdp::OfferedMedia;
use footlight_stage::session::{Input, RtpPacket, SenderReport};
use footlight_stage::simulcast::Simulcast;

const CODECS: [Codec; 5] = [Codec::H264, Codec::Vp8, Codec::Opus, Codec::Vp9, Codec::Av1];
const NO_RTX: u8 = 255;

/// Appends a record. Inputs that come from nobody outside are left out.
pub fn write(out: &mut Vec<u8>, now: SessionTime, input: &Input) {
    let kind = match input {
        Input::Negotiated { media, .. } => {
            if media.simulcast.is_some() {
                4
            } else {
                0
            }
        }
        Input::Rtp(packet) => {
            if packet.layer.is_some() {
                3
            } else {
                1
            }
        }
        Input::Report(_) => 2,
        Input::KeyFrameWanted(_) | Input::Shown(..) | Input::Timeout => return,
    };
    out.push(kind);
    out.extend(now.as_micros().to_le_bytes());
    let text = |out: &mut Vec<u8>, bytes: &[u8]| {
        out.extend((bytes.len() as u16).to_le_bytes());
        out.extend(bytes);
    };
    match input {
        Input::Negotiated { media, .. } => {
            out.push(CODECS.iter().position(|codec| *codec == media.codec).map_or(0, |at| at as u8));
            out.extend([media.payload_type, media.rtx_payload_type.unwrap_or(NO_RTX)]);
            out.extend(media.ssrc.unwrap_or(0).to_le_bytes());
            text(out, media.mid.as_bytes());
            text(out, media.fmtp.as_bytes());
            if let Some(simulcast) = &media.simulcast {
                out.push(simulcast.rids.len() as u8);
                simulcast.rids.iter().for_each(|rid| text(out, rid.as_bytes()));
            }
        }
        Input::Rtp(packet) => {
            out.extend(packet.ssrc.to_le_bytes());
            out.push(packet.payload_type);
            out.extend(packet.sequence.to_le_bytes());
            out.extend(packet.timestamp.to_le_bytes());
            out.push(packet.marker.into());
            text(out, &packet.payload);
            out.extend(packet.layer.map(|layer| layer as u8));
        }
        Input::Report(report) => {
            out.extend(report.ssrc.to_le_bytes());
            out.extend(report.ntp.to_le_bytes());
            out.extend(report.rtp.to_le_bytes());
        }
        Input::KeyFrameWanted(_) | Input::Shown(..) | Input::Timeout => {}
    }
}

/// Reads all records. Tracks are numbered in the order in which they were negotiated.
///
/// # Panics
///
/// Where the bytes are no such records.
pub fn read(bytes: &[u8]) -> Vec<(SessionTime, Input)> {
    let mut reader = Reader { bytes };
    let mut inputs = Vec::new();
    let mut tracks = 0;
    while !reader.bytes.is_empty() {
        let kind = reader.array::<1>()[0];
        let now = SessionTime::from_micros(i64::from_le_bytes(reader.array()));
        let input = match kind {
            0 | 4 => {
                tracks += 1;
                let [codec, payload_type, rtx] = reader.array();
                let ssrc = u32::from_le_bytes(reader.array());
                let mid = String::from_utf8_lossy(reader.text()).into_owned();
                let fmtp = String::from_utf8_lossy(reader.text()).into_owned();
                let count = if kind == 4 { reader.array::<1>()[0] } else { 0 };
                let rids: Vec<String> =
                    (0..count).map(|_| String::from_utf8_lossy(reader.text()).into_owned()).collect();
                let simulcast =
                    (kind == 4).then_some(Simulcast { rids, rid_extension: 0, repaired_rid_extension: None });
                let media = OfferedMedia {
                    mid,
                    codec: CODECS[usize::from(codec)],
                    payload_type,
                    fmtp,
                    rtx_payload_type: (rtx != NO_RTX).then_some(rtx),
                    ssrc: (ssrc != 0).then_some(ssrc),
                    simulcast,
                };
                Input::Negotiated { track: TrackId(tracks), media }
            }
            1 | 3 => Input::Rtp(RtpPacket {
                ssrc: u32::from_le_bytes(reader.array()),
                payload_type: reader.array::<1>()[0],
                sequence: u16::from_le_bytes(reader.array()),
                timestamp: u32::from_le_bytes(reader.array()),
                marker: reader.array::<1>()[0] != 0,
                recovered: false,
                payload: Bytes::copy_from_slice(reader.text()),
                layer: (kind == 3).then(|| usize::from(reader.array::<1>()[0])),
            }),
            2 => Input::Report(SenderReport {
                ssrc: u32::from_le_bytes(reader.array()),
                ntp: u64::from_le_bytes(reader.array()),
                rtp: u32::from_le_bytes(reader.array()),
            }),
            other => panic!("no record is of kind {other}"),
        };
        inputs.push((now, input));
    }
    inputs
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> [u8; N] {
        let (head, rest) = self.bytes.split_first_chunk().expect("a whole record");
        self.bytes = rest;
        *head
    }

    fn text(&mut self) -> &'a [u8] {
        let length = u16::from_le_bytes(self.array());
        let (text, rest) = self.bytes.split_at(usize::from(length));
        self.bytes = rest;
        text
    }
}
