//! Players that others wrote play the ladder live, with sound: in a browser they change rungs, up and down, at moments that a seed chooses, and the clock goes
//! on, nothing is missing of what is played next, and times of pictures rise; on the command line all rungs are played side by side, each picture a
//! frame after the one before, and not a word of complaint.
//!
//! It is the players that are judged, not the machine: what a rung leaves out for want of CPU it counts, and no more than that may be missing.

use crate::harness::browsers;
use crate::harness::clips;
use crate::harness::playback::until;
use crate::harness::players::{Played, Player, Rung};
use crate::harness::publishers::send;
use crate::harness::server::{DEFAULT, PATIENCE, Server};
use crate::support::Running;
use crate::support::media::Noise;
use serde_json::{Value, json};

/// Three rungs that two cores encode beside the browsers that play them; the last has sound of its own, as in the default ladder.
const LIGHT: &str = r#"
http: {listen: "127.0.0.1:0"}
https: {listen: ""}
admin: {listen: "127.0.0.1:0"}
webrtc: {listen: "127.0.0.1:0"}
packager:
  canvas: {width: 640, height: 360}
  rungs:
    - {name: 360p, width: 640, height: 360, bitrate_kbps: 700, preset: ultrafast, audio: audio}
    - {name: 270p, width: 480, height: 270, bitrate_kbps: 400, preset: ultrafast, audio: audio}
    - {name: 234p, width: 416, height: 234, bitrate_kbps: 110, preset: ultrafast, audio: low}
  audio:
    - {name: audio, bitrate_kbps: 128}
    - {name: low, bitrate_kbps: 48}
"#;
/// What is published.
const CLIP_SECONDS: u32 = 4;
const KBPS: u32 = 700;
/// A change of rung comes up to so long after the one before is seen: at any place of a group of pictures.
const PAUSE_MS: u64 = 1_000;
/// Between looks a player's clock goes on as the wall's does, but for what a busy machine keeps the look waiting.
const CLOCK_SECONDS: f64 = 0.3;
/// What is played so soon has to be loaded.
const HOLE_SECONDS: f64 = 0.5;
/// Command-line players: what is lost of a run at its ends.
const ENDS_PICTURES: u64 = 60;

const BROWSERS: [&str; 3] = ["hls.js", "shaka", "video.js"];
/// Chooses by what its line brings, which is made narrow for it. Beside three other browsers on two cores that is not its line alone: it plays by itself.
const BY_ITS_LINE: &str = "chromium";
const FFMPEG: Player = Player::Ffmpeg("ffmpeg");
/// With what `scripts/setup players` installs.
const COMMANDS: [(&str, Player); 6] = [
    ("ffmpeg 5", FFMPEG),
    ("ffmpeg 8", Player::Ffmpeg(concat!(env!("CARGO_MANIFEST_DIR"), "/.venv/bin/ffmpeg-8"))),
    ("ffmpeg 9", Player::Ffmpeg(concat!(env!("CARGO_MANIFEST_DIR"), "/.venv/bin/ffmpeg-9"))),
    ("gstreamer", Player::Gstreamer),
    ("mpv", Player::Mpv),
    ("vlc", Player::Vlc),
];

/// What `make test` has time for: the browsers' players and FFmpeg together, on a light ladder. With `PLAYER_SECONDS=60`, as in `make soak-players`, each
/// player in its turn plays the default ladder for a minute.
#[tokio::test(flavor = "multi_thread")]
async fn live() {
    let seed = number("PLAYER_SEED").unwrap_or(1);
    println!("PLAYER_SEED={seed}");
    let mut reports = Vec::new();
    if let Some(seconds) = number("PLAYER_SECONDS") {
        for browser in BROWSERS.into_iter().chain([BY_ITS_LINE]) {
            let stream = Stream::start(DEFAULT).await;
            reports.extend(stream.in_browsers(&[browser], seed, seconds).await);
            stream.server.end().await;
        }
        for (name, player) in COMMANDS {
            let stream = Stream::start(DEFAULT).await;
            reports.push(stream.on_the_command_line(name, player, seconds).await);
            stream.server.end().await;
        }
    } else {
        let stream = Stream::start(LIGHT).await;
        let (shown, played) =
            tokio::join!(stream.in_browsers(&BROWSERS, seed, 4), stream.on_the_command_line("ffmpeg 5", FFMPEG, 8));
        reports.extend(shown);
        reports.push(played);
        stream.server.end().await;
    }
    reports.iter().for_each(Report::print);
    assert!(reports.iter().all(|report| report.gaps.is_empty() && report.errors.is_empty()));
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|e| panic!("{variable}: {e}")))
}

