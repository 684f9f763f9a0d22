//! Pre-encoded pictures to publish, made by the ffmpeg command line, so that no sender's encoder takes part.

use crate::support::media::{Clip, Video};

/// `seconds` of H.264 of one grey, which tells publishers apart, at 30 fps with a key frame each second.
pub fn grey(luma: u8, width: u32, height: u32, seconds: u32) -> Clip {
    encode(&format!("color=c=0x{luma:02x}{luma:02x}{luma:02x}:s={width}x{height}:r=30:d={seconds}"), 200)
}

/// The same in another codec.
pub fn grey_in(codec: Video, luma: u8, width: u32, height: u32, seconds: u32) -> Clip {
    let source = format!("color=c=0x{luma:02x}{luma:02x}{luma:02x}:s={width}x{height}:r=30:d={seconds}");
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

/// Asks a decoder that is compiled for tests to crash: an SEI (ITU-T H.264 D.1.7) with the failpoint's UUID before the frame.
pub fn with_crash(mut clip: Clip, frame: usize) -> Clip {
    let mut sei = vec![0, 0, 0, 1, 0x06, 5, 16];
    sei.extend(b"footlight-crash!");
    sei.push(0x80);
    sei.extend(std::mem::take(&mut clip.frames[frame].data));
    clip.frames[frame].data = sei;
    clip
}
