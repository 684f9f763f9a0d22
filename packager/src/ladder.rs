//! What is encoded: the canvas, its frame rate, the rungs and the audio renditions of one live stream, and the constants that
//! follow from them.

use crate::layout::Size;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Seconds of a segment. TARGETDURATION is this for the whole life of a stream.
pub const SEGMENT_SECONDS: u32 = 2;
/// Parts of a segment: a third of a second each. Shorter ones cost viewers requests (20 a second at 1/5 s), longer ones latency.
pub const PARTS_PER_SEGMENT: u32 = 6;
/// Seconds between key frames. One each second, not one a segment: a player stands until the next one after it joined.
pub const KEY_FRAME_SECONDS: u32 = 1;
/// The longest audio part: 16 AAC frames, in ms, rounded up.
const AUDIO_PART_MS: u32 = 342;
/// RFC 8216bis section 4.4.3.8 wants a PART-HOLD-BACK of two PART-TARGETs at least, and players need three.
pub const PARTS_HELD_BACK: u32 = 3;
/// Seconds: three target durations.
pub const HOLD_BACK: &str = "6.000";
/// x264's `maxrate` over `bitrate`, in percent.
const MAXRATE_PERCENT: u64 = 110;
/// BANDWIDTH over the rate that the encoder may hold for long, in percent: a segment of 2 s may also spend all of the rate control's buffer, which is half a
/// second.
const PEAK_PERCENT: u64 = 125;
/// Likewise of AV1, whose encoder finds its rate a second late where a picture that stood begins to move.
const PEAK_PERCENT_OF_AV1: u64 = 250;

/// Mean bits per second of a rung's pictures.
pub const VIDEO_BPS: RangeInclusive<u32> = 50_000..=50_000_000;
/// Frames a second that are encoded. Parts are a third of a second: of 25 and 50 some are a frame longer than others.
const FRAME_RATES: [u32; 7] = [15, 24, 25, 30, 48, 50, 60];
/// Pixels that all rungs together may have in a second: two of 3840x2160 at 60 frames a second.
const MOST_PIXELS: u64 = 2 * 3_840 * 2_160 * 60;
/// What an error shows of a name.
const SHOWN_CHARS: usize = 40;

/// x264's presets that are fast enough, the fastest first.
pub(crate) const PRESETS: [&str; 6] = ["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"];

/// Everything that is encoded for one live stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ladder {
    /// The composed picture.
    pub canvas: Size,
    /// Frames per second of the canvas and of every rung.
    pub fps: u32,
    /// Video renditions, best first.
    pub rungs: Vec<Rung>,
    /// Audio renditions, best first.
    pub audio: Vec<AudioRendition>,
}

/// One video rendition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// Name and path segment, e.g. `720p`.
    pub name: String,
    /// Encoded picture.
    pub size: Size,
    /// Mean rate of the video in bits per second.
    pub bitrate_bps: u32,
    /// What encodes it.
    pub codec: VideoCodec,
    /// x264's preset, or what comes nearest to it in another encoder.
    pub preset: String,
    /// Name of the audio rendition that is played with it.
    pub audio: String,
}

/// What encodes a rung, by FFmpeg's names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VideoCodec {
    /// H.264 by x264.
    #[default]
    Libx264,
    /// H.264 by an NVIDIA card.
    H264Nvenc,
    /// H.264 by an AMD card.
    H264Amf,
    /// HEVC by x265.
    Libx265,
    /// HEVC by an NVIDIA card.
    HevcNvenc,
    /// AV1 by libaom.
    #[serde(rename = "libaom-av1")]
    LibaomAv1,
    /// AV1 by an NVIDIA card.
    Av1Nvenc,
}

/// What a viewer's device has to decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// H.264, which all can.
    Avc,
    /// H.265.
    Hevc,
    /// AV1.
    Av1,
}

/// One AAC-LC rendition, 48 kHz stereo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioRendition {
    /// Name, path segment and group id, e.g. `audio`.
    pub name: String,
    /// Bits per second.
    pub bitrate_bps: u32,
}

