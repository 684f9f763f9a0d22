#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: timers, child processes.
//! One live stream: brings its room's frames to a packager, starts that again where it dies, and cleans up when the ended playlists have been seen.

use crate::live::{Common, Isolation, LiveInput, StreamEvent};
use crate::packaging::{self, Objects, Publishing, Says, Told};
use crate::snapshots::{Shot, Snapshots};
use crate::worker::{Begin, WorkerError};
use bytes::Bytes;
use footlight_media::time::WallTime;
use footlight_packager::direction::Direction;
use footlight_packager::driver::{FromPackager, Start, ToPackager};
use footlight_packager::ladder::Ladder;
use footlight_packager::objects::Stream;
use footlight_packager::publish::Publisher;
use footlight_packager::session::{Output, Resume, Session};
use footlight_stage::driver::Subscription;
use futures_util::{FutureExt, SinkExt};
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

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
pub(crate) const LINGER: Duration = Duration::from_secs(60);
/// For how long they stay at an origin elsewhere when this process ends: players reload each 2 s, and have by then fetched what they play last.
pub(crate) const LAST_LINGER: Duration = Duration::from_secs(10);

/// One stream.
pub(crate) struct StreamTask {
    pub(crate) common: Common,
    pub(crate) inputs: mpsc::Sender<LiveInput>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) stop: CancellationToken,
    pub(crate) names: Stream,
    /// What it encodes.
    pub(crate) ladder: Ladder,
    /// The date of the session clock's zero. Read once a stream: its dates never jump, and the next stream's follow a wall clock that was set.
    pub(crate) zero_date: WallTime,
    /// The newest is what a packager begins with.
    pub(crate) directions: watch::Receiver<Direction>,
    /// Who wants a picture of it.
    pub(crate) shots: mpsc::Receiver<Shot>,
    pub(crate) starts: u32,
}

impl StreamTask {
    /// Runs it to its end.
    pub(crate) async fn run(mut self) {
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
    async fn live(&mut self) -> Result<Vec<String>, WorkerError> {
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
            ladder: self.ladder.clone(),
            direction: direction.clone(),
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
        self.converse(subscription, (directions, direction), told, says).await
    }

    /// What a predecessor left at the origin. A record that is longer than ours can be was left by somebody who had taken it over.
    async fn predecessor(&self) -> Result<Option<Bytes>, WorkerError> {
        let record = Publisher::new(self.common.origin.clone()).get(&self.names.resume_path()).await?;
        Ok(record.filter(|record| record.len() <= RECORD_BYTES))
    }

    /// Carries frames there and answers back until the packager ends. Never waits for the packager alone: one that hangs takes nothing more, and is
    /// noticed by its silence. It has been told of the direction that stands beside the `directions`.
    async fn converse(
        &mut self,
        mut frames: Subscription,
        (mut directions, mut directed): (watch::Receiver<Direction>, Direction),
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
        let mut snapshots = Snapshots::default();
        let stopped = self.stop.clone();
        let mut stop = pin!(stopped.cancelled());
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
                    let direction = directions.borrow_and_update().clone();
                    next = Some(ToPackager::Direct(Box::new(direction.since(&directed))));
                    directed = direction;
                }
                Some(shot) = self.shots.recv(), if takes == Takes::Now => next = Some(snapshots.ask(shot)),
                at = objects.published(), if takes == Takes::Now => next = at.map(ToPackager::Published),
                error = &mut publishing => return Err(error?.into()),
                message = says.next() => {
                    if !stopping {
                        deadline.as_mut().reset(Instant::now() + SILENCE);
                    }
                    if let Some(leftovers) = self.hear(message?, &mut objects, &mut snapshots).await? {
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
        let record = record.and_then(|record| Resume::read(&record, &self.names, &self.ladder));
        let Some(record) = record else { return Vec::new() };
        let mut session = Session::abandon(self.names.clone(), self.ladder.clone(), record);
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
    async fn hear(
        &self,
        message: FromPackager,
        objects: &mut Publishing,
        snapshots: &mut Snapshots,
    ) -> Result<Option<Vec<String>>, WorkerError> {
        let stream = self.names.id().to_owned();
        match message {
            FromPackager::Request(request) => self.common.stage.request(self.names.room(), request).await,
            FromPackager::Publish(changes) => objects.take(changes)?,
            FromPackager::Snapshot { number, jpeg } => snapshots.heard(number, jpeg),
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
        // The room's static objects may be those of its next stream by now.
        let next_has_begun = !self.is_ours(&mut publisher, &self.names.live_path()).await;
        for path in leftovers {
            if self.names.is_of_room(&path) && next_has_begun {
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

/// Whether a packager takes what it is told.
#[derive(PartialEq)]
enum Takes {
    Now,
    Later,
    /// It is gone, and says why by its last word.
    NoMore,
}
