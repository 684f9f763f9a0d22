#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: tasks per live stream, timers, child processes.
//! Live streams: a task each ([`crate::stream`]), and the handle by which they are started, stopped, directed and looked at.
//!
//! One owner keeps the table of streams and takes one closed enum of inputs. What a packager reports is kept for the admin listener.

use crate::lag::Lag;
use crate::packaging::Objects;
use crate::snapshots::Shot;
use crate::stream::{LAST_LINGER, LINGER, StreamTask};
use bytes::Bytes;
use footlight_control::NoSnapshot;
use footlight_media::track::PeerKey;
use footlight_packager::clock::SessionClock;
use footlight_packager::direction::{Direction, Wish};
use footlight_packager::driver::Report;
use footlight_packager::ladder::Ladder;
use footlight_packager::objects::Stream;
use footlight_stage::driver::Stage;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Inputs that wait for the owner.
const INPUTS: usize = 256;
/// Who want a picture of one stream and have not been heard; the next is told to come again.
const SHOTS: usize = 4;
/// For a picture: a tick and its encoding take a tenth of it.
const SNAPSHOT_WAIT: Duration = Duration::from_secs(2);

/// What an operator can do about a rung that leaves pictures out.
const LAGS: &str =
    "pictures were left out for want of CPU; give the machine more, take a faster preset, or fewer rungs";

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

/// What the owner takes.
pub(crate) enum LiveInput {
    Start { room: String, stream: String, ladder: Ladder },
    Stop { stream: String },
    Direct { stream: String, wish: Box<Wish>, taken: oneshot::Sender<bool> },
    Snapshot { stream: String, shot: Shot },
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

    /// Starts a stream that encodes `ladder`.
    pub async fn start_stream(&self, room: String, stream: String, ladder: Ladder) {
        let _owner_is_gone = self.inputs.send(LiveInput::Start { room, stream, ladder }).await;
    }

    /// Stops one.
    pub async fn stop_stream(&self, stream: String) {
        let _owner_is_gone = self.inputs.send(LiveInput::Stop { stream }).await;
    }

    /// Shows or mixes the people of one otherwise, from now on and whatever becomes of its packager. `false` where it is over.
    pub async fn direct_stream(&self, stream: String, wish: Wish) -> bool {
        self.ask(|taken| LiveInput::Direct { stream, wish: Box::new(wish), taken }).await.unwrap_or(false)
    }

    /// What a stream looks like just now, or one of its people, as JPEG.
    pub async fn snapshot(&self, stream: String, peer: Option<PeerKey>) -> Result<Bytes, NoSnapshot> {
        let picture = self.ask(|answer| LiveInput::Snapshot { stream, shot: Shot { peer, answer } });
        tokio::time::timeout(SNAPSHOT_WAIT, picture).await.ok().flatten().unwrap_or(Err(NoSnapshot::NotNow))
    }

    /// Waits until every stream has ended, after the shutdown token was cancelled.
    pub async fn ended(&self) {
        self.inputs.closed().await;
    }

    /// The last report of every running stream.
    pub async fn reports(&self) -> Vec<StreamReport> {
        self.ask(|answer| LiveInput::Reports { answer }).await.unwrap_or_default()
    }

    /// `None` where the owner is gone: what could not be sent must not be kept while its answer is waited for.
    async fn ask<T>(&self, input: impl FnOnce(oneshot::Sender<T>) -> LiveInput) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.inputs.send(input(answer)).await.ok()?;
        answered.await.ok()
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
    shots: mpsc::Sender<Shot>,
    report: StreamReport,
    lag: Lag,
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
                LiveInput::Start { room, stream, ladder } => self.start(room, stream, ladder),
                LiveInput::Stop { stream } => {
                    if let Some(entry) = self.streams.get(&stream) {
                        entry.stop.cancel();
                    }
                }
                LiveInput::Direct { stream, wish, taken } => {
                    let entry = self.streams.get(&stream);
                    let done = entry.map(|entry| entry.direction.send_modify(|direction| direction.take(*wish)));
                    let _nobody_waits = taken.send(done.is_some());
                }
                LiveInput::Snapshot { stream, shot } => {
                    if let Some(entry) = self.streams.get(&stream) {
                        // Who finds no place is told so by the loss of their question.
                        let _too_many_ask = entry.shots.try_send(shot);
                    }
                }
                LiveInput::Reported { stream, starts, report } => {
                    if let Some(entry) = self.streams.get_mut(&stream) {
                        let told = entry.lag.tell(&report.skipped_by_rungs, Instant::now());
                        if !told.is_empty() {
                            let pictures: Vec<String> = told.iter().map(|(rung, n)| format!("{rung} {n}")).collect();
                            tracing::warn!(room = entry.report.room, stream, pictures = pictures.join(", "), "{LAGS}");
                        }
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

    fn start(&mut self, room: String, stream: String, ladder: Ladder) {
        if self.streams.contains_key(&stream) || self.shutdown.is_cancelled() {
            return;
        }
        let stop = self.shutdown.child_token();
        let (starts, report) = (0, Box::default());
        let report = StreamReport { room: room.clone(), stream: stream.clone(), running_since: None, starts, report };
        let (direction, directions) = watch::channel(Direction::default());
        let (shots, asked) = mpsc::channel(SHOTS);
        self.streams
            .insert(stream.clone(), Entry { stop: stop.clone(), direction, shots, report, lag: Lag::default() });
        tracing::info!(room, stream, "a live stream starts");
        let task = StreamTask {
            common: self.common.clone(),
            inputs: self.inputs.clone(),
            shutdown: self.shutdown.clone(),
            stop,
            names: Stream::new(room, stream, self.common.window),
            ladder,
            zero_date: self.common.clock.zero_date(),
            directions,
            shots: asked,
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

#[cfg(test)]
mod tests {
    use super::*;
    use footlight_packager::ladder::{AudioRendition, Rung, VideoCodec};
    use footlight_packager::layout::Size;

    fn ladder() -> Ladder {
        let size = Size { width: 320, height: 180 };
        let rung = Rung {
            name: "180p".into(),
            size,
            bitrate_bps: 300_000,
            codec: VideoCodec::Libx264,
            preset: "superfast".into(),
            audio: "audio".into(),
        };
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
            loudness_lufs: None,
            window: 8,
            playout_delay: Duration::ZERO,
            clock: SessionClock::starting_now(),
        };
        let (events, mut happened) = mpsc::channel(8);
        let live = Live::start(common, events, shutdown.clone(), &tasks);
        live.start_stream("room".into(), "stream".into(), ladder()).await;
        let (stream, event) = happened.recv().await.expect("it is told");
        assert!(stream == "stream" && matches!(event, StreamEvent::Failed { .. }), "{stream}: {event:?}");
        shutdown.cancel();
        live.ended().await;
        // Whoever looks just then, as the desk does each second, is not kept waiting either.
        let reports = tokio::time::timeout(SNAPSHOT_WAIT, live.reports()).await;
        assert!(reports.expect("an answer, though there is nobody").is_empty());
        let directed = live.direct_stream("stream".into(), Wish::Mix(footlight_packager::mixer::Mix::default()));
        assert!(!tokio::time::timeout(SNAPSHOT_WAIT, directed).await.expect("likewise"));
    }
}
