//! Encoders of the ladder: x264 or whatever else of FFmpeg's a rung names, and FFmpeg's own AAC.

use crate::cmaf::TrackHeader;
use crate::coded;
use crate::decode::SAMPLE_RATE;
use crate::ffmpeg::{FfmpegError, Picture};
use crate::ladder::{self, AudioRendition, KEY_FRAME_SECONDS, Rung, VideoCodec};
use crate::segmenter::{AAC_FRAME_SAMPLES, AccessUnit};
use bytes::Bytes;
use ffmpeg_next::codec::{self, encoder};
use ffmpeg_next::format::{Pixel, Sample, sample};
use ffmpeg_next::{ChannelLayout, Dictionary, Rational, ffi, frame};
use footlight_media::time::Timescale;

/// An encoder for one rung: constant frame rate, closed GOPs of a second, no B frames and no lookahead, so that a frame is out when it has been put in.
pub struct VideoEncoder {
    encoder: encoder::video::Encoder,
    rung: Rung,
    fps: u32,
    header: TrackHeader,
    /// The newest tick that was encoded.
    newest: u64,
}

/// Of 0 to 63. What stands still is not made any better than this: from there libaom takes a second to find its rate when something moves, and sends five
/// times as much meanwhile (from 0 fifteen times).
const LEAST_AV1_QUANTIZER: i32 = 20;

impl VideoEncoder {
    /// An encoder for `rung` at `fps`.
    pub fn new(rung: &Rung, fps: u32) -> Result<Self, FfmpegError> {
        let encoder = open(rung, fps)?;
        // SAFETY: the encoder is open; its extradata are valid for as long as it lives, and are copied here.
        let mut extradata = unsafe { extradata(encoder.as_ptr()) };
        if extradata.is_empty() {
            // libaom says what its sequence header is when it has encoded something, so another one does.
            let first = encode_picture(&mut open(rung, fps)?, &Picture::black(rung.size), 0, true)?;
            extradata = first.data().unwrap_or_default().to_vec();
        }
        let header = coded::header(rung.codec.format(), rung.size, &extradata);
        let unreadable = || FfmpegError::setup(what(rung), ffmpeg_next::Error::InvalidData);
        Ok(Self { encoder, rung: rung.clone(), fps, header: header.ok_or_else(unreadable)?, newest: 0 })
    }

    /// For the init segment.
    pub const fn header(&self) -> &TrackHeader {
        &self.header
    }

    /// Encodes one picture of the rung's size as tick `tick`, as an IDR where `key`, which it has to be where ticks were left out for a second.
    pub fn encode(&mut self, picture: &Picture, tick: u64, key: bool) -> Result<AccessUnit, FfmpegError> {
        // libaom would think for a second that what moves now is as cheap as what stood.
        if self.rung.codec == VideoCodec::LibaomAv1 && tick.saturating_sub(self.newest) > u64::from(self.fps) {
            self.encoder = open(&self.rung, self.fps)?;
        }
        self.newest = tick;
        let packet = encode_picture(&mut self.encoder, picture, tick.cast_signed(), key)?;
        let data = coded::access_unit(self.rung.codec.format(), packet.data().unwrap_or_default());
        Ok(AccessUnit { key: packet.is_key(), data })
    }
}

fn what(rung: &Rung) -> String {
    format!("encoder {} for {}", rung.codec.name(), rung.name)
}

