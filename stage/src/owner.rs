#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: reads the clock, spawns, owns all sessions.
//! The owner: one loop that holds rooms, their sessions and their subscribers, and takes one closed set of inputs.
//!
//! Everything that takes time (negotiation, closing a connection) happens in tasks beside it and comes back as an
//! input, so a flood of offers costs the running sessions nothing but CPU.

use crate::driver::{AttachError, Command, Connection, Found, NewSession, SessionStats, Shared, Tapped};
use crate::fanout::Subscriber;
use crate::peer::{FromPeer, Gate, Peer, PeerEvent};
use crate::picture_size::PictureSize;
use crate::reports::Feedback;
use crate::rooms::Rooms;
use crate::sdp::Offer;
use crate::session::{Input, Output, Session};
use footlight_media::codec::Kind;
use footlight_media::time::SessionTime;
use footlight_media::track::{Contributor, PeerKey, TrackEvent, TrackId, TrackRequest};
use metrics::{counter, histogram};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Arrivals that are taken at once, so that commands are looked at in between.
const BATCH: usize = 256;
/// Subscribers that are gone are looked for at this interval: one in a room where nobody publishes is noticed by nothing else.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);
/// Inputs that wait for a tap; what it does not take in time is not recorded.
const TAP_QUEUE: usize = 4_096;

/// All state. Only [`Owner::run`] awaits.
pub(crate) struct Owner {
    shared: Arc<Shared>,
    sessions: HashMap<u64, Running>,
    by_id: HashMap<String, u64>,
    rooms: Rooms,
    /// When which session wants to be looked at, soonest first.
    timers: BTreeSet<(SessionTime, u64)>,
    tap: Option<mpsc::Sender<Tapped>>,
}

struct Running {
    id: String,
    room: String,
    from: Contributor,
    role: String,
    offer: Offer,
    etag: String,
    connection: Arc<Peer>,
    gate: Arc<Gate>,
    changing: Arc<Semaphore>,
    core: Session,
    started: SessionTime,
    /// Its entry in [`Owner::timers`]. Never later than what the core asks for.
    timer: SessionTime,
}

