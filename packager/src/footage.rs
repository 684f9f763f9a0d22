//! A file's frames for a publisher: opened and read with FFmpeg, passed through where every WebRTC peer takes them as they are, encoded anew where not.
//!
//! H.264 that is not reordered, VP8, and Opus of one or two channels pass through. A picture that passes through has the key frames that the file has; one
//! that is encoded has them when they are asked for.

use crate::contribution::{OPUS_FRAME_SAMPLES, OpusEncoder, VideoEncoder, VideoSettings};
use crate::decode::{Pcm, Resampler, SAMPLE_RATE};
use crate::ffmpeg::{FfmpegError, Picture, Scaler, whole};
use crate::layout::{Rect, Size, fit};
use crate::reading::{AudioReading, Pass, VideoReading, unreadable};
use crate::source::{SourceFrame, SourceMedia};
use bytes::Bytes;
use ffmpeg_next::codec::packet::Packet;
use ffmpeg_next::{Rational, frame};
use footlight_media::codec::Codec;
use footlight_media::time::SessionTime;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// Frames of one track that are held until the other track's come: files are interleaved by less than a second, and who is not has one track end early.
const HELD_FRAMES: usize = 256;
/// Sound whose time is off by more than this from where the samples before it end is not glued to them.
const GAP_US: i64 = 40_000;
/// The largest picture that is encoded; larger ones are made smaller. One thread encodes it in real time.
const LARGEST: Size = Size { width: 1920, height: 1080 };
const MAX_FPS: u32 = 60;
const AUDIO_BPS: u32 = 128_000;
/// x264's preset for footage: real time with room to spare at [`LARGEST`].
const PRESET: &str = "superfast";

/// A file that is played once, or for ever.
pub struct Footage {
    path: PathBuf,
    /// Begins again at the end.
    repeat: bool,
    pass: Pass,
    video: Option<VideoWay>,
    audio: Option<AudioWay>,
    held: [VecDeque<SourceFrame>; 2],
    /// A picture that passes through was left out: those up to the next key frame cannot be decoded without it.
    damaged: bool,
    /// From the file's own clock to that of the frames: its first moment is 0, and each repetition begins where the one before ended.
    offset_us: i64,
    /// Where the latest frame ends.
    end_us: i64,
    over: bool,
}

/// What of the picture lasts from pass to pass.
enum VideoWay {
    Passing(Codec, [u8; 3]),
    Encoding(Box<Encoding>),
}

struct Encoding {
    encoder: VideoEncoder,
    scaler: Scaler,
    size: Size,
    shortest_us: i64,
    last_us: Option<i64>,
    key_wanted: bool,
}

enum AudioWay {
    Passing,
    Encoding(Box<Sound>),
}

struct Sound {
    encoder: OpusEncoder,
    resampler: Resampler,
    pcm: Pcm,
    /// Of the first sample in `pcm`.
    time_us: i64,
}

impl Footage {
    /// Opens a file. With `bitrate_bps` its picture is encoded anew whatever it is.
    pub fn open(path: &Path, repeat: bool, bitrate_bps: Option<u32>) -> Result<Self, FfmpegError> {
        let pass = Pass::open(path, bitrate_bps.is_some())?;
        let video = VideoWay::of(&pass, bitrate_bps)?;
        let audio = AudioWay::of(&pass)?;
        if video.is_none() && audio.is_none() {
            return Err(unreadable(path, "neither picture nor sound in it"));
        }
        let offset_us = -pass.start_us();
        let held = [VecDeque::new(), VecDeque::new()];
        let (path, damaged, end_us, over) = (path.to_owned(), false, 0, false);
        Ok(Self { path, repeat, pass, video, audio, held, damaged, offset_us, end_us, over })
    }

