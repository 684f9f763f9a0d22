//! Sixteen people on two cores, at the default ladder: no more than one picture in a thousand is late, everybody's flash and beep are seen and heard within
//! 45 ms, and what flashes at sixteen places at once is seen to within 100 ms. All of it is read from what a viewer is given.
//!
//! Everybody sends what the studio does, a camera of 720p30 in three layers, encoded before the server starts. Their cameras are not in phase, as
//! nobody's are. They and the viewers run in this process, on the cores that the server is measured on, so that the server has less than two.

use crate::harness::clips::{self, second};
use crate::harness::playback::{Viewer, beeps, lateness, tile_flashes};
use crate::harness::publishers::send_live;
use crate::harness::server::{DEFAULT, Server};
use crate::harness::usage;
use crate::support::live::Live;
use crate::support::media::Clip;
use futures_util::future::join_all;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Of the pictures that are due, this share may be late.
const LATE_SHARE: f64 = 0.001;
/// What people do not notice between lips and voice.
const LIP_SYNC_SECONDS: f64 = 0.045;
/// And between two people who clap together.
const TOGETHER_SECONDS: f64 = 0.1;
/// Everybody is seen and in sync by then.
const SETTLED_SEGMENTS: u64 = 2;
const SEGMENT_SECONDS: u64 = 2;
/// Flashes of two turns are a second apart.
const TURN_SECONDS: f64 = 0.5;
/// Between two people's beeps, and the first one's.
const HZ: (f64, f64) = (100.0, 500.0);
/// From one person's pictures to the next one's: sixteen are spread over the 33 ms from one picture to the next.
const PHASE: Duration = Duration::from_millis(2);

/// How many people, in a square, and for how many seconds they are measured; `make soak-sixteen` makes it sixteen for ten minutes.
fn people_and_seconds() -> (usize, u64) {
    let seconds = std::env::var("STAGE_SECONDS").ok().and_then(|s| s.parse().ok());
    seconds.map_or((4, 10), |seconds| (16, seconds))
}

#[tokio::test(flavor = "multi_thread")]
async fn and_their_lips_with_their_voices() {
    let (people, seconds) = people_and_seconds();
    let lives = lives(people);
    let server = Server::start(&["serve"], DEFAULT).await;
    let stream = server.go_live("room").await;
    // All rungs show the same pictures; this one is decoded soon enough.
    let mut video = Viewer::new(&server, "room", &stream, "360p");
    let mut audio = Viewer::new(&server, "room", &stream, "audio");
    let sending = join_all(lives.into_iter().enumerate().map(async |(number, live)| {
        let token = server.auth("room", &format!("person-{number}")).await;
        send_live(&server, "room", &token, live).await
    }))
    .await;
    let joined = video.playlist(0).await.segments().last().expect("segments").msn;
    let begin = joined + SETTLED_SEGMENTS;
    tokio::join!(video.watch_to(begin), audio.watch_to(begin));

    let (ticks, late, skipped) = ticks(&server).await;
    // A round more than is measured: turns are counted from the first time that all flash, and who has theirs before would have one less than the others.
    let end = begin + (seconds + 1 + people as u64).div_ceil(SEGMENT_SECONDS) + 1;
    let measured = Duration::from_secs(seconds);
    let (family, senders) = (usage::family(server.pid()), [std::process::id()]);
    let watched = async { tokio::join!(video.watch_to(end), audio.watch_to(end)) };
    let (cores, sender_cores, _) =
        tokio::join!(usage::cores(&family, measured), usage::cores(&senders, measured), watched);
    let (ticks, late, skipped) = {
        let now = self::ticks(&server).await;
        (now.0 - ticks, now.1 - late, now.2 - skipped)
    };
    drop(sending);
    let seen = Seen::new(people, begin, video.file(), audio.file());
    server.end().await;

    seen.print();
    println!(
        "late ticks: {late} of {ticks}; left out by rungs: {skipped}; server {cores:.2} cores, senders and viewers {sender_cores:.2}"
    );
    seen.assert_in_step(seconds);
    // Of the few pictures of a short run one may be late.
    assert!(late <= (LATE_SHARE * ticks).max(1.0), "{late} of {ticks} ticks were late");
}

/// What everybody sends: in one second all flash together, and in each of the next one of them flashes and beeps.
fn lives(people: usize) -> Vec<Live> {
    let layer = |rid, width, height, kbps| (Some(rid), Arc::new(clips::flashing(width, height, kbps)));
    // As `web/src/layers.ts` has them.
    let layers: Vec<(_, Arc<Clip>)> =
        vec![layer("q", 320, 180, 150), layer("h", 640, 360, 500), layer("f", 1280, 720, 1_700)];
    let began = Instant::now();
    (0..people)
        .map(|number| {
            let mut order = vec![second::NOTHING; 1 + people];
            (order[0], order[1 + number]) = (second::FLASH, second::FLASH_AND_BEEP);
            let sound = Some(Arc::new(clips::beeping(HZ.1 + HZ.0 * number as f64)));
            Live { layers: layers.clone(), sound, order, began: began + PHASE * u32::try_from(number).unwrap() }
        })
        .collect()
}

