//! Other people's players on the command line, each playing one rung live, with sound, in real time, and with nothing to show it on.

use super::clips::{COUNT_CELL, COUNT_CELLS};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Beyond what is played: to begin, and to end.
const PATIENCE: Duration = Duration::from_secs(20);
/// Samples of an AAC frame.
const AAC_SAMPLES: u64 = 1_024;
/// The numbers' cells are read from pictures of this many pixels a cell.
const CELL_PIXELS: u32 = 4;
/// What players say of any live fMP4 playlist: FFmpeg, and mpv with it, reads the init segment again after each reload; VLC joins a stream whose first
/// fragment is not number 0, and has no desktop to talk to.
const SAID_ANYWAY: [&str; 6] = [
    "Found duplicated MOOV Atom. Skipped it",
    "Fragment sequence discontinuity detected",
    "dbus interface error",
    "no suitable interface module",
    "libvlc error: interface",
    "get_buffer() failed",
];

/// A player.
#[derive(Debug, Clone, Copy)]
pub enum Player {
    /// By its command.
    Ffmpeg(&'static str),
    Gstreamer,
    Mpv,
    Vlc,
}

/// A rung of the playlist, as the players choose it.
#[derive(Debug, Clone, Copy)]
pub struct Rung {
    /// Its place in the playlist.
    pub place: usize,
    pub height: u64,
    pub bandwidth_bps: u64,
}

/// What a player says that it has played.
#[derive(Debug, Default)]
pub struct Played {
    /// Pictures that were decoded and shown in time.
    pub pictures: u64,
    /// Of those, the height, from players that say it.
    pub height: Option<u64>,
    /// Samples of sound, from players that count them.
    pub samples: Option<u64>,
    /// Each picture's number, from players that hand them out; `None` where it could not be read.
    pub numbers: Vec<Option<u32>>,
    /// What was wrong.
    pub complaints: Vec<String>,
}

impl Player {
    /// Plays `rung` of the playlist at `url` for so long.
    pub async fn play(self, url: &str, rung: Rung, seconds: u64) -> Played {
        let folder = tempfile::tempdir().unwrap();
        let command = match self {
            Self::Ffmpeg(binary) => ffmpeg(binary, url, rung, seconds, folder.path()),
            Self::Gstreamer => gstreamer(url, rung, seconds),
            Self::Mpv => mpv(url, rung, seconds),
            Self::Vlc => vlc(url, rung, folder.path()),
        };
        let stop = matches!(self, Self::Vlc).then(|| Duration::from_secs(seconds));
        let output = run(command, stop, Duration::from_secs(seconds) + PATIENCE).await;
        let said = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let mut played = match self {
            Self::Ffmpeg(_) => played_by_ffmpeg(&output, folder.path()),
            Self::Gstreamer => played_by_gstreamer(&said),
            Self::Mpv => played_by_mpv(&said),
            Self::Vlc => played_by_vlc(&said),
        };
        if !output.status.success() {
            played.complaints.push(format!("{}: {}", output.status, &said[said.len().saturating_sub(2_000)..]));
        }
        played.complaints.retain(|line| !SAID_ANYWAY.iter().any(|anyway| line.contains(anyway)));
        played
    }
}

/// Runs a player until it ends, or is asked to after `stop`.
async fn run(mut command: Command, stop: Option<Duration>, patience: Duration) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}; run `scripts/setup players`"));
    let mut input = child.stdin.take().unwrap();
    let stopping = async move {
        if let Some(after) = stop {
            tokio::time::sleep(after).await;
            input.write_all(b"stats\nquit\n").await.unwrap();
        }
    };
    let ending = async { tokio::join!(child.wait_with_output(), stopping).0.unwrap() };
    tokio::time::timeout(patience, ending).await.unwrap_or_else(|_| panic!("{command:?} does not end"))
}