    /// What its frames will be.
    pub fn media(&self) -> SourceMedia {
        let video = self.video.as_ref().map(|way| match way {
            VideoWay::Passing(codec, profile_level_id) => (*codec, *profile_level_id),
            VideoWay::Encoding(encoding) => (Codec::H264, encoding.encoder.profile_level_id()),
        });
        SourceMedia { video, audio: self.audio.is_some() }
    }

    /// Makes the next picture that is encoded a key frame.
    pub fn want_key_frame(&mut self) {
        if let Some(VideoWay::Encoding(encoding)) = &mut self.video {
            encoding.key_wanted = true;
        }
    }

    /// The time of the next frame, in microseconds since the begin; none at the end.
    pub fn due(&mut self) -> Result<Option<i64>, FfmpegError> {
        while !self.over && self.needs_more() {
            self.read()?;
        }
        Ok(self.next_track().map(|track| self.held[track][0].time.as_micros()))
    }

    /// The next frame, in the order of their times.
    pub fn take(&mut self) -> Option<SourceFrame> {
        let track = self.next_track()?;
        self.held[track].pop_front()
    }

    fn next_track(&self) -> Option<usize> {
        let first = |track: usize| self.held[track].front().map(|frame| (frame.time, track));
        first(0).into_iter().chain(first(1)).min().map(|(_, track)| track)
    }

    fn needs_more(&self) -> bool {
        let both = self.video.is_some() && self.audio.is_some();
        let empty = self.held.iter().filter(|held| held.is_empty()).count();
        let full = self.held.iter().any(|held| held.len() >= HELD_FRAMES);
        empty == 2 || (both && empty == 1 && !full)
    }

    /// Reads one packet, or ends the pass.
    fn read(&mut self) -> Result<(), FfmpegError> {
        let mut packet = Packet::empty();
        match packet.read(&mut self.pass.input) {
            Ok(()) => self.take_packet(packet),
            // A file that is cut off ends where it is cut off.
            Err(_) => self.end_pass(),
        }
    }

    fn take_packet(&mut self, packet: Packet) -> Result<(), FfmpegError> {
        let index = packet.stream();
        if self.pass.video.as_ref().is_some_and(|track| track.index == index) {
            return self.take_picture(Some(packet));
        }
        if self.pass.audio.as_ref().is_some_and(|track| track.index == index) {
            return self.take_sound(Some(packet));
        }
        Ok(())
    }

    /// `None` is the end: what the decoder still holds comes out.
    fn take_picture(&mut self, packet: Option<Packet>) -> Result<(), FfmpegError> {
        let (Some(track), Some(way)) = (&mut self.pass.video, &mut self.video) else { return Ok(()) };
        let base = track.time_base;
        match (&mut track.reading, way) {
            (VideoReading::Passing(bsf), VideoWay::Passing(codec, _)) => {
                let Some(packet) = packet else { return Ok(()) };
                let Some(time_us) = packet.pts().or(packet.dts()).map(|pts| micros(pts, base) + self.offset_us) else {
                    return Ok(());
                };
                let (key, length_us) = (packet.is_key(), micros(packet.duration(), base));
                let data = match bsf {
                    // Such as the last one of a file that is cut off.
                    _ if packet.is_corrupt() => None,
                    Some(bsf) => bsf.filter(packet).ok(),
                    None => Some(Bytes::copy_from_slice(packet.data().unwrap_or_default())),
                };
                let Some(data) = data.filter(|_| key || !self.damaged) else {
                    self.damaged = true;
                    return Ok(());
                };
                self.damaged = false;
                self.end_us = self.end_us.max(time_us + length_us);
                self.held[0].push_back(SourceFrame {
                    codec: *codec,
                    time: SessionTime::from_micros(time_us),
                    key,
                    data,
                });
            }
            (VideoReading::Decoding(decoder), VideoWay::Encoding(encoding)) => {
                // What cannot be decoded is left out, as players do.
                let _refused = match &packet {
                    Some(packet) => decoder.send_packet(packet),
                    None => decoder.send_eof(),
                };
                let mut shown = frame::Video::empty();
                while decoder.receive_frame(&mut shown).is_ok() {
                    let Some(pts) = shown.timestamp().or(shown.pts()) else { continue };
                    let time_us = micros(pts, base) + self.offset_us;
                    let picture = Picture(std::mem::replace(&mut shown, frame::Video::empty()));
                    if let Some(frame) = encoding.encode(&picture, time_us)? {
                        self.end_us = self.end_us.max(time_us + encoding.shortest_us);
                        self.held[0].push_back(frame);
                    }
                }
            }
            _ => unreachable!("a way is chosen by its reading, and a pass without that way is refused"),
        }
        Ok(())
    }