/// Ticks, those that were late, and those that a rung left out.
async fn ticks(server: &Server) -> (f64, f64, f64) {
    let metric = async |name: &str| server.metric(&format!("footlight_stream_{name}_total")).await;
    (metric("ticks").await, metric("late_ticks").await, metric("rung_skipped_ticks").await)
}

/// What a viewer saw and heard.
struct Seen {
    /// By person: by how much each beep was later than its flash.
    offsets: Vec<Vec<f64>>,
    /// By person: how many of their flashes came without their beep.
    unheard: Vec<usize>,
    /// By person: in which tiles they flashed.
    tiles: Vec<BTreeSet<usize>>,
    /// Of each time that all flashed: from the first one's flash to the last one's.
    spreads: Vec<f64>,
    /// Turns in which others flashed than those whose turn it was, or not all of them: when, and in which tiles.
    odd: Vec<(usize, Vec<(f64, usize)>)>,
}

impl Seen {
    /// From segment `begin` on.
    fn new(people: usize, begin: u64, video: &[u8], audio: &[u8]) -> Self {
        let begin = (begin * SEGMENT_SECONDS) as f64;
        let beeps: Vec<(f64, usize)> =
            beeps(audio).iter().map(|(at, hz)| (*at, ((hz - HZ.1) / HZ.0).round() as usize)).collect();
        let flashes = tile_flashes(video, people.isqrt());
        let tiles = vec![BTreeSet::new(); people];
        let mut seen =
            Self { offsets: vec![vec![]; people], unheard: vec![0; people], tiles, spreads: vec![], odd: vec![] };
        let mut all = None;
        for flashed in flashes.chunk_by(|one, next| next.0 - one.0 < TURN_SECONDS) {
            let (first, last) = (flashed[0].0, flashed[flashed.len() - 1].0);
            if flashed.len() == people {
                all = Some(first);
            }
            // Whose turn it is is counted from when all flashed.
            let Some(all) = all.filter(|_| first >= begin) else { continue };
            match (first - all).round() as usize % (people + 1) {
                0 if flashed.len() == people => seen.spreads.push(last - first),
                turn if turn > 0 && flashed.len() == 1 => {
                    let own = beeps.iter().filter(|(_, person)| *person == turn - 1).map(|(at, _)| *at);
                    match lateness(first, own).filter(|late| late.abs() < TURN_SECONDS) {
                        Some(late) => seen.offsets[turn - 1].push(late),
                        None => seen.unheard[turn - 1] += 1,
                    }
                    seen.tiles[turn - 1].insert(flashed[0].1);
                }
                turn => seen.odd.push((turn, flashed.to_vec())),
            }
        }
        seen
    }

    fn print(&self) {
        println!(
            "{:>6} {:>6} {:>8} {:>8} {:>10} {:>10}",
            "person", "tile", "flashes", "unheard", "median ms", "worst ms"
        );
        for (person, (offsets, tiles)) in self.offsets.iter().zip(&self.tiles).enumerate() {
            let (median, worst, unheard) = (median(offsets) * 1e3, worst(offsets) * 1e3, self.unheard[person]);
            let (tiles, flashes) = (format!("{tiles:?}"), offsets.len() + unheard);
            println!("{person:>6} {tiles:>6} {flashes:>8} {unheard:>8} {median:>10.0} {worst:>10.0}");
        }
        let (median, worst) = (median(&self.spreads) * 1e3, worst(&self.spreads) * 1e3);
        println!(
            "all flashed {} times, seen within {median:.0} ms (median), {worst:.0} ms (worst)",
            self.spreads.len()
        );
    }

    fn assert_in_step(&self, seconds: u64) {
        let people = self.offsets.len();
        let rounds = seconds as usize / (people + 1);
        assert!(self.odd.is_empty(), "not everybody was seen in their turn, or others were: {:.3?}", self.odd);
        let places: BTreeSet<&usize> = self.tiles.iter().flatten().collect();
        assert!(self.tiles.iter().all(|tiles| tiles.len() == 1) && places.len() == people, "{:?}", self.tiles);
        assert!(self.unheard.iter().all(|unheard| *unheard == 0), "{:?} beeps were not heard", self.unheard);
        for (person, offsets) in self.offsets.iter().enumerate() {
            assert!(offsets.len() >= rounds, "{person} flashed {} times", offsets.len());
            assert!(worst(offsets).abs() <= LIP_SYNC_SECONDS, "{person}: {offsets:.3?}");
        }
        assert!(self.spreads.len() >= rounds, "all flashed {} times", self.spreads.len());
        assert!(worst(&self.spreads) <= TOGETHER_SECONDS, "{:.3?}", self.spreads);
    }
}

fn worst(of: &[f64]) -> f64 {
    of.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or_default()
}

fn median(of: &[f64]) -> f64 {
    let mut sorted = of.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
