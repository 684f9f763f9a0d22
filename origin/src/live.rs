//! The words of live delivery: versions, part counts, what a request asks of them, and what it gets. Pure arithmetic of
//! RFC 8216bis section 6.2.5.2; the window that applies it is in [`crate::window`].

use crate::path::ObjectPath;
use http::HeaderValue;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Segments past the last whole one that a request may name (RFC 8216bis section 6.2.5.2).
pub const ADVANCE_SEGMENTS: u64 = 2;
/// Parts past the last one that a request may name where parts last a second or longer (RFC 8216bis section 6.2.5.2).
pub const ADVANCE_PARTS: u64 = 3;
/// Target durations that a request may wait (RFC 8216bis section 6.2.5.2).
pub const WAIT_TARGET_DURATIONS: u32 = 3;

/// What the origin may hold.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of one body.
    pub object_bytes: u64,
    /// Bytes of one stream (the first three path segments).
    pub stream_bytes: u64,
    /// Objects of one stream. As many deleted paths are remembered, to answer 410.
    pub stream_objects: usize,
    /// Bytes of all streams.
    pub origin_bytes: u64,
    /// Requests that wait, over all streams. An edge sends one per object and version, whatever its herd.
    pub waiters: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            object_bytes: 32 << 20,
            stream_bytes: 512 << 20,
            stream_objects: 4096,
            origin_bytes: 4 << 30,
            waiters: 65_536,
        }
    }
}

/// How far a playlist is: the segment being made, and how many of its parts are out. `13.0`: segment 12 is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Media sequence number of the segment being made.
    pub msn: u64,
    /// Its parts that are out.
    pub parts: u64,
}

impl FromStr for Version {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (msn, parts) = text.split_once('.').ok_or(())?;
        Ok(Self { msn: digits(msn).ok_or(())?, parts: digits(parts).ok_or(())? })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.msn, self.parts)
    }
}

/// Digits alone: `str::parse` would take a sign. Half the range is left free, so that what is added to it cannot overflow.
fn digits(text: &str) -> Option<u64> {
    let value = text.parse().ok().filter(|v| *v <= u64::MAX / 2)?;
    text.bytes().all(|b| b.is_ascii_digit()).then_some(value)
}

/// What makes an object a live playlist.
#[derive(Debug, Clone)]
pub struct Live {
    /// How far it is.
    pub version: Version,
    /// How many parts its segments have.
    pub counts: Counts,
    /// The longest a part may be; `None` where there are none.
    pub part_target: Option<Duration>,
    /// The longest a segment may be, in whole seconds.
    pub target_duration: Duration,
    /// `Cache-Control` of an answer that is exactly what was asked for.
    pub exact: HeaderValue,
    /// Paths that will be PUT.
    pub promises: Vec<ObjectPath>,
    /// No further version will come.
    pub ended: bool,
}

/// Part counts of the segments in a playlist, by rising media sequence number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts(Vec<(u64, u64)>);

impl Counts {
    /// Reads `11:6,12:6,13:2` beside its version; `None` when it is malformed, does not rise, contradicts the version or
    /// has more than `most` items.
    pub fn parse(list: &str, version: Version, most: usize) -> Option<Self> {
        let mut counts: Vec<(u64, u64)> = Vec::new();
        for item in list.split(',') {
            let (msn, parts) = item.trim().split_once(':')?;
            let (msn, parts) = (digits(msn)?, digits(parts)?);
            let rises = counts.last().is_none_or(|(before, _)| *before < msn);
            let agrees = msn < version.msn || (msn == version.msn && parts == version.parts);
            if !rises || !agrees || counts.len() == most {
                return None;
            }
            counts.push((msn, parts));
        }
        Some(Self(counts))
    }

    fn of(&self, msn: u64) -> Option<u64> {
        let index = self.0.binary_search_by_key(&msn, |(msn, _)| *msn).ok()?;
        Some(self.0[index].1)
    }
}

/// What a blocking request asks a playlist to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// `_HLS_msn` alone: the whole segment.
    Segment {
        /// Its media sequence number.
        msn: u64,
    },
    /// `_HLS_msn` and `_HLS_part`: that part.
    Part {
        /// Media sequence number of the parent segment.
        msn: u64,
        /// Index of the part, from 0.
        part: u64,
    },
}

/// What a playlist is to a request that asks for a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It holds what was asked for, and `exact`ly that: nothing newer.
    Holds {
        /// Whether nothing came after.
        exact: bool,
    },
    /// It will, before long.
    Ahead,
    /// Further ahead than a request is held for.
    TooFar,
}

impl Live {
    /// What this playlist is to a request for `ask`. An ended one holds everything there will ever be.
    pub fn standing(&self, ask: Ask) -> Standing {
        if self.ended {
            return Standing::Holds { exact: false };
        }
        if self.beyond_advance_limit(ask) {
            return Standing::TooFar;
        }
        let until = self.until(ask);
        if self.version >= until { Standing::Holds { exact: self.is_exactly(until) } } else { Standing::Ahead }
    }

    /// How long a request may wait.
    pub fn longest_wait(&self) -> Duration {
        self.target_duration * WAIT_TARGET_DURATIONS
    }

    /// The least version that holds what was asked for. It is worked out anew with each PUT: how many parts a segment
    /// has, and so whether a part beyond them means the next segment's first, is known only when the segment is whole.
    fn until(&self, ask: Ask) -> Version {
        match ask {
            Ask::Segment { msn } => Version { msn: msn.saturating_add(1), parts: 0 },
            Ask::Part { msn, part } => match self.parts_of_whole(msn) {
                Some(parts) if part >= parts => Version { msn: msn.saturating_add(1), parts: 1 },
                _ => Version { msn, parts: part.saturating_add(1) },
            },
        }
    }