fn open(rung: &Rung, fps: u32) -> Result<encoder::video::Encoder, FfmpegError> {
    let setup = |e| FfmpegError::setup(what(rung), e);
    let codec = encoder::find_by_name(rung.codec.name()).ok_or_else(|| setup(ffmpeg_next::Error::EncoderNotFound))?;
    let mut context = codec::Context::new_with_codec(codec).encoder().video().map_err(setup)?;
    let to_i32 = |v: u32| i32::try_from(v).expect("checked by Ladder::check");
    context.set_width(rung.size.width);
    context.set_height(rung.size.height);
    context.set_format(Pixel::YUV420P);
    context.set_time_base(Rational(1, to_i32(fps)));
    context.set_frame_rate(Some(Rational(to_i32(fps), 1)));
    context.set_gop(fps * KEY_FRAME_SECONDS);
    context.set_max_b_frames(0);
    context.set_bit_rate(rung.bitrate_bps as usize);
    // SAFETY: plain fields of a context that is not open yet.
    unsafe {
        let raw = context.as_mut_ptr();
        (*raw).rc_max_rate = rung.maxrate_bps().cast_signed();
        (*raw).rc_buffer_size = i32::try_from(rung.buffer_bits()).unwrap_or(i32::MAX);
        if rung.codec == VideoCodec::LibaomAv1 {
            // These three alike are what makes its rate control a constant one.
            (*raw).rc_min_rate = (*raw).bit_rate;
            (*raw).rc_max_rate = (*raw).bit_rate;
            (*raw).qmin = LEAST_AV1_QUANTIZER;
        }
        (*raw).thread_count = 1;
        (*raw).flags |= i32::try_from(ffi::AV_CODEC_FLAG_CLOSED_GOP).unwrap_or(i32::MIN)
            | i32::try_from(ffi::AV_CODEC_FLAG_GLOBAL_HEADER).expect("a flag bit");
        (*raw).color_primaries = ffi::AVColorPrimaries::AVCOL_PRI_BT709;
        (*raw).color_trc = ffi::AVColorTransferCharacteristic::AVCOL_TRC_BT709;
        (*raw).colorspace = ffi::AVColorSpace::AVCOL_SPC_BT709;
        (*raw).color_range = ffi::AVColorRange::AVCOL_RANGE_MPEG;
    }
    let mut options = Dictionary::new();
    for (key, value) in settings(rung.codec, &rung.preset) {
        options.set(key, value);
    }
    context.open_as_with(codec, options).map_err(setup)
}

/// The encoder's own settings: what comes out of it at once, and a preset as fast as x264's of that name.
fn settings(codec: VideoCodec, preset: &str) -> Vec<(&'static str, &str)> {
    // x264's presets, from the fastest on.
    let rank = ladder::PRESETS.iter().position(|known| *known == preset).unwrap_or(0);
    match codec {
        VideoCodec::Libx264 => vec![
            ("preset", preset),
            ("forced-idr", "1"),
            (
                "x264-params",
                "scenecut=0:bframes=0:rc-lookahead=0:sync-lookahead=0:mbtree=0:sliced-threads=0:open-gop=0:force-cfr=1",
            ),
        ],
        // Its own pool would have as many threads as the machine has cores, in each rung.
        VideoCodec::Libx265 => vec![
            ("preset", preset),
            ("tune", "zerolatency"),
            ("forced-idr", "1"),
            (
                "x265-params",
                "scenecut=0:bframes=0:rc-lookahead=0:open-gop=0:pools=none:frame-threads=1:log-level=error",
            ),
        ],
        VideoCodec::LibaomAv1 => vec![
            ("usage", "realtime"),
            ("cpu-used", ["8", "8", "8", "7", "6", "5"][rank]),
            ("lag-in-frames", "0"),
            ("row-mt", "0"),
        ],
        VideoCodec::H264Nvenc | VideoCodec::HevcNvenc | VideoCodec::Av1Nvenc => vec![
            ("preset", ["p1", "p2", "p3", "p4", "p5", "p6"][rank]),
            ("tune", "ull"),
            ("rc", "vbr"),
            ("delay", "0"),
            ("zerolatency", "1"),
            ("rc-lookahead", "0"),
            ("no-scenecut", "1"),
            ("forced-idr", "1"),
        ],
        VideoCodec::H264Amf => vec![
            ("usage", "ultralowlatency"),
            ("quality", ["speed", "speed", "speed", "balanced", "quality", "quality"][rank]),
            ("rc", "vbr_peak"),
        ],
    }
}

