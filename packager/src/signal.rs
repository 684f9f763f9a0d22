//! Whether there is anything to see and to hear: black, frozen and silent sources, and the same of the programme. Pure: takes `now`.
//!
//! A picture is looked at through a grid of points, not whole: at 2,304 of them a look costs a few microseconds, and a camera's noise alone moves some.

use crate::layout::Size;
use footlight_media::time::SessionTime;
use footlight_media::track::TrackId;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What may have something wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Subject {
    /// What one peer sends.
    Track(TrackId),
    /// The programme's picture.
    Picture,
    /// Its sound.
    Sound,
}

/// What there is to see or to hear of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signal {
    /// Something.
    #[default]
    Fine,
    /// A dark picture: a cap on the lens, or a dark room.
    Black,
    /// The same picture again and again.
    Frozen,
    /// Nothing new at all.
    Stalled,
    /// Nothing that could be heard.
    Silent,
    /// What browsers send of who has switched their camera or microphone off: perfect black, or perfect silence.
    Muted,
}

/// For how long a picture is dark, the same, or missing before it counts: longer than a cut to black, a pause for thought, and a key frame that was lost.
const BLACK_FOR: Duration = Duration::from_secs(2);
const FROZEN_FOR: Duration = Duration::from_secs(5);
const STALLED_FOR: Duration = Duration::from_secs(2);
/// For how long nothing is heard: longer than a pause between sentences.
const SILENT_FOR: Duration = Duration::from_secs(5);
/// Nothing that lives is perfectly black or silent for so long.
const MUTED_FOR: Duration = Duration::from_secs(2);
/// Luma of 16 to 235; dark is what a screen shows as black.
const DARK: u8 = 32;
/// One in so many points may be brighter, as a lamp at a device is.
const BRIGHT_ONE_IN: u32 = 200;
/// Black as it is made, encoded and decoded.
const PERFECT_DARK: u8 = 18;
/// Mean squares: -60 dBFS is below the noise of a quiet room, -90 dBFS below that of any microphone.
const SILENCE: f32 = 1e-6;
const PERFECT_SILENCE: f32 = 1e-9;
/// Points that are looked at.
const COLUMNS: u32 = 64;
const ROWS: u32 = 36;

/// What a look at a picture shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glance {
    brightest: u8,
    bright: u32,
    fingerprint: u64,
}

impl Glance {
    /// Of a plane of luma, whose rows are `stride` samples apart.
    pub fn of(luma: &[u8], stride: usize, size: Size) -> Self {
        let (mut brightest, mut bright, mut fingerprint) = (0, 0, 0xcbf2_9ce4_8422_2325_u64);
        for row in 0..ROWS {
            // Their middles: an edge of a picture is often not its own.
            let y = (2 * row + 1) * size.height / (2 * ROWS);
            for column in 0..COLUMNS {
                let x = (2 * column + 1) * size.width / (2 * COLUMNS);
                let point = luma.get(y as usize * stride + x as usize).copied().unwrap_or(0);
                brightest = brightest.max(point);
                bright += u32::from(point > DARK);
                // FNV-1a.
                fingerprint = (fingerprint ^ u64::from(point)).wrapping_mul(0x100_0000_01b3);
            }
        }
        Self { brightest, bright, fingerprint }
    }
}

/// Follows one picture.
#[derive(Debug)]
pub struct PictureSignal {
    last: Option<Glance>,
    came: SessionTime,
    changed: SessionTime,
    /// When it was last not dark, and when not perfectly so.
    bright: SessionTime,
    imperfect: SessionTime,
}

impl PictureSignal {
    /// One that begins at `now`.
    pub const fn new(now: SessionTime) -> Self {
        Self { last: None, came: now, changed: now, bright: now, imperfect: now }
    }

    /// A picture has come.
    pub fn see(&mut self, glance: Glance, now: SessionTime) {
        self.came = now;
        if self.last != Some(glance) {
            self.changed = now;
        }
        if glance.bright > COLUMNS * ROWS / BRIGHT_ONE_IN {
            self.bright = now;
        }
        if glance.brightest > PERFECT_DARK {
            self.imperfect = now;
        }
        self.last = Some(glance);
    }

    /// What there is to see.
    pub fn signal(&self, now: SessionTime) -> Signal {
        let since = |then: SessionTime, length: Duration| now >= then + length;
        if since(self.came, STALLED_FOR) {
            Signal::Stalled
        } else if since(self.imperfect, MUTED_FOR) {
            Signal::Muted
        } else if since(self.bright, BLACK_FOR) {
            Signal::Black
        } else if since(self.changed, FROZEN_FOR) {
            Signal::Frozen
        } else {
            Signal::Fine
        }
    }
}

/// Follows one voice, or the mix.
#[derive(Debug)]
pub struct SoundSignal {
    came: SessionTime,
    heard: SessionTime,
    imperfect: SessionTime,
}