    /// `13.0` is the same playlist as `12.6` would be where segment 12 has 6 parts.
    fn is_exactly(&self, until: Version) -> bool {
        self.version == until
            || (self.version == Version { msn: until.msn.saturating_add(1), parts: 0 }
                && self.parts_of_whole(until.msn) == Some(until.parts))
    }

    fn parts_of_whole(&self, msn: u64) -> Option<u64> {
        if msn < self.version.msn { self.counts.of(msn) } else { None }
    }

    /// RFC 8216bis section 6.2.5.2. Where the named segment has not begun, how many parts come before it is not known;
    /// counting only those in it refuses nothing that may be near.
    fn beyond_advance_limit(&self, ask: Ask) -> bool {
        let last = self.version.msn.saturating_sub(1);
        let newest = last + ADVANCE_SEGMENTS;
        match ask {
            Ask::Segment { msn } => msn > newest,
            Ask::Part { msn, part } if msn >= self.version.msn => {
                let out = if msn == self.version.msn { self.version.parts } else { 0 };
                msn > newest || part >= out.saturating_add(self.advance_parts())
            }
            Ask::Part { .. } => false,
        }
    }

    /// The Advance Part Limit: three seconds' worth of parts, or three parts.
    fn advance_parts(&self) -> u64 {
        match self.part_target {
            Some(target) if target < Duration::from_secs(1) => {
                let target_us = target.as_micros().max(1);
                u64::try_from(3_000_000_u128.div_ceil(target_us)).expect("three million fits")
            }
            _ => ADVANCE_PARTS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Standing::{Ahead, TooFar};

    const EXACT: Standing = Standing::Holds { exact: true };
    const NEWER: Standing = Standing::Holds { exact: false };

    fn live(version: &str, counts: &str, part_target_ms: Option<u64>) -> Live {
        let version: Version = version.parse().expect("a version");
        Live {
            version,
            counts: if counts.is_empty() {
                Counts::default()
            } else {
                Counts::parse(counts, version, 99).expect("counts")
            },
            part_target: part_target_ms.map(Duration::from_millis),
            target_duration: Duration::from_secs(2),
            exact: HeaderValue::from_static("max-age=12"),
            promises: Vec::new(),
            ended: false,
        }
    }

    fn check(version: &str, counts: &str, (msn, part): (u64, Option<u64>), expected: Standing) {
        let ask = part.map_or(Ask::Segment { msn }, |part| Ask::Part { msn, part });
        assert_eq!(live(version, counts, Some(342)).standing(ask), expected, "{version} {counts} {ask:?}");
    }

    #[test]
    fn a_segment_is_held_when_the_next_is_being_made() {
        check("13.2", "12:6,13:2", (12, None), NEWER);
        check("13.0", "12:6,13:0", (12, None), EXACT);
        check("13.0", "12:6", (3, None), NEWER);
        check("13.2", "12:6,13:2", (13, None), Ahead);
        check("13.2", "12:6,13:2", (14, None), Ahead);
        check("13.2", "12:6,13:2", (15, None), TooFar);
        check("13.2", "12:6,13:2", (u64::MAX, None), TooFar);
    }

    #[test]
    fn a_part_is_held_when_it_is_out() {
        check("13.2", "12:6,13:2", (13, Some(1)), EXACT);
        check("13.2", "12:6,13:2", (13, Some(0)), NEWER);
        check("13.2", "12:6,13:2", (13, Some(2)), Ahead);
        check("13.0", "12:6", (12, Some(5)), EXACT);
        check("13.0", "12:6", (12, Some(4)), NEWER);
        check("13.1", "12:6,13:1", (12, Some(5)), NEWER);
    }

    #[test]
    fn a_part_beyond_a_whole_segment_is_the_next_ones_first() {
        check("13.0", "12:6", (12, Some(6)), Ahead);
        check("13.0", "12:6", (12, Some(600)), Ahead);
        check("13.1", "12:6,13:1", (12, Some(6)), EXACT);
        check("13.2", "12:6,13:2", (12, Some(6)), NEWER);
        check("14.0", "12:6,13:6", (12, Some(6)), NEWER);
        // Segment 11 is no longer listed: whatever it had is long out.
        check("13.0", "12:6", (11, Some(6)), NEWER);
    }

    #[test]
    fn too_far_is_counted_from_the_last_part() {
        // ceil(3 / 0.342) = 9 parts past the two that are out: indices 2 to 10 may be waited for.
        check("13.2", "13:2", (13, Some(10)), Ahead);
        check("13.2", "13:2", (13, Some(11)), TooFar);
        check("13.2", "13:2", (14, Some(8)), Ahead);
        check("13.2", "13:2", (14, Some(9)), TooFar);
        check("13.2", "13:2", (15, Some(0)), TooFar);
        check("13.2", "13:2", (13, Some(u64::MAX)), TooFar);
        assert_eq!(live("13.2", "", Some(1000)).advance_parts(), 3);
        assert_eq!(live("13.2", "", None).advance_parts(), 3);
        assert_eq!(live("13.2", "", Some(500)).advance_parts(), 6);
    }

    #[test]
    fn an_ended_playlist_holds_whatever_is_asked() {
        let ended = Live { ended: true, ..live("13.2", "", Some(342)) };
        assert_eq!(ended.standing(Ask::Segment { msn: 999 }), NEWER);
    }

    #[test]
    fn a_playlist_of_segments_alone_answers_a_part_by_the_next_segment() {
        assert_eq!(live("13.0", "12:0", None).standing(Ask::Part { msn: 12, part: 0 }), Ahead);
        assert_eq!(live("14.0", "12:0,13:0", None).standing(Ask::Part { msn: 12, part: 0 }), NEWER);
    }
}