fn ffmpeg(binary: &str, url: &str, rung: Rung, seconds: u64, folder: &Path) -> Command {
    let (width, height) = (COUNT_CELLS * COUNT_CELL.0, 2 * COUNT_CELL.1);
    let cells = format!(
        "crop=iw*{width}/1280:ih*{height}/720:0:0,scale={}:{}:flags=area",
        COUNT_CELLS * CELL_PIXELS,
        2 * CELL_PIXELS
    );
    let (picture, sound) = (format!("0:p:{}:v", rung.place), format!("0:p:{}:a", rung.place));
    let mut command = Command::new(binary);
    command.args(["-nostdin", "-v", "repeat+warning", "-re", "-i", url, "-map", &picture, "-t", &seconds.to_string()]);
    command.args(["-vf", &cells, "-f", "rawvideo", "-pix_fmt", "gray", "-"]);
    command.args(["-map", &sound, "-t", &seconds.to_string(), "-ac", "1", "-f", "s16le"]).arg(folder.join("sound"));
    command
}

fn played_by_ffmpeg(output: &Output, folder: &Path) -> Played {
    let picture_bytes = (2 * COUNT_CELLS * CELL_PIXELS * CELL_PIXELS) as usize;
    let numbers: Vec<Option<u32>> = output.stdout.chunks_exact(picture_bytes).map(number).collect();
    let complaints = String::from_utf8_lossy(&output.stderr).lines().map(str::to_owned).collect();
    let samples = std::fs::metadata(folder.join("sound")).ok().map(|file| file.len() / 2);
    Played { pictures: numbers.len() as u64, height: None, samples, numbers, complaints }
}

/// The number of a picture of nothing but its cells.
fn number(luma: &[u8]) -> Option<u32> {
    let white = |bit: u32, row: u32| {
        let (x, y) = (bit * CELL_PIXELS + CELL_PIXELS / 2, row * CELL_PIXELS + CELL_PIXELS / 2);
        luma[(y * COUNT_CELLS * CELL_PIXELS + x) as usize] > 127
    };
    (0..COUNT_CELLS)
        .try_fold(0, |number, bit| (white(bit, 0) != white(bit, 1)).then(|| number | u32::from(white(bit, 0)) << bit))
}

fn gstreamer(url: &str, rung: Rung, seconds: u64) -> Command {
    // It takes the best rung of which four fifths of the connection's speed are enough.
    let speed_kbps = rung.bandwidth_bps * 13 / 10_000;
    let (pictures, sounds) = (30 * seconds, 48_000 * seconds / AAC_SAMPLES);
    let pipeline = format!(
        "uridecodebin3 uri={url} connection-speed={speed_kbps} name=d \
         d. ! queue ! video/x-raw ! fakesink name=v sync=true silent=false num-buffers={pictures} \
         d. ! queue ! audio/x-raw ! fakesink name=a sync=true silent=false num-buffers={sounds}"
    );
    let mut command = Command::new("gst-launch-1.0");
    command.arg("-v").args(pipeline.split_whitespace());
    command
}

/// Each buffer's time is in what a sink says of it.
fn played_by_gstreamer(said: &str) -> Played {
    let seen = |sink: &str| {
        let of = format!("GstFakeSink:{sink}: last-message = chain");
        let times = said.lines().filter(|line| line.contains(&of)).filter_map(|line| {
            let time = line.split_once("pts: ")?.1.split(',').next()?;
            time.split(':').try_fold(0.0, |seconds, part| Some(seconds * 60.0 + part.parse::<f64>().ok()?))
        });
        times.collect::<Vec<f64>>()
    };
    let words = ["ERROR", "WARNING", "warning:", "error:"];
    let mut complaints: Vec<String> =
        said.lines().filter(|line| words.iter().any(|word| line.contains(word))).map(str::to_owned).collect();
    let (pictures, sounds) = (seen("v"), seen("a"));
    for (what, times, each) in [("picture", &pictures, 1.0 / 30.0), ("sound", &sounds, AAC_SAMPLES as f64 / 48_000.0)] {
        for pair in times.windows(2).filter(|pair| (pair[1] - pair[0] - each).abs() > 0.002) {
            complaints.push(format!("{what}: {} s follows {} s", pair[1], pair[0]));
        }
    }
    let height = said.rsplit_once("height=(int)").and_then(|(_, rest)| leading(rest));
    let samples = Some(sounds.len() as u64 * AAC_SAMPLES);
    Played { pictures: pictures.len() as u64, height, samples, numbers: Vec::new(), complaints }
}

