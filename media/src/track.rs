//! Tracks: who sends what, and the closed enums that cross boundary 1 in both directions.

use crate::codec::Codec;
use crate::frame::EncodedFrame;
use serde::{Deserialize, Serialize};

/// One track of one session of one peer. Unique within a live stream for its whole life: a peer that comes back has
/// new tracks. One that was muted comes back as itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TrackId(pub u64);

/// Who a track belongs to: picture and sound of one peer are lip-synced with each other and share one tile, and those of their screen another.
/// Stable across the sessions of a peer, so that who returns gets the old place in the picture (see [`Seat`]).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PeerKey(pub String);

/// Where somebody stands among those of their room: who came first has the least one, and who returns has the old one. What they send has one seat,
/// whatever it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Seat(pub u64);

/// Which of a peer's things a track is of: 100ms's `regular` and `screen`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Source {
    /// Their camera and microphone.
    #[default]
    Regular,
    /// A screen that they share, with what is heard there.
    Screen,
}

/// Who sends a track.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Contributor {
    /// The peer.
    pub peer: PeerKey,
    /// Which of their things.
    pub source: Source,
    /// How they want to be called, where they have said so.
    pub name: Option<String>,
    /// Their place among the others. Who lets them in says so.
    pub seat: Seat,
}

impl Contributor {
    /// Whether both are the same thing of the same peer, whatever they are called: the newer one takes the place of the older.
    pub fn is_same(&self, other: &Self) -> bool {
        self.peer == other.peer && self.source == other.source
    }
}

impl From<PeerKey> for Contributor {
    /// Their camera and microphone.
    fn from(peer: PeerKey) -> Self {
        Self { peer, source: Source::Regular, name: None, seat: Seat::default() }
    }
}

/// What stage tells packager, in the order in which it happened. Frames of a track come between its `Added` and its
/// `Removed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrackEvent {
    /// A track began.
    Added {
        /// The new track.
        track: TrackId,
        /// Whose it is.
        from: Contributor,
        /// What its frames are.
        codec: Codec,
    },
    /// One frame of a track.
    Frame(EncodedFrame),
    /// A track ended, or has been silent for long: no frame follows unless it is added again.
    Removed {
        /// The track that ended.
        track: TrackId,
        /// Another session has taken the place of its own and is about to have such a track. Until that has something to show, there is still the last
        /// picture of this one.
        succeeded: bool,
    },
}

/// What packager asks of stage. Requests are hints: stage throttles and repeats them as RTCP allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrackRequest {
    /// The decoder of this track cannot go on before a key frame (PLI, RFC 4585 section 6.3.1).
    KeyFrame(TrackId),
    /// This track is shown as large as this at most, in pixels: of a peer that sends its picture in several layers (RFC 8853) the one that fits is enough.
    Shown {
        /// Whose picture.
        track: TrackId,
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
    },
}
