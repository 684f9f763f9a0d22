//! A patient viewer: follows media playlists by blocking reloads and keeps everything it was given.

use super::server::{PATIENCE, Server};
use http::StatusCode;
use std::time::Duration;

/// The AAC encoder's priming: the audio's first sample lies so much before the video's first picture.
const PRIMING_SECONDS: f64 = 1_024.0 / 48_000.0;

/// Asks again until there is an answer, ten times a second; fails after `patience`.
pub async fn until<T, F: Future<Output = Option<T>>>(patience: Duration, ask: impl Fn() -> F) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(patience, asking).await.expect("it happens in time")
}

/// A media playlist as lines, with what a test asks of it.
#[derive(Debug, Clone)]
pub struct Playlist(pub String);

/// One segment of a playlist.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    pub msn: u64,
    pub uri: String,
    pub seconds: f64,
    pub discontinuity: bool,
    pub init: String,
    pub date: String,
}

impl Playlist {
    pub fn value(&self, tag: &str) -> u64 {
        let line = self.0.lines().find_map(|l| l.strip_prefix(tag));
        line.unwrap_or_else(|| panic!("no {tag} in {}", self.0)).parse().unwrap()
    }

    pub fn first_msn(&self) -> u64 {
        self.value("#EXT-X-MEDIA-SEQUENCE:")
    }

    pub fn ended(&self) -> bool {
        self.0.ends_with("#EXT-X-ENDLIST\n")
    }

    pub fn segments(&self) -> Vec<Segment> {
        let mut segments = Vec::new();
        let (mut seconds, mut discontinuity, mut init, mut date) = (0.0, false, String::new(), String::new());
        for line in self.0.lines() {
            if let Some(map) = line.strip_prefix("#EXT-X-MAP:URI=\"") {
                init = map.trim_end_matches('"').to_owned();
            } else if let Some(at) = line.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:") {
                date = at.to_owned();
            } else if line == "#EXT-X-DISCONTINUITY" {
                discontinuity = true;
            } else if let Some(duration) = line.strip_prefix("#EXTINF:") {
                seconds = duration.trim_end_matches(',').parse().unwrap();
            } else if !line.starts_with('#') {
                let msn = self.first_msn() + segments.len() as u64;
                let discontinuity = std::mem::take(&mut discontinuity);
                segments.push(Segment {
                    msn,
                    uri: line.to_owned(),
                    seconds,
                    discontinuity,
                    init: init.clone(),
                    date: date.clone(),
                });
            }
        }
        segments
    }
}

/// Everything of one rendition that a viewer was given, in order.
pub struct Viewer<'a> {
    server: &'a Server,
    folder: String,
    pub segments: Vec<Segment>,
    /// A file for each init segment: a new one follows each discontinuity.
    pub files: Vec<Vec<u8>>,
    init: String,
}

impl<'a> Viewer<'a> {
    pub fn new(server: &'a Server, room: &str, stream: &str, rendition: &str) -> Self {
        let folder = format!("/hls/{room}/{stream}/{rendition}");
        Self { server, folder, segments: Vec::new(), files: Vec::new(), init: String::new() }
    }

    /// The playlist once segment `msn` is whole.
    pub async fn playlist(&self, msn: u64) -> Playlist {
        let path = format!("{}/media.m3u8?_HLS_msn={msn}", self.folder);
        let (status, body) = self.server.get(&path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body:?}");
        Playlist(String::from_utf8(body.to_vec()).unwrap())
    }

    /// Watches until segment `msn` has come. Every sequence number must come once, each segment be there when it is listed.
    pub async fn watch_to(&mut self, msn: u64) {
        while self.segments.last().is_none_or(|s| s.msn < msn) {
            let next = self.segments.last().map_or(1, |s| s.msn + 1);
            let playlist = tokio::time::timeout(PATIENCE, self.playlist(next)).await.expect("the stream goes on");
            self.take(&playlist).await;
            if playlist.ended() {
                return;
            }
        }
    }

    /// Takes what is new in a playlist.
    pub async fn take(&mut self, playlist: &Playlist) {
        for segment in playlist.segments() {
            let next = self.segments.last().map_or(1, |s| s.msn + 1);
            if segment.msn < next {
                continue;
            }
            assert_eq!(segment.msn, next, "no segment is missed");
            if segment.init != self.init {
                self.init.clone_from(&segment.init);
                self.files.push(Vec::new());
                self.fetch(&segment.init).await;
            }
            self.fetch(&segment.uri).await;
            self.segments.push(segment);
        }
    }

    async fn fetch(&mut self, uri: &str) {
        let (status, body) = self.server.get(&format!("{}/{uri}", self.folder)).await;
        assert_eq!(status, StatusCode::OK, "{uri} is listed, so it is there");
        self.files.last_mut().expect("an init segment came first").extend_from_slice(&body);
    }

    /// The only file of a stream without discontinuities.
    pub fn file(&self) -> &[u8] {
        assert_eq!(self.files.len(), 1, "{:?}", self.segments);
        &self.files[0]
    }

    pub fn discontinuities(&self) -> usize {
        self.segments.iter().filter(|s| s.discontinuity).count()
    }
}

