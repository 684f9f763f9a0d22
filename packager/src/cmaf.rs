//! CMAF bytes (ISO/IEC 23000-19 over ISO/IEC 14496-12): init segments and chunks, one track per file. Pure, and only what we send.
//!
//! A part of a segment is one CMAF chunk (moof and mdat); a segment is the concatenation of its parts. Decode times have a base of ten
//! seconds, so that the priming of AAC never makes one negative; there are no edit lists.

use crate::coded;
use crate::layout::Size;
use bytes::Bytes;
use footlight_media::time::Timescale;

/// Added to every decode time, in seconds. WebVTT's X-TIMESTAMP-MAP has the same.
pub const DECODE_TIME_BASE_SECONDS: u64 = 10;

/// Every file holds one track, and this is its number.
const TRACK_ID: u32 = 1;

/// sample_flags of a sync sample: depends on no other (ISO/IEC 14496-12 section 8.8.3.1).
const FLAGS_SYNC: u32 = 0x0200_0000;
/// sample_flags of any other: depends on others and is no sync sample.
const FLAGS_NON_SYNC: u32 = 0x0101_0000;

/// One access unit of a chunk.
#[derive(Debug, Clone)]
pub struct Sample {
    /// In ticks of the track's timescale.
    pub duration: u32,
    /// Whether a decoder can begin here.
    pub key: bool,
    /// AVC and HEVC: NAL units behind 32-bit big-endian lengths. AV1: OBUs with their sizes. AAC: one raw frame without ADTS.
    pub data: Bytes,
}

/// What an init segment says of its track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrackHeader {
    /// H.264 with its parameter sets in the sample entry (`avc1`).
    Avc {
        /// Coded picture after cropping.
        size: Size,
        /// Sequence parameter set with its NAL header.
        sps: Bytes,
        /// Picture parameter set with its NAL header.
        pps: Bytes,
    },
    /// HEVC with its parameter sets in the sample entry (`hvc1`).
    Hevc {
        /// Coded picture after cropping.
        size: Size,
        /// Video parameter set with its NAL header.
        vps: Bytes,
        /// Sequence parameter set with its NAL header.
        sps: Bytes,
        /// Picture parameter set with its NAL header.
        pps: Bytes,
    },
    /// AV1 (`av01`), main profile.
    Av1 {
        /// Coded picture.
        size: Size,
        /// The sequence header as an OBU with its size.
        sequence: Bytes,
    },
    /// AAC-LC.
    Aac {
        /// AudioSpecificConfig (ISO/IEC 14496-3 section 1.6.2.1).
        config: Bytes,
        /// Sample rate, which is also the timescale.
        rate: Timescale,
        /// Mean rate in bits per second.
        bitrate_bps: u32,
    },
}

impl TrackHeader {
    /// The CODECS string of RFC 6381, e.g. `avc1.640020` or `mp4a.40.2`.
    pub fn codecs(&self) -> String {
        match self {
            // profile_idc, constraint flags and level_idc are the three bytes after the NAL header (ISO/IEC 14496-15).
            Self::Avc { sps, .. } => match sps.get(1..4) {
                Some([profile, constraints, level]) => format!("avc1.{profile:02X}{constraints:02X}{level:02X}"),
                _ => "avc1".to_owned(),
            },
            Self::Hevc { sps, .. } => coded::hevc_codecs(sps),
            Self::Av1 { sequence, .. } => coded::av1_codecs(sequence),
            Self::Aac { .. } => "mp4a.40.2".to_owned(),
        }
    }

    const fn timescale(&self) -> Timescale {
        match self {
            Self::Avc { .. } | Self::Hevc { .. } | Self::Av1 { .. } => Timescale::VIDEO,
            Self::Aac { rate, .. } => *rate,
        }
    }

    /// Of a picture; `None` for sound.
    const fn size(&self) -> Option<Size> {
        match self {
            Self::Avc { size, .. } | Self::Hevc { size, .. } | Self::Av1 { size, .. } => Some(*size),
            Self::Aac { .. } => None,
        }
    }
}

