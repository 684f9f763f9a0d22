//! What a live stream encodes: what its start or its room's template asked for, and for the rest what is configured; and which encoders are here, which is
//! tried once. Pure but for that.

use crate::live::Isolation;
use footlight_control as control;
use footlight_packager::ladder::{AudioRendition, Format, Ladder, LadderError, Rung, VIDEO_BPS, VideoCodec};
use footlight_packager::layout::Size;
use footlight_packager::{encode, ffmpeg};

/// Mean kbit/s of 1280x720 at 30 frames a second, and how the rate grows with the pixels of a second: larger pictures have more of the same in them. It
/// comes within a tenth of what the default ladder has for 480p and 360p.
const KBPS_OF_720P30: f64 = 2_500.0;
const PIXELS_OF_720P30: f64 = 1_280.0 * 720.0 * 30.0;
const RATE_EXPONENT: f64 = 0.9;
/// What HEVC and AV1 take of that.
const OTHER_FORMATS: f64 = 0.65;

/// Pictures by which encoders are tried.
const TRIED: Size = Size { width: 640, height: 360 };

/// Encoders that this server cannot use, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Encoders {
    /// With the cure.
    absent: Vec<(VideoCodec, String)>,
}

impl Encoders {
    /// Opens each once. It may take some hundred milliseconds.
    pub(crate) fn try_all(isolation: Isolation) -> Self {
        ffmpeg::quiet();
        let tried = |codec: VideoCodec| {
            let opened =
                || encode::VideoEncoder::new(&of(codec), 30).err().map(|error| format!("{error}; use libx264"));
            Some((codec, fenced(codec, isolation).or_else(opened)?))
        };
        // Every build has x264, without which there is no packager.
        let others = VideoCodec::ALL.into_iter().filter(|codec| *codec != VideoCodec::Libx264);
        Self { absent: others.filter_map(tried).collect() }
    }

    /// Whether this server can encode it. `Err` says which of its encoders is not to be had.
    pub(crate) fn check(&self, ladder: &Ladder) -> Result<(), String> {
        for rung in &ladder.rungs {
            if let Some((codec, why)) = self.absent.iter().find(|(codec, _)| *codec == rung.codec) {
                return Err(format!("layers: codec {} of {}: {why}", codec.name(), rung.name));
            }
        }
        Ok(())
    }
}

/// Why a codec cannot work in such a packager, whatever is in the machine.
pub(crate) fn fenced(codec: VideoCodec, isolation: Isolation) -> Option<String> {
    let fenced = codec.is_hardware() && isolation == Isolation::Process;
    let why =
        "it opens devices, which a fenced child process may not; set packager.isolation to thread, or use libx264";
    fenced.then(|| why.to_owned())
}

/// A rung of that codec.
fn of(codec: VideoCodec) -> Rung {
    let (name, preset, audio) = ("a try".to_owned(), "superfast".to_owned(), String::new());
    Rung { name, size: TRIED, bitrate_bps: 700_000, codec, preset, audio }
}

/// What is encoded where `asked` is. `Err` says what of it cannot be, with the cure.
pub(crate) fn ladder(asked: &control::Ladder, configured: &Ladder) -> Result<Ladder, String> {
    let fps = asked.frame_rate.unwrap_or(configured.fps);
    if asked.layers.is_empty() {
        return checked(Ladder { fps, ..configured.clone() });
    }
    let mut ladder = Ladder { canvas: configured.canvas, fps, rungs: Vec::new(), audio: Vec::new() };
    for layer in &asked.layers {
        let audio_bps = layer.audio_bitrate.map_or(configured.audio[0].bitrate_bps, |kbps| kbps.saturating_mul(1_000));
        let (size, audio) = (size(layer, configured.canvas), audio(&mut ladder.audio, audio_bps));
        let codec = codec(layer)?;
        let rate = layer.video_bitrate.unwrap_or_else(|| usual_kbps(size, fps, codec));
        ladder.rungs.push(Rung {
            name: name(&ladder.rungs, size),
            size,
            bitrate_bps: rate.saturating_mul(1_000),
            codec,
            preset: layer.preset.clone().unwrap_or_else(|| configured.rungs[0].preset.clone()),
            audio,
        });
    }
    let pixels = |size: Size| u64::from(size.width) * u64::from(size.height);
    let largest = ladder.rungs.iter().map(|rung| rung.size).max_by_key(|size| pixels(*size));
    ladder.canvas = largest.unwrap_or(configured.canvas);
    checked(ladder)
}