/// Why a ladder cannot be encoded. The customer's fault; retrying the same is useless.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LadderError {
    /// A frame rate that is none of those.
    #[error("{0} frames a second: use 15, 24, 25, 30, 48, 50 or 60")]
    FrameRate(u32),
    /// More than any machine encodes.
    #[error(
        "{0} pixels a second in all rungs: give at most {MOST_PIXELS}, as two rungs of 3840x2160 at 60 frames a second have"
    )]
    Pixels(u64),
    /// A canvas that 4:2:0 cannot hold or that is absurd.
    #[error("canvas {width}x{height}: both sides have to be even, and from 64 to 3840")]
    Canvas {
        /// As given, pixels.
        width: u32,
        /// As given, pixels.
        height: u32,
    },
    /// A size that 4:2:0 cannot hold or that is absurd.
    #[error("size {width}x{height} of {name:?}: both sides have to be even, and from 64 to 3840")]
    Size {
        /// The rung's name.
        name: String,
        /// As given, pixels.
        width: u32,
        /// As given, pixels.
        height: u32,
    },
    /// A rung of HEVC or AV1 alone, or two of them.
    #[error("{0} rungs of HEVC or AV1, of {1}: give one at most, beside H.264, which every device plays")]
    Formats(usize, usize),
    /// Too few or too many.
    #[error("{0} rungs: give 1 to 8")]
    Rungs(usize),
    /// Two renditions with one name, or a name that cannot be a path segment.
    #[error("rendition name {0:?}: each its own, of letters, digits, - and _, at most 32")]
    Name(String),
    /// A rung that names no audio rendition.
    #[error("rung {rung:?} plays audio {audio:?}, which is not among the audio renditions")]
    Audio {
        /// The rung's name.
        rung: String,
        /// What it asked for.
        audio: String,
    },
    /// A rate out of range.
    #[error("bitrate {} kbit/s of {name:?}: video 50 to 50000, audio 32 to 320", f64::from(*bps) / 1e3)]
    Bitrate {
        /// The rendition's name.
        name: String,
        /// As given.
        bps: u32,
    },
    /// Not one of x264's presets.
    #[error("preset {0:?}: use ultrafast, superfast, veryfast, faster, fast or medium")]
    Preset(String),
}

impl Ladder {
    /// Checks what the other functions of this crate rely on.
    pub fn check(&self) -> Result<(), LadderError> {
        if !FRAME_RATES.contains(&self.fps) {
            return Err(LadderError::FrameRate(self.fps));
        }
        if self.rungs.is_empty() || self.rungs.len() > 8 {
            return Err(LadderError::Rungs(self.rungs.len()));
        }
        let mut names = Vec::new();
        for name in self.rungs.iter().map(|r| &r.name).chain(self.audio.iter().map(|a| &a.name)) {
            let legal = !name.is_empty()
                && name.len() <= 32
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
            if !legal || names.contains(&name) {
                return Err(LadderError::Name(shown(name)));
            }
            names.push(name);
        }
        for audio in &self.audio {
            check_rate(&audio.name, audio.bitrate_bps, 32_000..=320_000)?;
        }
        for rung in &self.rungs {
            let Size { width, height } = rung.size;
            if !sized(width) || !sized(height) {
                return Err(LadderError::Size { name: rung.name.clone(), width, height });
            }
            check_rate(&rung.name, rung.bitrate_bps, VIDEO_BPS)?;
            if !PRESETS.contains(&rung.preset.as_str()) {
                return Err(LadderError::Preset(shown(&rung.preset)));
            }
            if !self.audio.iter().any(|a| a.name == rung.audio) {
                return Err(LadderError::Audio { rung: rung.name.clone(), audio: shown(&rung.audio) });
            }
        }
        let pixels = |rung: &Rung| u64::from(rung.size.width) * u64::from(rung.size.height) * u64::from(self.fps);
        let all = self.rungs.iter().map(pixels).sum();
        if all > MOST_PIXELS {
            return Err(LadderError::Pixels(all));
        }
        let Size { width, height } = self.canvas;
        if !sized(width) || !sized(height) {
            return Err(LadderError::Canvas { width, height });
        }
        let other = self.rungs.iter().filter(|rung| rung.codec.format() != Format::Avc).count();
        if other > 1 || other == self.rungs.len() {
            return Err(LadderError::Formats(other, self.rungs.len()));
        }
        Ok(())
    }

    /// PART-TARGET of every rendition (RFC 8216bis section 4.4.3.7): the longest part, of sound or of pictures.
    pub fn part_target(&self) -> Duration {
        let frames = (self.fps * SEGMENT_SECONDS).div_ceil(PARTS_PER_SEGMENT);
        Duration::from_millis((frames * 1_000).div_ceil(self.fps).max(AUDIO_PART_MS).into())
    }
}

impl VideoCodec {
    /// Every codec.
    pub const ALL: [Self; 7] = [
        Self::Libx264,
        Self::H264Nvenc,
        Self::H264Amf,
        Self::Libx265,
        Self::HevcNvenc,
        Self::LibaomAv1,
        Self::Av1Nvenc,
    ];

    /// FFmpeg's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Libx264 => "libx264",
            Self::H264Nvenc => "h264_nvenc",
            Self::H264Amf => "h264_amf",
            Self::Libx265 => "libx265",
            Self::HevcNvenc => "hevc_nvenc",
            Self::LibaomAv1 => "libaom-av1",
            Self::Av1Nvenc => "av1_nvenc",
        }
    }

    /// The codec of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }

    /// What comes out.
    pub const fn format(self) -> Format {
        match self {
            Self::Libx264 | Self::H264Nvenc | Self::H264Amf => Format::Avc,
            Self::Libx265 | Self::HevcNvenc => Format::Hevc,
            Self::LibaomAv1 | Self::Av1Nvenc => Format::Av1,
        }
    }

    /// Whether a graphics card does it, which the fences of a child process keep it from.
    pub const fn is_hardware(self) -> bool {
        matches!(self, Self::H264Nvenc | Self::H264Amf | Self::HevcNvenc | Self::Av1Nvenc)
    }
}