    fn take_sound(&mut self, packet: Option<Packet>) -> Result<(), FfmpegError> {
        let (Some(track), Some(way)) = (&mut self.pass.audio, &mut self.audio) else { return Ok(()) };
        let base = track.time_base;
        match (&mut track.reading, way) {
            (AudioReading::Passing, AudioWay::Passing) => {
                let Some(packet) = packet.filter(|packet| !packet.is_corrupt()) else { return Ok(()) };
                let Some(time_us) = packet.pts().map(|pts| micros(pts, base) + self.offset_us) else { return Ok(()) };
                self.end_us = self.end_us.max(time_us + micros(packet.duration(), base));
                let data = Bytes::copy_from_slice(packet.data().unwrap_or_default());
                let time = SessionTime::from_micros(time_us);
                self.held[1].push_back(SourceFrame { codec: Codec::Opus, time, key: true, data });
            }
            (AudioReading::Decoding(decoder), AudioWay::Encoding(sound)) => {
                let _refused = match &packet {
                    Some(packet) => decoder.send_packet(packet),
                    None => decoder.send_eof(),
                };
                let mut heard = frame::Audio::empty();
                while decoder.receive_frame(&mut heard).is_ok() {
                    let time_us = heard.timestamp().or(heard.pts()).map(|pts| micros(pts, base) + self.offset_us);
                    sound.append(&heard, time_us, &mut self.held[1])?;
                }
                if packet.is_none() {
                    sound.flush(&mut self.held[1])?;
                }
                self.end_us = self.end_us.max(sound.end_us());
            }
            _ => unreachable!("a way is chosen by its reading, and a pass without that way is refused"),
        }
        Ok(())
    }

    fn end_pass(&mut self) -> Result<(), FfmpegError> {
        self.take_picture(None)?;
        self.take_sound(None)?;
        // A file of which nothing came is not read again for ever.
        let nothing_came = self.end_us <= self.offset_us + self.pass.start_us();
        if !self.repeat || nothing_came {
            self.over = true;
            return Ok(());
        }
        let encoded_anew = matches!(self.video, Some(VideoWay::Encoding(_)));
        self.pass = Pass::open(&self.path, encoded_anew)?;
        // What was not there at first is not sent.
        let (video, audio) = (&self.pass.video, &self.pass.audio);
        let pictures_go_on =
            self.video.as_ref().is_none_or(|way| way.takes(video.as_ref().map(|track| &track.reading)));
        let sound_goes_on = self.audio.as_ref().is_none_or(|way| way.takes(audio.as_ref().map(|track| &track.reading)));
        if !(pictures_go_on && sound_goes_on) {
            let why = "the file has changed, and what it has become was not offered to the server; publish it anew";
            return Err(unreadable(&self.path, why));
        }
        self.offset_us = self.end_us - self.pass.start_us();
        Ok(())
    }
}

