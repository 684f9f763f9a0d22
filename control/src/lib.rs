//! The control plane: rooms, roles, codes, tokens and live streams, in the shapes of 100ms's REST API, kept in SQLite.
//!
//! It commands whoever makes live streams by [`Command`] and hears from them by [`Event`]; it knows nobody. [`Control`] is what a
//! process holds of it. A request goes from `api` (parse, call, render) to `owner` (the one task that changes state), which lets
//! `rooms` decide, keeps what came of it in `catalog`, and only then commands and answers.

mod api;
mod catalog;
mod control;
pub mod credentials;
pub mod fields;
mod owner;
pub mod picture;
pub mod rooms;

pub use catalog::CatalogError;
pub use control::{Ask, CodeInfo, Config, Control, Obstacle, OpenError, Publisher, Refusal, random_uuid};
pub use owner::{ControlError, NeverRan};
pub use picture::Picture;
pub use rooms::date::Timestamp;
pub use rooms::ladder::{CheckLadder, Ladder, Layer};
pub use rooms::layout::{Arrangement, Corner, Layout, LowerThird, Pictures, Scaling, Screens, Transition};
pub use rooms::live_stream::LiveStream;
pub use rooms::mix::{Fader, Mix};
pub use rooms::peer::{Peer, PeerTrack, RoomEvent, RoomEventKind, TrackKind, TrackSource, TrackState};
pub use rooms::room_code::RoomCode;

use bytes::Bytes;
use tokio::sync::oneshot;

/// What control wants of those who make live streams.
#[derive(Debug)]
pub enum Command {
    /// Make a new stream.
    StartStream {
        /// Its room.
        room: String,
        /// Its id.
        stream: String,
        /// What it encodes; `None` is as it is configured.
        ladder: Option<Ladder>,
    },
    /// End one. It is over when [`Event::StreamEnded`] says so.
    StopStream {
        /// Its id.
        stream: String,
    },
    /// Show or mix the people of one otherwise, or what is around them.
    DirectStream {
        /// Its room.
        room: String,
        /// Its id.
        stream: String,
        /// How.
        wish: Wish,
        /// Hears whether it was done, and of what not all could be.
        directed: oneshot::Sender<Result<Vec<Undrawn>, NotDirected>>,
    },
}

/// What control asks those who make live streams: nothing changes by it.
#[derive(Debug)]
pub enum Question {
    /// Who is on stage?
    OnStage {
        /// In this room.
        room: String,
        /// Hears.
        answer: oneshot::Sender<Vec<Peer>>,
    },
    /// What has lately changed?
    Events {
        /// In this room.
        room: String,
        /// Hears, the oldest first.
        answer: oneshot::Sender<Vec<RoomEvent>>,
    },
    /// How is a stream shown and heard?
    Direction {
        /// Its id.
        stream: String,
        /// Hears.
        answer: oneshot::Sender<Direction>,
    },
    /// What does it look like just now?
    Snapshot {
        /// Its id.
        stream: String,
        /// The picture of one peer; the programme's where it is `None`.
        peer: Option<String>,
        /// Hears; a JPEG.
        answer: oneshot::Sender<Result<Bytes, NoSnapshot>>,
    },
    /// How many watch?
    Viewers {
        /// Its room.
        room: String,
        /// Its id.
        stream: String,
        /// Hears.
        answer: oneshot::Sender<Viewers>,
    },
}

/// How a live stream is shown and heard.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Direction {
    /// Who is seen where.
    pub layout: Layout,
    /// What was uploaded to be around them.
    pub pictures: Pictures,
    /// Who is heard how loud.
    pub mix: Mix,
    /// What of the layout cannot be drawn, with those who are on stage now.
    pub undrawn: Vec<Undrawn>,
}

/// How many watched lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Viewers {
    /// About so many: those who share an address and a browser are one.
    pub viewers: u64,
    /// Within so many seconds.
    pub window_seconds: u64,
}

/// Why there is no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSnapshot {
    /// The peer is not on stage, or has sent no picture yet.
    NoPicture,
    /// Whoever makes the stream does not answer: it has just begun, or ended, or makes too many already.
    NotNow,
}

/// How a live stream is to be shown or heard, from now on.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    /// Who is seen where.
    Layout(Layout),
    /// What is behind them; `None`: what the layout says.
    Background(Option<Picture>),
    /// What is over everything, and where.
    Logo(Option<(Picture, Corner)>),
    /// That in another place.
    LogoCorner(Corner),
    /// Who is heard how loud.
    Mix(Mix),
}

/// What of a text cannot be drawn: a box stands in the place of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undrawn {
    /// Which field of the wish; `show_names` and whose, where it is the name that somebody came with.
    pub field: String,
    /// Characters that no font has.
    pub characters: Vec<char>,
}

/// Why a wish was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotDirected {
    /// It names somebody who is not on stage.
    NotOnStage {
        /// Which field of it.
        field: &'static str,
        /// Who was named.
        peer: String,
        /// Who is there.
        on_stage: Vec<String>,
    },
    /// There is no logo to be moved.
    NoLogo,
    /// The stream has just ended.
    Over,
}

/// What control hears from those who make live streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It can be played.
    StreamRunning {
        /// Its id.
        stream: String,
    },
    /// Its playlists have ended.
    StreamEnded {
        /// Its id.
        stream: String,
    },
    /// It could not be kept alive.
    StreamFailed {
        /// Its id.
        stream: String,
        /// Why.
        reason: String,
    },
}
