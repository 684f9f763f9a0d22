//! People who come and go at random leave nothing behind, whatever they send and however they leave: when the last one has gone, tasks, threads and file
//! descriptors are as many as before the first one came. In half an hour of it (`make soak-joins`) memory does not grow either; in the seconds that
//! `make test` has for it nothing can be told of that.

use crate::harness::clips;
use crate::harness::publishers::send_live;
use crate::harness::server::{DEFAULT, PATIENCE, Server};
use crate::harness::usage;
use crate::support::live::Live;
use crate::support::media::{Clip, Noise, Video};
use futures_util::future::join_all;
use http::{Method, StatusCode};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// People at one time: as many as there are tiles.
const PEOPLE: u64 = 16;
/// Memory is compared by means of five minutes, in each of which the same people come at the same times with the same things. In the first five all happens
/// for the first time and playlists fill up; after that it may grow by so much.
const BLOCK: Duration = Duration::from_secs(300);
const GROWTH: f64 = 0.05;
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);
const SAMPLES_PER_ROW: usize = 60;
/// Who has gone without a word is missed after 12 s (consent, RFC 7675), and threads without work end after 10 s.
const GONE_WITHIN: Duration = PATIENCE;
/// What has not changed for so long is at rest.
const STEADY: Duration = Duration::from_secs(1);
/// Threads and files of connections to the catalog.
const CATALOG: [&str; 2] = ["sqlx", "catalog.db"];
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// In how many blocks of which length people come and go, and for how many seconds one stays and is away.
struct Pace {
    blocks: u32,
    block: Duration,
    stays: Range<f64>,
    away: Range<f64>,
}