impl VideoWay {
    /// The way that the picture of a first reading goes, where it has one.
    fn of(pass: &Pass, bitrate_bps: Option<u32>) -> Result<Option<Self>, FfmpegError> {
        let Some(track) = &pass.video else { return Ok(None) };
        let decoder = match &track.reading {
            VideoReading::Passing(Some(bsf)) => {
                return Ok(Some(Self::Passing(Codec::H264, bsf.profile_level_id().unwrap_or_default())));
            }
            VideoReading::Passing(None) => return Ok(Some(Self::Passing(Codec::Vp8, [0; 3]))),
            VideoReading::Decoding(decoder) => decoder,
        };
        let size = encoded_size(Size { width: decoder.width(), height: decoder.height() });
        let rate = pass.frame_rate(track.index);
        let fps = if rate.denominator() > 0 { f64::from(rate).round() } else { 30.0 };
        let fps = (fps as u32).clamp(5, MAX_FPS);
        let bitrate_bps = bitrate_bps.unwrap_or_else(|| default_bitrate_bps(size, fps));
        Ok(Some(Self::Encoding(Box::new(Encoding {
            encoder: VideoEncoder::new(&VideoSettings { size, fps, bitrate_bps, preset: PRESET })?,
            scaler: Scaler::default(),
            size,
            shortest_us: 1_000_000 / i64::from(fps),
            last_us: None,
            key_wanted: true,
        }))))
    }

    /// Whether it can go on with a later reading.
    fn takes(&self, reading: Option<&VideoReading>) -> bool {
        match (self, reading) {
            (Self::Passing(Codec::H264, offered), Some(VideoReading::Passing(Some(bsf)))) => {
                bsf.profile_level_id() == Some(*offered)
            }
            (Self::Passing(Codec::Vp8, _), Some(VideoReading::Passing(None)))
            | (Self::Encoding(_), Some(VideoReading::Decoding(_))) => true,
            _ => false,
        }
    }
}

impl AudioWay {
    /// The way that the sound of a first reading goes, where it has one.
    fn of(pass: &Pass) -> Result<Option<Self>, FfmpegError> {
        Ok(match pass.audio.as_ref().map(|track| &track.reading) {
            None => None,
            Some(AudioReading::Passing) => Some(Self::Passing),
            Some(AudioReading::Decoding(_)) => Some(Self::Encoding(Box::new(Sound {
                encoder: OpusEncoder::new(AUDIO_BPS)?,
                resampler: Resampler::new(),
                pcm: Pcm::default(),
                time_us: 0,
            }))),
        })
    }

    /// Whether it can go on with a later reading.
    fn takes(&self, reading: Option<&AudioReading>) -> bool {
        matches!(
            (self, reading),
            (Self::Passing, Some(AudioReading::Passing)) | (Self::Encoding(_), Some(AudioReading::Decoding(_)))
        )
    }
}

impl Encoding {
    /// None for a picture that comes too soon after the one before.
    fn encode(&mut self, picture: &Picture, time_us: i64) -> Result<Option<SourceFrame>, FfmpegError> {
        // Half a frame of leeway: files round their times.
        if self.last_us.is_some_and(|last| time_us < last + self.shortest_us / 2) {
            return Ok(None);
        }
        self.last_us = Some(time_us);
        let mut scaled = Picture::black(self.size);
        let inside = fit(picture.size(), whole(self.size));
        // Only bars are refused where the proportions are the encoded size's but for rounding.
        let exact =
            self.size.width.abs_diff(inside.size.width) < 16 && self.size.height.abs_diff(inside.size.height) < 16;
        let rect: Rect = if exact { whole(self.size) } else { inside };
        self.scaler.draw(picture, &mut scaled, rect)?;
        let time = SessionTime::from_micros(time_us);
        let coded = self.encoder.encode(&scaled, time, std::mem::take(&mut self.key_wanted))?;
        Ok(Some(SourceFrame { codec: Codec::H264, time, key: coded.key, data: coded.data }))
    }
}

