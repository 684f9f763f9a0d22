//! What both sides are given: the same pictures and sounds, as Annex B and raw Opus for our core and in one file each for ffmpeg.

use super::support::media::Clip;
use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Frames a second of every input, and of what is made.
pub const FPS: u32 = 30;
/// Of an Opus packet of 20 ms at 64 kbit/s without variation: every one is as long.
const PACKET_BYTES: usize = 160;

/// A folder of inputs of one size.
pub struct Inputs {
    pub folder: PathBuf,
    pub count: usize,
}

impl Inputs {
    /// `count` moving pictures that differ, each with a tone of its own. Made once for each size and length.
    pub fn make(root: &Path, count: usize, (width, height): (u32, u32), kbps: u32, seconds: u32) -> Self {
        let folder = root.join(format!("{width}x{height}"));
        std::fs::create_dir_all(&folder).unwrap();
        for number in (0..count).filter(|number| !folder.join(format!("{number}.mkv")).exists()) {
            let hue = 360 * number / 16;
            let picture = format!("testsrc2=s={width}x{height}:r={FPS}:d={seconds},hue=h={hue},noise=alls=6:allf=t");
            let sound = format!("sine=frequency={}:sample_rate=48000:duration={seconds}", 200 + 40 * number);
            let path = |end: &str| folder.join(format!("{number}.{end}"));
            ffmpeg(|command| {
                command.args(["-f", "lavfi", "-i", &picture, "-c:v", "libx264", "-preset", "veryfast"]);
                command.args([
                    "-profile:v",
                    "baseline",
                    "-pix_fmt",
                    "yuv420p",
                    "-g",
                    "60",
                    "-b:v",
                    &format!("{kbps}k"),
                ]);
                command.args(["-x264-params", "aud=1:repeat-headers=1", "-f", "h264"]).arg(path("h264"));
            });
            ffmpeg(|command| {
                command.args(["-framerate", &FPS.to_string(), "-i"]).arg(path("h264"));
                command.args(["-f", "lavfi", "-i", &sound, "-c:v", "copy"]);
                command.args(["-c:a", "libopus", "-vbr", "off", "-b:a", "64k", "-ac", "2"]).arg(path("mkv"));
            });
            ffmpeg(|command| {
                command.arg("-i").arg(path("mkv")).args(["-map", "0:a", "-c", "copy", "-f", "data"]).arg(path("opus"));
            });
        }
        Self { folder, count }
    }

    pub fn file(&self, number: usize) -> PathBuf {
        self.folder.join(format!("{number}.mkv"))
    }
}

/// An input's access units, in order.
pub fn pictures(folder: &Path, number: usize) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(folder.join(format!("{number}.h264"))).unwrap();
    Clip::from_annexb(&bytes, FPS).frames.into_iter().map(|frame| frame.data).collect()
}

/// An input's Opus packets, in order.
pub fn sounds(folder: &Path, number: usize) -> Vec<Bytes> {
    let bytes = std::fs::read(folder.join(format!("{number}.opus"))).unwrap();
    bytes.chunks_exact(PACKET_BYTES).map(Bytes::copy_from_slice).collect()
}

/// Runs ffmpeg, which must succeed; answers with what it said.
pub fn ffmpeg(arguments: impl FnOnce(&mut Command)) -> String {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-y"]);
    arguments(&mut command);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}