fn mpv(url: &str, rung: Rung, seconds: u64) -> Command {
    let mut command = Command::new("mpv");
    let status = "--term-status-msg=pictures ${estimated-frame-number} dropped ${frame-drop-count} late ${decoder-frame-drop-count} height ${height};";
    command.args(["--no-config", "--vo=null", "--ao=null", "--msg-level=all=warn,statusline=status", status]);
    command.args([&format!("--length={seconds}"), &format!("--hls-bitrate={}", rung.bandwidth_bps), url]);
    command
}

fn played_by_mpv(said: &str) -> Played {
    let mut played = Played::default();
    let (mut dropped, mut late) = (None, None);
    for status in said.split("pictures ").skip(1) {
        let words: Vec<&str> = status.split(';').next().unwrap_or_default().split(' ').collect();
        if let [pictures, "dropped", drops, "late", lates, "height", height] = words[..] {
            // Counted from 0.
            played.pictures = pictures.parse().map_or(played.pictures, |number: u64| number + 1);
            (dropped, late) = (drops.parse::<u64>().ok().or(dropped), lates.parse::<u64>().ok().or(late));
            played.height = height.parse().ok().or(played.height);
        }
    }
    if (dropped, late) != (Some(0), Some(0)) {
        played.complaints.push(format!("dropped {dropped:?}, late {late:?}"));
    }
    let lines = said.lines().filter(|line| line.starts_with('[') && !line.contains("pictures "));
    played.complaints.extend(lines.map(str::to_owned));
    played
}

/// VLC refuses to be root.
fn vlc(url: &str, rung: Rung, home: &Path) -> Command {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(home, std::fs::Permissions::from_mode(0o777)).unwrap();
    let mut command = match rustix::process::geteuid().is_root() {
        true => Command::new("runuser"),
        false => Command::new("env"),
    };
    if rustix::process::geteuid().is_root() {
        command.args(["-u", "nobody", "--", "env"]);
    }
    command.arg(format!("HOME={}", home.display())).args(["vlc", "-I", "rc", "--vout", "dummy", "--aout", "dummy"]);
    command.args(["--no-color", "--adaptive-logic=highest", "--adaptive-maxheight", &rung.height.to_string(), url]);
    command
}

fn played_by_vlc(said: &str) -> Played {
    let counted = |name: &str| {
        let line = said.lines().find(|line| line.starts_with('|') && line.contains(name));
        line.and_then(|line| line.rsplit_once(':')?.1.trim().parse::<u64>().ok())
    };
    let mut complaints = Vec::new();
    for name in ["demux corrupted", "discontinuities", "frames lost", "buffers lost"] {
        if counted(name) != Some(0) {
            complaints.push(format!("{name}: {:?}", counted(name)));
        }
    }
    // What comes after the wish that it ends is a player that is torn down.
    let before = said.split("| frames lost").next().unwrap_or_default();
    let words = ["error", "too late", "discontinuity"];
    let lines = before.lines().filter(|line| words.iter().any(|word| line.to_lowercase().contains(word)));
    complaints.extend(lines.map(str::to_owned));
    Played { pictures: counted("frames displayed").unwrap_or(0), complaints, ..Played::default() }
}

/// The number that a text begins with.
fn leading(text: &str) -> Option<u64> {
    text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
