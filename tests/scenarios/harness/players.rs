//! Other people's players on the command line, each playing live, with sound, in real time, and with nothing to show it on.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

/// Beyond what is played: to begin, and to end.
const PATIENCE: Duration = Duration::from_secs(20);
/// Samples of an AAC frame.
const AAC_SAMPLES: u64 = 1_024;
/// What players say of any live fMP4 playlist: FFmpeg, and mpv with it, reads the init segment again after each reload; VLC joins a stream whose first
/// fragment is not number 0, and has no desktop to talk to.
const SAID_ANYWAY: [&str; 5] = [
    "Found duplicated MOOV Atom. Skipped it",
    "Fragment sequence discontinuity detected",
    "dbus interface error",
    "no suitable interface module",
    "libvlc error: interface",
];
/// How far a time may be from where a frame's length puts it, in seconds: less than a sample's rounding in any player's unit, and far less than a frame.
const ROUNDING_SECONDS: f64 = 0.002;

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
    pub height: u64,
    pub bandwidth_bps: u64,
    /// As its AVERAGE-BANDWIDTH says.
    pub average_bps: u64,
}

/// What a player says that it has played of one rung.
#[derive(Debug, Default)]
pub struct Played {
    /// Pictures that were decoded and shown in time.
    pub pictures: u64,
    /// Of those, the height, from players that say it.
    pub height: Option<u64>,
    /// Samples of sound, from players that count them.
    pub samples: Option<u64>,
    /// Pictures that are missing between those that were shown, by their times, from players that say them.
    pub left_out: u64,
    /// What was wrong.
    pub complaints: Vec<String>,
    /// All that it said.
    pub said: String,
}

impl Player {
    /// Plays all rungs of the playlist at `url` for so long, side by side: none of these players can be told to change. FFmpeg does so in one process; were it
    /// to play one rung of them all, its demuxer (8.1 and 9.0) cuts the others off within a picture and complains of that.
    pub async fn play(self, url: &str, rungs: &[Rung], seconds: u64) -> Vec<Played> {
        if let Self::Ffmpeg(binary) = self {
            return play_by_ffmpeg(binary, url, seconds).await;
        }
        futures_util::future::join_all(rungs.iter().map(|rung| self.play_one(url, *rung, seconds))).await
    }

    async fn play_one(self, url: &str, rung: Rung, seconds: u64) -> Played {
        let folder = tempfile::tempdir().unwrap();
        let patience = Duration::from_secs(seconds) + PATIENCE;
        let (status, said, mut played) = match self {
            Self::Ffmpeg(_) => unreachable!("plays all rungs at once"),
            Self::Vlc => {
                let said = watch_vlc(vlc(url, rung, folder.path()), Duration::from_secs(seconds), patience).await;
                (None, said.clone(), played_by_vlc(&said))
            }
            Self::Gstreamer | Self::Mpv => {
                let sound = folder.path().join("sound");
                let command = if matches!(self, Self::Mpv) {
                    mpv(url, rung, seconds)
                } else {
                    gstreamer(url, rung, seconds, &sound)
                };
                let output = run(command, patience).await;
                let said = text(&output);
                let played =
                    if matches!(self, Self::Mpv) { played_by_mpv(&said) } else { played_by_gstreamer(&said, &sound) };
                (Some(output.status), said, played)
            }
        };
        if let Some(status) = status.filter(|status| !status.success()) {
            played.complaints.push(format!("{status}: {}", &said[said.len().saturating_sub(2_000)..]));
        }
        played.complaints.retain(|line| !said_anyway(line));
        played.said = said;
        played
    }
}

fn said_anyway(line: &str) -> bool {
    SAID_ANYWAY.iter().any(|anyway| line.contains(anyway))
}

fn text(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs a player until it ends.
async fn run(mut command: Command, patience: Duration) -> Output {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let ending = tokio::time::timeout(patience, command.output()).await;
    let output = ending.unwrap_or_else(|_| panic!("{command:?} does not end"));
    output.unwrap_or_else(|e| panic!("{command:?}: {e}; run `scripts/setup players`"))
}

/// Decodes everything; each frame's time is in the lists that it writes.
async fn play_by_ffmpeg(binary: &str, url: &str, seconds: u64) -> Vec<Played> {
    let mut command = Command::new(binary);
    command.args(["-nostdin", "-v", "repeat+warning", "-re", "-i", url, "-map", "0:v", "-map", "0:a"]);
    command.args(["-fps_mode", "passthrough", "-enc_time_base:v", "1:90000", "-t", &seconds.to_string()]);
    command.args(["-f", "framecrc", "-"]);
    let output = run(command, Duration::from_secs(seconds) + PATIENCE).await;
    let said = String::from_utf8_lossy(&output.stderr);
    let mut complaints: Vec<String> = said.lines().filter(|line| !said_anyway(line)).map(str::to_owned).collect();
    if !output.status.success() {
        complaints.push(output.status.to_string());
    }
    let listed = String::from_utf8_lossy(&output.stdout);
    let tag = |name: &str, stream: usize| {
        let tag = format!("#{name} {stream}: ");
        listed.lines().find_map(|line| line.strip_prefix(&tag))
    };
    let times = |stream: usize, unit: f64| -> Vec<f64> {
        let rows = listed.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(',').map(str::trim));
        let times =
            rows.filter_map(|mut row| (row.next()?.parse() == Ok(stream)).then(|| row.nth(1)?.parse::<f64>().ok())?);
        times.map(|time| time * unit).collect()
    };
    let (mut rungs, mut sounds) = (Vec::new(), Vec::new());
    for stream in (0..).take_while(|stream| tag("media_type", *stream).is_some()) {
        if tag("media_type", stream) == Some("video") {
            let height = tag("dimensions", stream).and_then(|size| size.split_once('x')?.1.parse().ok());
            let mut played = Played { height, ..Played::default() };
            played.take_pictures(&times(stream, 1.0 / 90_000.0));
            rungs.push(played);
        } else {
            sounds.push(times(stream, 1.0 / 48_000.0));
        }
    }
    let each = AAC_SAMPLES as f64 / 48_000.0;
    complaints.extend(sounds.iter().flat_map(|times| steps(times, each).1));
    // Each rung's sound is one of these; the shortest counts for all.
    let samples = sounds.iter().map(|times| times.len() as u64 * AAC_SAMPLES).min();
    rungs.iter_mut().for_each(|played| played.samples = samples);
    if let Some(first) = rungs.first_mut() {
        first.complaints.extend(complaints);
        first.said = said.into_owned();
    }
    rungs
}