/// What is to be said of a player.
struct Report {
    player: String,
    seconds: f64,
    /// Changes of rung that were seen.
    switches: usize,
    gaps: Vec<String>,
    /// What the player complained of, and what it did not do.
    errors: Vec<String>,
}

impl Report {
    fn print(&self) {
        let Self { player, seconds, switches, gaps, errors } = self;
        gaps.iter().for_each(|gap| println!("{player}: gap: {gap}"));
        errors.iter().for_each(|error| println!("{player}: error: {error}"));
        let seconds = (seconds * 10.0).round() / 10.0;
        println!(
            "{}",
            json!({"player": player, "seconds": seconds, "gaps": gaps.len(), "switches": switches, "errors": errors.len()})
        );
    }
}

/// A live stream of somebody who moves.
struct Stream {
    server: Server,
    url: String,
    rungs: Vec<Rung>,
    _ada: Running,
}

impl Stream {
    async fn start(config: &str) -> Self {
        let server = Server::start(&["serve"], config).await;
        server.go_live("room").await;
        let ada = send(&server, "room", "ada", clips::moving(640, 360, KBPS, CLIP_SECONDS)).await;
        until(PATIENCE, || async { server.admin("/metrics").await.contains("footlight_publishers 1\n").then_some(()) })
            .await;
        let (_, playlist) = server.get("/live/room/master.m3u8").await;
        let playlist = m3u8_rs::parse_master_playlist_res(&playlist).unwrap();
        let rung = |variant: &m3u8_rs::VariantStream| Rung {
            height: variant.resolution.unwrap().height,
            bandwidth_bps: variant.bandwidth,
            average_bps: variant.average_bandwidth.unwrap(),
        };
        let rungs = playlist.variants.iter().map(rung).collect();
        Self { url: format!("{}/live/room/master.m3u8", server.url("http")), server, rungs, _ada: ada }
    }

    /// How many pictures the server knows not to have encoded, in any rung.
    async fn left_out(&self) -> u64 {
        let late = self.server.metric("footlight_stream_late_ticks_total").await;
        let skipped = self.server.metric("footlight_stream_rung_skipped_ticks_total").await;
        late as u64 * self.rungs.len() as u64 + skipped as u64
    }

    async fn in_browsers(&self, players: &[&str], seed: u64, seconds: u64) -> Vec<Report> {
        let argument = json!({
            "players": players,
            "playlist": self.url,
            "seconds": seconds,
            "visits": visits(seed, &self.rungs),
        });
        let shown = browsers::run("players.mjs", argument).await;
        shown.as_object().unwrap().iter().map(|(player, shows)| judge_browser(player, shows)).collect()
    }

    async fn on_the_command_line(&self, name: &str, player: Player, seconds: u64) -> Report {
        let played = player.play(&self.url, &self.rungs, seconds).await;
        judge_command(name, &self.rungs, &played, seconds, self.left_out().await)
    }
}

/// The rungs in an order of the seed's, each once, with a pause before each and what it takes.
fn visits(seed: u64, rungs: &[Rung]) -> Value {
    let mut noise = Noise(seed.max(1));
    let mut rungs = rungs.to_vec();
    for last in (1..rungs.len()).rev() {
        rungs.swap(last, (noise.next() % (last as u64 + 1)) as usize);
    }
    let visit = |Rung { height, bandwidth_bps, .. }: &Rung| {
        let pause_ms = noise.next() % PAUSE_MS;
        json!({"height": height, "bandwidth_bps": bandwidth_bps, "pause_ms": pause_ms})
    };
    rungs.iter().map(visit).collect()
}

