//! Pre-encoded pictures to publish, made by the ffmpeg command line, so that no sender's encoder takes part.

use crate::support::media::{Clip, Video};
use footlight_packager::contribution::{OPUS_FRAME_SAMPLES, OpusEncoder};
use footlight_packager::decode::{Pcm, SAMPLE_RATE};
use std::ops::Range;
use std::sync::Arc;

/// `seconds` of H.264 of one grey, which tells publishers apart, at 30 fps with a key frame each second.
pub fn grey(luma: u8, width: u32, height: u32, seconds: u32) -> Clip {
    encode(&format!("color=c=0x{luma:02x}{luma:02x}{luma:02x}:s={width}x{height}:r=30:d={seconds}"), 200)
}

/// The same in another codec, of any size.
pub fn grey_in(codec: Video, luma: u8, width: u32, height: u32, seconds: u32) -> Clip {
    // FFmpeg makes even pictures.
    let even = format!("color=c=0x{luma:02x}{luma:02x}{luma:02x}:s=64x64:r=30:d={seconds}");
    let source = format!("{even},scale={width}:{height}:flags=neighbor");
    let encoder: &[&str] = match codec {
        Video::H264 => return encode(&source, 200),
        Video::Vp8 => &["libvpx", "-deadline", "realtime", "-cpu-used", "8"],
        Video::Vp9 => &["libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-lag-in-frames", "0"],
        Video::Av1 => &["libaom-av1", "-usage", "realtime", "-cpu-used", "8", "-lag-in-frames", "0"],
    };
    let output = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", &source, "-pix_fmt", "yuv420p", "-c:v"])
        .args(encoder)
        .args(["-b:v", "200k", "-g", "30", "-keyint_min", "30", "-f", "ivf", "-"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Clip::from_ivf(codec, &output.stdout, 30, 30)
}

/// Something that moves, at `kbps`.
pub fn moving(width: u32, height: u32, kbps: u32, seconds: u32) -> Clip {
    encode(&format!("testsrc2=s={width}x{height}:r=30:d={seconds}"), kbps)
}

/// How a frame of [`counted`] says its number: this many cells from the picture's top left corner, each a power of two, white where it is set;
/// below them the same cells inverted, so that a picture that is no such frame is not taken for one.
pub const COUNT_CELLS: u32 = 11;
/// A cell's width and height, in pixels.
pub const COUNT_CELL: (u32, u32) = (112, 48);

/// Something that moves, 1280x720 at 30 fps, with each frame's number in the picture.
pub fn counted(kbps: u32, seconds: u32) -> Clip {
    assert!(seconds * 30 <= 1 << COUNT_CELLS);
    let (width, height) = COUNT_CELL;
    let band = format!("drawbox=x=0:y=0:w={}:h={}:color=black:t=fill", COUNT_CELLS * width, 2 * height);
    let cells = (0..COUNT_CELLS).flat_map(|bit| {
        let set = format!("mod(floor(n/{})\\,2)", 1_u32 << bit);
        [(0, set.clone()), (height, format!("not({set})"))].map(|(y, when)| {
            format!(",drawbox=x={}:y={y}:w={width}:h={height}:color=white:t=fill:enable={when}", bit * width)
        })
    });
    encode(&format!("testsrc2=s=1280x720:r=30:d={seconds},{band}{}", cells.collect::<String>()), kbps)
}

/// What happens in the seconds of [`flashing`] and of [`beeping`], which fit each other.
pub mod second {
    pub const NOTHING: usize = 0;
    pub const FLASH_AND_BEEP: usize = 1;
    pub const FLASH: usize = 2;
    pub const COUNT: usize = 3;
}

/// For which part of its second a flash is seen and a beep is heard: three pictures.
const SIGNAL_SECONDS: Range<f64> = 0.5..0.6;

/// Something dark that moves, with white pictures in the seconds that have a flash.
pub fn flashing(width: u32, height: u32, kbps: u32) -> Clip {
    let Range { start, end } = SIGNAL_SECONDS;
    // In the middle between two pictures, so that rounding decides nothing.
    let (first, last) = (start - 1.0 / 60.0, end - 1.0 / 60.0);
    let white = format!("gte(t\\,{})*between(mod(t\\,1)\\,{first}\\,{last})", second::FLASH_AND_BEEP);
    let source = format!("testsrc2=s={width}x{height}:r=30:d={},lutyuv=y=val/3+16", second::COUNT);
    encode(&format!("{source},drawbox=color=white:t=fill:enable={white}"), kbps)
}

/// Opus packets of silence, with a tone of this frequency in the second that has a beep.
pub fn beeping(hz: f64) -> Vec<Arc<[u8]>> {
    let mut encoder = OpusEncoder::new(64_000).unwrap();
    let rate = f64::from(SAMPLE_RATE);
    let delay = encoder.delay_us() as f64 / 1e6;
    let sample = |n: usize| {
        let at = n as f64 / rate + delay;
        let sounds = at.trunc() == second::FLASH_AND_BEEP as f64 && SIGNAL_SECONDS.contains(&at.fract());
        // As if it began at a crossing of zero, in whichever second it is.
        let tone = (std::f64::consts::TAU * hz * (at.fract() - SIGNAL_SECONDS.start)).sin();
        if sounds { 0.5 * tone as f32 } else { 0.0 }
    };
    (0..second::COUNT * SAMPLE_RATE as usize / OPUS_FRAME_SAMPLES)
        .map(|packet| {
            let left: Vec<f32> = (packet * OPUS_FRAME_SAMPLES..(packet + 1) * OPUS_FRAME_SAMPLES).map(sample).collect();
            encoder.encode(&Pcm { right: left.clone(), left }).unwrap().as_ref().into()
        })
        .collect()
}

fn encode(source: &str, kbps: u32) -> Clip {
    let output = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p", "-c:v", "libx264"])
        .args([
            "-preset",
            "superfast",
            "-profile:v",
            "baseline",
            "-bf",
            "0",
            "-g",
            "30",
            "-x264-params",
            "scenecut=0:aud=1:repeat-headers=1",
        ])
        .args(["-b:v", &format!("{kbps}k"), "-maxrate", &format!("{kbps}k"), "-bufsize", &format!("{kbps}k")])
        .args(["-f", "h264", "-"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Clip::from_annexb(&output.stdout, 30)
}

/// A PNG of one color.
pub fn png(color: &str, width: u32, height: u32) -> Vec<u8> {
    let source = format!("color=c={color}:s={width}x{height}");
    let arguments =
        ["-v", "error", "-f", "lavfi", "-i", &source, "-frames:v", "1", "-f", "image2pipe", "-c:v", "png", "-"];
    let output = std::process::Command::new("ffmpeg").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Asks a decoder that is compiled for tests to crash: an SEI (ITU-T H.264 D.1.7) with the failpoint's UUID before the frame.
pub fn with_crash(mut clip: Clip, frame: usize) -> Clip {
    let mut sei = vec![0, 0, 0, 1, 0x06, 5, 16];
    sei.extend(b"footlight-crash!");
    sei.push(0x80);
    sei.extend(std::mem::take(&mut clip.frames[frame].data));
    clip.frames[frame].data = sei;
    clip
}
