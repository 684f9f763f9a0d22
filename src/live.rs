#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: tasks per live stream, timers, child processes.
//! Live streams: one task each, which brings a room's frames to a packager, starts it again where it dies, and cleans up when the
//! ended playlists have been seen.
//!
//! One owner keeps the table of streams and takes one closed enum of inputs. What a packager reports is kept for the admin listener.

use crate::packaging::{self, Objects, Publishing, Says, Told};
use crate::worker::{Begin, WorkerError};
use bytes::Bytes;
use footlight_media::time::WallTime;
use footlight_packager::clock::SessionClock;
use footlight_packager::direction::{Direction, Wish};
use footlight_packager::driver::{FromPackager, Report, Start, ToPackager};
use footlight_packager::ladder::Ladder;
use footlight_packager::objects::Stream;
use footlight_packager::publish::Publisher;
use footlight_packager::session::{Output, Resume, Session};
use footlight_stage::driver::{Stage, Subscription};
use futures_util::{FutureExt, SinkExt};
use std::collections::HashMap;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// Inputs that wait for the owner.
const INPUTS: usize = 256;
/// Short lives of a stream's packager, one after the other, beyond which the stream has failed: what kills it would kill it for ever.
const SHORT_LIVES: u32 = 20;
/// Longer than a packager that hangs is left alone, or one whose threads do (5 s), and shorter than an origin that is away is waited for (6.2 s): the
/// first two do not mend by themselves.
const SHORT_LIFE: Duration = Duration::from_secs(6);
/// Before the second restart after a short life and all that follow, so that a packager that dies at once does not eat a core.
const RESTART_PAUSE: Duration = Duration::from_millis(500);
/// A packager that has said nothing for so long hangs: it reports each second. With a successor's start this stays within the three target durations for
/// which players wait for a playlist (RFC 8216bis section 6.2.5.2).
const SILENCE: Duration = Duration::from_secs(3);
/// Longest record of a predecessor that is passed on: ours have a few hundred bytes, and tens for each segment of a long window.
const RECORD_BYTES: usize = 8 * 1024 * 1024;
/// After a stop: what is left of a part, the encoders' drain and the last playlists.
const STOPPING: Duration = Duration::from_secs(10);
/// For how long the ended playlists stay.
const LINGER: Duration = Duration::from_secs(60);
/// For how long they stay at an origin elsewhere when this process ends: players reload each 2 s, and have by then fetched what they play last.
const LAST_LINGER: Duration = Duration::from_secs(10);

/// Where a packager runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// In a child process of its own, behind the fences of [`crate::sandbox`].
    Process,
    /// In a thread of this process: a decoder that crashes takes everything with it.
    Thread,
}

/// What every stream of this process has in common.
#[derive(Clone)]
pub struct Common {
    /// Where frames come from.
    pub stage: Stage,
    /// Where objects go.
    pub origin: Objects,
    /// The origin outlives this process, so what is left of streams must be deleted there.
    pub origin_is_elsewhere: bool,
    /// Process or thread.
    pub isolation: Isolation,
    /// Address space of a child process, in bytes.
    pub memory_bytes: u64,
    /// What is encoded.
    pub ladder: Ladder,
    /// How loud the mix is made, in LUFS; `None`: as loud as it comes.
    pub loudness_lufs: Option<f64>,
    /// Segments in a playlist.
    pub window: usize,
    /// See `Timeline::delay`.
    pub playout_delay: Duration,
    /// The clock of stage's frames.
    pub clock: SessionClock,
}

/// What happened to a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamEvent {
    /// It can be played.
    Running,
    /// Its playlists have ended.
    Ended,
    /// Its packager could not be kept alive.
    Failed {
        /// Why.
        reason: String,
    },
}

/// A stream's last report and how often its packager was started.
#[derive(Debug, Clone)]
pub struct StreamReport {
    /// The room.
    pub room: String,
    /// The stream.
    pub stream: String,
    /// Since when it can be played.
    pub running_since: Option<Instant>,
    /// Starts of its packager, the first one included.
    pub starts: u32,
    /// What the packager counted.
    pub report: Box<Report>,
}

/// Handle of the owner. Cheap to clone.
#[derive(Clone)]
pub struct Live {
    inputs: mpsc::Sender<LiveInput>,
}

