#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: starts the media threads, reads the clock, selects.
//! Runs one live stream: one loop that owns the session and its threads, with one closed enum of what comes in.
//!
//! ```text
//! TrackEvent --> decode thread per picture seen  --> compositor thread --> rung thread per rung --+
//!            \-> audio thread (decode, mix, AAC) ------------------------------------------------+--> session --> what is to be published
//! ```
//!
//! No queue between them is unbounded and none blocks who feeds it, but for the ticks of the slate, which nobody waits for. The loop watches that every
//! thread gets on: one that loops or has panicked ends the packager, whose successor begins with fresh ones.

mod audio;
mod decode;
mod decoders;
mod feed;
mod intake;
mod messages;
mod meter;
mod picture;
mod rung;
mod shots;
mod slot;
mod still;

use crate::clock::SessionClock;
use crate::direction::Changed;
use crate::layout::{Layout, Size};
use crate::mixer::Mix;
use crate::objects::Batch;
use crate::scenery::Scenery;
use crate::session::{Input, Output, Resume, Session};
use crate::signal::{Signal, Subject};
use crate::stages::{Histogram, Journey, Stage, TickStamps};
use crate::timeline::Timeline;
use bytes::Bytes;
use decoders::Decoders;
use feed::Feed;
use footlight_media::codec::Kind;
use footlight_media::frame::EncodedFrame;
use footlight_media::time::SessionTime;
use footlight_media::track::{PeerKey, TrackEvent, TrackId, TrackRequest};
use futures_util::{Stream, StreamExt};
pub use messages::{FromPackager, Report, Start, ToPackager};
use slot::Slot;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// Events of the media threads that wait for the loop: a second of all lanes of a large ladder.
const THREAD_EVENTS: usize = 512;
/// Batches that wait for the origin: about 20 s. Beyond, the packager gives up and its successor goes on.
pub const BATCHES: usize = 64;
/// A stop that nobody has asked for.
const NO_END: u64 = u64::MAX;
/// From the start to the first live tick: what encoding the slate may take.
const SLATE_LEAD: Duration = Duration::from_secs(1);
/// Between two reports.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// A thread with work to do that has finished none of it for so long is stuck: the slowest frame of the largest picture takes a tenth of it.
const STUCK: Duration = Duration::from_secs(5);