/// Names what of it a request can change, whichever way that writes its fields.
fn checked(ladder: Ladder) -> Result<Ladder, String> {
    match ladder.check() {
        Ok(()) => Ok(ladder),
        Err(error @ LadderError::FrameRate(_)) => Err(format!("frame_rate: {error}")),
        Err(error) => Err(format!("layers: {error}")),
    }
}

/// As high as asked, and as wide as the canvas's proportions make it where that is not.
fn size(layer: &control::Layer, canvas: Size) -> Size {
    let wide = u64::from(layer.height) * u64::from(canvas.width) / u64::from(canvas.height);
    let width = layer.width.unwrap_or_else(|| u32::try_from(wide & !1).unwrap_or(u32::MAX));
    Size { width, height: layer.height }
}

/// The name of the rendition of that rate, which is added where there is none.
fn audio(renditions: &mut Vec<AudioRendition>, bitrate_bps: u32) -> String {
    if let Some(same) = renditions.iter().find(|rendition| rendition.bitrate_bps == bitrate_bps) {
        return same.name.clone();
    }
    let name = if renditions.is_empty() { "audio".to_owned() } else { format!("audio-{}", bitrate_bps / 1_000) };
    renditions.push(AudioRendition { name: name.clone(), bitrate_bps });
    name
}

fn codec(layer: &control::Layer) -> Result<VideoCodec, String> {
    let Some(name) = &layer.codec else { return Ok(VideoCodec::default()) };
    VideoCodec::named(name).ok_or_else(|| {
        let known = VideoCodec::ALL.map(VideoCodec::name).join(", ");
        let shown: String = name.chars().take(40).collect();
        format!("layers: codec {shown:?} is none of this server's; use {known}")
    })
}

/// `720p`, and `720p-2` where there is one already.
fn name(rungs: &[Rung], size: Size) -> String {
    let first = format!("{}p", size.width.min(size.height));
    let taken = |name: &str| rungs.iter().any(|rung| rung.name == name);
    let others = (2..).map(|n| format!("{first}-{n}"));
    std::iter::once(first.clone()).chain(others).find(|name| !taken(name)).expect("one of endlessly many")
}