/// Decodes a file to pictures of one byte a pixel in full range, `width` x `height` each.
pub fn luma_pictures(file: &[u8], width: usize, height: usize) -> Vec<Vec<u8>> {
    let scale = format!("scale={width}:{height}:flags=area");
    let raw = decode(file, &["-vf", &scale, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray"]);
    raw.chunks_exact(width * height).map(<[u8]>::to_vec).collect()
}

/// The brightness of the picture's middle at each thirtieth of a second, in full range.
pub fn middle_luma(file: &[u8]) -> Vec<u8> {
    // A picture that was late is not there: the one before it lasts longer, and is counted as often as it is seen. swscale rounds the weights of a large
    // area badly; a small one is exact.
    decode(file, &["-vf", "fps=30,crop=16:16,scale=1:1:flags=area", "-f", "rawvideo", "-pix_fmt", "gray"])
}

/// Decodes a file to samples of one channel at 48 kHz, -1 to 1.
pub fn mono_samples(file: &[u8]) -> Vec<f32> {
    let raw = decode(file, &["-ac", "1", "-f", "f32le"]);
    raw.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

/// When each tile of a grid of so many columns and rows turns white, in seconds since the stream's zero, with the tile's number.
pub fn tile_flashes(file: &[u8], columns: usize) -> Vec<(f64, usize)> {
    // A tile is scaled to so many pixels, of which those in the middle count.
    const TILE: (usize, usize) = (16, 9);
    let width = columns * TILE.0;
    // A picture that a rendition left out is stood in for by the one before it.
    let filters = format!("fps=30,scale={width}:{}:flags=area", columns * TILE.1);
    let raw = decode(file, &["-vf", &filters, "-f", "rawvideo", "-pix_fmt", "gray"]);
    let pictures: Vec<&[u8]> = raw.chunks_exact(width * columns * TILE.1).collect();
    let is_white = |picture: &[u8], tile: usize| {
        let (left, top) = (tile % columns * TILE.0, tile / columns * TILE.1);
        let rows = top + TILE.1 / 4..top + TILE.1 * 3 / 4;
        let middle = rows.flat_map(|y| &picture[y * width + left + TILE.0 / 4..][..TILE.0 / 2]);
        let (sum, count) = middle.fold((0, 0), |(sum, count), luma| (sum + u32::from(*luma), count + 1));
        sum / count >= 170
    };
    let turns = |(number, pair): (usize, &[&[u8]])| {
        let tiles = (0..columns * columns).filter(|tile| !is_white(pair[0], *tile) && is_white(pair[1], *tile));
        tiles.map(|tile| ((number + 1) as f64 / 30.0, tile)).collect::<Vec<_>>()
    };
    pictures.windows(2).enumerate().flat_map(turns).collect()
}

/// When the picture turns white, in seconds since the stream's zero.
pub fn flash_times(file: &[u8]) -> Vec<f64> {
    let luma = middle_luma(file);
    let rises = luma.windows(2).enumerate().filter(|(_, w)| w[0] < 170 && w[1] >= 170);
    rises.map(|(frame, _)| (frame + 1) as f64 / 30.0).collect()
}

/// When the beep begins, likewise.
pub fn beep_times(file: &[u8]) -> Vec<f64> {
    beeps(file).into_iter().map(|(at, _)| at).collect()
}

/// When beeps begin, with their frequencies.
pub fn beeps(file: &[u8]) -> Vec<(f64, f64)> {
    // Of a beep, its frequency is taken from so much.
    const MEASURED: usize = 3_840;
    let samples = mono_samples(file);
    let mut beeps = Vec::new();
    let mut quiet = 0;
    for (i, sample) in samples.iter().enumerate() {
        if sample.abs() > 0.1 {
            // A beep comes after half a second of silence.
            if quiet > 24_000 {
                let beep = &samples[i..samples.len().min(i + MEASURED)];
                let rises = beep.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
                beeps.push((i as f64 / 48_000.0 - PRIMING_SECONDS, rises as f64 * 48_000.0 / MEASURED as f64));
            }
            quiet = 0;
        } else {
            quiet += 1;
        }
    }
    beeps
}

/// For each flash, seconds since the first one and by how much the nearest beep is later.
pub fn lip_sync(flashes: &[f64], beeps: &[f64]) -> Vec<(f64, f64)> {
    let joined = *flashes.first().expect("flashes were seen");
    flashes.iter().map(|flash| (flash - joined, lateness(*flash, beeps.iter().copied()).unwrap())).collect()
}

/// By how much the beep that is nearest to a flash is later.
pub fn lateness(flash: f64, beeps: impl Iterator<Item = f64>) -> Option<f64> {
    beeps.map(|beep| beep - flash).min_by(|a, b| a.abs().total_cmp(&b.abs()))
}

/// What the ffmpeg command line makes of a file, without a word of complaint.
pub fn decode(file: &[u8], args: &[&str]) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file.mp4");
    std::fs::write(&path, file).unwrap();
    let mut command = std::process::Command::new("ffmpeg");
    let output = command.args(["-v", "error", "-xerror", "-i"]).arg(&path).args(args).arg("-").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "ffmpeg: {said}");
    output.stdout
}