/// Puts a picture into an encoder without delay and takes what it became, an IDR where `key`. `pts` counts in the encoder's time base.
pub(crate) fn encode_picture(
    encoder: &mut encoder::video::Encoder,
    picture: &Picture,
    pts: i64,
    key: bool,
) -> Result<codec::packet::Packet, FfmpegError> {
    let failed = |e| FfmpegError::setup("encoding a picture", e);
    let mut input = frame::Video::empty();
    // SAFETY: `input` is an empty frame; av_frame_ref makes it share the picture's buffers, which neither of us writes to from now on. Its own
    // fields are set after that.
    let shared = unsafe {
        let shared = ffi::av_frame_ref(input.as_mut_ptr(), picture.0.as_ptr());
        (*input.as_mut_ptr()).pict_type =
            if key { ffi::AVPictureType::AV_PICTURE_TYPE_I } else { ffi::AVPictureType::AV_PICTURE_TYPE_NONE };
        shared
    };
    if shared < 0 {
        return Err(failed(ffmpeg_next::Error::from(shared)));
    }
    input.set_pts(Some(pts));
    encoder.send_frame(&input).map_err(failed)?;
    let mut packet = codec::packet::Packet::empty();
    encoder.receive_packet(&mut packet).map_err(failed)?;
    Ok(packet)
}

/// AAC-LC, 48 kHz stereo. The first packet that comes out is priming: packet `n` holds what was put in as frame `n - 1`.
pub struct AudioEncoder {
    encoder: encoder::audio::Encoder,
    header: TrackHeader,
    frames_in: i64,
    silence: Silence,
}

/// Silence after silence is the same packet for ever: it is encoded until that is so.
#[derive(Default)]
struct Silence {
    /// Silent chunks in a row that were encoded.
    chunks: usize,
    /// What the last one became.
    unit: Option<AccessUnit>,
}

impl Silence {
    /// Silent chunks after which the encoder, which is a chunk behind and changes its window by what comes next, has forgotten what it heard before.
    const CHUNKS: usize = 8;

    /// What this chunk becomes, where that need not be encoded.
    fn stands_for(&mut self, left: &[f32], right: &[f32]) -> Option<AccessUnit> {
        let silent = left.iter().chain(right).all(|sample| *sample == 0.0);
        if !silent {
            *self = Self::default();
        } else if self.chunks == Self::CHUNKS {
            return self.unit.clone();
        } else {
            self.chunks += 1;
        }
        None
    }
}

impl AudioEncoder {
    /// An encoder for `rendition`.
    pub fn new(rendition: &AudioRendition) -> Result<Self, FfmpegError> {
        let setup = |e| FfmpegError::setup(format!("encoder aac for {}", rendition.name), e);
        let codec = encoder::find_by_name("aac").ok_or_else(|| setup(ffmpeg_next::Error::EncoderNotFound))?;
        let mut context = codec::Context::new_with_codec(codec).encoder().audio().map_err(setup)?;
        let rate = i32::try_from(SAMPLE_RATE).expect("48,000");
        context.set_rate(rate);
        context.set_format(Sample::F32(sample::Type::Planar));
        context.set_channel_layout(ChannelLayout::STEREO);
        context.set_channels(2);
        context.set_bit_rate(rendition.bitrate_bps as usize);
        context.set_time_base(Rational(1, rate));
        // SAFETY: a plain field of a context that is not open yet.
        unsafe {
            (*context.as_mut_ptr()).flags |= i32::try_from(ffi::AV_CODEC_FLAG_GLOBAL_HEADER).expect("a flag bit");
        }
        let encoder = context.open_as(codec).map_err(setup)?;
        // SAFETY: as for video.
        let config = Bytes::from(unsafe { extradata(encoder.as_ptr()) });
        let header = TrackHeader::Aac { config, rate: Timescale::AUDIO_48K, bitrate_bps: rendition.bitrate_bps };
        Ok(Self { encoder, header, frames_in: 0, silence: Silence::default() })
    }