/// `make soak-joins` makes it 30 minutes.
fn pace() -> Pace {
    match std::env::var("JOINS_BLOCKS").ok().and_then(|s| s.parse().ok()) {
        Some(blocks) => Pace { blocks, block: BLOCK, stays: 0.5..30.0, away: 0.0..10.0 },
        None => Pace { blocks: 1, block: Duration::from_secs(6), stays: 0.5..3.0, away: 0.0..1.0 },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_memory_tasks_threads_or_descriptors() {
    let pace = pace();
    let sent = what_is_sent();
    let mut server = Server::start(&["serve"], DEFAULT).await;
    server.go_live("room").await;
    server.hang_up();
    let before = steady(&server).await;
    let (began, joins) = (Instant::now(), Cell::new(0));
    let people = join_all((0..PEOPLE).map(|number| come_and_go(&server, number, &sent, &pace, began, &joins)));
    let (_, memory) = tokio::join!(people, watch_memory(&server, began + pace.block * pace.blocks, &joins));
    println!("{} came and went; before: {before:?}", joins.get());
    server.hang_up();
    let held = until_back(&server, &before).await;
    println!("after: {held:?}");
    assert_eq!(server.metric("footlight_stream_packager_starts_total").await, 1.0);
    assert!(held.within(&before), "{before:?}, then {held:?}");
    assert_flat(&memory);
    server.end().await;
}

/// By what somebody may be: their query and what they send.
type Sent = (&'static str, Live);

/// A camera in layers with a microphone, a camera of another codec, a microphone alone, a camera alone, and a screen.
fn what_is_sent() -> Vec<Sent> {
    let clip = |width, height, kbps| Arc::new(clips::flashing(width, height, kbps));
    let (quarter, half, whole) = (clip(320, 180, 150), clip(640, 360, 500), clip(1280, 720, 1_700));
    let vp8 = Arc::new(clips::grey_in(Video::Vp8, 120, 640, 360, clips::second::COUNT as u32));
    let layers = vec![(Some("q"), quarter), (Some("h"), Arc::clone(&half)), (Some("f"), Arc::clone(&whole))];
    let sound = Some(Arc::new(clips::beeping(440.0)));
    let live = |layers: Vec<(Option<&'static str>, Arc<Clip>)>, sound| Live {
        layers,
        sound,
        order: (0..clips::second::COUNT).collect(),
        began: Instant::now(),
    };
    let one = |clip| vec![(None, clip)];
    vec![
        ("", live(layers, sound.clone())),
        ("", live(one(vp8), sound.clone())),
        ("", live(vec![], sound)),
        ("", live(one(half), None)),
        ("?source=screen", live(one(whole), None)),
    ]
}

/// Somebody's time on stage, in seconds since the block began.
struct Visit {
    at: f64,
    until: f64,
    sent: usize,
    then: Then,
}

enum Then {
    LeavesWithoutAWord,
    Leaves,
    JoinsAnew,
}

/// One person's visits in a block, at random but the same in each block.
fn visits(number: u64, pace: &Pace, kinds: usize) -> Vec<Visit> {
    let mut noise = Noise(number + 1);
    let mut pick = |of: &Range<f64>| of.start + noise.fraction() * (of.end - of.start);
    let (mut visits, mut now, mut there) = (Vec::new(), 0.0, false);
    loop {
        now += if there { 0.0 } else { pick(&pace.away) };
        if now >= pace.block.as_secs_f64() {
            return visits;
        }
        let sent = pick(&(0.0..kinds as f64)) as usize;
        let until = (now + pick(&pace.stays)).min(pace.block.as_secs_f64());
        let then = match pick(&(0.0..3.0)) as usize {
            0 => Then::LeavesWithoutAWord,
            1 => Then::Leaves,
            _ => Then::JoinsAnew,
        };
        there = matches!(then, Then::JoinsAnew);
        visits.push(Visit { at: now, until, sent, then });
        now = until;
    }
}

/// One of them, block after block.
async fn come_and_go(server: &Server, number: u64, sent: &[Sent], pace: &Pace, began: Instant, joins: &Cell<u64>) {
    let visits = visits(number, pace, sent.len());
    let token = server.auth("room", &format!("person-{number}")).await;
    let mut there = None;
    for block in 0..pace.blocks {
        let moment = |seconds: f64| began + pace.block * block + Duration::from_secs_f64(seconds);
        for visit in &visits {
            tokio::time::sleep_until(moment(visit.at).into()).await;
            let (query, live) = &sent[visit.sent];
            let room = format!("room{query}");
            let joining = send_live(server, &room, &token, live.clone());
            let (running, session) = tokio::time::timeout(PATIENCE, joining).await.expect("they are connected");
            joins.set(joins.get() + 1);
            drop(there.replace(running));
            tokio::time::sleep_until(moment(visit.until).into()).await;
            match visit.then {
                Then::LeavesWithoutAWord => there = None,
                Then::Leaves => {
                    let (status, ..) = server.request(Method::DELETE, &session, Some(&token), None).await;
                    assert_eq!(status, StatusCode::OK);
                    there = None;
                }
                Then::JoinsAnew => {}
            }
        }
    }
}

/// What the server holds, and its child.
#[derive(Debug, PartialEq)]
struct Held {
    tasks: f64,
    threads: Vec<BTreeMap<String, usize>>,
    descriptors: Vec<BTreeMap<String, usize>>,
}

impl Held {
    async fn by(server: &Server) -> Self {
        let family = usage::family(server.pid());
        let by_name = |counts: fn(u32) -> BTreeMap<String, usize>| {
            let mut of_each: Vec<_> = family.iter().map(|pid| counts(*pid)).collect();
            // The catalog opens up to four connections for those who read at the same time, and keeps them.
            of_each.iter_mut().for_each(|counts| counts.retain(|name, _| !CATALOG.iter().any(|of| name.contains(of))));
            of_each
        };
        Self {
            tasks: server.metric("footlight_tasks").await,
            threads: by_name(usage::threads),
            descriptors: by_name(usage::descriptors),
        }
    }

    /// Whether it is no more than that.
    fn within(&self, bound: &Self) -> bool {
        let each = |held: &Self| held.threads.iter().chain(&held.descriptors).cloned().collect::<Vec<_>>();
        let none_more = |(have, bound): (&BTreeMap<_, _>, &BTreeMap<_, _>)| {
            have.iter().all(|(name, count)| bound.get(name).is_some_and(|bound| count <= bound))
        };
        self.tasks <= bound.tasks && each(self).iter().zip(&each(bound)).all(none_more)
    }
}

/// What it holds when that does not change any more.
async fn steady(server: &Server) -> Held {
    let (mut last, mut since) = (Held::by(server).await, Instant::now());
    let begin = Instant::now();
    while since.elapsed() < STEADY {
        assert!(begin.elapsed() < PATIENCE, "it comes to rest");
        tokio::time::sleep(POLL_INTERVAL).await;
        let now = Held::by(server).await;
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    last
}

/// What it holds when that is no more than before, or will never be.
async fn until_back(server: &Server, before: &Held) -> Held {
    let begin = Instant::now();
    loop {
        let held = Held::by(server).await;
        if held.within(before) || begin.elapsed() > GONE_WITHIN {
            return held;
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Resident memory of the server and of its child, in MB, and how many are on stage.
#[derive(Clone, Copy)]
struct Sample {
    publishers: f64,
    server_mb: f64,
    child_mb: f64,
}

/// Until the end, with a row for each minute.
async fn watch_memory(server: &Server, end: Instant, joins: &Cell<u64>) -> Vec<Sample> {
    let family = usage::family(server.pid());
    let (mut samples, mut ticks) = (Vec::new(), tokio::time::interval(SAMPLE_INTERVAL));
    println!("minute  joins  on stage  server MB (most)  child MB (most)");
    while Instant::now() < end {
        ticks.tick().await;
        samples.push(Sample {
            publishers: server.metric("footlight_publishers").await,
            server_mb: usage::rss_mb(family[0]),
            child_mb: usage::rss_mb(family[1]),
        });
        if samples.len().is_multiple_of(SAMPLES_PER_ROW) {
            let row = &samples[samples.len() - SAMPLES_PER_ROW..];
            println!(
                "{:>6} {:>6} {:>9.1} {:>8.1} {:>8.1} {:>7.1} {:>8.1}",
                samples.len() / SAMPLES_PER_ROW,
                joins.get(),
                mean(row, |sample| sample.publishers),
                mean(row, |sample| sample.server_mb),
                most(row, |sample| sample.server_mb),
                mean(row, |sample| sample.child_mb),
                most(row, |sample| sample.child_mb),
            );
        }
    }
    samples
}

/// No five minutes after the first five take more than the ones that came next.
fn assert_flat(samples: &[Sample]) {
    let per_block = (BLOCK.as_secs_f64() / SAMPLE_INTERVAL.as_secs_f64()) as usize;
    let blocks: Vec<&[Sample]> = samples.chunks_exact(per_block).skip(1).collect();
    let of_each = |value: fn(&Sample) -> f64| blocks.iter().map(|block| mean(block, value)).collect::<Vec<_>>();
    for (whose, blocks) in
        [("server", of_each(|sample| sample.server_mb)), ("child", of_each(|sample| sample.child_mb))]
    {
        println!("{whose}, MB by five minutes, after the first: {blocks:.1?}");
        assert!(blocks.iter().all(|mb| *mb <= blocks[0] * (1.0 + GROWTH)), "the {whose} grows: {blocks:.1?} MB");
    }
}

fn mean(of: &[Sample], value: impl Fn(&Sample) -> f64) -> f64 {
    of.iter().map(value).sum::<f64>() / of.len() as f64
}

fn most(of: &[Sample], value: impl Fn(&Sample) -> f64) -> f64 {
    of.iter().map(value).fold(0.0, f64::max)
}
