//! Live streams: from start to completed or failed.
//!
//! starting -> running -> stopping -> completed, and from each of the first three -> failed. What is completed or failed
//! stays so, whatever is still heard of it.

use super::date::Timestamp;
use super::ladder::Ladder;
use super::room::Room;
use super::{Refused, id};
use rand::RngCore;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A failure's reason is for people; more than this is a log's business.
const MAX_ERROR_CHARS: usize = 500;

/// A live stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveStream {
    /// 24 hex digits.
    pub id: String,
    /// Its room.
    pub room_id: String,
    /// The room's session; empty where there is none.
    pub session_id: String,
    /// How far it is.
    pub status: Status,
    /// What its start asked for.
    pub request: StartRequest,
    /// The peer that started it; empty for a server.
    pub started_by: String,
    /// The peer that stopped it; empty for a server.
    pub stopped_by: String,
    /// Why it failed.
    pub error: Option<String>,
    /// When its start was asked for.
    pub created_at: Timestamp,
    /// When it could first be played.
    pub started_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was over.
    pub stopped_at: Option<Timestamp>,
}

/// How far a live stream is, in 100ms's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Asked for; cannot be played yet.
    Starting,
    /// Can be played.
    Running,
    /// Its end is asked for.
    Stopping,
    /// Over.
    Completed,
    /// Over, and not as it should be.
    Failed,
}

/// What a start may ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartRequest {
    /// Kept and handed back; the picture is composed here, not by a browser that opens this page.
    pub meeting_url: String,
    /// Which of the destinations of the room's template says what is encoded.
    pub destination: String,
    /// What is to be made of it afterwards.
    pub recording: Option<Recording>,
    /// What is encoded, where the request says so itself.
    #[serde(default)]
    pub ladder: Option<Ladder>,
}

/// What is to be made of a stream afterwards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Recording {
    /// A replay.
    pub hls_vod: bool,
    /// A file per rung.
    pub single_file_per_layer: bool,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// An application's server, by management token.
    Server,
    /// A peer, by auth token.
    Peer {
        /// Its user id.
        user: String,
    },
}

/// What a start comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// A new stream, to be kept and then commanded.
    New(LiveStream),
    /// What goes on already.
    Already(LiveStream),
}

/// What is heard of a stream from those who make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// It can be played.
    Running,
    /// Its playlists have ended.
    Ended,
    /// It could not be kept alive.
    Failed {
        /// Why.
        reason: String,
    },
}

/// What a start in `room` comes to, where `active` goes on.
///
/// A server is told that it was too late, and by which stream: it has asked for a stream of its own and must not take another's
/// for it. Peers on stage press "go live" whenever they like, and all mean the room's one stream.
pub fn start(
    room: &Room,
    active: Option<&LiveStream>,
    request: StartRequest,
    by: &Actor,
    now: Timestamp,
    random: &mut impl RngCore,
) -> Result<Start, Refused> {
    match (active, by) {
        (Some(active), Actor::Peer { .. }) => return Ok(Start::Already(active.clone())),
        (Some(active), Actor::Server) => {
            return Err(Refused::AlreadyRunning { room: room.id.clone(), stream: active.id.clone() });
        }
        (None, _) => {}
    }
    if !room.enabled {
        return Err(Refused::RoomDisabled(room.id.clone()));
    }
    Ok(Start::New(LiveStream {
        id: id::generate(random),
        room_id: room.id.clone(),
        session_id: String::new(),
        status: Status::Starting,
        request,
        started_by: by.user().to_owned(),
        stopped_by: String::new(),
        error: None,
        created_at: now,
        started_at: None,
        updated_at: now,
        stopped_at: None,
    }))
}

impl LiveStream {
    /// What a stop makes of it; none where it is stopping or over already.
    pub fn stopped(&self, by: &Actor, now: Timestamp) -> Option<Self> {
        let stopping =
            Self { status: Status::Stopping, stopped_by: by.user().to_owned(), updated_at: now, ..self.clone() };
        self.status.goes_on().then_some(stopping)
    }

    /// What a happening makes of it; none where it changes nothing.
    pub fn after(&self, happening: &Happening, now: Timestamp) -> Option<Self> {
        let over = |status, error| Self { status, error, updated_at: now, stopped_at: Some(now), ..self.clone() };
        match (self.status, happening) {
            (Status::Completed | Status::Failed, _) | (Status::Running | Status::Stopping, Happening::Running) => None,
            (Status::Starting, Happening::Running) => {
                Some(Self { status: Status::Running, started_at: Some(now), updated_at: now, ..self.clone() })
            }
            (_, Happening::Ended) => Some(over(Status::Completed, None)),
            (_, Happening::Failed { reason }) => {
                Some(over(Status::Failed, Some(reason.chars().take(MAX_ERROR_CHARS).collect())))
            }
        }
    }
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Starting, Self::Running, Self::Stopping, Self::Completed, Self::Failed];

    /// Whether it stands in the way of another one in its room.
    pub fn goes_on(self) -> bool {
        matches!(self, Self::Starting | Self::Running)
    }

    /// 100ms's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// The status of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