    /// For the init segment.
    pub const fn header(&self) -> &TrackHeader {
        &self.header
    }

    /// Encodes 1,024 samples of each channel; answers with the packets that came out: none for the first call, then one each.
    pub fn encode(&mut self, left: &[f32], right: &[f32]) -> Result<Vec<AccessUnit>, FfmpegError> {
        if let Some(unit) = self.silence.stands_for(left, right) {
            return Ok(vec![unit]);
        }
        let failed = |e| FfmpegError::setup("encoding sound", e);
        let samples = AAC_FRAME_SAMPLES as usize;
        let mut input = frame::Audio::new(Sample::F32(sample::Type::Planar), samples, ChannelLayout::STEREO);
        input.set_rate(SAMPLE_RATE);
        input.set_pts(Some(self.frames_in * i64::from(AAC_FRAME_SAMPLES)));
        self.frames_in += 1;
        input.plane_mut::<f32>(0).copy_from_slice(left);
        input.plane_mut::<f32>(1).copy_from_slice(right);
        self.encoder.send_frame(&input).map_err(failed)?;
        let mut units = Vec::new();
        let mut packet = codec::packet::Packet::empty();
        while self.encoder.receive_packet(&mut packet).is_ok() {
            let data = Bytes::copy_from_slice(packet.data().unwrap_or_default());
            units.push(AccessUnit { key: true, data });
        }
        self.silence.unit = units.last().cloned();
        Ok(units)
    }
}