enum LiveInput {
    Start { room: String, stream: String },
    Stop { stream: String },
    Direct { stream: String, wish: Wish, taken: oneshot::Sender<bool> },
    Reported { stream: String, starts: u32, report: Box<Report> },
    Finished { stream: String, event: StreamEvent },
    Happened { stream: String, event: StreamEvent },
    Reports { answer: oneshot::Sender<Vec<StreamReport>> },
}

impl Live {
    /// Starts the owner. `events` hears what happens to streams, by stream id; it must be read.
    pub fn start(
        common: Common,
        events: mpsc::Sender<(String, StreamEvent)>,
        shutdown: CancellationToken,
        tasks: &TaskTracker,
    ) -> Self {
        let (inputs, queue) = mpsc::channel(INPUTS);
        let owner = Owner {
            common,
            events,
            inputs: inputs.clone(),
            shutdown,
            streams: HashMap::new(),
            last_end: None,
            tasks: tasks.clone(),
        };
        tasks.spawn(owner.run(queue));
        Self { inputs }
    }

    /// Starts a stream.
    pub async fn start_stream(&self, room: String, stream: String) {
        let _owner_is_gone = self.inputs.send(LiveInput::Start { room, stream }).await;
    }

    /// Stops one.
    pub async fn stop_stream(&self, stream: String) {
        let _owner_is_gone = self.inputs.send(LiveInput::Stop { stream }).await;
    }

    /// Shows or mixes the people of one otherwise, from now on and whatever becomes of its packager. `false` where it is over.
    pub async fn direct_stream(&self, stream: String, wish: Wish) -> bool {
        let (taken, answer) = oneshot::channel();
        let _owner_is_gone = self.inputs.send(LiveInput::Direct { stream, wish, taken }).await;
        answer.await.unwrap_or(false)
    }

    /// Waits until every stream has ended, after the shutdown token was cancelled.
    pub async fn ended(&self) {
        self.inputs.closed().await;
    }

    /// The last report of every running stream.
    pub async fn reports(&self) -> Vec<StreamReport> {
        let (answer, reports) = oneshot::channel();
        let _owner_is_gone = self.inputs.send(LiveInput::Reports { answer }).await;
        reports.await.unwrap_or_default()
    }
}

struct Owner {
    common: Common,
    events: mpsc::Sender<(String, StreamEvent)>,
    inputs: mpsc::Sender<LiveInput>,
    shutdown: CancellationToken,
    streams: HashMap<String, Entry>,
    /// When a stream ended last.
    last_end: Option<Instant>,
    tasks: TaskTracker,
}

struct Entry {
    stop: CancellationToken,
    direction: watch::Sender<Direction>,
    report: StreamReport,
}

impl Owner {
    async fn run(mut self, mut queue: mpsc::Receiver<LiveInput>) {
        loop {
            let input = tokio::select! {
                input = queue.recv() => input,
                // Streams end by the token that they share; what they still say is heard out.
                () = self.shutdown.cancelled(), if self.streams.is_empty() => return self.say_what_lingers(),
            };
            let Some(input) = input else { return };
            match input {
                LiveInput::Start { room, stream } => self.start(room, stream),
                LiveInput::Stop { stream } => {
                    if let Some(entry) = self.streams.get(&stream) {
                        entry.stop.cancel();
                    }
                }
                LiveInput::Direct { stream, wish, taken } => {
                    let entry = self.streams.get(&stream);
                    let done = entry.map(|entry| entry.direction.send_modify(|direction| direction.take(wish)));
                    let _nobody_waits = taken.send(done.is_some());
                }
                LiveInput::Reported { stream, starts, report } => {
                    if let Some(entry) = self.streams.get_mut(&stream) {
                        entry.report.starts = starts;
                        entry.report.report = report;
                    }
                }
                LiveInput::Happened { stream, event } => {
                    // Each of its packagers says so anew.
                    if let Some(entry) = self.streams.get_mut(&stream)
                        && entry.report.running_since.is_none()
                    {
                        entry.report.running_since = Some(Instant::now());
                        log(&entry.report.room, &stream, &event);
                    }
                    self.tell(stream, event).await;
                }
                LiveInput::Finished { stream, event } => {
                    self.last_end = Some(Instant::now());
                    if let Some(entry) = self.streams.remove(&stream) {
                        log(&entry.report.room, &stream, &event);
                        self.tell(stream, event).await;
                    }
                }
                LiveInput::Reports { answer } => {
                    let reports = self.streams.values().map(|entry| entry.report.clone()).collect();
                    let _nobody_waits = answer.send(reports);
                }
            }
        }
    }

