#![allow(clippy::disallowed_methods)] // IO: starts a stage.
//! A stage on loopback, and requests to it without HTTP between.

use crate::support::{Client, Setup};
use bytes::Bytes;
use footlight_media::codec::Codec;
use footlight_media::frame::EncodedFrame;
use footlight_media::track::{PeerKey, TrackEvent};
use footlight_stage::config::Config;
use footlight_stage::driver::{Stage, Subscription};
use footlight_stage::whip::{Ask, Publisher, Refusal, Whip};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// No scenario waits longer for anything.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A stage and its endpoint. Tokens are `<room>:<peer>`; `bad` is no token, `viewer:...` may not publish, and `closed:...` may not begin to.
pub struct Theatre {
    pub stage: Stage,
    pub whip: Whip,
    shutdown: CancellationToken,
}

impl Drop for Theatre {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

pub fn loopback() -> Config {
    Config { listen: "127.0.0.1:0".parse().unwrap(), ..Config::default() }
}

impl Theatre {
    pub async fn open() -> Self {
        Self::with(loopback()).await
    }

    pub async fn with(config: Config) -> Self {
        let shutdown = CancellationToken::new();
        let stage = Stage::start(config, Instant::now(), shutdown.clone()).await.unwrap();
        let authorize = |room: String, bearer: Option<String>, ask: Ask| {
            let forbidden = |reason: &str| Err(Refusal::Forbidden { reason: reason.into(), cure: "use another token" });
            let publisher = |peer: &str| Ok(Publisher { peer: PeerKey(peer.into()), role: "guest".into() });
            let decided = match bearer.as_deref().and_then(|token| token.split_once(':')) {
                None => Err(Refusal::Unauthorized),
                Some(("viewer", _)) => forbidden("a viewer may not publish"),
                Some(("closed", peer)) if ask == Ask::Change => publisher(peer),
                Some((of, _)) if of != room => forbidden("the token is of another room"),
                Some(_) if room == "unknown" => Err(Refusal::UnknownRoom),
                Some(_) if room == "broken" => Err(Refusal::Unavailable),
                Some((_, peer)) => publisher(peer),
            };
            Box::pin(std::future::ready(decided)) as _
        };
        let whip = Whip::new(stage.clone(), Arc::new(authorize));
        Self { stage, whip, shutdown }
    }

    /// Sends a request and gives the answer with its body as text.
    pub async fn send(&self, request: Request<String>) -> Response<String> {
        let request = request.map(|body| Full::new(Bytes::from(body)));
        let (parts, body) = self.whip.handle(request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Response::from_parts(parts, String::from_utf8(body.into()).unwrap())
    }

    /// `room` may have a query.
    pub async fn post(&self, room: &str, peer: &str, offer: &str) -> Response<String> {
        let of = room.split('?').next().unwrap();
        let request = Request::post(format!("/whip/{room}"))
            .header("Authorization", format!("Bearer {of}:{peer}"))
            .header("Content-Type", "application/sdp");
        self.send(request.body(offer.to_owned()).unwrap()).await
    }

    /// A client that has been answered. Gives the session's URL and ETag too.
    pub async fn join(&self, room: &str, peer: &str, mut client: Client) -> Joined {
        let answer = self.post(room, peer, client.offer()).await;
        assert_eq!(answer.status(), 201, "{}", answer.body());
        client.accept(answer.body());
        let header = |name| answer.headers()[name].to_str().unwrap().to_owned();
        Joined { client, url: header("location"), etag: header("etag") }
    }

    pub async fn join_udp(&self, room: &str, peer: &str) -> Joined {
        self.join(room, peer, Client::udp(&Setup::default(), None).await).await
    }

    /// Somebody watches `room` when ada joins it, over UDP.
    pub async fn watched(&self, setup: &Setup) -> (Subscription, Joined) {
        let subscription = self.subscribe("room").await;
        let joined = self.join("room", "ada", Client::udp(setup, None).await).await;
        (subscription, joined)
    }

    /// A PATCH or DELETE of a session by a peer of its room.
    pub async fn change(
        &self,
        method: Method,
        url: &str,
        token: &str,
        if_match: Option<&str>,
        body: &str,
    ) -> Response<String> {
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header("Authorization", format!("Bearer {token}"))
            .header("Content-Type", "application/trickle-ice-sdpfrag");
        if let Some(if_match) = if_match {
            request = request.header("If-Match", if_match);
        }
        self.send(request.body(body.to_owned()).unwrap()).await
    }

    /// Waits until no session is left.
    pub async fn empties(&self) {
        let mut look = tokio::time::interval(Duration::from_millis(100));
        within(async {
            while !self.stage.stats().await.is_empty() {
                look.tick().await;
            }
        })
        .await;
    }

    pub async fn subscribe(&self, room: &str) -> Subscription {
        self.stage.subscribe(room).await.unwrap()
    }
}

pub struct Joined {
    pub client: Client,
    pub url: String,
    pub etag: String,
}

/// Awaits, within [`PATIENCE`].
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("happens within the scenario's patience")
}

/// The next frame of a track with this codec, and the track.
pub async fn next_frame(subscription: &mut Subscription, codec: Codec) -> EncodedFrame {
    let mut tracks = Vec::new();
    next_event(subscription, |event| match event {
        TrackEvent::Added { track, codec: added, .. } if added == codec => {
            tracks.push(track);
            None
        }
        TrackEvent::Frame(frame) if tracks.contains(&frame.track) => Some(frame),
        _ => None,
    })
    .await
}

/// The next event for which `wanted` gives something.
pub async fn next_event<T>(subscription: &mut Subscription, mut wanted: impl FnMut(TrackEvent) -> Option<T>) -> T {
    within(async {
        loop {
            let event = subscription.events.recv().await.expect("the stage runs");
            if let Some(found) = wanted(event) {
                return found;
            }
        }
    })
    .await
}
