#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: reads the clock, spawns.
//! The handle to a running stage, and what is asked of its [owner](crate::owner).

use crate::config::Config;
use crate::mux::Mux;
use crate::owner::Owner;
use crate::peer::{self, Endpoint, FromPeer, Gate, Peer, Sink};
use crate::sdp::Offer;
use crate::session::Input;
use crate::track::TrackStats;
use footlight_media::time::SessionTime;
use footlight_media::track::{Contributor, PeerKey, TrackEvent, TrackRequest};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Arrivals of all peers that wait for the owner loop; each peer may hold a small part of it.
const INBOX: usize = 16_384;
/// Commands that wait; each is awaited by who sent it.
const COMMANDS: usize = 256;

/// A stage could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port cannot be had: the operator's to solve.
    #[error("WebRTC listener on {address} (config key webrtc.listen): {source}")]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// No DTLS identity could be made: ours.
    #[error("DTLS identity: {0}")]
    Identity(String),
}

/// Handle to the running stage. Cheap to clone; the stage ends with its shutdown token, not with its handles.
#[derive(Clone)]
pub struct Stage {
    commands: mpsc::Sender<Command>,
    pub(crate) shared: Arc<Shared>,
}

/// What the handle and the negotiations share with the owner.
pub(crate) struct Shared {
    endpoint: Endpoint,
    pub(crate) config: Config,
    pub(crate) epoch: Instant,
    inbox: mpsc::Sender<FromPeer>,
    pub(crate) numbers: AtomicU64,
    pub(crate) tasks: TaskTracker,
}

/// What is asked of the owner.
pub(crate) enum Command {
    Attach { session: NewSession, done: oneshot::Sender<Result<(), AttachError>> },
    Find { id: String, found: oneshot::Sender<Option<Found>> },
    Restarted { id: String, offer: Offer, etag: String },
    Detach { id: String, done: oneshot::Sender<()> },
    Subscribe { room: String, events: oneshot::Sender<mpsc::Receiver<TrackEvent>> },
    Request { room: String, request: TrackRequest },
    OnStage { room: String, peers: oneshot::Sender<Vec<PeerKey>> },
    Stats { stats: oneshot::Sender<Vec<SessionStats>> },
    Tap { taps: oneshot::Sender<mpsc::Receiver<Tapped>> },
}

/// A connection that was answered and is to be taken in.
pub(crate) struct NewSession {
    /// The unguessable last segment of its URL.
    pub(crate) id: String,
    pub(crate) room: String,
    pub(crate) from: Contributor,
    pub(crate) role: String,
    pub(crate) offer: Offer,
    pub(crate) etag: String,
    pub(crate) connection: Connection,
}

/// A connection and what its taps report to.
pub(crate) struct Connection {
    pub(crate) number: u64,
    pub(crate) peer: Arc<Peer>,
    pub(crate) gate: Arc<Gate>,
}

/// Why a session was not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AttachError {
    /// [`Config::max_sessions`] are running.
    Full,
    /// [`Config::max_sessions_per_room`] are running in its room.
    RoomFull,
    /// The stage is shutting down.
    ShuttingDown,
}

/// A running session, for a PATCH or DELETE.
pub(crate) struct Found {
    pub(crate) room: String,
    pub(crate) peer: PeerKey,
    pub(crate) offer: Offer,
    pub(crate) etag: String,
    pub(crate) connection: Arc<Peer>,
    /// One change at a time.
    pub(crate) changing: Arc<Semaphore>,
}

impl Found {
    /// Waits until no other change of this session is under way.
    pub(crate) async fn lock(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.changing).acquire_owned().await.ok()
    }
}

/// A room's frames and events, until it is dropped.
#[derive(Debug)]
pub struct Subscription {
    /// `Added` for the tracks that are there, then everything in order. Closed when the stage ends.
    pub events: mpsc::Receiver<TrackEvent>,
}

/// What a session's core was given, for a recording that can be replayed.
#[derive(Debug, Clone)]
pub struct Tapped {
    /// Which session: a number of this process.
    pub session: u64,
    /// When.
    pub now: SessionTime,
    /// What.
    pub input: Input,
}

/// One session, for metrics and for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionStats {
    /// The last part of its URL.
    pub id: String,
    /// Its room.
    pub room: String,
    /// Whose it is.
    pub from: Contributor,
    /// What whoever let it in calls the peer's part.
    pub role: String,
    /// How long it has been running.
    pub age: Duration,
    /// DTLS is up.
    pub connected: bool,
    /// From a packet to its answer, where the peer measures it with us.
    pub round_trip: Option<Duration>,
    /// Names of its picture's layers (RFC 8852), where it has several; [`TrackStats::layer`] is a place in them.
    pub rids: Vec<String>,
    /// Its tracks.
    pub tracks: Vec<TrackStats>,
    /// Datagrams and packets that this process lost by not keeping up.
    pub dropped: u64,
}