impl Owner {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            sessions: HashMap::new(),
            by_id: HashMap::new(),
            rooms: Rooms::default(),
            timers: BTreeSet::new(),
            tap: None,
        }
    }

    pub(crate) async fn run(
        &mut self,
        mut commands: mpsc::Receiver<Command>,
        mut arrivals: mpsc::Receiver<FromPeer>,
        shutdown: CancellationToken,
    ) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut sweep = tokio::time::interval(SWEEP_INTERVAL);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let wake = self.timers.first().map(|(at, _)| self.instant(*at));
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                _ = sweep.tick() => self.rooms.sweep(self.now()),
                Some(command) = commands.recv() => self.obey(command),
                _ = arrivals.recv_many(&mut batch, BATCH) => {
                    for arrival in batch.drain(..) {
                        self.arrived(arrival);
                    }
                }
                () = sleep_until(wake) => {}
            }
            // Whatever woke the loop: where arrivals never run out, nothing below them in the selection has a turn.
            self.fire_timers();
        }
        let numbers: Vec<u64> = self.sessions.keys().copied().collect();
        for number in numbers {
            self.end(number, "shutdown");
        }
    }

    fn now(&self) -> SessionTime {
        SessionTime::ZERO + self.shared.epoch.elapsed()
    }

    fn instant(&self, at: SessionTime) -> Instant {
        self.shared.epoch + Duration::from_micros(at.as_micros().max(0).unsigned_abs())
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Attach { session, done } => {
                let attached = self.attach(session);
                let _ = done.send(attached);
            }
            Command::Find { id, found } => {
                let _ = found.send(self.find(&id));
            }
            Command::Restarted { id, offer, etag } => {
                if let Some(running) = self.by_id.get(&id).and_then(|number| self.sessions.get_mut(number)) {
                    running.offer = offer;
                    running.etag = etag;
                }
            }
            Command::Detach { id, done } => {
                if let Some(number) = self.by_id.get(&id).copied() {
                    self.end(number, "deleted");
                }
                let _ = done.send(());
            }
            Command::Subscribe { room, events } => self.subscribe(room, events),
            Command::Request { room, request } => self.request(&room, request),
            Command::OnStage { room, peers } => {
                let _ = peers.send(self.on_stage(&room));
            }
            Command::Tap { taps } => {
                let (tap, inputs) = mpsc::channel(TAP_QUEUE);
                self.tap = taps.send(inputs).is_ok().then_some(tap);
            }
            Command::Stats { stats } => {
                let _ = stats.send(self.stats());
            }
        }
    }

    fn attach(&mut self, new: NewSession) -> Result<(), AttachError> {
        let NewSession { id, room, from, role, offer, etag, connection } = new;
        let older = self.rooms.sessions(&room);
        let kinds: Vec<Kind> = [&offer.audio, &offer.video].into_iter().flatten().map(|of| of.codec.kind()).collect();
        // Newest wins, dead or alive: a half-open session must not keep its owner out.
        for number in older {
            if self.sessions.get(&number).is_some_and(|running| running.from.is_same(&from)) {
                self.end_for(number, "taken_over", &kinds);
            }
        }
        let Connection { number, peer: connection, gate } = connection;
        if self.sessions.len() >= self.shared.config.max_sessions {
            self.close(connection);
            return Err(AttachError::Full);
        }
        if self.rooms.sessions(&room).len() >= self.shared.config.max_sessions_per_room {
            tracing::warn!(%room, peer = %from.peer.0, "refused: the room has as many sessions as webrtc.max_sessions_per_room");
            self.close(connection);
            return Err(AttachError::RoomFull);
        }
        let now = self.now();
        let from = Contributor { seat: self.rooms.join(&room, number, &from.peer, now), ..from };
        let mut core = Session::new(from.clone(), self.shared.config.pictures, now);
        for media in [&offer.audio, &offer.video].into_iter().flatten() {
            let track = TrackId(self.shared.numbers.fetch_add(1, Ordering::Relaxed));
            let negotiated = Input::Negotiated { track, media: media.clone() };
            if let Some(tap) = &self.tap {
                record(tap, number, now, &negotiated);
            }
            core.handle_input(negotiated, now);
        }
        tracing::info!(%room, peer = %from.peer.0, source = ?from.source, "session begins");
        self.by_id.insert(id.clone(), number);
        let changing = Arc::new(Semaphore::new(1));
        let timer = core.poll_timeout().unwrap_or(now);
        self.timers.insert((timer, number));
        let running =
            Running { id, room, from, role, offer, etag, connection, gate, changing, core, started: now, timer };
        self.sessions.insert(number, running);
        Ok(())
    }

    fn find(&self, id: &str) -> Option<Found> {
        let running = self.sessions.get(self.by_id.get(id)?)?;
        Some(Found {
            room: running.room.clone(),
            peer: running.from.peer.clone(),
            offer: running.offer.clone(),
            etag: running.etag.clone(),
            connection: Arc::clone(&running.connection),
            changing: Arc::clone(&running.changing),
        })
    }

    fn subscribe(&mut self, room_id: String, reply: oneshot::Sender<mpsc::Receiver<TrackEvent>>) {
        let (mut subscriber, events) = Subscriber::new();
        let sessions = self.rooms.sessions(&room_id);
        let now = self.now();
        for number in &sessions {
            let Some(running) = self.sessions.get_mut(number) else { continue };
            let added: Vec<TrackEvent> = running.core.added_tracks().collect();
            for event in &added {
                subscriber.introduce(event);
            }
            if let Some(video) = running.core.video_track()
                && !added.is_empty()
            {
                running.core.handle_input(Input::KeyFrameWanted(video), now);
            }
        }
        if reply.send(events).is_ok() {
            self.rooms.subscribe(room_id, subscriber, now);
        }
        for number in sessions {
            self.drain(number);
        }
    }

    fn request(&mut self, room: &str, request: TrackRequest) {
        let (track, input) = match request {
            TrackRequest::KeyFrame(track) => (track, Input::KeyFrameWanted(track)),
            TrackRequest::Shown { track, width, height } => (track, Input::Shown(track, PictureSize { width, height })),
        };
        let now = self.now();
        for number in self.rooms.sessions(room) {
            if let Some(running) = self.sessions.get_mut(&number)
                && running.core.has_track(track)
            {
                running.core.handle_input(input.clone(), now);
                self.drain(number);
            }
        }
    }

    /// Those in a room whose connection stands.
    fn on_stage(&self, room: &str) -> Vec<PeerKey> {
        let sessions = self.rooms.sessions(room);
        let running = sessions.iter().filter_map(|number| self.sessions.get(number));
        let connected = running.filter(|running| running.gate.connected.load(Ordering::Relaxed));
        let mut peers: Vec<PeerKey> = Vec::new();
        for running in connected {
            if !peers.contains(&running.from.peer) {
                peers.push(running.from.peer.clone());
            }
        }
        peers
    }

    fn arrived(&mut self, arrival: FromPeer) {
        let Some(running) = self.sessions.get_mut(&arrival.session) else { return };
        running.gate.in_flight.fetch_sub(1, Ordering::Relaxed);
        let input = match arrival.event {
            PeerEvent::Rtp(packet) => Input::Rtp(packet),
            PeerEvent::Report(report) => Input::Report(report),
            PeerEvent::Failed => return self.end(arrival.session, "connection_failed"),
        };
        if let Some(tap) = &self.tap {
            record(tap, arrival.session, arrival.now, &input);
        }
        running.core.handle_input(input, arrival.now);
        self.drain(arrival.session);
    }

    fn fire_timers(&mut self) {
        let now = self.now();
        while let Some((at, number)) = self.timers.first().copied()
            && at <= now
        {
            self.timers.remove(&(at, number));
            if let Some(running) = self.sessions.get_mut(&number) {
                running.core.handle_input(Input::Timeout, now);
                // Its entry is gone; draining sets the next.
                running.timer = SessionTime::from_micros(i64::MAX);
                self.drain(number);
            }
        }
    }

    /// Does what a session wants done, and notes when it wants to be looked at next.
    fn drain(&mut self, number: u64) {
        let now = self.now();
        loop {
            let Some(running) = self.sessions.get_mut(&number) else { return };
            match running.core.poll_output() {
                Some(Output::Pli { ssrc }) => running.connection.send(Feedback::Pli { ssrc }),
                Some(Output::Nack { ssrc, sequences }) => {
                    running.connection.send(Feedback::Nack { ssrc, sequences });
                }
                Some(Output::Event(event)) => {
                    observe(&event);
                    if let Some(track) = self.rooms.deliver(&running.room, &event) {
                        running.core.handle_input(Input::KeyFrameWanted(track), now);
                    }
                }
                Some(Output::Refused { track, why }) => {
                    let (room, peer) = (&running.room, &running.from.peer.0);
                    tracing::info!(%room, %peer, track = track.0, %why, "a frame is refused");
                }
                Some(Output::NeverSent) => return self.end(number, "never_sent"),
                None => break,
            }
        }
        if let Some(running) = self.sessions.get_mut(&number)
            && let Some(wanted) = running.core.poll_timeout()
            && wanted < running.timer
        {
            self.timers.remove(&(running.timer, number));
            running.timer = wanted;
            self.timers.insert((wanted, number));
        }
    }

    fn end(&mut self, number: u64, reason: &'static str) {
        self.end_for(number, reason, &[]);
    }

    /// Ends a session, in whose place comes one with tracks of the kinds of `successor`.
    fn end_for(&mut self, number: u64, reason: &'static str, successor: &[Kind]) {
        let Some(mut running) = self.sessions.remove(&number) else { return };
        tracing::info!(room = %running.room, peer = %running.from.peer.0, reason, "session ends");
        counter!("footlight_stage_sessions_ended_total", "reason" => reason).increment(1);
        self.timers.remove(&(running.timer, number));
        self.by_id.remove(&running.id);
        running.core.end(successor);
        while let Some(output) = running.core.poll_output() {
            if let Output::Event(event) = output {
                self.rooms.deliver(&running.room, &event);
            }
        }
        self.rooms.leave(&running.room, number, &running.from.peer, self.now());
        self.close(running.connection);
    }

    fn close(&self, connection: Arc<Peer>) {
        self.shared.tasks.spawn(async move { connection.close().await });
    }

    fn stats(&mut self) -> Vec<SessionStats> {
        let now = self.now();
        let of = |running: &mut Running| SessionStats {
            id: running.id.clone(),
            room: running.room.clone(),
            from: running.from.clone(),
            role: running.role.clone(),
            age: Duration::from_micros(now.micros_since(running.started).max(0).unsigned_abs()),
            connected: running.gate.connected.load(Ordering::Relaxed),
            round_trip: running.gate.round_trip(),
            rids: running.offer.rids().to_vec(),
            tracks: running.core.stats(),
            dropped: running.gate.dropped.load(Ordering::Relaxed) + running.connection.datagrams_dropped(),
        };
        self.sessions.values_mut().map(of).collect()
    }
}