    /// The process ends later than its streams did.
    fn say_what_lingers(&self) {
        if self.common.origin_is_elsewhere && self.last_end.is_some_and(|end| end.elapsed() < LINGER) {
            let seconds = LAST_LINGER.as_secs();
            tracing::info!("players have {seconds} s to see that the streams have ended; a second signal ends at once");
        }
    }

    async fn tell(&self, stream: String, event: StreamEvent) {
        let _nobody_listens_any_more = self.events.send((stream, event)).await;
    }

    fn start(&mut self, room: String, stream: String) {
        if self.streams.contains_key(&stream) || self.shutdown.is_cancelled() {
            return;
        }
        let stop = self.shutdown.child_token();
        let (starts, report) = (0, Box::default());
        let report = StreamReport { room: room.clone(), stream: stream.clone(), running_since: None, starts, report };
        let (direction, directions) = watch::channel(Direction::default());
        self.streams.insert(stream.clone(), Entry { stop: stop.clone(), direction, report });
        tracing::info!(room, stream, "a live stream starts");
        let task = StreamTask {
            common: self.common.clone(),
            inputs: self.inputs.clone(),
            shutdown: self.shutdown.clone(),
            stop,
            names: Stream::new(room, stream, self.common.window),
            zero_date: self.common.clock.zero_date(),
            directions,
            starts: 0,
        };
        let (owner, name) = (self.inputs.clone(), task.names.id().to_owned());
        self.tasks.spawn(async move {
            // A bug that ends the task must not leave a stream that nobody can stop.
            if let Err(panic) = tokio::spawn(task.run()).await {
                let event = StreamEvent::Failed { reason: panic.to_string() };
                let _owner_is_gone = owner.send(LiveInput::Finished { stream: name, event }).await;
            }
        });
    }
}

/// What an operator reads of a stream's life, beside its start.
fn log(room: &str, stream: &str, event: &StreamEvent) {
    match event {
        StreamEvent::Running => tracing::info!(room, stream, "a live stream can be played"),
        StreamEvent::Ended => tracing::info!(room, stream, "a live stream has ended"),
        StreamEvent::Failed { reason } => tracing::error!(room, stream, reason, "a live stream has failed"),
    }
}

/// Whether a packager takes what it is told.
#[derive(PartialEq)]
enum Takes {
    Now,
    Later,
    /// It is gone, and says why by its last word.
    NoMore,
}

/// One stream.
struct StreamTask {
    common: Common,
    inputs: mpsc::Sender<LiveInput>,
    shutdown: CancellationToken,
    stop: CancellationToken,
    names: Stream,
    /// The date of the session clock's zero. Read once a stream: its dates never jump, and the next stream's follow a wall clock that was set.
    zero_date: WallTime,
    /// The newest is what a packager begins with.
    directions: watch::Receiver<Direction>,
    starts: u32,
}

impl StreamTask {
    async fn run(mut self) {
        let mut short_lives = 0;
        let (event, leftovers) = loop {
            self.starts += 1;
            let born = Instant::now();
            // A bug of ours ends a packager's life as one of its own does.
            let life = AssertUnwindSafe(self.live()).catch_unwind().await;
            let death = match life.unwrap_or(Err(WorkerError::Panicked)) {
                Ok(leftovers) => break (StreamEvent::Ended, leftovers),
                Err(death) => death,
            };
            tracing::warn!(room = self.names.room(), stream = self.names.id(), error = %death, "a packager died");
            short_lives = if born.elapsed() < SHORT_LIFE { short_lives + 1 } else { 0 };
            if self.stop.is_cancelled() {
                break (StreamEvent::Ended, self.abandon().await);
            }
            if short_lives > SHORT_LIVES {
                break (StreamEvent::Failed { reason: death.to_string() }, self.abandon().await);
            }
            if short_lives > 1 {
                tokio::time::sleep(RESTART_PAUSE).await;
            }
        };
        let stream = self.names.id().to_owned();
        self.tell(LiveInput::Finished { stream, event }).await;
        self.clean_up(leftovers).await;
    }