fn usual_kbps(size: Size, fps: u32, codec: VideoCodec) -> u32 {
    let pixels = f64::from(size.width) * f64::from(size.height) * f64::from(fps);
    let share = if codec.format() == Format::Avc { 1.0 } else { OTHER_FORMATS };
    // In steps that a person would choose; a float beyond u32 becomes its largest value.
    let tens = KBPS_OF_720P30 * (pixels / PIXELS_OF_720P30).powf(RATE_EXPONENT) * share / 10.0;
    let [least, most] = [VIDEO_BPS.start(), VIDEO_BPS.end()].map(|bps| bps / 1_000);
    (tens.round() as u32).saturating_mul(10).clamp(least, most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn configured() -> Ladder {
        Config::merge(None, std::iter::empty()).expect("defaults").ladder()
    }

    fn layer(height: u32) -> control::Layer {
        control::Layer { height, ..control::Layer::default() }
    }

    fn of(layers: Vec<control::Layer>) -> Result<Ladder, String> {
        ladder(&control::Ladder { frame_rate: None, layers }, &configured())
    }

    #[test]
    fn heights_alone_make_a_ladder() {
        let ladder = of(vec![layer(1080), layer(720), layer(480), layer(360)]).expect("can be encoded");
        assert_eq!((ladder.canvas, ladder.fps), (Size { width: 1920, height: 1080 }, 30));
        let rungs: Vec<_> =
            ladder.rungs.iter().map(|r| (r.name.as_str(), r.size.width, r.bitrate_bps / 1_000)).collect();
        assert_eq!(rungs, [("1080p", 1920, 5_190), ("720p", 1280, 2_500), ("480p", 852, 1_200), ("360p", 640, 720)]);
        assert_eq!(ladder.audio, [AudioRendition { name: "audio".into(), bitrate_bps: 128_000 }]);
    }

    #[test]
    fn what_is_too_small_for_a_rate_of_its_own_has_the_least_there_is() {
        assert_eq!(of(vec![layer(64)]).map(|ladder| ladder.rungs[0].bitrate_bps), Ok(50_000));
    }

    #[test]
    fn each_rate_of_sound_is_one_rendition_and_each_rung_has_a_name_of_its_own() {
        let with =
            |height, kbps| control::Layer { audio_bitrate: Some(kbps), video_bitrate: Some(500), ..layer(height) };
        let ladder = of(vec![with(720, 128), with(720, 64), with(360, 64)]).expect("can be encoded");
        let rungs: Vec<_> = ladder.rungs.iter().map(|r| (r.name.as_str(), r.audio.as_str())).collect();
        assert_eq!(rungs, [("720p", "audio"), ("720p-2", "audio-64"), ("360p", "audio-64")]);
        assert_eq!(ladder.audio.len(), 2);
    }

    #[test]
    fn upright_pictures_have_an_upright_canvas() {
        let upright = control::Layer { width: Some(1080), ..layer(1920) };
        let ladder = of(vec![upright]).expect("can be encoded");
        assert_eq!((ladder.canvas, ladder.rungs[0].name.as_str()), (Size { width: 1080, height: 1920 }, "1080p"));
    }

    #[test]
    fn what_cannot_be_encoded_is_named() {
        let check = |layers: Vec<control::Layer>, want: &str| {
            let error = of(layers).expect_err("cannot be encoded");
            assert!(error.contains(want), "{error}");
        };
        let codec = |name: &str| control::Layer { codec: Some(name.into()), ..layer(720) };
        check(vec![layer(0)], "layers: size 0x0 of \"0p\": both sides have to be even");
        check(vec![layer(721)], "layers: size 1280x721 of \"721p\": both sides have to be even");
        check(vec![layer(u32::MAX)], "both sides have to be even, and from 64 to 3840");
        check(
            vec![control::Layer { video_bitrate: Some(u32::MAX), ..layer(720) }],
            "layers: bitrate 4294967.295 kbit/s of \"720p\"",
        );
        check(vec![control::Layer { audio_bitrate: Some(0), ..layer(720) }], "layers: bitrate 0 kbit/s of \"audio\"");
        check(vec![control::Layer { preset: Some("placebo".into()), ..layer(720) }], "preset \"placebo\"");
        check(vec![codec("h264_vaapi")], "codec \"h264_vaapi\" is none of this server's; use libx264, h264_nvenc");
        check(vec![codec("libx265")], "1 rungs of HEVC or AV1, of 1");
        let rate = |rate| ladder(&control::Ladder { frame_rate: Some(rate), layers: Vec::new() }, &configured());
        let error = rate(29).expect_err("is none");
        assert!(error.starts_with("frame_rate: 29 frames a second: use 15, 24, 25"), "{error}");
        assert_eq!(rate(25).map(|ladder| ladder.fps), Ok(25));
    }

    #[test]
    fn a_card_is_no_child_process_s_and_one_that_is_not_there_is_said_so() {
        let card = control::Layer { codec: Some("h264_nvenc".into()), ..layer(720) };
        let ladder = of(vec![card]).expect("a ladder");
        let fenced = Encoders::try_all(Isolation::Process).check(&ladder).expect_err("a fence");
        assert!(fenced.starts_with("layers: codec h264_nvenc of 720p: it opens devices"), "{fenced}");
        let here = Encoders::try_all(Isolation::Thread);
        let absent = here.check(&ladder).expect_err("no card is here");
        assert!(absent.contains("h264_nvenc") && absent.ends_with("; use libx264"), "{absent}");
        assert_eq!(here.check(&configured()), Ok(()));
        let others = ["libx265", "libaom-av1"].map(|name| control::Layer { codec: Some(name.into()), ..layer(720) });
        for other in others {
            assert_eq!(here.check(&of(vec![layer(720), other]).expect("a ladder")), Ok(()));
        }
    }
}