/// # Safety
/// `context` is open, and nobody else uses it during the call.
pub(crate) unsafe fn extradata(context: *const ffi::AVCodecContext) -> Vec<u8> {
    // SAFETY: an open context's extradata point to extradata_size bytes, or are null with a size of 0.
    unsafe {
        let size = usize::try_from((*context).extradata_size).unwrap_or(0);
        if (*context).extradata.is_null() {
            return Vec::new();
        }
        std::slice::from_raw_parts((*context).extradata, size).to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::VideoDecoder;
    use crate::ffmpeg::whole;
    use crate::ladder::tests::one_rung;
    use footlight_media::codec::Codec;
    use footlight_media::time::SessionTime;

    #[test]
    fn every_picture_comes_out_at_once_and_keys_fall_where_they_are_asked() {
        let rung = &one_rung().rungs[0];
        let mut encoder = VideoEncoder::new(rung, 30).expect("opens");
        let mut picture = Picture::black(rung.size);
        for tick in 0..65 {
            picture.fill(whole(rung.size), [16 + u8::try_from(tick).expect("below 65") * 3, 128, 128]);
            let unit = encoder.encode(&picture, tick, tick % 30 == 0).expect("encodes");
            assert_eq!(unit.key, tick % 30 == 0, "tick {tick}");
            assert!(unit.data.len() > 4);
        }
        assert!(encoder.header().codecs().starts_with("avc1.64"), "{}", encoder.header().codecs());
    }

    /// Each encoder that needs no card: out at once, keys where they are asked and nowhere else, and what its name and its header say.
    #[test]
    fn every_codec_keeps_the_ladder_s_time() {
        let check = |codec, codecs: &str| {
            let mut rung = one_rung().rungs.remove(0);
            rung.codec = codec;
            let mut encoder = VideoEncoder::new(&rung, 30).expect("opens");
            assert!(encoder.header().codecs().starts_with(codecs), "{}", encoder.header().codecs());
            let mut picture = Picture::black(rung.size);
            for tick in 0..50 {
                picture.fill(whole(rung.size), [16 + u8::try_from(tick).expect("below 50") * 4, 128, 128]);
                let key = tick == 0 || tick == 30 || tick == 37;
                let unit = encoder.encode(&picture, tick, key).expect("encodes");
                assert_eq!(unit.key, key, "{codec:?}, tick {tick}");
                assert!(unit.data.len() > 4, "{codec:?}, tick {tick}");
            }
        };
        check(VideoCodec::Libx264, "avc1.64");
        check(VideoCodec::Libx265, "hvc1.1.6.L93.");
        check(VideoCodec::LibaomAv1, "av01.0.");
    }

    #[test]
    fn what_was_encoded_is_decoded_with_its_brightness_and_its_time() {
        let rung = &one_rung().rungs[0];
        let mut encoder = VideoEncoder::new(rung, 30).expect("opens");
        let mut picture = Picture::black(rung.size);
        picture.fill(whole(rung.size), [180, 128, 128]);
        let unit = encoder.encode(&picture, 0, true).expect("encodes");
        let TrackHeader::Avc { sps, pps, .. } = encoder.header().clone() else { panic!("not AVC") };
        let mut annex_b = Vec::new();
        for nal in [&sps[..], &pps[..], &unit.data[4..]] {
            annex_b.extend_from_slice(&[0, 0, 0, 1]);
            annex_b.extend_from_slice(nal);
        }
        let mut decoder = VideoDecoder::new(Codec::H264).expect("opens");
        let decoded = decoder.decode(&annex_b, SessionTime::from_micros(40_000)).expect("decodes");
        let (time, picture) = decoded.expect("no delay");
        assert_eq!((time.as_micros(), picture.size()), (40_000, rung.size));
        assert!(picture.plane(0).0[0].abs_diff(180) <= 2);
    }

    #[test]
    fn garbage_is_the_peers_fault_and_the_decoder_lives() {
        let mut video = VideoDecoder::new(Codec::Vp8).expect("opens");
        for n in 0..50u8 {
            let _refused_or_concealed = video.decode(&[n.wrapping_mul(37); 200], SessionTime::ZERO);
        }
    }

    /// Byte for byte what an encoder gives that is never spared a chunk (a sample of 1e-30 is as silent to it, but is not nothing).
    #[test]
    fn silence_is_encoded_once_and_what_follows_as_if_it_had_been_each_time() {
        let rendition = &one_rung().audio[0];
        let [mut spared, mut whole] = [(); 2].map(|()| AudioEncoder::new(rendition).expect("opens"));
        let tone = |chunk: u16| (0..1024).map(|i| (f32::from(chunk * 1024 + i) * 0.05).sin() * 0.5).collect::<Vec<_>>();
        let (nothing, next_to_nothing) = (vec![0.0; 1024], [vec![1e-30], vec![0.0; 1023]].concat());
        let mut repeated = 0;
        for chunk in 0..60 {
            let sounds = matches!(chunk, 15..20 | 40..);
            let [given, compared] =
                if sounds { [tone(chunk), tone(chunk)] } else { [nothing.clone(), next_to_nothing.clone()] };
            let before = spared.frames_in;
            let units = [spared.encode(&given, &given), whole.encode(&compared, &compared)]
                .map(|units| units.expect("encodes"));
            assert_eq!(units[0], units[1], "chunk {chunk}");
            repeated += i32::from(spared.frames_in == before);
        }
        assert_eq!(repeated, 15 - 8 + 20 - 8);
    }

    #[test]
    fn sound_is_one_frame_behind() {
        let mut encoder = AudioEncoder::new(&one_rung().audio[0]).expect("opens");
        let tone: Vec<f32> = (0..1024u16).map(|i| (f32::from(i) * 0.05).sin() * 0.5).collect();
        assert_eq!(encoder.encode(&tone, &tone).expect("encodes").len(), 0);
        assert_eq!(encoder.encode(&tone, &tone).expect("encodes").len(), 1);
        assert_eq!(encoder.encode(&tone, &tone).expect("encodes").len(), 1);
        let TrackHeader::Aac { config, .. } = encoder.header() else { panic!("not AAC") };
        assert_eq!(config[..2], [0x11, 0x90], "AAC-LC, 48 kHz, stereo");
    }
}