impl Sound {
    fn append(
        &mut self,
        heard: &frame::Audio,
        time_us: Option<i64>,
        out: &mut VecDeque<SourceFrame>,
    ) -> Result<(), FfmpegError> {
        if let Some(time_us) = time_us.filter(|time| time.abs_diff(self.end_us()) > GAP_US.unsigned_abs()) {
            self.flush(out)?;
            self.time_us = time_us;
        }
        self.resampler.append(heard, &mut self.pcm)?;
        while self.pcm.left.len() >= OPUS_FRAME_SAMPLES {
            self.encode(out)?;
        }
        Ok(())
    }

    /// Fills what is left up with silence.
    fn flush(&mut self, out: &mut VecDeque<SourceFrame>) -> Result<(), FfmpegError> {
        if self.pcm.left.is_empty() {
            return Ok(());
        }
        self.pcm.left.resize(OPUS_FRAME_SAMPLES, 0.0);
        self.pcm.right.resize(OPUS_FRAME_SAMPLES, 0.0);
        self.encode(out)
    }

    fn encode(&mut self, out: &mut VecDeque<SourceFrame>) -> Result<(), FfmpegError> {
        let take = |samples: &mut Vec<f32>| samples.drain(..OPUS_FRAME_SAMPLES).collect();
        let pcm = Pcm { left: take(&mut self.pcm.left), right: take(&mut self.pcm.right) };
        let data = self.encoder.encode(&pcm)?;
        let time = SessionTime::from_micros(self.time_us - self.encoder.delay_us());
        self.time_us += samples_us(OPUS_FRAME_SAMPLES);
        out.push_back(SourceFrame { codec: Codec::Opus, time, key: true, data });
        Ok(())
    }

    fn end_us(&self) -> i64 {
        self.time_us + samples_us(self.pcm.left.len())
    }
}

fn samples_us(samples: usize) -> i64 {
    i64::try_from(samples).unwrap_or(0) * 1_000_000 / i64::from(SAMPLE_RATE)
}

/// Ticks of a file's time base in microseconds.
fn micros(ticks: i64, base: Rational) -> i64 {
    let exact = i128::from(ticks) * i128::from(base.numerator()) * 1_000_000 / i128::from(base.denominator().max(1));
    i64::try_from(exact).unwrap_or(0)
}

/// Not larger than [`LARGEST`], in the source's proportions, with even edges.
fn encoded_size(source: Size) -> Size {
    let even = |v: u32| (v / 2 * 2).max(2);
    if source.width <= LARGEST.width && source.height <= LARGEST.height {
        return Size { width: even(source.width), height: even(source.height) };
    }
    fit(source, whole(LARGEST)).size
}

/// As for the test picture, twice as much: footage has grain.
fn default_bitrate_bps(size: Size, fps: u32) -> u32 {
    let pixels_per_second = u64::from(size.width) * u64::from(size.height) * u64::from(fps);
    u32::try_from(pixels_per_second * 12 / 100).unwrap_or(u32::MAX).clamp(200_000, 8_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_pictures_are_made_smaller_in_their_proportions() {
        let check = |from: (u32, u32), to: (u32, u32)| {
            let size = encoded_size(Size { width: from.0, height: from.1 });
            assert_eq!((size.width, size.height), to, "{from:?}");
        };
        check((1280, 720), (1280, 720));
        check((853, 481), (852, 480));
        check((3840, 2160), (1920, 1080));
        check((2160, 3840), (606, 1080));
    }

    #[test]
    fn ticks_of_any_time_base_are_microseconds() {
        assert_eq!(micros(90_000, Rational(1, 90_000)), 1_000_000);
        assert_eq!(micros(-1_024, Rational(1, 44_100)), -23_219);
        assert_eq!(micros(i64::MAX, Rational(1, 1)), 0, "nonsense");
    }

    #[test]
    fn what_is_no_media_file_is_named() {
        let said = Footage::open(Path::new("/does/not/exist.mp4"), false, None).err().expect("refused").to_string();
        assert!(said.contains("/does/not/exist.mp4") && said.contains("No such file"), "{said}");
    }
}
