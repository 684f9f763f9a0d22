//! Encoders of what a publisher sends: H.264 constrained baseline with its parameter sets in band, and Opus. What every WebRTC peer takes.

use crate::coded::{nal_units, parameter_sets};
use crate::decode::{Pcm, SAMPLE_RATE};
use crate::encode::{encode_picture, extradata};
use crate::ffmpeg::{FfmpegError, Picture};
use crate::layout::Size;
use bytes::{BufMut, Bytes, BytesMut};
use ffmpeg_next::codec::{self, encoder};
use ffmpeg_next::format::{Pixel, Sample, sample};
use ffmpeg_next::{ChannelLayout, Dictionary, Rational, ffi, frame};
use footlight_media::time::SessionTime;

/// Samples of one Opus packet: 20 ms, what every peer expects.
pub const OPUS_FRAME_SAMPLES: usize = 960;
/// A key frame comes at least so often, for who joins without asking.
const KEY_FRAME_SECONDS: u32 = 2;
const MICROS: i32 = 1_000_000;

/// What is encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoSettings {
    /// Pixels; both even.
    pub size: Size,
    /// Frames per second, at most 60; fewer may come.
    pub fps: u32,
    /// Mean bits per second; peaks stay within it over half a second.
    pub bitrate_bps: u32,
    /// x264's preset.
    pub preset: &'static str,
}

/// An encoded picture as an Annex B byte stream (ITU-T H.264 annex B).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedPicture {
    /// Whether a decoder can begin here.
    pub key: bool,
    /// Its NAL units behind start codes; a key frame's parameter sets come first.
    pub data: Bytes,
}

/// x264 without delay: a picture is out when it has been put in.
pub struct VideoEncoder {
    encoder: encoder::video::Encoder,
    sps: Bytes,
    pps: Bytes,
}

impl VideoEncoder {
    /// An encoder of constrained baseline with one thread.
    pub fn new(settings: &VideoSettings) -> Result<Self, FfmpegError> {
        let what = || format!("encoder libx264 of {}x{}", settings.size.width, settings.size.height);
        let setup = |e| FfmpegError::setup(what(), e);
        let codec = encoder::find_by_name("libx264").ok_or_else(|| setup(ffmpeg_next::Error::EncoderNotFound))?;
        let mut context = codec::Context::new_with_codec(codec).encoder().video().map_err(setup)?;
        context.set_width(settings.size.width);
        context.set_height(settings.size.height);
        context.set_format(Pixel::YUV420P);
        context.set_time_base(Rational(1, MICROS));
        context.set_frame_rate(Some(Rational(i32::try_from(settings.fps).unwrap_or(60), 1)));
        context.set_gop(settings.fps * KEY_FRAME_SECONDS);
        context.set_max_b_frames(0);
        context.set_bit_rate(settings.bitrate_bps as usize);
        // SAFETY: plain fields of a context that is not open yet.
        unsafe {
            let raw = context.as_mut_ptr();
            (*raw).rc_max_rate = i64::from(settings.bitrate_bps);
            // Half a second: a key frame does not fill the path's queues.
            (*raw).rc_buffer_size = i32::try_from(settings.bitrate_bps / 2).unwrap_or(i32::MAX);
            (*raw).thread_count = 1;
            (*raw).flags |= i32::try_from(ffi::AV_CODEC_FLAG_CLOSED_GOP).unwrap_or(i32::MIN)
                | i32::try_from(ffi::AV_CODEC_FLAG_GLOBAL_HEADER).expect("a flag bit");
        }
        let mut options = Dictionary::new();
        options.set("preset", settings.preset);
        options.set("profile", "baseline");
        options.set("forced-idr", "1");
        // Without force-cfr x264 holds a frame back to learn its duration.
        options.set(
            "x264-params",
            "scenecut=0:rc-lookahead=0:sync-lookahead=0:mbtree=0:sliced-threads=0:open-gop=0:force-cfr=1",
        );
        let encoder = context.open_as_with(codec, options).map_err(setup)?;
        // SAFETY: the encoder is open and nobody else uses it; its extradata are copied.
        let header = unsafe { extradata(encoder.as_ptr()) };
        let (sps, pps) = parameter_sets(&header).ok_or_else(|| setup(ffmpeg_next::Error::InvalidData))?;
        Ok(Self { encoder, sps, pps })
    }