fn record(tap: &mpsc::Sender<Tapped>, session: u64, now: SessionTime, input: &Input) {
    let _ = tap.try_send(Tapped { session, now, input: input.clone() });
}

fn observe(event: &TrackEvent) {
    if let TrackEvent::Frame(frame) = event {
        counter!("footlight_stage_frames_total").increment(1);
        let waited_us = frame.stamps.assembled.micros_since(frame.stamps.first_packet).max(0);
        histogram!("footlight_stage_frame_assembly_seconds").record(waited_us as f64 / 1e6);
    }
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::driver::Stage;

    #[tokio::test]
    async fn timers_fire_while_arrivals_never_run_out() {
        let shutdown = CancellationToken::new();
        let config = Config { listen: "127.0.0.1:0".parse().expect("an address"), ..Config::default() };
        let stage = Stage::start(config, Instant::now(), shutdown.clone()).await.expect("a stage");
        let mut owner = Owner::new(Arc::clone(&stage.shared));
        owner.timers.insert((SessionTime::ZERO, 1));
        // More batches than tokio lets a task take before others have a turn, of whom one ends the loop.
        const ARRIVALS: usize = 200 * BATCH;
        let (inbox, arrivals) = mpsc::channel(ARRIVALS);
        for _ in 0..ARRIVALS {
            let arrival = FromPeer { session: 1, now: SessionTime::ZERO, event: PeerEvent::Failed };
            assert!(inbox.try_send(arrival).is_ok());
        }
        let (_commands, requests) = mpsc::channel(1);
        let ending = tokio::spawn({
            let (inbox, shutdown) = (inbox.clone(), shutdown.clone());
            async move {
                shutdown.cancel();
                inbox.capacity()
            }
        });
        owner.run(requests, arrivals, shutdown).await;
        let taken = ending.await.expect("it ends");
        assert!(0 < taken && taken < ARRIVALS, "{taken} arrivals were taken before the end");
        assert!(owner.timers.is_empty(), "{:?} waits", owner.timers);
    }
}