impl Stage {
    /// Binds the sockets and starts. `epoch` is the session clock's zero; `shutdown` ends everything.
    pub async fn start(config: Config, epoch: Instant, shutdown: CancellationToken) -> Result<Self, StartError> {
        let identity = |error: &dyn std::fmt::Display| StartError::Identity(error.to_string());
        let crypto = peer::crypto().map_err(|error| identity(&error))?;
        let mux = Mux::bind(config.listen, Arc::clone(&crypto), shutdown.clone())
            .await
            .map_err(|source| StartError::Bind { address: config.listen, source })?;
        let endpoint = Endpoint::new(mux, crypto, config.announce.clone()).map_err(|error| identity(&error))?;
        let (inbox, arrivals) = mpsc::channel(INBOX);
        let (commands, requests) = mpsc::channel(COMMANDS);
        let shared =
            Arc::new(Shared { endpoint, config, epoch, inbox, numbers: AtomicU64::new(1), tasks: TaskTracker::new() });
        let mut owner = Owner::new(Arc::clone(&shared));
        shared.tasks.spawn(async move { owner.run(requests, arrivals, shutdown).await });
        Ok(Self { commands, shared })
    }

    /// Where peers reach this stage: one UDP and one TCP port.
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.endpoint.local_addr()
    }

    /// The session clock.
    pub fn now(&self) -> SessionTime {
        SessionTime::ZERO + self.shared.epoch.elapsed()
    }

    /// A room's events from now on. The room need not exist; `None` only while shutting down.
    pub async fn subscribe(&self, room: &str) -> Option<Subscription> {
        let room = room.to_owned();
        let events = self.ask(|events| Command::Subscribe { room, events }).await?;
        Some(Subscription { events })
    }

    /// Who is on stage in a room, in the order in which they came; nobody where the stage has ended.
    pub async fn on_stage(&self, room: &str) -> Vec<PeerKey> {
        self.ask(|peers| Command::OnStage { room: room.to_owned(), peers }).await.unwrap_or_default()
    }

    /// Passes a wish on to the sender of a track. A hint: unknown tracks are ignored, repeats are throttled.
    pub async fn request(&self, room: &str, request: TrackRequest) {
        let _ = self.commands.send(Command::Request { room: room.to_owned(), request }).await;
    }

    /// A snapshot of all sessions.
    pub async fn stats(&self) -> Vec<SessionStats> {
        self.ask(|stats| Command::Stats { stats }).await.unwrap_or_default()
    }

    /// Everything that peers send from now on, to record it. One tap at a time: a new one replaces the old.
    pub async fn tap(&self) -> Option<mpsc::Receiver<Tapped>> {
        self.ask(|taps| Command::Tap { taps }).await
    }

    /// Tasks that it has under way.
    pub fn tasks(&self) -> usize {
        self.shared.tasks.len()
    }

    /// Waits until everything has ended after the shutdown token was cancelled.
    pub async fn ended(&self) {
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    pub(crate) fn config(&self) -> &Config {
        &self.shared.config
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.shared.endpoint
    }

    /// A number and a sink for a connection that is about to be negotiated.
    pub(crate) fn new_sink(&self) -> (u64, Sink) {
        let number = self.shared.numbers.fetch_add(1, Ordering::Relaxed);
        (number, Sink::new(number, self.shared.epoch, self.shared.inbox.clone()))
    }

    pub(crate) fn connection(number: u64, peer: Arc<Peer>, sink: &Sink) -> Connection {
        Connection { number, peer, gate: Arc::clone(&sink.gate) }
    }

    pub(crate) async fn attach(&self, session: NewSession) -> Result<(), AttachError> {
        self.ask(|done| Command::Attach { session, done }).await.unwrap_or(Err(AttachError::ShuttingDown))
    }

    pub(crate) async fn find(&self, id: &str) -> Option<Found> {
        let id = id.to_owned();
        self.ask(|found| Command::Find { id, found }).await?
    }

    pub(crate) async fn restarted(&self, id: &str, offer: Offer, etag: String) {
        let _ = self.commands.send(Command::Restarted { id: id.to_owned(), offer, etag }).await;
    }

    pub(crate) async fn detach(&self, id: &str) {
        let id = id.to_owned();
        let _ = self.ask(|done| Command::Detach { id, done }).await;
    }

    /// Runs to its end even if who asked for it goes away: a half-made connection must be finished or closed.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.shared.tasks.spawn(future)
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.ok()?;
        answer.await.ok()
    }
}
