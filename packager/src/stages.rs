//! Where a frame's time goes: what each stage stamped, as durations, as histograms, and as the journey of one frame.

use crate::bounded::at_most;
use footlight_media::frame::IngestStamps;
use footlight_media::time::SessionTime;
use footlight_media::track::TrackId;
use serde::{Deserialize, Serialize};

/// The rows of the latency budget that the server itself can see, in the order in which a frame passes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stage {
    /// From the moment at which the frame was to be seen had the network been perfect, to its first packet: jitter.
    Network,
    /// From its first packet to the assembler's letting it go: the rest of its packets, and repair.
    Assemble,
    /// From there until it was a picture: the way to the packager and the decoder.
    Decode,
    /// Until the tick that shows it: what is left of the playout delay, and up to one tick.
    Playout,
    /// From when the tick was due until it was drawn.
    Compose,
    /// Until the rung had encoded it.
    Encode,
    /// Until the part was complete that it is in: up to a third of a second, by design.
    PartWait,
    /// Until the origin had the part and the playlists that list it.
    Publish,
    /// All of them but `PartWait`: what the server adds.
    Upstream,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 9] = [
        Self::Network,
        Self::Assemble,
        Self::Decode,
        Self::Playout,
        Self::Compose,
        Self::Encode,
        Self::PartWait,
        Self::Publish,
        Self::Upstream,
    ];

    /// For metrics and traces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Assemble => "assemble",
            Self::Decode => "decode",
            Self::Playout => "playout",
            Self::Compose => "compose",
            Self::Encode => "encode",
            Self::PartWait => "part_wait",
            Self::Publish => "publish",
            Self::Upstream => "upstream",
        }
    }
}

/// The stamps of the newest frame that a tick shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameStamps {
    /// Whose frame.
    pub track: TrackId,
    /// When it was to be shown.
    pub time: SessionTime,
    /// What stage took.
    pub ingest: IngestStamps,
    /// When it was a picture.
    pub decoded: SessionTime,
}

/// The stamps of one tick in one rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TickStamps {
    /// Its number.
    pub tick: u64,
    /// When it was to be drawn.
    pub due: SessionTime,
    /// When it was drawn.
    pub drawn: SessionTime,
    /// When the rung had encoded it.
    pub encoded: SessionTime,
    /// The newest frame in it that no earlier tick showed; `None` where nothing was new.
    pub newest: Option<FrameStamps>,
}

/// One frame's way from its first packet to the origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journey {
    /// Its tick.
    pub stamps: TickStamps,
    /// Its frame.
    pub frame: FrameStamps,
    /// When its part was complete.
    pub part_complete: SessionTime,
    /// When the origin had the part and the playlists that list it.
    pub published: SessionTime,
}

impl Journey {
    /// How long each stage took, in microseconds; in the order of [`Stage::ALL`].
    pub fn durations(&self) -> [(Stage, i64); 9] {
        let (tick, frame) = (&self.stamps, &self.frame);
        let part_wait = self.part_complete.micros_since(tick.encoded);
        [
            (Stage::Network, frame.ingest.first_packet.micros_since(frame.time)),
            (Stage::Assemble, frame.ingest.assembled.micros_since(frame.ingest.first_packet)),
            (Stage::Decode, frame.decoded.micros_since(frame.ingest.assembled)),
            (Stage::Playout, tick.due.micros_since(frame.decoded)),
            (Stage::Compose, tick.drawn.micros_since(tick.due)),
            (Stage::Encode, tick.encoded.micros_since(tick.drawn)),
            (Stage::PartWait, part_wait),
            (Stage::Publish, self.published.micros_since(self.part_complete)),
            (Stage::Upstream, self.published.micros_since(frame.time) - part_wait),
        ]
    }
}

/// Durations counted in buckets that are a ninth wide: 8 an octave, from 1 us to 70 minutes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    #[serde(deserialize_with = "at_most::<BUCKETS, _, _>")]
    counts: Vec<u64>,
    total: u64,
    sum_us: u64,
}

const BUCKETS_AN_OCTAVE: f64 = 8.0;
const BUCKETS: usize = 256;

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0, sum_us: 0 }
    }
}

impl Histogram {
    /// Counts one duration in microseconds; a negative one (two clocks read in a hair's breadth) as nothing.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)] // clamped to the buckets
    pub fn add(&mut self, us: i64) {
        let us = u64::try_from(us).unwrap_or(0);
        let bucket = ((us.max(1) as f64).log2() * BUCKETS_AN_OCTAVE) as usize;
        self.counts[bucket.min(BUCKETS - 1)] += 1;
        self.total += 1;
        self.sum_us = self.sum_us.saturating_add(us);
    }

    /// How many were counted.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Their sum in microseconds.
    pub const fn sum_us(&self) -> u64 {
        self.sum_us
    }

    /// The duration in microseconds that the share `q` (0 to 1) does not exceed, to the upper edge of its bucket; 0 where nothing was counted.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    pub fn quantile_us(&self, q: f64) -> u64 {
        let rank = (q * self.total as f64).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            // A packager that was taken over counts as it likes.
            seen = count.saturating_add(seen);
            if seen >= rank && seen > 0 {
                return ((bucket + 1) as f64 / BUCKETS_AN_OCTAVE).exp2() as u64;
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_a_tenth() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile_us(0.95), 0);
        (1..=1_000).for_each(|ms| histogram.add(ms * 1_000));
        let check = |q, want: u64| {
            let got = histogram.quantile_us(q);
            assert!(got >= want && got <= want * 110 / 100, "{q}: {got}, not {want}");
        };
        check(0.5, 500_000);
        check(0.95, 950_000);
        check(1.0, 1_000_000);
    }

    #[test]
    fn the_stages_of_a_journey_add_up() {
        let at = SessionTime::from_micros;
        let ingest = IngestStamps { first_packet: at(10), last_packet: at(15), assembled: at(16) };
        let frame = FrameStamps { track: TrackId(1), time: at(0), ingest, decoded: at(30) };
        let stamps = TickStamps { tick: 1, due: at(150), drawn: at(152), encoded: at(160), newest: Some(frame) };
        let journey = Journey { stamps, frame, part_complete: at(400), published: at(405) };
        let durations = journey.durations();
        assert_eq!(durations.map(|(stage, _)| stage), Stage::ALL);
        assert_eq!(durations.map(|(_, us)| us), [10, 6, 14, 120, 2, 8, 240, 5, 165]);
    }
}