/// Whether what a browser's player showed is what it should have.
fn judge_browser(player: &str, shows: &Value) -> Report {
    let numbers_of = |key: &str| -> Vec<Vec<f64>> {
        let rows = shows[key].as_array().unwrap().iter();
        rows.map(|row| row.as_array().unwrap().iter().map(|n| n.as_f64().unwrap_or(f64::NAN)).collect()).collect()
    };
    let texts = |key: &str| shows[key].as_array().unwrap().iter().map(Value::to_string);
    let (looks, pictures) = (numbers_of("looks"), numbers_of("pictures"));
    let (mut gaps, mut errors) = (Vec::new(), texts("errors").collect::<Vec<_>>());
    gaps.extend(texts("events"));
    for pair in looks.windows(2) {
        let (wall, clock) = ((pair[1][0] - pair[0][0]) / 1_000.0, pair[1][1] - pair[0][1]);
        if clock <= 0.0 || (wall - clock).abs() >= CLOCK_SECONDS {
            gaps.push(format!("{clock} s were played in {wall} s"));
        }
    }
    for look in shows["looks"].as_array().unwrap() {
        let at = look[1].as_f64().unwrap();
        // A change throws away what lies ahead, and loads it again in whatever order.
        let ahead = |range: &Value| range[0].as_f64().is_some_and(|start| start > at && start < at + HOLE_SECONDS);
        if look[2].as_array().unwrap().iter().any(ahead) {
            gaps.push(format!("a hole in what is played next: {look}"));
        }
    }
    let back = pictures.windows(2).filter(|pair| pair[1][1] <= pair[0][1]);
    gaps.extend(back.map(|pair| format!("a picture of {} s follows one of {} s", pair[1][1], pair[0][1])));
    let asked = shows["switches"].as_array().unwrap();
    let seen = asked.iter().filter(|switch| switch[1].is_u64()).count();
    if seen == 0 || seen < asked.len() {
        errors.push(format!("not all changes of rung were seen, [height, ms]: {}", shows["switches"]));
    }
    texts("mended").for_each(|said| println!("{player}: mended by itself: {said}"));
    let longest = pictures.windows(2).map(|pair| pair[1][1] - pair[0][1]).fold(0.0, f64::max);
    println!(
        "{player}: changes [height, ms] {}; {} pictures decoded, {} of them dropped; at most {longest:.3} s between two",
        shows["switches"], shows["totalVideoFrames"], shows["droppedVideoFrames"]
    );
    let seconds = looks.last().unwrap()[1] - looks[0][1];
    Report { player: player.to_owned(), seconds, switches: seen, gaps, errors }
}

/// Whether what a command-line player played of each rung is what it should have.
fn judge_command(name: &str, rungs: &[Rung], played: &[Played], seconds: u64, left_out: u64) -> Report {
    let (mut gaps, mut errors) = (Vec::new(), Vec::new());
    if played.len() != rungs.len() {
        errors.push(format!("{} rungs were played", played.len()));
    }
    for (rung, played) in rungs.iter().zip(played) {
        let Played { pictures, height, samples, left_out, complaints, said } = played;
        let rung = rung.height;
        std::fs::write(browsers::artifacts().join(format!("{name}-{rung}.log")), said).unwrap();
        println!("{name} {rung}: {pictures} pictures, {left_out} between them left out, {samples:?} samples");
        errors.extend(complaints.iter().map(|complaint| format!("{rung}: {complaint}")));
        if height.is_some_and(|height| height != rung) {
            errors.push(format!("{rung}: {height:?}"));
        }
        if pictures + left_out + ENDS_PICTURES < 30 * seconds {
            gaps.push(format!("{rung}: {pictures} pictures in {seconds} s"));
        }
        if samples.is_some_and(|samples| samples + 48_000 < 48_000 * seconds) {
            gaps.push(format!("{rung}: {samples:?} samples in {seconds} s"));
        }
    }
    let missing: u64 = played.iter().map(|played| played.left_out).sum();
    println!("{name}: {missing} pictures missing, of {left_out} that the server left out since it began");
    if missing > left_out {
        gaps.push(format!("{missing} pictures are missing, of which the server left out {left_out}"));
    }
    Report { player: name.to_owned(), seconds: seconds as f64, switches: 0, gaps, errors }
}
