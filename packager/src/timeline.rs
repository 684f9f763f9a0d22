//! The stream's timeline: from its start to its end one line of ticks, which nothing that happens to peers or packagers turns back.
//!
//! Tick `n` shows what the session clock says happened at `zero + n / fps`, and is drawn `delay` later, when the frames of that moment have
//! arrived, were repaired and decoded. The first ticks (slate, before anyone could publish) are not waited for: they are encoded as fast as
//! it goes, so that a playlist stands at once.

use footlight_media::time::{SessionTime, WallTime};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Segments of slate that are encoded ahead of the start: what a player wants to see before it plays.
pub const SLATE_SEGMENTS: u64 = 3;

/// The timeline of one live stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// Session time of unit 0.
    pub zero: SessionTime,
    /// The date of that moment, for EXT-X-PROGRAM-DATE-TIME.
    pub zero_date: WallTime,
    /// How long after its moment a tick is drawn: the jitter and repair that the sync of picture and sound can ride out.
    pub delay: Duration,
    /// Ticks a second.
    pub fps: u32,
}

impl Timeline {
    /// The timeline of a stream that goes live at `live_at` (session clock), `date` being the date of that moment.
    pub fn starting(live_at: SessionTime, date: WallTime, delay: Duration, fps: u32) -> Self {
        let slate = Duration::from_secs(SLATE_SEGMENTS * u64::from(crate::ladder::SEGMENT_SECONDS));
        let before = slate + delay;
        let zero_date = date.offset_micros(-i64::try_from(before.as_micros()).unwrap_or(i64::MAX));
        Self { zero: live_at - before, zero_date, delay, fps }
    }

    /// Whether times on it can be reckoned with for a stream of `fps`: a thousand years about the epoch, and a delay of minutes.
    pub fn is_sound(&self, fps: u32) -> bool {
        const FAR_US: u64 = 1_000 * 365 * 86_400 * 1_000_000;
        const LONG: Duration = Duration::from_secs(600);
        let near = |us: i64| us.unsigned_abs() < FAR_US;
        self.fps == fps && self.delay < LONG && near(self.zero.as_micros()) && near(self.zero_date.as_micros())
    }

    /// The moment that tick `tick` shows.
    pub fn content_time(&self, tick: u64) -> SessionTime {
        self.zero.offset_micros(i64::try_from(tick * 1_000_000 / u64::from(self.fps)).unwrap_or(i64::MAX))
    }

    /// The tick whose moment is nearest to `time`: pictures are then shown as often too early as too late for their sound, by half a tick at most.
    pub fn tick_nearest(&self, time: SessionTime) -> u64 {
        let since = u64::try_from(time.micros_since(self.zero)).unwrap_or(0);
        (since.saturating_mul(u64::from(self.fps)) + 500_000) / 1_000_000
    }

    /// Ticks between a moment and its being drawn.
    pub fn ticks_of_delay(&self) -> u64 {
        u64::try_from(self.delay.as_micros())
            .unwrap_or(u64::MAX)
            .saturating_mul(u64::from(self.fps))
            .div_ceil(1_000_000)
    }

    /// When tick `tick` is drawn.
    pub fn due(&self, tick: u64) -> SessionTime {
        self.content_time(tick) + self.delay
    }

    /// When the mix up to sample `sample` (48 kHz, since the stream's zero) is due.
    pub fn audio_due(&self, sample: u64) -> SessionTime {
        self.zero.offset_micros(i64::try_from(sample * 1_000 / 48).unwrap_or(i64::MAX)) + self.delay
    }

    /// The sample (48 kHz, since the stream's zero) that belongs to a moment; negative before the zero.
    pub fn sample_at(&self, time: SessionTime) -> i64 {
        // Rounded to the nearest sample: a frame's 20 ms are 960 samples, and rounding down would lose one now and then.
        (time.micros_since(self.zero).saturating_mul(48) + 500).div_euclid(1_000)
    }

    /// The part (of a third of a second) with which a packager that takes over at `now` begins: the first that it can draw in time.
    pub fn part_after(&self, now: SessionTime) -> u64 {
        let since = (now - self.delay).micros_since(self.zero).max(0);
        u64::try_from(since).unwrap_or(0) * u64::from(crate::ladder::PARTS_PER_SEGMENT)
            / (u64::from(crate::ladder::SEGMENT_SECONDS) * 1_000_000)
            + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: Timeline = Timeline {
        zero: SessionTime::from_micros(4_000_000),
        zero_date: WallTime::from_micros(0),
        delay: Duration::from_millis(150),
        fps: 30,
    };

    #[test]
    fn a_picture_belongs_to_the_nearest_tick() {
        let at = |us| LINE.tick_nearest(LINE.zero.offset_micros(us));
        assert_eq!([at(-50_000), at(0), at(16_600), at(16_700), at(33_333), at(50_100)], [0, 0, 0, 1, 1, 2]);
        assert_eq!(at(1_000_000), 30);
    }

    #[test]
    fn a_stream_begins_with_its_slate_in_the_past() {
        let line =
            Timeline::starting(SessionTime::from_micros(10_150_000), WallTime::from_micros(6_150_000), LINE.delay, 30);
        assert_eq!(line, LINE);
        assert_eq!(
            line.due(180),
            SessionTime::from_micros(10_150_000),
            "the first tick after the slate is due at the start"
        );
        assert_eq!(line.audio_due(6 * 48_000), line.due(180));
    }

    #[test]
    fn samples_and_moments_agree() {
        assert_eq!(LINE.sample_at(LINE.zero), 0);
        assert_eq!(LINE.sample_at(SessionTime::from_micros(5_000_000)), 48_000);
        assert_eq!(LINE.sample_at(SessionTime::from_micros(3_999_979)), -1);
    }

    #[test]
    fn a_successor_begins_with_a_part_that_is_not_due_yet() {
        for now in [4_150_000, 4_150_001, 10_000_000, 10_483_333] {
            let now = SessionTime::from_micros(now);
            let first_tick = LINE.part_after(now) * 10;
            let wait = LINE.due(first_tick).micros_since(now);
            assert!((0..=333_334).contains(&wait), "{wait} us");
        }
    }
}
