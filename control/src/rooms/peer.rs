//! Who is on stage, and how what they send arrives: 100ms's peers and tracks, with what we know beside it.

use super::date::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// One person on stage.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Peer {
    /// Their user id: a peer has one place in a room.
    pub id: String,
    /// How they want to be called; their user id where they have not said.
    pub name: String,
    /// As their token has it.
    pub user_id: String,
    /// As their token has it.
    pub role: String,
    /// Kept for stock clients.
    pub metadata: String,
    /// When their oldest session began.
    #[schema(value_type = String, format = DateTime)]
    pub joined_at: Timestamp,
    /// What they send, by track id.
    pub tracks: BTreeMap<String, PeerTrack>,
}

/// One picture or sound that somebody sends.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct PeerTrack {
    /// Its number.
    pub id: String,
    /// Picture or sound.
    #[serde(rename = "type")]
    pub kind: TrackKind,
    /// Camera and microphone, or a screen.
    pub source: TrackSource,
    /// The WHIP session that it comes by: the last part of that session's URL, by which who publishes knows their own.
    pub session_id: String,
    /// They have switched it off.
    pub mute: bool,
    /// How it is encoded: `h264`, `vp8`, `vp9`, `av1` or `opus`.
    pub codec: String,
    /// Pixels in a row of what was last taken.
    pub width: Option<u32>,
    /// Rows of it.
    pub height: Option<u32>,
    /// What there is to see or to hear of it, and where there is nothing, why.
    pub state: TrackState,
    /// Share of packets that were lost on the way, of the last seconds, 0 to 1. Most were sent again.
    pub loss: Option<f64>,
    /// Interarrival jitter (RFC 3550), in milliseconds.
    pub jitter_ms: f64,
    /// From a packet to its answer, in milliseconds, where the client answers (RFC 3611).
    pub round_trip_ms: Option<f64>,
    /// Layers of the picture that are sent, where it has several, by their RTP stream ids.
    pub layers: Vec<String>,
    /// The one that is taken.
    pub layer: Option<String>,
    /// How long ago the last key frame came, in milliseconds.
    pub key_frame_age_ms: Option<u64>,
}

/// Picture or sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TrackKind {
    /// Sound.
    Audio,
    /// Picture.
    Video,
}

/// Which of a peer's things a track is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TrackSource {
    /// Camera and microphone.
    Regular,
    /// A screen.
    Screen,
}

/// What there is to see or to hear, and where there is nothing, why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrackState {
    /// Something.
    Ok,
    /// No packets come.
    NoPackets,
    /// Packets come, and no key frame to begin with.
    NoKeyFrame,
    /// Frames come that cannot be decoded.
    Undecodable,
    /// It is switched off: perfect black, or perfect silence.
    Muted,
    /// The picture is dark.
    Black,
    /// It is the same picture again and again.
    Frozen,
    /// Nothing can be heard.
    Silent,
}

/// Something that has changed in a room.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RoomEvent {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
    /// What.
    #[serde(rename = "type")]
    pub kind: RoomEventKind,
    /// Who, where it is about somebody; the programme where it is about nobody.
    pub user_id: Option<String>,
    /// Picture or sound, where it is about one.
    pub track_type: Option<TrackKind>,
    /// Which of their things, where it is about one.
    pub source: Option<TrackSource>,
    /// How it is now, where it is about one.
    pub state: Option<TrackState>,
}

/// What has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub enum RoomEventKind {
    /// Somebody has come on stage.
    #[serde(rename = "peer.joined")]
    PeerJoined,
    /// Somebody has left it.
    #[serde(rename = "peer.left")]
    PeerLeft,
    /// What somebody sends is in another state.
    #[serde(rename = "track.state")]
    TrackState,
    /// The programme is in another state.
    #[serde(rename = "programme.state")]
    ProgrammeState,
}
