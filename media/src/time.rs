//! Media time: a count of ticks of a stated clock rate, never a bare integer.
//!
//! Three clocks meet in footlight and each has a type of its own. A track's own clock is a [`MediaTime`] in the
//! track's [`Timescale`]. The session clock is a [`SessionTime`]: microseconds since a zero that the serving process
//! chose once, the same for all peers, tracks and streams of that process and of its child processes. The wall clock is a [`WallTime`], and appears only where a viewer sees a date.

use serde::{Deserialize, Serialize};
use std::ops::{Add, Sub};
use std::time::Duration;

/// Ticks per second of a track's clock, e.g. 90,000 for video over RTP (RFC 3551 section 5) or 48,000 for Opus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Timescale(u32);

impl Timescale {
    /// The RTP clock of every video payload (RFC 3551 section 5).
    pub const VIDEO: Self = Self(90_000);
    /// The RTP clock of Opus whatever the coded bandwidth (RFC 7587 section 4.1), and our AAC's sample rate.
    pub const AUDIO_48K: Self = Self(48_000);

    /// `None` for zero, which is no clock.
    pub const fn new(ticks_per_second: u32) -> Option<Self> {
        if ticks_per_second == 0 { None } else { Some(Self(ticks_per_second)) }
    }

    /// Ticks per second.
    pub const fn ticks_per_second(self) -> u32 {
        self.0
    }
}

/// A point on a track's own clock: signed ticks of a [`Timescale`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MediaTime {
    /// Ticks since the clock's zero. Signed, so that what came before the zero has a place.
    pub ticks: i64,
    /// The clock's rate.
    pub timescale: Timescale,
}

impl MediaTime {
    /// `ticks` of a clock of `timescale`.
    pub const fn new(ticks: i64, timescale: Timescale) -> Self {
        Self { ticks, timescale }
    }

    /// The same point on a clock of another rate, rounded towards minus infinity so that a time never moves past a
    /// boundary that it stood before.
    pub fn rescale(self, to: Timescale) -> Self {
        Self::new(scale(self.ticks, to.0, self.timescale.0), to)
    }
}

/// A point on the session clock: microseconds since the serving process's zero. May be negative: slate segments are
/// encoded ahead of a stream's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct SessionTime(i64);

impl SessionTime {
    /// The clock's zero.
    pub const ZERO: Self = Self(0);

    /// `us` microseconds after the session's zero.
    pub const fn from_micros(us: i64) -> Self {
        Self(us)
    }

    /// Microseconds after the session's zero.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// This instant in ticks of `timescale`, rounded towards minus infinity.
    pub fn to_ticks(self, timescale: Timescale) -> i64 {
        scale(self.0, timescale.0, MICROS_PER_SECOND)
    }

    /// The instant that lies `ticks` of `timescale` after the session's zero, rounded towards minus infinity.
    pub fn from_ticks(ticks: i64, timescale: Timescale) -> Self {
        Self(scale(ticks, MICROS_PER_SECOND, timescale.0))
    }

    /// Microseconds from `earlier` to `self`; negative where `earlier` is the later one.
    pub const fn micros_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Moved by a signed number of microseconds, saturating: strangers choose timestamps.
    #[must_use]
    pub const fn offset_micros(self, us: i64) -> Self {
        Self(self.0.saturating_add(us))
    }
}

impl Add<Duration> for SessionTime {
    type Output = Self;
    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(micros(rhs)))
    }
}

impl Sub<Duration> for SessionTime {
    type Output = Self;
    fn sub(self, rhs: Duration) -> Self {
        Self(self.0.saturating_sub(micros(rhs)))
    }
}

/// A date: microseconds since 1970-01-01T00:00:00Z, leap seconds not counted (POSIX time).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct WallTime(i64);

impl WallTime {
    /// `us` microseconds after the epoch.
    pub const fn from_micros(us: i64) -> Self {
        Self(us)
    }

    /// Microseconds after the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The date that lies `us` microseconds later.
    #[must_use]
    pub const fn offset_micros(self, us: i64) -> Self {
        Self(self.0.saturating_add(us))
    }

    /// `2026-11-22T15:04:05.678Z`: RFC 3339 with milliseconds, as EXT-X-PROGRAM-DATE-TIME wants it
    /// (RFC 8216bis section 4.4.4.6). The milliseconds are rounded down.
    pub fn rfc3339_millis(self) -> String {
        let (days, in_day) = (self.0.div_euclid(MICROS_PER_DAY), self.0.rem_euclid(MICROS_PER_DAY));
        let (year, month, day) = civil_from_days(days);
        let millis = in_day / 1_000;
        let (h, m, s, ms) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1_000 % 60, millis % 1_000);
        format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{ms:03}Z")
    }
}

const MICROS_PER_SECOND: u32 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * 1_000_000;

/// `value * numerator / denominator` rounded towards minus infinity, in 128 bits and saturating, because a stranger's
/// timestamp may be anything.
fn scale(value: i64, numerator: u32, denominator: u32) -> i64 {
    let exact = (i128::from(value) * i128::from(numerator)).div_euclid(i128::from(denominator));
    i64::try_from(exact).unwrap_or(if exact < 0 { i64::MIN } else { i64::MAX })
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Days since 1970-01-01 to a date of the proleptic Gregorian calendar. The year is counted from March so that the leap
/// day is its last day; an era is 400 years, 146,097 days.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let from_march_of_year_0 = days + 719_468;
    let era = from_march_of_year_0.div_euclid(146_097);
    let day_of_era = from_march_of_year_0.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rescaling_rounds_towards_minus_infinity() {
        let check = |ticks, from, to, want| {
            let from = Timescale::new(from).expect("not zero");
            let to = Timescale::new(to).expect("not zero");
            assert_eq!(MediaTime::new(ticks, from).rescale(to).ticks, want, "{ticks} of {from:?} in {to:?}");
        };
        check(90_000, 90_000, 48_000, 48_000);
        check(1, 90_000, 48_000, 0);
        check(-1, 90_000, 48_000, -1);
        check(i64::MAX, 1, 90_000, i64::MAX);
        check(i64::MIN, 1, 90_000, i64::MIN);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let check =
            |seconds: i64, want: &str| assert_eq!(WallTime::from_micros(seconds * 1_000_000).rfc3339_millis(), want);
        check(0, "1970-01-01T00:00:00.000Z");
        check(951_782_400, "2000-02-29T00:00:00.000Z");
        check(1_767_225_599, "2025-12-31T23:59:59.000Z");
        check(-1, "1969-12-31T23:59:59.000Z");
        assert_eq!(WallTime::from_micros(1_500_999).rfc3339_millis(), "1970-01-01T00:00:01.500Z");
    }

    proptest! {
        #[test]
        fn session_time_survives_ticks_within_one_tick(us in -10_i64.pow(15)..10_i64.pow(15)) {
            let there = SessionTime::from_micros(us).to_ticks(Timescale::VIDEO);
            let back = SessionTime::from_ticks(there, Timescale::VIDEO);
            prop_assert!((0..=12).contains(&SessionTime::from_micros(us).micros_since(back)));
        }
    }
}