/// The init segment: ftyp and moov, with no samples of its own.
pub fn init_segment(track: &TrackHeader) -> Bytes {
    let mut out = Vec::with_capacity(1024);
    boxed(&mut out, b"ftyp", |b| {
        b.extend_from_slice(b"iso6");
        put_u32(b, 0);
        for brand in [b"iso6", b"cmfc", b"mp41"] {
            b.extend_from_slice(brand);
        }
    });
    boxed(&mut out, b"moov", |b| {
        movie_header(b, track.timescale());
        boxed(b, b"trak", |b| {
            track_header(b, track);
            boxed(b, b"mdia", |b| media(b, track));
        });
        boxed(b, b"mvex", |b| {
            full_box(b, b"trex", 0, 0, |b| [TRACK_ID, 1, 0, 0, 0].iter().for_each(|v| put_u32(b, *v)));
        });
    });
    Bytes::from(out)
}

/// One chunk: moof and mdat. `sequence` numbers the chunks of a track (mfhd), `decode_time` is in ticks of the track's timescale, the base
/// included.
pub fn chunk(sequence: u32, decode_time: u64, samples: &[Sample]) -> Bytes {
    let payload: usize = samples.iter().map(|s| s.data.len()).sum();
    let mut out = Vec::with_capacity(payload + 128 + 12 * samples.len());
    let mut data_offset_at = 0;
    boxed(&mut out, b"moof", |b| {
        full_box(b, b"mfhd", 0, 0, |b| put_u32(b, sequence));
        boxed(b, b"traf", |b| {
            // 0x020000: default-base-is-moof, which CMAF requires.
            full_box(b, b"tfhd", 0, 0x02_0000, |b| put_u32(b, TRACK_ID));
            full_box(b, b"tfdt", 1, 0, |b| b.extend_from_slice(&decode_time.to_be_bytes()));
            // data offset, and per sample its duration, size and flags.
            full_box(b, b"trun", 0, 0x00_0701, |b| {
                put_u32(b, u32::try_from(samples.len()).expect("a part has tens of samples"));
                data_offset_at = b.len();
                put_u32(b, 0);
                for sample in samples {
                    put_u32(b, sample.duration);
                    put_u32(b, u32::try_from(sample.data.len()).expect("a frame is below 4 GiB"));
                    put_u32(b, if sample.key { FLAGS_SYNC } else { FLAGS_NON_SYNC });
                }
            });
        });
    });
    // The offset counts from the moof's first byte to the first byte after the mdat's 8-byte header.
    let data_offset = u32::try_from(out.len() + 8).expect("headers of tens of samples");
    out[data_offset_at..data_offset_at + 4].copy_from_slice(&data_offset.to_be_bytes());
    boxed(&mut out, b"mdat", |b| samples.iter().for_each(|s| b.extend_from_slice(&s.data)));
    Bytes::from(out)
}

fn movie_header(out: &mut Vec<u8>, timescale: Timescale) {
    full_box(out, b"mvhd", 0, 0, |b| {
        // creation, modification, timescale, duration (0: in fragments)
        [0, 0, timescale.ticks_per_second(), 0].iter().for_each(|v| put_u32(b, *v));
        put_u32(b, 0x0001_0000); // rate 1.0
        put_u16(b, 0x0100); // volume 1.0
        b.extend_from_slice(&[0; 10]);
        unity_matrix(b);
        b.extend_from_slice(&[0; 24]);
        put_u32(b, TRACK_ID + 1); // next_track_ID
    });
}

fn track_header(out: &mut Vec<u8>, track: &TrackHeader) {
    let (size, volume) = track.size().map_or((Size { width: 0, height: 0 }, 0x0100), |size| (size, 0));
    // flags 3: enabled, in movie
    full_box(out, b"tkhd", 0, 3, |b| {
        [0, 0, TRACK_ID, 0, 0].iter().for_each(|v| put_u32(b, *v));
        b.extend_from_slice(&[0; 8]);
        [0, 0, volume, 0].iter().for_each(|v| put_u16(b, *v)); // layer, alternate group, volume, reserved
        unity_matrix(b);
        put_u32(b, size.width << 16);
        put_u32(b, size.height << 16);
    });
}

