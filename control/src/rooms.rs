//! Pure state and decisions: what a room, a code, a token and a live stream are, and what may become of them. Time and
//! randomness are arguments.

pub mod date;
pub mod id;
pub mod ladder;
pub mod layout;
pub mod live_stream;
pub mod mix;
pub mod peer;
pub mod room;
pub mod room_code;
pub mod template;
pub mod token;

/// A value that a request may not carry: names the field, the value and the cure. The caller's to mend; no use in repeating.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

/// Why a well-formed request is not done. The caller's to mend; no use in repeating before that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A value that may not be.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// No room has this id.
    #[error("room {}: there is no such room; create it with POST /v2/rooms", id::quoted(.0))]
    UnknownRoom(String),
    /// No live stream has this id.
    #[error("live stream {}: there is no such live stream; GET /v2/live-streams lists them", id::quoted(.0))]
    UnknownStream(String),
    /// There is no picture of it.
    #[error("{what}: has no picture; name one who is on stage and sends one, by user id")]
    NoSnapshot {
        /// Of whom, or of what.
        what: String,
    },
    /// No room code is this.
    #[error("room code {}: there is no such code; POST /v2/room-codes/room/<room_id> makes them", id::quoted(.0))]
    UnknownCode(String),
    /// No template has this id.
    #[error("template {}: there is no such template; GET /v2/templates lists them", id::quoted(.0))]
    UnknownTemplate(String),
    /// The room's template has no such role.
    #[error("role {}: the template of room {room} has no such role; it has {roles}", id::quoted(.role))]
    UnknownRole {
        /// The role.
        role: String,
        /// The room.
        room: String,
        /// What there is instead.
        roles: String,
    },
    /// The room takes nobody in.
    #[error("room {0} is disabled; enable it with POST /v2/rooms/{0} {{\"enabled\": true}}")]
    RoomDisabled(String),
    /// The code opens nothing.
    #[error("room code {0} is disabled; enable it with POST /v2/room-codes/code")]
    CodeDisabled(String),
    /// An auth token that does not reach this far.
    #[error("the token's role {role} in room {room} may not {act}; use a token whose role may, or a management token")]
    NotAllowed {
        /// The token's role.
        role: String,
        /// The token's room.
        room: String,
        /// What was asked.
        act: String,
    },
    /// It is over.
    #[error("live stream {stream} is {status}; only one that goes on can be changed")]
    NotOnAir {
        /// The stream.
        stream: String,
        /// How far it is.
        status: &'static str,
    },
    /// A layout names somebody who is not there.
    #[error("{field}: {} is not on stage in this room; on stage are {on_stage}", id::quoted(.peer))]
    NotOnStage {
        /// In which field.
        field: &'static str,
        /// Who was named.
        peer: String,
        /// Who is there.
        on_stage: String,
    },
    /// What cannot be moved.
    #[error("live stream {0} has no logo; upload one with POST /v2/live-streams/{0}/logo")]
    NoLogo(String),
    /// A room has at most one live stream that goes on.
    #[error("room {room} has live stream {stream} already; stop it with POST /v2/live-streams/{stream}/stop")]
    AlreadyRunning {
        /// The room.
        room: String,
        /// What goes on in it.
        stream: String,
    },
}