    /// profile_idc, constraint flags and level_idc of what comes out, for the offer (RFC 6184 section 8.1).
    pub fn profile_level_id(&self) -> [u8; 3] {
        profile_level_id(&self.sps).expect("x264 writes whole parameter sets")
    }

    /// Encodes one picture that is later than the one before, as an IDR where `key`.
    pub fn encode(&mut self, picture: &Picture, time: SessionTime, key: bool) -> Result<EncodedPicture, FfmpegError> {
        let packet = encode_picture(&mut self.encoder, picture, time.as_micros(), key)?;
        let key = packet.is_key();
        let coded = packet.data().unwrap_or_default();
        let sets: &[&[u8]] = if key { &[&self.sps, &self.pps] } else { &[] };
        Ok(EncodedPicture { key, data: annex_b(sets.iter().copied().chain(nal_units(coded))) })
    }
}

/// NAL units behind start codes of four bytes.
pub(crate) fn annex_b<'a>(nals: impl Iterator<Item = &'a [u8]>) -> Bytes {
    let mut out = BytesMut::new();
    for nal in nals {
        out.put_slice(&[0, 0, 0, 1]);
        out.put_slice(nal);
    }
    out.freeze()
}

/// The three bytes after the header of a sequence parameter set (ITU-T H.264 section 7.3.2.1.1).
pub(crate) fn profile_level_id(sps: &[u8]) -> Option<[u8; 3]> {
    sps.get(1..4)?.try_into().ok()
}

/// libopus, 48 kHz stereo, with in-band FEC.
pub struct OpusEncoder {
    encoder: encoder::audio::Encoder,
    /// What the decoder will be late by, in samples (RFC 7845 calls it pre-skip).
    padding: i64,
}

impl OpusEncoder {
    /// An encoder of packets of 20 ms.
    pub fn new(bitrate_bps: u32) -> Result<Self, FfmpegError> {
        let setup = |e| FfmpegError::setup("encoder libopus", e);
        let codec = encoder::find_by_name("libopus").ok_or_else(|| setup(ffmpeg_next::Error::EncoderNotFound))?;
        let mut context = codec::Context::new_with_codec(codec).encoder().audio().map_err(setup)?;
        let rate = i32::try_from(SAMPLE_RATE).expect("48,000");
        context.set_rate(rate);
        context.set_format(Sample::F32(sample::Type::Packed));
        context.set_channel_layout(ChannelLayout::STEREO);
        context.set_channels(2);
        context.set_bit_rate(bitrate_bps as usize);
        context.set_time_base(Rational(1, rate));
        let mut options = Dictionary::new();
        options.set("frame_duration", "20");
        options.set("fec", "1");
        options.set("packet_loss", "5");
        let encoder = context.open_as_with(codec, options).map_err(setup)?;
        // SAFETY: a plain field of an open context.
        let padding = i64::from(unsafe { (*encoder.as_ptr()).initial_padding });
        Ok(Self { encoder, padding })
    }

    /// How much later than its packet's first sample a sound is heard: subtracted from the packet's time, both meet again.
    pub const fn delay_us(&self) -> i64 {
        self.padding * 1_000_000 / SAMPLE_RATE as i64
    }