impl Played {
    /// Takes pictures by their times, in seconds.
    fn take_pictures(&mut self, times: &[f64]) {
        let (left_out, wrong) = steps(times, 1.0 / 30.0);
        self.pictures = times.len() as u64;
        self.left_out += left_out;
        self.complaints.extend(wrong);
    }
}

/// How many frames are missing between those of these times, and which of these neither follow the one before nor leave out whole frames.
fn steps(times: &[f64], each: f64) -> (u64, Vec<String>) {
    let (mut left_out, mut wrong) = (0, Vec::new());
    for pair in times.windows(2) {
        let step = pair[1] - pair[0];
        let frames = (step / each).round();
        if frames < 1.0 || (step - frames * each).abs() > ROUNDING_SECONDS {
            wrong.push(format!("{} s follows {} s", pair[1], pair[0]));
        } else {
            left_out += frames as u64 - 1;
        }
    }
    (left_out, wrong)
}

fn gstreamer(url: &str, rung: Rung, seconds: u64, sound: &Path) -> Command {
    // It takes the best rung whose AVERAGE-BANDWIDTH, not BANDWIDTH, is below the connection's speed.
    let speed_kbps = rung.average_bps * 126 / 100_000;
    let (pictures, sounds) = (30 * seconds, 48_000 * seconds / AAC_SAMPLES);
    // Only one sink says what it is given: two at the same moment make gst-launch print one of their messages twice and the other not at all.
    let pipeline = format!(
        "uridecodebin3 uri={url} connection-speed={speed_kbps} name=d \
         d. ! queue ! video/x-raw ! fakesink name=v sync=true silent=false num-buffers={pictures} \
         d. ! queue ! audio/x-raw ! identity eos-after={sounds} ! audioconvert ! audio/x-raw,format=S16LE,channels=1 \
         ! filesink sync=true location={}",
        sound.display()
    );
    let mut command = Command::new("gst-launch-1.0");
    command.arg("-v").args(pipeline.split_whitespace());
    command
}

/// Each picture's time is in what its sink says of it.
fn played_by_gstreamer(said: &str, sound: &Path) -> Played {
    let times = said.lines().filter(|line| line.contains("GstFakeSink:v: last-message = chain")).filter_map(|line| {
        let time = line.split_once("pts: ")?.1.split(',').next()?;
        time.split(':').try_fold(0.0, |seconds, part| Some(seconds * 60.0 + part.parse::<f64>().ok()?))
    });
    let times: Vec<f64> = times.collect();
    let words = ["ERROR", "WARNING", "warning:", "error:"];
    let complaints =
        said.lines().filter(|line| words.iter().any(|word| line.contains(word))).map(str::to_owned).collect();
    let height = said.rsplit_once("height=(int)").and_then(|(_, rest)| leading(rest));
    let samples = std::fs::metadata(sound).ok().map(|file| file.len() / 2);
    let mut played = Played { height, samples, complaints, ..Played::default() };
    played.take_pictures(&times);
    played
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

/// Lets VLC play for so long; answers with what it has said until it was asked to end, with its statistics. What comes after is a player that is torn down.
async fn watch_vlc(mut command: Command, long: Duration, patience: Duration) -> String {
    /// The last line of its statistics.
    const END: &str = "end of statistical info";
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}; run `scripts/setup players`"));
    let (mut input, errors) = (child.stdin.take().unwrap(), child.stderr.take().unwrap());
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    let complaining = tokio::spawn(async move {
        let mut said = String::new();
        let _ = BufReader::new(errors).read_to_string(&mut said).await;
        said
    });
    let playing = async {
        tokio::time::sleep(long).await;
        input.write_all(b"stats\n").await.unwrap();
        let mut said = String::new();
        while let Some(line) = output.next_line().await.unwrap() {
            said.push_str(&line);
            said.push('\n');
            if line.contains(END) {
                break;
            }
        }
        input.write_all(b"quit\n").await.unwrap();
        while let Ok(Some(_)) = output.next_line().await {}
        let status = child.wait().await.unwrap();
        let errors = complaining.await.unwrap();
        // Its decoders complain when their pictures are taken away, after this word.
        format!("{said}{}\n{status}", errors.split("get_buffer() failed").next().unwrap_or_default())
    };
    tokio::time::timeout(patience, playing).await.unwrap_or_else(|_| panic!("{command:?} does not end"))
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
    let words = ["error", "too late", "discontinuity"];
    let lines = said.lines().filter(|line| words.iter().any(|word| line.to_lowercase().contains(word)));
    complaints.extend(lines.map(str::to_owned));
    if !said.ends_with("exit status: 0") {
        complaints.push(said.lines().last().unwrap_or_default().to_owned());
    }
    Played { pictures: counted("frames displayed").unwrap_or(0), complaints, ..Played::default() }
}

/// The number that a text begins with.
fn leading(text: &str) -> Option<u64> {
    text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
