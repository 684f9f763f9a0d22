//! What a packager is told and what it says: the words of boundary 1 (ARCHITECTURE.md), beside those of tracks. Plain data, each part with a bound: it may come
//! from a child process that somebody has taken over.

use crate::bounded::at_most;
use crate::clock::SessionClock;
use crate::direction::{Changed, Direction};
use crate::ladder::Ladder;
use crate::objects::{self, Change};
use crate::signal::{Signal, Subject};
use crate::stages::{Histogram, Journey, Stage};
use bytes::Bytes;
use footlight_media::time::{SessionTime, WallTime};
use footlight_media::track::{PeerKey, TrackEvent, TrackRequest};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Changes in one batch: about 20 a rendition.
const CHANGES: usize = 4_096;
/// Objects of a stream: what an origin keeps of one, with room.
const LEFTOVERS: usize = 1 << 16;
/// Threads of a packager.
const THREADS: usize = 512;
/// Rungs: more than a ladder has.
const RUNGS: usize = 64;
/// Sources whose signals are reported, and the programme's two: more than a stage has tracks.
const SIGNALS: usize = 4_096;

/// Everything that one live stream is made from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Start {
    /// Names and window.
    pub stream: objects::Stream,
    /// What is encoded.
    pub ladder: Ladder,
    /// Who is seen where, and heard how loud.
    pub direction: Direction,
    /// How loud the mix is made, in LUFS; `None`: as loud as it comes.
    pub loudness_lufs: Option<f64>,
    /// The clock that frames are stamped with.
    pub clock: SessionClock,
    /// The date of the clock's zero.
    pub zero_date: WallTime,
    /// How long after its moment a tick is drawn, in microseconds (see [`crate::timeline::Timeline::delay`]).
    pub playout_delay: Duration,
    /// What a predecessor left at the origin under [`objects::Stream::resume_path`].
    pub predecessor: Option<Bytes>,
}

/// What the packager is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum ToPackager {
    /// Something happened to a track.
    Event(TrackEvent),
    /// What is wanted now, from the next tick and the next chunk of sound on.
    Direct(Box<Changed>),
    /// The oldest changes of [`FromPackager::Publish`] that were not yet confirmed are at the origin, since this time.
    Published(SessionTime),
    /// Somebody wants to see what it looks like.
    Snapshot {
        /// Of the question.
        number: u64,
        /// Whose picture; the programme's where it is `None`.
        peer: Option<PeerKey>,
    },
    /// The stream is over: finish it.
    Stop,
}

/// What the packager says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum FromPackager {
    /// For stage.
    Request(TrackRequest),
    /// To be made at the origin, in this order and after those of earlier messages; each such message is confirmed.
    Publish(#[serde(deserialize_with = "at_most::<CHANGES, _, _>")] Vec<Change>),
    /// Three segments stand in all renditions: the stream can be played.
    Running,
    /// What somebody wanted to see.
    Snapshot {
        /// Of the question.
        number: u64,
        /// `None` where there is no such picture.
        jpeg: Option<Bytes>,
    },
    /// Once a second.
    Report(Box<Report>),
    /// The last one: the playlists have ended, and these objects may go when that has been seen.
    Ended {
        /// Paths to be deleted.
        #[serde(deserialize_with = "at_most::<LEFTOVERS, _, _>")]
        leftovers: Vec<String>,
    },
}

/// Counters since the packager's start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// CPU time by thread, in microseconds.
    #[serde(deserialize_with = "at_most::<THREADS, _, _>")]
    pub cpu_us: Vec<(String, u64)>,
    /// Ticks drawn or repeated.
    pub ticks: u64,
    /// Ticks that were late and not drawn.
    pub late_ticks: u64,
    /// Ticks that a rung left out, by its name.
    #[serde(deserialize_with = "at_most::<RUNGS, _, _>")]
    pub skipped_by_rungs: Vec<(String, u64)>,
    /// Ticks that a rung did not encode, because it had encoded what stands still.
    pub repeated_by_rungs: u64,
    /// Frames that no decoder took: its queue was full, no key frame had come, or a voice had brought more sound than there is time for.
    pub dropped_frames: u64,
    /// Frames that a decoder refused.
    pub undecodable_frames: u64,
    /// Pictures decoded.
    pub decoded_frames: u64,
    /// Pictures that no tick showed: another came for the same tick, or the sender's time runs too far ahead.
    pub unshown_pictures: u64,
    /// Samples of sound that came after their chunk.
    pub late_samples: u64,
    /// What there is to see and to hear of each source, and of the programme.
    #[serde(deserialize_with = "at_most::<SIGNALS, _, _>")]
    pub signals: Vec<(Subject, Signal)>,
    /// How long each stage took.
    #[serde(deserialize_with = "at_most::<{ Stage::ALL.len() }, _, _>")]
    pub stages: Vec<(Stage, Histogram)>,
    /// The newest frame that went all the way.
    pub journey: Option<Journey>,
}
