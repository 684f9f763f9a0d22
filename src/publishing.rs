#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: waits for a server, for frames and for the end.
//! One publication: a source's frames to a WHIP server, over as many sessions as it takes.
//!
//! What never worked fails at once, where asking again does not help; what worked and was lost is tried again for [`RECONNECT_FOR`], whatever
//! the server says meanwhile, unless it is that we are not let in. The source goes on: it is live.

use crate::whip::{Reached, Refusal, Retry, wait_before_retry};
use crate::whip_http::{END_WAIT, WhipClient, WhipSession};
use footlight_media::codec::{Codec, Kind};
use footlight_media::time::WallTime;
use footlight_packager::clock::SessionClock;
use footlight_packager::ffmpeg::FfmpegError;
use footlight_packager::source::{FromSource, Playing, Source, SourceFrame, SourceMedia};
use footlight_stage::client::{ClientError, ClientEvent, Media, Publisher, VideoFormat};
use footlight_stage::link::IceServer;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// From the answer to the first frame that may be sent: ICE and DTLS take a second on a bad path.
const CONNECT_WAIT: Duration = Duration::from_secs(15);
/// A publication that was connected once is tried again for so long: a server's restart, a train's tunnel.
pub const RECONNECT_FOR: Duration = Duration::from_secs(300);
/// One that never was: a server that is starting or full for a moment.
const FIRST_CONNECT_FOR: Duration = Duration::from_secs(30);

/// Why a publication ended before its source did.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The server's or the user's: it says so.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The source cannot go on: the file's fault, or this machine's.
    #[error("the source: {0}")]
    Source(#[from] FfmpegError),
    /// This machine's.
    #[error("{0}")]
    Local(#[from] std::io::Error),
}

/// How it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status {
    /// Whether frames arrive.
    pub connected: bool,
    /// How often they have begun to.
    pub connections: u32,
    /// Pictures sent.
    pub pictures: u64,
    /// Bytes of frames sent.
    pub bytes: u64,
    /// Packets that the server asked for again.
    pub retransmissions: u64,
    /// Key frames that it asked for.
    pub key_frames_wanted: u64,
    /// To the server and back, where it is known.
    pub round_trip: Option<Duration>,
}

/// Two clocks of one process that are read at one place, so that they agree, and their date.
#[derive(Debug, Clone, Copy)]
pub struct Clocks {
    session: SessionClock,
    epoch: Instant,
    zero_date: WallTime,
}

impl Clocks {
    /// Clocks whose zero is now.
    pub fn starting_now() -> Self {
        let session = SessionClock::starting_now();
        Self { session, epoch: Instant::now(), zero_date: session.zero_date() }
    }
}

/// A publication.
pub struct Publication {
    client: WhipClient,
    media: Media,
    clocks: Clocks,
    source: Feed,
    status: watch::Sender<Status>,
    shutdown: CancellationToken,
    ice_servers: Vec<IceServer>,
}

/// The source, which starts with the first connection, so that a file's beginning is seen.
enum Feed {
    Waiting(Source),
    Playing(Playing),
    Over,
}

/// How a session ended.
enum Ended {
    /// The source has nothing more, or the user wants no more.
    Finished,
    /// It may be tried again.
    Lost(Refusal),
}

impl Publication {
    /// A publication of `source`; `status` hears how it goes. `shutdown` ends it in order.
    pub fn new(client: WhipClient, source: Source, shutdown: CancellationToken) -> (Self, watch::Receiver<Status>) {
        let (status, watching) = watch::channel(Status::default());
        let publication = Self {
            client,
            media: offered(source.media()),
            clocks: Clocks::starting_now(),
            source: Feed::Waiting(source),
            status,
            shutdown,
            ice_servers: Vec::new(),
        };
        (publication, watching)
    }