    /// Encodes [`OPUS_FRAME_SAMPLES`] of each channel.
    pub fn encode(&mut self, pcm: &Pcm) -> Result<Bytes, FfmpegError> {
        let failed = |e| FfmpegError::setup("encoding sound", e);
        let mut input = frame::Audio::new(Sample::F32(sample::Type::Packed), OPUS_FRAME_SAMPLES, ChannelLayout::STEREO);
        input.set_rate(SAMPLE_RATE);
        let samples = input.plane_mut::<(f32, f32)>(0);
        for (out, both) in samples.iter_mut().zip(pcm.left.iter().zip(&pcm.right)) {
            *out = (*both.0, *both.1);
        }
        self.encoder.send_frame(&input).map_err(failed)?;
        let mut packet = codec::packet::Packet::empty();
        self.encoder.receive_packet(&mut packet).map_err(failed)?;
        Ok(Bytes::copy_from_slice(packet.data().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::VideoDecoder;
    use crate::ffmpeg::whole;
    use crate::voice::VoiceDecoder;
    use footlight_media::codec::Codec;

    const SETTINGS: VideoSettings =
        VideoSettings { size: Size { width: 320, height: 180 }, fps: 30, bitrate_bps: 300_000, preset: "ultrafast" };

    fn at(tick: i64) -> SessionTime {
        SessionTime::from_micros(tick * 1_000_000 / 30)
    }

    #[test]
    fn a_key_frame_comes_when_it_is_asked_for_and_begins_with_its_parameter_sets() {
        let mut encoder = VideoEncoder::new(&SETTINGS).expect("opens");
        let mut decoder = VideoDecoder::new(Codec::H264).expect("opens");
        for tick in 0..40 {
            let mut picture = Picture::black(SETTINGS.size);
            picture.fill(whole(SETTINGS.size), [40 + u8::try_from(tick).expect("small") * 4, 128, 128]);
            let wanted = tick == 0 || tick == 17;
            let coded = encoder.encode(&picture, at(tick), wanted).expect("encodes");
            assert_eq!(coded.key, wanted, "tick {tick}");
            let types: Vec<u8> = nal_units(&coded.data).map(|nal| nal[0] & 0x1f).collect();
            assert_eq!(types.starts_with(&[7, 8]), wanted, "{types:?}");
            let shown = decoder.decode(&coded.data, at(tick)).expect("decodes");
            assert!(shown.is_some(), "no delay");
        }
    }

    #[test]
    fn the_profile_is_constrained_baseline_and_the_level_is_that_of_the_size() {
        let check = |width, height, level| {
            let settings = VideoSettings { size: Size { width, height }, bitrate_bps: 1_500_000, ..SETTINGS };
            let [profile, constraints, got] = VideoEncoder::new(&settings).expect("opens").profile_level_id();
            assert_eq!((profile, constraints & 0x40), (66, 0x40), "constraint_set1_flag");
            assert_eq!(got, level, "{width}x{height}");
        };
        check(1280, 720, 31);
        check(1920, 1080, 40);
    }

    #[test]
    fn a_click_is_heard_when_it_was_put_in_less_the_delay() {
        let mut encoder = OpusEncoder::new(64_000).expect("opens");
        let mut decoder = VoiceDecoder::new().expect("opens");
        let mut heard = Vec::new();
        for packet in 0..20 {
            let sample =
                |i: usize| if packet * OPUS_FRAME_SAMPLES + i >= 9_600 { crate::testsrc::tone(i as u64) } else { 0.0 };
            let left: Vec<f32> = (0..OPUS_FRAME_SAMPLES).map(sample).collect();
            let coded = encoder.encode(&Pcm { right: left.clone(), left }).expect("encodes");
            heard.extend(decoder.decode(&coded, 0).expect("decodes").left);
        }
        let begin = heard.iter().position(|s| s.abs() > 0.1).expect("heard");
        let put_in = 9_600 + usize::try_from(encoder.delay_us() * 48 / 1_000).expect("small");
        // The tone takes a twelfth of a millisecond to reach 0.1; the codec smears it a little.
        assert!(begin.abs_diff(put_in) < 96, "{begin}, put in at {put_in}");
    }

    /// Noise with as little above a few kHz as a voice has, in bursts as long as syllables: of what Opus predicts from the packet before it is the worst.
    #[test]
    fn after_lost_packets_nobody_is_louder_than_full_scale() {
        let (mut encoder, mut random) = (OpusEncoder::new(64_000).expect("opens"), 1_u32);
        let (mut smooth, mut level) = ([0.0_f32; 2], 0.0);
        let mut noise = move || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        let packets: Vec<Bytes> = (0..400)
            .map(|packet| {
                if packet % 8 == 0 {
                    level = if noise() < 0.4 { 0.9 } else { 0.1 };
                }
                let mut sample = |_| {
                    smooth[0] += 0.3 * (4.0 * noise() - smooth[0]);
                    smooth[1] += 0.3 * (smooth[0] - smooth[1]);
                    level * smooth[1].clamp(-1.0, 1.0)
                };
                let left: Vec<f32> = (0..OPUS_FRAME_SAMPLES).map(&mut sample).collect();
                encoder.encode(&Pcm { right: left.clone(), left }).expect("encodes")
            })
            .collect();
        for losing in 2..40 {
            let mut decoder = VoiceDecoder::new().expect("opens");
            for (_, packet) in (0..).zip(&packets).filter(|(number, _)| number % 40 >= losing) {
                let heard = decoder.decode(packet, 0).expect("decodes");
                let loudest =
                    heard.left.iter().chain(&heard.right).fold(0.0_f32, |most, sample| most.max(sample.abs()));
                assert!(loudest <= 1.0, "{loudest} with {losing} of 40 lost");
            }
        }
    }
}