impl Actor {
    /// As `started_by` and `stopped_by` show it.
    fn user(&self) -> &str {
        match self {
            Self::Server => "",
            Self::Peer { user } => user,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::room::{RoomRequest, update, upsert};
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    const NOW: Timestamp = Timestamp(1_000);
    const LATER: Timestamp = Timestamp(2_000);

    fn room() -> Room {
        let request = RoomRequest { id: Some("r1".to_owned()), ..RoomRequest::default() };
        upsert(None, None, &request, NOW, &mut StdRng::seed_from_u64(1)).unwrap()
    }

    fn begin(room: &Room, active: Option<&LiveStream>, by: &Actor) -> Result<Start, Refused> {
        start(room, active, StartRequest::default(), by, NOW, &mut StdRng::seed_from_u64(2))
    }

    fn starting() -> LiveStream {
        match begin(&room(), None, &Actor::Server) {
            Ok(Start::New(stream)) => stream,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_room_has_at_most_one_live_stream() {
        let peer = Actor::Peer { user: "u1".to_owned() };
        let active = starting();
        assert_eq!((active.status, active.started_by.as_str()), (Status::Starting, ""));
        let refused = begin(&room(), Some(&active), &Actor::Server).unwrap_err();
        assert_eq!(refused, Refused::AlreadyRunning { room: "r1".into(), stream: active.id.clone() });
        assert_eq!(begin(&room(), Some(&active), &peer), Ok(Start::Already(active)));
        let Ok(Start::New(of_peer)) = begin(&room(), None, &peer) else { panic!() };
        assert_eq!(of_peer.started_by, "u1");
    }

    #[test]
    fn a_disabled_room_starts_nothing_and_what_goes_on_goes_on() {
        let disable = RoomRequest { enabled: Some(false), ..RoomRequest::default() };
        let disabled = update(&room(), None, &disable, NOW).unwrap();
        assert_eq!(begin(&disabled, None, &Actor::Server), Err(Refused::RoomDisabled("r1".into())));
        let peer = Actor::Peer { user: "u1".to_owned() };
        assert_eq!(begin(&disabled, Some(&starting()), &peer), Ok(Start::Already(starting())));
    }

    #[test]
    fn what_happens_moves_a_stream_on_and_never_back() {
        use Status::{Completed, Failed, Running, Starting, Stopping};
        let fails = Happening::Failed { reason: "no memory".to_owned() };
        let check = |from: Status, happening: &Happening, want: Option<Status>| {
            let stream = LiveStream { status: from, ..starting() };
            let after = stream.after(happening, LATER);
            assert_eq!(after.as_ref().map(|s| s.status), want, "{from:?} {happening:?}");
            let over = matches!(want, Some(Completed | Failed));
            assert!(after.is_none_or(|s| s.updated_at == LATER && s.stopped_at.is_some() == over));
        };
        check(Starting, &Happening::Running, Some(Running));
        check(Running, &Happening::Running, None);
        check(Stopping, &Happening::Running, None);
        for from in [Starting, Running, Stopping] {
            check(from, &Happening::Ended, Some(Completed));
            check(from, &fails, Some(Failed));
        }
        for over in [Completed, Failed] {
            for happening in [&Happening::Running, &Happening::Ended, &fails] {
                check(over, happening, None);
            }
        }
    }

    #[test]
    fn a_stop_is_asked_for_once() {
        let stopping = starting().stopped(&Actor::Peer { user: "u1".to_owned() }, LATER).unwrap();
        assert_eq!((stopping.status, stopping.stopped_by.as_str()), (Status::Stopping, "u1"));
        assert_eq!(stopping.stopped(&Actor::Server, LATER), None);
        assert_eq!(stopping.stopped_at, None, "it is over when its playlists have ended");
    }

    #[test]
    fn a_reason_is_bounded_and_words_are_100ms_s() {
        let reason = "é".repeat(10_000);
        let failed = starting().after(&Happening::Failed { reason }, LATER).unwrap();
        assert_eq!(failed.error.unwrap().chars().count(), MAX_ERROR_CHARS);
        for status in Status::ALL {
            assert_eq!(Status::parse(status.as_str()), Some(status));
        }
        assert_eq!(Status::parse("Running"), None);
    }
}