    /// Publishes until the source ends, the shutdown, or a failure that lasts.
    pub async fn run(mut self) -> Result<(), PublishError> {
        let shutdown = self.shutdown.clone();
        let (mut reached, mut failed, mut since) = (Reached::Nobody, 0_u32, Instant::now());
        loop {
            let before = self.status.borrow().connections;
            let lost = match self.session().await? {
                Ended::Finished => return Ok(()),
                Ended::Lost(refusal) => refusal,
            };
            let connected = self.status.borrow().connections > before;
            self.status.send_modify(|status| status.connected = false);
            if connected {
                (reached, failed, since) = (Reached::Stage, 0, Instant::now());
            }
            failed = failed.saturating_add(1);
            let patience = if reached == Reached::Stage { RECONNECT_FOR } else { FIRST_CONNECT_FOR };
            if !lost.retry.helps(reached) || since.elapsed() > patience {
                return Err(lost.into());
            }
            // Only an answer makes a publication that has reached nobody try again.
            reached = reached.max(Reached::Server);
            let wait = wait_before_retry(failed, lost.retry);
            tracing::warn!(error = %lost, again_in_ms = wait.as_millis(), "not publishing");
            if self.pause(wait, &shutdown).await? {
                return Ok(());
            }
        }
    }

    /// Waits, while the live source's frames are let go. True where there is nothing more to do.
    async fn pause(&mut self, wait: Duration, shutdown: &CancellationToken) -> Result<bool, PublishError> {
        let over = tokio::time::sleep(wait);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(true),
                () = &mut over => return Ok(false),
                next = self.source.next() => if next?.is_none() { return Ok(true) },
            }
        }
    }

    /// One session from its offer to its end.
    async fn session(&mut self) -> Result<Ended, PublishError> {
        let offered = Publisher::offer(self.media, &self.ice_servers, self.clocks.epoch, self.clocks.zero_date).await;
        let (publisher, offer, events) = match offered {
            Ok(offered) => offered,
            Err(error) => {
                let message = format!("no connection could be made: {error}; this machine's fault");
                return Ok(Ended::Lost(Refusal::passing_once(Reached::Server, message)));
            }
        };
        let session = match post(&self.client, &offer, &self.shutdown).await {
            Some(Ok(session)) => session,
            unmade => {
                publisher.close().await;
                return Ok(unmade.and_then(Result::err).map_or(Ended::Finished, Ended::Lost));
            }
        };
        // What the server recommends comes after the offer that would have used it; the next one will.
        self.ice_servers.clone_from(&session.ice_servers);
        let ended = self.send(publisher, &session, events).await;
        self.client.end(session).await;
        ended
    }

    async fn send(
        &mut self,
        mut publisher: Publisher,
        session: &WhipSession,
        mut events: mpsc::Receiver<ClientEvent>,
    ) -> Result<Ended, PublishError> {
        let ended = match publisher.accept(&session.answer).await {
            Ok(()) => self.stream(&mut publisher, &mut events).await,
            Err(ClientError::Answer(e)) => {
                let message = format!("the server's answer cannot be used: {e}; the server's fault");
                Ok(Ended::Lost(Refusal::passing_once(Reached::Stage, message)))
            }
            Err(error) => Ok(Ended::Lost(Refusal::passing(error.to_string()))),
        };
        publisher.close().await;
        ended
    }

    async fn stream(
        &mut self,
        publisher: &mut Publisher,
        events: &mut mpsc::Receiver<ClientEvent>,
    ) -> Result<Ended, PublishError> {
        let shutdown = self.shutdown.clone();
        let connecting = tokio::time::sleep(CONNECT_WAIT);
        tokio::pin!(connecting);
        let mut connected = false;
        // Frames before a key frame cannot be decoded.
        let mut key_seen = false;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(Ended::Finished),
                () = &mut connecting, if !connected => return Ok(Ended::Lost(unconnected())),
                event = events.recv() => match event {
                    Some(ClientEvent::Connected) => {
                        connected = true;
                        self.source.play(self.clocks)?;
                        self.status.send_modify(|s| (s.connected, s.connections) = (true, s.connections + 1));
                    }
                    Some(ClientEvent::Failed) | None if connected => {
                        return Ok(Ended::Lost(Refusal::passing("the connection to the server was lost")));
                    }
                    Some(ClientEvent::Failed) | None => return Ok(Ended::Lost(unconnected())),
                    Some(event) => self.note(event),
                },
                next = self.source.next() => {
                    let Some(frame) = next? else { return Ok(Ended::Finished) };
                    let picture = frame.codec.kind() == Kind::Video;
                    if !connected || (picture && !key_seen && !frame.key) {
                        // Nobody could show it; the next one that somebody can is asked for.
                        if connected { self.source.want_key_frame(); }
                        continue;
                    }
                    key_seen |= picture;
                    if let Err(error) = self.send_frame(publisher, &frame).await {
                        return Ok(Ended::Lost(Refusal::passing(error.to_string())));
                    }
                },
            }
        }
    }

    async fn send_frame(&mut self, publisher: &mut Publisher, frame: &SourceFrame) -> Result<(), ClientError> {
        publisher.send(frame.codec, frame.time, &frame.data).await?;
        self.status.send_modify(|status| {
            status.bytes += frame.data.len() as u64;
            status.pictures += u64::from(frame.codec.kind() == Kind::Video);
        });
        Ok(())
    }

    fn note(&self, event: ClientEvent) {
        match event {
            ClientEvent::KeyFrameWanted => {
                self.source.want_key_frame();
                self.status.send_modify(|status| status.key_frames_wanted += 1);
            }
            ClientEvent::Retransmissions(packets) => {
                self.status.send_modify(|status| status.retransmissions += u64::from(packets));
            }
            ClientEvent::RoundTrip(trip) => self.status.send_modify(|status| status.round_trip = Some(trip)),
            ClientEvent::Connected | ClientEvent::Failed => {}
        }
    }
}