/// Why a stream's packager stopped before its end. Its successor goes on in the same timeline.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The origin is too slow: [`BATCHES`] wait.
    #[error("the origin has fallen {BATCHES} batches behind")]
    Behind,
    /// Nobody hears what the packager says.
    #[error("the process that started this packager does not read")]
    Unheard,
    /// A codec could not be opened or failed on our own data.
    #[error(transparent)]
    Codec(#[from] crate::ffmpeg::FfmpegError),
    /// Who commands is gone.
    #[error("the process that started this packager is gone")]
    Orphaned,
    /// A media thread could not be started.
    #[error("starting a media thread: {0}")]
    Thread(#[from] std::io::Error),
    /// A media thread makes no progress, or has panicked.
    #[error("{what} has done nothing for {STUCK:?}")]
    Stuck {
        /// The rendition, or the decoder's track.
        what: String,
    },
    /// More has happened to tracks than a media thread has taken note of.
    #[error("{what} is behind by {} additions and removals of tracks", feed::BACKLOG)]
    Deaf {
        /// The thread.
        what: &'static str,
    },
}

/// What there is to see, or to hear, of each source and of the programme.
type Signals = Vec<(Subject, Signal)>;

/// What media threads tell the loop.
enum ThreadEvent {
    Session(Input),
    KeyFrameWanted(TrackId),
    /// A track's tile has this size now.
    Shown(TrackId, Size),
    /// What was asked for by this number; `None` where there is no such picture.
    Snapshot {
        number: u64,
        jpeg: Option<Bytes>,
    },
    /// What the programme looks like.
    Poster(Bytes),
    Failed(crate::ffmpeg::FfmpegError),
}

/// What the media threads share: when to stop, and what they count.
#[derive(Clone)]
struct Shared {
    clock: SessionClock,
    timeline: Timeline,
    /// The part before which everything stops.
    stop_part: Arc<AtomicU64>,
    counters: Arc<meter::Counters>,
    events: mpsc::Sender<ThreadEvent>,
}

impl Shared {
    fn stops_before(&self, part: u64) -> bool {
        part >= self.stop_part.load(Ordering::Relaxed)
    }
}

/// Runs a live stream until it is stopped or cannot go on. The end of `inputs` before its last word is an error.
pub async fn run(
    start: Start,
    mut inputs: impl Stream<Item = ToPackager> + Unpin,
    outputs: mpsc::Sender<FromPackager>,
) -> Result<(), DriverError> {
    crate::ffmpeg::quiet();
    let (events_in, mut events) = mpsc::channel(THREAD_EVENTS);
    let mut driver = Driver::begin(start, events_in, outputs)?;
    let mut report = tokio::time::interval(REPORT_INTERVAL);
    loop {
        tokio::select! {
            input = inputs.next() => match input {
                Some(ToPackager::Event(event)) => driver.track_event(event)?,
                Some(ToPackager::Direct(changed)) => driver.direct(*changed),
                Some(ToPackager::Snapshot { number, peer }) => driver.snapshot(number, peer),
                Some(ToPackager::Published(at)) => driver.published(at)?,
                Some(ToPackager::Stop) => driver.stop(),
                None => return Err(DriverError::Orphaned),
            },
            Some(event) = events.recv() => match event {
                ThreadEvent::Session(input) => driver.session(input)?,
                ThreadEvent::KeyFrameWanted(track) => driver.say(FromPackager::Request(TrackRequest::KeyFrame(track))),
                ThreadEvent::Shown(track, size) => drop(driver.shown.insert(track, size)),
                ThreadEvent::Snapshot { number, jpeg } => driver.say(FromPackager::Snapshot { number, jpeg }),
                ThreadEvent::Poster(jpeg) => driver.session(Input::Poster(jpeg))?,
                ThreadEvent::Failed(error) => return Err(error.into()),
            },
            _ = report.tick() => {
                driver.watch()?;
                let report = driver.report();
                driver.say(FromPackager::Report(Box::new(report)));
            }
        }
        driver.say_what_is_shown();
        driver.see_to_decoders()?;
        if let Some(leftovers) = driver.ended() {
            let last = FromPackager::Ended { leftovers };
            return driver.outputs.send(last).await.map_err(|_| DriverError::Orphaned);
        }
    }
}

/// How far something had got when it last got on, and when that was.
struct Progress {
    count: u64,
    since: SessionTime,
}

impl Progress {
    const fn new(now: SessionTime) -> Self {
        Self { count: 0, since: now }
    }

    /// Whether something that has got to `count` has been there for [`STUCK`].
    fn stuck(&mut self, count: u64, now: SessionTime) -> bool {
        if count != self.count {
            *self = Self { count, since: now };
        }
        now.micros_since(self.since) > i64::try_from(STUCK.as_micros()).unwrap_or(i64::MAX)
    }
}

struct Driver {
    session: Session,
    shared: Shared,
    decoders: Decoders,
    voices: HashSet<TrackId>,
    layout: Slot<Layout>,
    scenery: Slot<Scenery>,
    mix: Slot<Mix>,
    pinned: Slot<Option<PeerKey>>,
    /// How large tracks are shown, where that has not been said yet.
    shown: HashMap<TrackId, Size>,
    /// Where the threads say what there is to see and to hear, and what they said last.
    signals: [Slot<Signals>; 2],
    seen: [Signals; 2],
    pictures: Feed<picture::PictureInput>,
    sound: Feed<audio::AudioInput>,
    /// For each rendition, the part that was being filled when it last got on, and when that was.
    lanes: Vec<Progress>,
    outputs: mpsc::Sender<FromPackager>,
    /// What was said to be published and has not been confirmed, the oldest first.
    unconfirmed: VecDeque<Unconfirmed>,
    stages: Vec<Histogram>,
    journey: Option<Journey>,
    /// After the last batch.
    leftovers: Option<Vec<String>>,
}

/// What is known of a batch beside its changes.
struct Unconfirmed {
    stamps: Vec<TickStamps>,
    complete: SessionTime,
    announces: bool,
}

impl Driver {
    fn begin(
        start: Start,
        events: mpsc::Sender<ThreadEvent>,
        outputs: mpsc::Sender<FromPackager>,
    ) -> Result<Self, DriverError> {
        let now = start.clock.now();
        let predecessor = start.predecessor.and_then(|record| Resume::read(&record, &start.stream, &start.ladder));
        let (session, part) = match predecessor {
            Some(resume) => {
                let part = resume.timeline.part_after(now);
                (Session::resume(start.stream, start.ladder.clone(), resume, part), part)
            }
            None => {
                let live_at = now + SLATE_LEAD;
                let date = start.zero_date.offset_micros(live_at.as_micros());
                let timeline = Timeline::starting(live_at, date, start.playout_delay, start.ladder.fps);
                (Session::new(start.stream, start.ladder.clone(), timeline), 0)
            }
        };
        let shared = Shared {
            clock: start.clock,
            timeline: session.timeline(),
            stop_part: Arc::new(AtomicU64::new(NO_END)),
            counters: Arc::default(),
            events,
        };
        let rungs = start
            .ladder
            .rungs
            .iter()
            .enumerate()
            .map(|(lane, rung)| rung::start(shared.clone(), lane, rung.clone(), start.ladder.clone(), part))
            .collect::<Result<Vec<_>, _>>()?;
        let pinned = Slot::new(Some(start.direction.layout.pinned.clone()));
        let (layout, mix) = (Slot::new(Some(start.direction.layout)), Slot::new(Some(start.direction.mix)));
        let (scenery, speaker) = (Slot::new(Some(start.direction.scenery)), Slot::new(None));
        let (signals, rests) = ([Slot::new(None), Slot::new(None)], Slot::new(None));
        let pictures = picture::start(
            shared.clone(),
            &start.ladder,
            picture::Wanted {
                layout: layout.clone(),
                scenery: scenery.clone(),
                speaker: speaker.clone(),
                seen: signals[0].clone(),
                resting: rests.clone(),
            },
            part,
            rungs,
        )?;
        let lanes = start.ladder.rungs.len()..start.ladder.rungs.len() + start.ladder.audio.len();
        let first_unit = session.first_unit(lanes.start, part);
        let (renditions, loudness_lufs) = (start.ladder.audio, start.loudness_lufs);
        let sound = audio::Sound {
            renditions,
            loudness_lufs,
            mix: mix.clone(),
            pinned: pinned.clone(),
            speaker,
            heard: signals[1].clone(),
        };
        let sound = audio::start(shared.clone(), lanes, sound, first_unit)?;
        let lanes = session.progress().map(|_| Progress::new(now)).collect();
        let pictures = Feed::new("the compositor", pictures);
        let decoders = Decoders::new(shared.clone(), pictures.sender(), rests);
        Ok(Self {
            session,
            shared,
            decoders,
            voices: HashSet::new(),
            layout,
            scenery,
            mix,
            pinned,
            shown: HashMap::new(),
            signals,
            seen: [Vec::new(), Vec::new()],
            pictures,
            sound: Feed::new("the audio thread", sound),
            lanes,
            outputs,
            unconfirmed: VecDeque::new(),
            stages: vec![Histogram::default(); Stage::ALL.len()],
            journey: None,
            leftovers: None,
        })
    }

    fn track_event(&mut self, event: TrackEvent) -> Result<(), DriverError> {
        match event {
            TrackEvent::Added { track, from, codec } => match codec.kind() {
                Kind::Video => {
                    self.pictures.must(picture::PictureInput::Added { track, from })?;
                    self.decoders.add(track, codec)?;
                }
                Kind::Audio => {
                    self.sound.must(audio::AudioInput::Added { track, from })?;
                    self.voices.insert(track);
                }
            },
            TrackEvent::Frame(frame) => self.frame(frame),
            TrackEvent::Removed { track, succeeded } => {
                if self.decoders.remove(track) {
                    self.pictures.must(picture::PictureInput::Removed { track, succeeded })?;
                }
                if self.voices.remove(&track) {
                    self.sound.must(audio::AudioInput::Removed { track })?;
                }
            }
        }
        Ok(())
    }

    fn see_to_decoders(&mut self) -> Result<(), DriverError> {
        for track in self.decoders.settle()? {
            self.say(FromPackager::Request(TrackRequest::KeyFrame(track)));
        }
        Ok(())
    }

    fn frame(&mut self, frame: EncodedFrame) {
        let track = frame.track;
        let taken = if self.voices.contains(&track) {
            self.sound.may(audio::AudioInput::Frame(frame))
        } else {
            let taken = self.decoders.push(frame);
            if !taken {
                self.say(FromPackager::Request(TrackRequest::KeyFrame(track)));
            }
            taken
        };
        if !taken {
            self.shared.counters.dropped_frames.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sees that every thread gets on, and tells them what they had no room for.
    fn watch(&mut self) -> Result<(), DriverError> {
        self.pictures.flush();
        self.sound.flush();
        let now = self.shared.clock.now();
        let stuck = |what: String| Err(DriverError::Stuck { what });
        for ((name, part), progress) in self.session.progress().zip(&mut self.lanes) {
            if let Some(part) = part
                && progress.stuck(part, now)
            {
                return stuck(format!("rendition {name}"));
            }
        }
        match self.decoders.stuck(now) {
            Some(track) => stuck(format!("the decoder of track {}", track.0)),
            None => Ok(()),
        }
    }

    fn session(&mut self, input: Input) -> Result<(), DriverError> {
        self.session.handle(input, self.shared.clock.now());
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Publish(Batch { changes, stamps, complete, announces }) => {
                    if self.unconfirmed.len() == BATCHES {
                        return Err(DriverError::Behind);
                    }
                    self.must_say(FromPackager::Publish(changes))?;
                    self.unconfirmed.push_back(Unconfirmed { stamps, complete, announces });
                }
                Output::Ended { leftovers } => self.leftovers = Some(leftovers),
            }
        }
        Ok(())
    }

    /// Everything ends with the next whole part.
    fn stop(&mut self) {
        let part = self.shared.timeline.part_after(self.shared.clock.now()) + 1;
        self.shared.stop_part.fetch_min(part, Ordering::Relaxed);
    }

    /// Takes the stamps of the oldest batch, which was published at `at`.
    fn published(&mut self, at: SessionTime) -> Result<(), DriverError> {
        let Some(batch) = self.unconfirmed.pop_front() else { return Ok(()) };
        for stamps in batch.stamps {
            let Some(frame) = stamps.newest else { continue };
            let journey = Journey { stamps, frame, part_complete: batch.complete, published: at };
            for ((_, us), histogram) in journey.durations().iter().zip(&mut self.stages) {
                histogram.add(*us);
            }
            self.journey = Some(journey);
        }
        if batch.announces { self.must_say(FromPackager::Running) } else { Ok(()) }
    }

    /// What is left of the stream, once everything is published.
    fn ended(&mut self) -> Option<Vec<String>> {
        if self.unconfirmed.is_empty() { self.leftovers.take() } else { None }
    }

    /// What is worth nothing later: a reader that does not read loses it, and never what must be said.
    fn say(&self, message: FromPackager) {
        if self.outputs.capacity() > BATCHES {
            let _nobody_listens = self.outputs.try_send(message);
        }
    }

    /// Where it has no time, or is over, nobody is answered, and asks again.
    fn snapshot(&mut self, number: u64, peer: Option<PeerKey>) {
        let _lost = self.pictures.may(picture::PictureInput::Shoot { number, peer });
    }

    fn direct(&self, Changed { layout, scenery, mix }: Changed) {
        if let Some(layout) = layout {
            self.pinned.set(layout.pinned.clone());
            self.layout.set(layout);
        }
        if let Some(scenery) = scenery {
            self.scenery.set(scenery);
        }
        if let Some(mix) = mix {
            self.mix.set(mix);
        }
    }

    /// Only the newest size of each track counts, and it waits for room.
    fn say_what_is_shown(&mut self) {
        while self.outputs.capacity() > BATCHES
            && let Some(track) = self.shown.keys().next().copied()
            && let Some(Size { width, height }) = self.shown.remove(&track)
        {
            self.say(FromPackager::Request(TrackRequest::Shown { track, width, height }));
        }
    }

    fn must_say(&self, message: FromPackager) -> Result<(), DriverError> {
        self.outputs.try_send(message).map_err(|_| DriverError::Unheard)
    }

    fn report(&mut self) -> Report {
        for (slot, seen) in self.signals.iter().zip(&mut self.seen) {
            *seen = slot.take().unwrap_or_else(|| std::mem::take(seen));
        }
        let mut report = self.shared.counters.report();
        report.signals = self.seen.concat();
        report.stages = Stage::ALL.into_iter().zip(self.stages.iter().cloned()).collect();
        report.journey = self.journey;
        report
    }
}