    /// One life of the packager. Answers, at the stream's end, with what is left of it at the origin.
    async fn live(&self) -> Result<Vec<String>, WorkerError> {
        let predecessor = tokio::select! {
            record = self.predecessor() => record?,
            () = self.stop.cancelled() => return Err(WorkerError::Stopped),
        };
        let Some(subscription) = self.common.stage.subscribe(self.names.room()).await else {
            return Err(WorkerError::NoStage);
        };
        let mut directions = self.directions.clone();
        let direction = directions.borrow_and_update().clone();
        let start = Start {
            stream: self.names.clone(),
            ladder: self.common.ladder.clone(),
            direction,
            loudness_lufs: self.common.loudness_lufs,
            clock: self.common.clock,
            zero_date: self.zero_date,
            playout_delay: self.common.playout_delay,
            predecessor,
        };
        let (told, says) = match self.common.isolation {
            Isolation::Process => {
                let begin = Begin { start, memory_bytes: self.common.memory_bytes };
                let started = tokio::time::timeout(SILENCE, packaging::in_process(begin)).await;
                started.map_err(|_| WorkerError::Hung(SILENCE))??
            }
            Isolation::Thread => packaging::in_thread(start)?,
        };
        self.converse(subscription, directions, told, says).await
    }

    /// What a predecessor left at the origin. A record that is longer than ours can be was left by somebody who had taken it over.
    async fn predecessor(&self) -> Result<Option<Bytes>, WorkerError> {
        let record = Publisher::new(self.common.origin.clone()).get(&self.names.resume_path()).await?;
        Ok(record.filter(|record| record.len() <= RECORD_BYTES))
    }

    /// Carries frames there and answers back until the packager ends. Never waits for the packager alone: one that hangs takes nothing more, and is
    /// noticed by its silence.
    async fn converse(
        &self,
        mut frames: Subscription,
        mut directions: watch::Receiver<Direction>,
        mut told: Told,
        mut says: Says,
    ) -> Result<Vec<String>, WorkerError> {
        // While it does not take it, stage's queue takes what comes, and drops up to a key frame where that is full.
        let mut next = None;
        let mut takes = Takes::Later;
        let mut stopping = false;
        let (mut objects, publishing) =
            Publishing::new(self.names.clone(), self.common.clock, self.common.origin.clone());
        // A task of its own: what is told of a packager may wait for others.
        let mut publishing = AbortOnDropHandle::new(tokio::spawn(publishing));
        let mut stop = pin!(self.stop.cancelled());
        let mut deadline = pin!(tokio::time::sleep(SILENCE));
        loop {
            if takes == Takes::Now
                && let Some(message) = next.take()
            {
                told.start_send_unpin(message)?;
                takes = Takes::Later;
            }
            tokio::select! {
                () = &mut stop, if !stopping => {
                    stopping = true;
                    deadline.as_mut().reset(Instant::now() + STOPPING);
                    next = Some(ToPackager::Stop);
                }
                room = poll_fn(|context| told.poll_ready_unpin(context)), if takes == Takes::Later => {
                    takes = match room {
                        Ok(()) => Takes::Now,
                        Err(error) if error.is_of_its_end() => Takes::NoMore,
                        Err(error) => return Err(error),
                    };
                }
                event = frames.events.recv(), if takes == Takes::Now => match event {
                    Some(event) => next = Some(ToPackager::Event(event)),
                    None => return Err(WorkerError::NoStage),
                },
                Ok(()) = directions.changed(), if takes == Takes::Now => {
                    next = Some(ToPackager::Direct(directions.borrow_and_update().clone()));
                }
                at = objects.published(), if takes == Takes::Now => next = at.map(ToPackager::Published),
                error = &mut publishing => return Err(error?.into()),
                message = says.next() => {
                    if !stopping {
                        deadline.as_mut().reset(Instant::now() + SILENCE);
                    }
                    if let Some(leftovers) = self.hear(message?, &mut objects).await? {
                        return Ok(leftovers);
                    }
                }
                () = &mut deadline => {
                    return Err(if stopping { WorkerError::NeverEnds(STOPPING) } else { WorkerError::Hung(SILENCE) });
                }
            }
        }
    }

    /// Ends the playlists of a packager that died and gets no successor. Answers with what is left of the stream at the origin.
    async fn abandon(&self) -> Vec<String> {
        let mut publisher = Publisher::new(self.common.origin.clone());
        let record = publisher.get(&self.names.resume_path()).await.ok().flatten();
        // Without a record nothing was ever listed.
        let record = record.and_then(|record| Resume::read(&record, &self.names, &self.common.ladder));
        let Some(record) = record else { return Vec::new() };
        let mut session = Session::abandon(self.names.clone(), self.common.ladder.clone(), record);
        let mut left = Vec::new();
        while let Some(output) = session.poll_output() {
            match output {
                Output::Publish(batch) => {
                    if let Err(error) = publisher.publish(batch.changes).await {
                        tracing::warn!(stream = self.names.id(), %error, "the playlists of a stream that failed stay open");
                    }
                }
                Output::Ended { leftovers } => left = leftovers,
            }
        }
        left
    }