/// None where the user wants no more.
async fn post(client: &WhipClient, offer: &str, shutdown: &CancellationToken) -> Option<Result<WhipSession, Refusal>> {
    if shutdown.is_cancelled() {
        return None;
    }
    let posting = client.post(offer);
    tokio::pin!(posting);
    tokio::select! {
        posted = &mut posting => return Some(posted),
        () = shutdown.cancelled() => {}
    }
    // The server may have made the session already, which holds a place there until it is ended.
    if let Ok(Ok(session)) = tokio::time::timeout(END_WAIT, posting).await {
        client.end(session).await;
    }
    None
}

fn unconnected() -> Refusal {
    Refusal {
        message: "the server answered, but its WebRTC address cannot be reached: check that its UDP port (webrtc.listen) is open, and webrtc.announce where it is behind NAT".into(),
        // It was there to answer, and may recommend an ICE server to go by.
        retry: Retry::After(Duration::ZERO),
    }
}

fn offered(media: SourceMedia) -> Media {
    let video = media.video.map(|(codec, profile_level_id)| match codec {
        Codec::Vp8 => VideoFormat::Vp8,
        // What a source does not pass on it encodes anew.
        Codec::H264 | Codec::Vp9 | Codec::Av1 | Codec::Opus => VideoFormat::H264 { profile_level_id },
    });
    Media { video, audio: media.audio }
}

impl Feed {
    fn play(&mut self, clocks: Clocks) -> std::io::Result<()> {
        *self = match std::mem::replace(self, Self::Over) {
            Self::Waiting(source) => Self::Playing(source.start(clocks.session, clocks.zero_date)?),
            other => other,
        };
        Ok(())
    }

    /// What comes next; none at the end. Waits for ever where the source has not started.
    async fn next(&mut self) -> Result<Option<SourceFrame>, FfmpegError> {
        match self {
            Self::Waiting(_) => std::future::pending().await,
            Self::Over => Ok(None),
            Self::Playing(playing) => match playing.next().await {
                FromSource::Frame(frame) => Ok(Some(frame)),
                FromSource::Failed(error) => Err(error),
                FromSource::Ended => Ok(None),
            },
        }
    }

    fn want_key_frame(&self) {
        if let Self::Playing(playing) = self {
            playing.want_key_frame();
        }
    }
}