impl Rung {
    /// Bits per second that the rate control may hold for long.
    pub fn maxrate_bps(&self) -> u64 {
        u64::from(self.bitrate_bps) * MAXRATE_PERCENT / 100
    }

    /// Bits by which it may exceed that: those of half a second.
    pub fn buffer_bits(&self) -> u64 {
        self.maxrate_bps() / 2
    }
}

/// BANDWIDTH of a variant that is sound alone, likewise.
pub fn peak_sound_bps(audio: &AudioRendition) -> u64 {
    u64::from(audio.bitrate_bps) * PEAK_PERCENT / 100
}

/// BANDWIDTH of a variant: an upper bound of the rate of any of its segments, in bits per second (RFC 8216bis section 4.4.6.2).
pub fn peak_bandwidth_bps(rung: &Rung, audio: &AudioRendition) -> u64 {
    let peak = if rung.codec.format() == Format::Av1 { PEAK_PERCENT_OF_AV1 } else { PEAK_PERCENT };
    rung.maxrate_bps() * peak / 100 + peak_sound_bps(audio)
}

/// AVERAGE-BANDWIDTH of a variant in bits per second.
pub fn average_bandwidth_bps(rung: &Rung, audio: &AudioRendition) -> u64 {
    u64::from(rung.bitrate_bps) + u64::from(audio.bitrate_bps)
}

/// What an error shows of a text that is not ours.
fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS).collect()
}

fn sized(length: u32) -> bool {
    (64..=3840).contains(&length) && length.is_multiple_of(2)
}

fn check_rate(name: &str, bps: u32, range: RangeInclusive<u32>) -> Result<(), LadderError> {
    if range.contains(&bps) { Ok(()) } else { Err(LadderError::Bitrate { name: name.to_owned(), bps }) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::segmenter::Cut;

    /// One 720p rung and one AAC rendition.
    pub(crate) fn one_rung() -> Ladder {
        let size = Size { width: 1280, height: 720 };
        Ladder {
            canvas: size,
            fps: 30,
            rungs: vec![Rung {
                name: "720p".into(),
                size,
                bitrate_bps: 2_500_000,
                codec: VideoCodec::Libx264,
                preset: "superfast".into(),
                audio: "audio".into(),
            }],
            audio: vec![AudioRendition { name: "audio".into(), bitrate_bps: 128_000 }],
        }
    }

    #[test]
    fn what_cannot_be_encoded_is_named() {
        let check = |change: fn(&mut Ladder), want: &str| {
            let mut ladder = one_rung();
            change(&mut ladder);
            let text = ladder.check().expect_err("was changed for the worse").to_string();
            assert!(text.starts_with(want), "{text}");
        };
        assert_eq!(one_rung().check(), Ok(()));
        check(|l| l.fps = 29, "29 frames a second");
        check(|l| l.rungs.clear(), "0 rungs");
        check(|l| l.canvas.width = 1271, "canvas 1271x720");
        check(|l| l.rungs[0].size.width = 1279, "size 1279x720 of \"720p\"");
        check(|l| l.rungs[0].codec = VideoCodec::Libx265, "1 rungs of HEVC or AV1, of 1");
        check(|l| l.rungs[0].name = "../x".into(), "rendition name");
        check(|l| l.audio[0].name = "720p".into(), "rendition name \"720p\"");
        check(|l| l.rungs[0].audio = "low".into(), "rung \"720p\" plays audio \"low\"");
        check(|l| l.rungs[0].bitrate_bps = 1, "bitrate 0.001 kbit/s of \"720p\"");
        check(|l| l.rungs[0].preset = "placebo".into(), "preset \"placebo\"");
        check(
            |l| {
                let each = |n| Rung {
                    name: format!("{n}"),
                    size: Size { width: 3840, height: 2160 },
                    bitrate_bps: 20_000_000,
                    ..l.rungs[0].clone()
                };
                (l.rungs, l.fps) = ((0..3).map(each).collect(), 60);
            },
            "1492992000 pixels a second in all rungs: give at most 995328000",
        );
        check(|l| l.rungs[0].preset = "long".repeat(10_000), "preset \"longlonglonglonglonglonglonglonglonglong\"");
    }

    #[test]
    fn no_part_is_longer_than_the_target_and_none_but_the_last_much_shorter() {
        for fps in FRAME_RATES {
            let ladder = Ladder { fps, ..one_rung() };
            let target = ladder.part_target().as_secs_f64();
            for cut in [Cut::video(fps), Cut::audio()] {
                for part in 0..u64::from(PARTS_PER_SEGMENT) * 4 {
                    let seconds = cut.seconds(cut.first_unit(part + 1) - cut.first_unit(part));
                    assert!(seconds <= target && seconds >= 0.85 * target, "{fps}: part {part} of {seconds} s");
                }
                let second = u64::from(PARTS_PER_SEGMENT / SEGMENT_SECONDS);
                assert_eq!(Cut::video(fps).first_unit(second), u64::from(fps * KEY_FRAME_SECONDS));
            }
        }
    }
}