fn media(out: &mut Vec<u8>, track: &TrackHeader) {
    full_box(out, b"mdhd", 0, 0, |b| {
        [0, 0, track.timescale().ticks_per_second(), 0].iter().for_each(|v| put_u32(b, *v));
        put_u16(b, 0x55c4); // language "und", five bits a letter
        put_u16(b, 0);
    });
    let (handler, name): (&[u8; 4], &[u8]) =
        if track.size().is_some() { (b"vide", b"video\0") } else { (b"soun", b"audio\0") };
    full_box(out, b"hdlr", 0, 0, |b| {
        put_u32(b, 0);
        b.extend_from_slice(handler);
        b.extend_from_slice(&[0; 12]);
        b.extend_from_slice(name);
    });
    boxed(out, b"minf", |b| {
        match track.size() {
            Some(_) => full_box(b, b"vmhd", 0, 1, |b| b.extend_from_slice(&[0; 8])),
            None => full_box(b, b"smhd", 0, 0, |b| b.extend_from_slice(&[0; 4])),
        }
        boxed(b, b"dinf", |b| {
            full_box(b, b"dref", 0, 0, |b| {
                put_u32(b, 1);
                full_box(b, b"url ", 0, 1, |_| {}); // flag 1: the media is in this file
            });
        });
        boxed(b, b"stbl", |b| {
            full_box(b, b"stsd", 0, 0, |b| {
                put_u32(b, 1);
                match track {
                    TrackHeader::Avc { size, sps, pps } => {
                        visual_sample_entry(b, b"avc1", *size, |b| {
                            boxed(b, b"avcC", |b| avc_configuration(b, sps, pps))
                        });
                    }
                    TrackHeader::Hevc { size, vps, sps, pps } => visual_sample_entry(b, b"hvc1", *size, |b| {
                        boxed(b, b"hvcC", |b| coded::hevc_configuration(b, [vps, sps, pps]));
                    }),
                    TrackHeader::Av1 { size, sequence } => visual_sample_entry(b, b"av01", *size, |b| {
                        boxed(b, b"av1C", |b| coded::av1_configuration(b, sequence));
                    }),
                    TrackHeader::Aac { config, rate, bitrate_bps } => aac_sample_entry(b, config, *rate, *bitrate_bps),
                }
            });
            full_box(b, b"stts", 0, 0, |b| put_u32(b, 0));
            full_box(b, b"stsc", 0, 0, |b| put_u32(b, 0));
            full_box(b, b"stsz", 0, 0, |b| b.extend_from_slice(&[0; 8]));
            full_box(b, b"stco", 0, 0, |b| put_u32(b, 0));
        });
    });
}

/// VisualSampleEntry (ISO/IEC 14496-12 section 12.1.3) with the box that its codec wants.
fn visual_sample_entry(out: &mut Vec<u8>, kind: &[u8; 4], size: Size, configuration: impl FnOnce(&mut Vec<u8>)) {
    let to_u16 = |v: u32| u16::try_from(v).unwrap_or(u16::MAX);
    boxed(out, kind, |b| {
        b.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 1]); // reserved, data_reference_index
        b.extend_from_slice(&[0; 16]);
        put_u16(b, to_u16(size.width));
        put_u16(b, to_u16(size.height));
        put_u32(b, 0x0048_0000); // 72 dpi
        put_u32(b, 0x0048_0000);
        put_u32(b, 0);
        put_u16(b, 1); // frames per sample
        b.extend_from_slice(&[0; 32]); // compressor name
        put_u16(b, 0x0018); // depth
        put_u16(b, 0xffff);
        configuration(b);
        boxed(b, b"colr", |b| {
            b.extend_from_slice(b"nclx");
            [1, 1, 1].iter().for_each(|v| put_u16(b, *v)); // BT.709
            b.push(0); // limited range
        });
        boxed(b, b"pasp", |b| [1, 1].iter().for_each(|v| put_u32(b, *v)));
    });
}

/// AVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 5.3.3.1).
fn avc_configuration(out: &mut Vec<u8>, sps: &[u8], pps: &[u8]) {
    let to_u16 = |v: usize| u16::try_from(v).unwrap_or(u16::MAX);
    out.push(1);
    out.extend_from_slice(sps.get(1..4).unwrap_or(&[0; 3]));
    out.push(0xff); // lengths of four bytes
    out.push(0xe1); // one SPS
    put_u16(out, to_u16(sps.len()));
    out.extend_from_slice(sps);
    out.push(1);
    put_u16(out, to_u16(pps.len()));
    out.extend_from_slice(pps);
    // High and above say chroma format and bit depths once more: 4:2:0, 8 bits.
    if sps.get(1).is_some_and(|profile| ![66, 77, 88].contains(profile)) {
        out.extend_from_slice(&[0xfd, 0xf8, 0xf8, 0]);
    }
}

/// AudioSampleEntry and ES_Descriptor (ISO/IEC 14496-1 section 7.2.6.5).
fn aac_sample_entry(out: &mut Vec<u8>, config: &[u8], rate: Timescale, bitrate_bps: u32) {
    boxed(out, b"mp4a", |b| {
        b.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 1]);
        b.extend_from_slice(&[0; 8]);
        [2, 16, 0, 0].iter().for_each(|v| put_u16(b, *v)); // stereo, 16 bits
        put_u32(b, rate.ticks_per_second() << 16);
        full_box(b, b"esds", 0, 0, |b| {
            descriptor(b, 0x03, |b| {
                b.extend_from_slice(&[0, 1, 0]); // ES_ID 1, no flags
                descriptor(b, 0x04, |b| {
                    b.extend_from_slice(&[0x40, 0x15, 0, 0, 0]); // MPEG-4 audio, audio stream, no buffer size
                    put_u32(b, bitrate_bps);
                    put_u32(b, bitrate_bps);
                    descriptor(b, 0x05, |b| b.extend_from_slice(config));
                });
                descriptor(b, 0x06, |b| b.push(2)); // SL config: MP4
            });
        });
    });
}

fn unity_matrix(out: &mut Vec<u8>) {
    [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000].iter().for_each(|v| put_u32(out, *v));
}

/// A box: its size, counted afterwards, its four letters, its content.
fn boxed(out: &mut Vec<u8>, kind: &[u8; 4], content: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    put_u32(out, 0);
    out.extend_from_slice(kind);
    content(out);
    let size = u32::try_from(out.len() - start).expect("a part is below 4 GiB");
    out[start..start + 4].copy_from_slice(&size.to_be_bytes());
}

fn full_box(out: &mut Vec<u8>, kind: &[u8; 4], version: u8, flags: u32, content: impl FnOnce(&mut Vec<u8>)) {
    boxed(out, kind, |b| {
        put_u32(b, u32::from(version) << 24 | flags);
        content(b);
    });
}

/// An MPEG-4 descriptor with a length of one byte: ours are below 128 bytes.
fn descriptor(out: &mut Vec<u8>, tag: u8, content: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    let at = out.len();
    out.push(0);
    content(out);
    out[at] = u8::try_from(out.len() - at - 1).expect("descriptors of tens of bytes");
}

fn put_u16(out: &mut Vec<u8>, v: u16) {
    out.extend_from_slice(&v.to_be_bytes());
}