impl SoundSignal {
    /// One that begins at `now`.
    pub const fn new(now: SessionTime) -> Self {
        Self { came: now, heard: now, imperfect: now }
    }

    /// Takes the mean square of the last samples; full scale is 1.
    pub fn hear(&mut self, level: f32, now: SessionTime) {
        self.came = now;
        if level > SILENCE {
            self.heard = now;
        }
        if level > PERFECT_SILENCE {
            self.imperfect = now;
        }
    }

    /// What there is to hear.
    pub fn signal(&self, now: SessionTime) -> Signal {
        if now >= self.came + STALLED_FOR {
            Signal::Stalled
        } else if now >= self.imperfect + MUTED_FOR {
            Signal::Muted
        } else if now >= self.heard + SILENT_FOR {
            Signal::Silent
        } else {
            Signal::Fine
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { width: 320, height: 180 };

    fn at(ms: i64) -> SessionTime {
        SessionTime::from_micros(1_000 * ms)
    }

    type Paint<'a> = &'a dyn Fn(i64, usize) -> u8;

    /// Looks at pictures of so many milliseconds, 25 a second, each painted point by point by its number; gives each change and when it was.
    fn watch(parts: &[(i64, Paint<'_>)]) -> Vec<(i64, Signal)> {
        let (mut signal, mut changes, mut ms) = (PictureSignal::new(at(0)), vec![(0, Signal::Fine)], 0);
        for (length, paint) in parts {
            let end = ms + length;
            while ms < end {
                let luma: Vec<u8> = (0..320 * 180).map(|point| paint(ms / 40, point)).collect();
                signal.see(Glance::of(&luma, 320, SIZE), at(ms));
                let now = signal.signal(at(ms));
                if changes.last().is_some_and(|(_, before)| *before != now) {
                    changes.push((ms, now));
                }
                ms += 40;
            }
        }
        changes
    }

    fn camera(number: i64, point: usize) -> u8 {
        100 + ((number as usize * 31 + point * 17) % 13) as u8
    }

    #[test]
    fn dark_rooms_caps_and_cameras_that_are_off_are_told_apart() {
        // A lens in the dark has noise, and something has a lamp.
        let dark = |number: i64, point: usize| if point < 40 { 200 } else { 17 + (camera(number, point) % 9) };
        assert_eq!(watch(&[(4_000, &camera), (4_000, &dark)]), [(0, Signal::Fine), (5_960, Signal::Black)]);
        let off = |_: i64, _: usize| 16;
        let want = [(0, Signal::Fine), (2_960, Signal::Muted), (5_000, Signal::Fine)];
        assert_eq!(watch(&[(1_000, &camera), (4_000, &off), (1_000, &camera)]), want);
    }

    #[test]
    fn a_picture_that_never_changes_is_frozen_and_one_that_does_a_little_is_not() {
        let still = |_: i64, point: usize| camera(0, point);
        assert_eq!(watch(&[(1_000, &camera), (7_000, &still)]), [(0, Signal::Fine), (6_000, Signal::Frozen)]);
        let blink = |number: i64, point: usize| camera(i64::from(number % 100 == 0), point);
        assert_eq!(watch(&[(20_000, &blink)]), [(0, Signal::Fine)]);
    }

    #[test]
    fn no_pictures_are_missed_after_two_seconds() {
        let mut signal = PictureSignal::new(at(0));
        signal.see(Glance::of(&[90; 320 * 180], 320, SIZE), at(500));
        assert_eq!(signal.signal(at(2_499)), Signal::Fine);
        assert_eq!(signal.signal(at(2_500)), Signal::Stalled);
    }

    #[test]
    fn a_glance_at_whatever_picture_reads_nothing_beyond_it() {
        for (width, height) in [(1, 1), (3, 17), (17, 3), (4_096, 1)] {
            let luma = vec![120; (width * height) as usize];
            let glance = Glance::of(&luma, width as usize, Size { width, height });
            assert_eq!(glance.brightest, 120, "{width}x{height}");
        }
        assert_eq!(Glance::of(&[], 0, SIZE).brightest, 0);
    }

    #[test]
    fn a_quiet_room_a_mute_and_a_pause_are_told_apart() {
        let check = |level: f32, ms: i64, want: Signal| {
            let mut signal = SoundSignal::new(at(0));
            (0..=ms / 20).for_each(|packet| signal.hear(level, at(20 * packet)));
            assert_eq!(signal.signal(at(ms)), want, "{level} for {ms} ms");
        };
        check(1e-2, 60_000, Signal::Fine);
        check(1e-8, 4_000, Signal::Fine);
        check(1e-8, 5_000, Signal::Silent);
        check(0.0, 1_900, Signal::Fine);
        check(0.0, 2_000, Signal::Muted);
        let mut signal = SoundSignal::new(at(0));
        signal.hear(0.1, at(10_000));
        assert_eq!(signal.signal(at(10_000)), Signal::Fine);
        assert_eq!(signal.signal(at(12_000)), Signal::Stalled, "nothing comes, which is no silence");
    }
}