    /// Passes on what a packager says. Answers, by its last word, with what is left of the stream at the origin.
    async fn hear(&self, message: FromPackager, objects: &mut Publishing) -> Result<Option<Vec<String>>, WorkerError> {
        let stream = self.names.id().to_owned();
        match message {
            FromPackager::Request(request) => self.common.stage.request(self.names.room(), request).await,
            FromPackager::Publish(changes) => objects.take(changes)?,
            FromPackager::Running => self.tell(LiveInput::Happened { stream, event: StreamEvent::Running }).await,
            FromPackager::Report(report) => {
                self.tell(LiveInput::Reported { stream, starts: self.starts, report }).await;
            }
            FromPackager::Ended { mut leftovers } => {
                // Whoever took the packager over would have other streams' objects deleted.
                leftovers.retain(|path| self.names.owns(path));
                return Ok(Some(leftovers));
            }
        }
        Ok(None)
    }

    async fn tell(&self, input: LiveInput) {
        let _owner_is_gone = self.inputs.send(input).await;
    }

    /// Leaves the ended playlists for a while, then deletes what is left of the stream.
    async fn clean_up(&self, leftovers: Vec<String>) {
        let process_ends = async {
            self.shutdown.cancelled().await;
            if self.common.origin_is_elsewhere {
                tokio::time::sleep(LAST_LINGER).await;
            }
        };
        tokio::select! {
            () = tokio::time::sleep(LINGER) => {}
            () = process_ends => if !self.common.origin_is_elsewhere { return },
        }
        let mut publisher = Publisher::new(self.common.origin.clone());
        let live_path = self.names.live_path();
        for path in leftovers {
            // The room's static playlist may be that of its next stream by now.
            if path == live_path && !self.is_ours(&mut publisher, &path).await {
                continue;
            }
            if let Err(error) = publisher.delete(&path).await {
                tracing::warn!(%error, "an object of an ended stream stays");
            }
        }
    }

    /// Whether the room's static playlist still leads to this stream.
    async fn is_ours(&self, publisher: &mut Publisher<Objects>, path: &str) -> bool {
        let text = publisher.get(path).await.ok().flatten().unwrap_or_default();
        let ours = format!("/{}/", self.names.id());
        text.windows(ours.len()).any(|w| w == ours.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use footlight_packager::ladder::{AudioRendition, Rung};
    use footlight_packager::layout::Size;

    fn ladder() -> Ladder {
        let size = Size { width: 320, height: 180 };
        let rung =
            Rung { name: "180p".into(), size, bitrate_bps: 300_000, preset: "superfast".into(), audio: "audio".into() };
        Ladder {
            canvas: size,
            fps: 30,
            rungs: vec![rung],
            audio: vec![AudioRendition { name: "audio".into(), bitrate_bps: 64_000 }],
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_whose_task_panics_has_failed_and_does_not_hold_up_the_end() {
        let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
        let config = footlight_stage::config::Config {
            listen: "127.0.0.1:0".parse().expect("an address"),
            ..Default::default()
        };
        let stage = Stage::start(config, std::time::Instant::now(), shutdown.clone()).await.expect("loopback is there");
        let common = Common {
            stage,
            origin: Objects::new(tower::service_fn(async |_| panic!("a bug"))),
            origin_is_elsewhere: false,
            isolation: Isolation::Thread,
            memory_bytes: 0,
            ladder: ladder(),
            loudness_lufs: None,
            window: 8,
            playout_delay: Duration::ZERO,
            clock: SessionClock::starting_now(),
        };
        let (events, mut happened) = mpsc::channel(8);
        let live = Live::start(common, events, shutdown.clone(), &tasks);
        live.start_stream("room".into(), "stream".into()).await;
        let (stream, event) = happened.recv().await.expect("it is told");
        assert!(stream == "stream" && matches!(event, StreamEvent::Failed { .. }), "{stream}: {event:?}");
        shutdown.cancel();
        live.ended().await;
    }
}