fn put_u32(out: &mut Vec<u8>, v: u32) {
    out.extend_from_slice(&v.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use mp4_atom::{Any, Codec, Decode, DecodeMaybe, Ftyp, Moof, Moov};

    pub(crate) fn avc() -> TrackHeader {
        TrackHeader::Avc {
            size: Size { width: 1280, height: 720 },
            sps: Bytes::from_static(&[0x67, 0x64, 0x00, 0x20, 0xac]),
            pps: Bytes::from_static(&[0x68, 0xeb]),
        }
    }

    fn hevc() -> TrackHeader {
        TrackHeader::Hevc {
            size: Size { width: 1280, height: 720 },
            vps: Bytes::from_static(&[0x40, 1, 0x0c]),
            sps: Bytes::from_static(&[0x42, 1, 1, 1, 0x60, 0, 0, 3, 0, 0x90, 0, 0, 3, 0, 0, 3, 0, 0x5d, 0xa0, 2]),
            pps: Bytes::from_static(&[0x44, 1, 0xc1]),
        }
    }

    fn av1() -> TrackHeader {
        let sequence = Bytes::from_static(&[0x0a, 4, 0, 0, 0, 0x28]);
        TrackHeader::Av1 { size: Size { width: 1280, height: 720 }, sequence }
    }

    fn aac() -> TrackHeader {
        TrackHeader::Aac { config: Bytes::from_static(&[0x11, 0x90]), rate: Timescale::AUDIO_48K, bitrate_bps: 128_000 }
    }

    #[test]
    fn an_independent_reader_finds_the_track_in_the_init_segment() {
        let check = |header: &TrackHeader, codecs: &str, timescale: u32| {
            let bytes = init_segment(header);
            let mut rest = &bytes[..];
            Ftyp::decode(&mut rest).expect("ftyp comes first");
            let moov = Moov::decode(&mut rest).expect("moov follows");
            assert!(rest.is_empty());
            assert_eq!(header.codecs(), codecs);
            assert_eq!(moov.trak[0].mdia.mdhd.timescale, timescale);
            assert!(moov.mvex.is_some(), "without mvex a player takes the file for progressive");
            moov.trak[0].mdia.minf.stbl.stsd.codecs[0].clone()
        };
        let Codec::Avc1(entry) = check(&avc(), "avc1.640020", 90_000) else { panic!("not avc1") };
        assert_eq!((entry.visual.width, entry.visual.height), (1280, 720));
        assert_eq!(entry.avcc.sequence_parameter_sets[0], [0x67, 0x64, 0x00, 0x20, 0xac]);
        let Codec::Hvc1(entry) = check(&hevc(), "hvc1.1.6.L93.90", 90_000) else { panic!("not hvc1") };
        assert_eq!((entry.visual.width, entry.hvcc.general_profile_idc, entry.hvcc.arrays.len()), (1280, 1, 3));
        assert_eq!(entry.hvcc.general_level_idc, 93);
        let Codec::Av01(entry) = check(&av1(), "av01.0.05M.08", 90_000) else { panic!("not av01") };
        assert_eq!((entry.av1c.seq_profile, entry.av1c.seq_level_idx_0), (0, 5));
        assert_eq!(entry.av1c.config_obus, [0x0a, 4, 0, 0, 0, 0x28]);
        let Codec::Mp4a(entry) = check(&aac(), "mp4a.40.2", 48_000) else { panic!("not mp4a") };
        assert_eq!(entry.audio.channel_count, 2);
    }

    #[test]
    fn an_independent_reader_finds_every_sample_of_a_chunk() {
        let sample = |key, text: &'static [u8], duration| Sample { duration, key, data: Bytes::from_static(text) };
        let bytes = chunk(7, 10 * 90_000 + 3_000, &[sample(true, b"key", 3_000), sample(false, b"delta", 6_000)]);
        let mut rest = &bytes[..];
        let moof = Moof::decode(&mut rest).expect("moof comes first");
        assert_eq!(moof.mfhd.sequence_number, 7);
        let traf = &moof.traf[0];
        assert_eq!(traf.tfdt.as_ref().expect("tfdt").base_media_decode_time, 903_000);
        let run = &traf.trun[0];
        let entries: Vec<_> = run.samples.iter().map(|e| (e.duration, e.size, e.flags)).collect();
        assert_eq!(entries, [(Some(3_000), Some(3), Some(FLAGS_SYNC)), (Some(6_000), Some(5), Some(FLAGS_NON_SYNC))]);
        let offset = usize::try_from(run.data_offset.expect("an offset")).expect("positive");
        assert_eq!(&bytes[offset..], b"keydelta");
        let Some(Any::Mdat(mdat)) = Any::decode_maybe(&mut rest).expect("reads") else { panic!("no mdat") };
        assert_eq!(mdat.data, b"keydelta");
    }
}
