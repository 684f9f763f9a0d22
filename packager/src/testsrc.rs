//! A picture and a sound made up: for trying out a room without a camera. Pure: the date is an argument, and the same date gives the same picture.
//!
//! The picture has its name, a running clock (UTC), colour bars and a block that goes from left to right each two seconds. At each full second its
//! middle is white and a tone sounds, both for 100 ms, so that lip sync can be seen, heard and measured.

use crate::decode::SAMPLE_RATE;
use crate::ffmpeg::{FfmpegError, Picture, Scaler, whole};
use crate::glyphs;
use crate::layout::{Rect, Size};
use footlight_media::time::WallTime;

/// Of each second, from its begin: the flash and the tone.
pub const MARK_US: i64 = 100_000;
/// The tone: a whole number of periods fits into the mark, so that it ends without a click.
pub const TONE_HERTZ: u32 = 1_000;
/// Peak of the tone, of 1: -12 dB, loud enough to be heard in a mix.
const TONE_PEAK: f32 = 0.25;
const SECOND_US: i64 = 1_000_000;
/// The moving block goes across once in this time.
const SWEEP_US: i64 = 2 * SECOND_US;

/// Sizes that can be drawn: below, the clock does not fit; above, no level of H.264 that every browser decodes takes it.
pub const SIZES: std::ops::RangeInclusive<u32> = 128..=3_840;

const WHITE: [u8; 3] = [235, 128, 128];
const DARK: [u8; 3] = [32, 128, 128];
const MOVING: [u8; 3] = [180, 60, 160];
/// Yellow, cyan, green, magenta, red, blue at 75 % (BT.709, limited range).
const BARS: [[u8; 3]; 6] =
    [[168, 44, 136], [145, 147, 44], [133, 63, 52], [63, 193, 204], [51, 109, 212], [28, 212, 120]];

/// Draws test pictures of one size and name.
pub struct TestPicture {
    background: Picture,
    copier: Scaler,
}

impl TestPicture {
    /// `hue` tints the background, so that several are told apart: 0 to 255.
    pub fn new(size: Size, name: &str, hue: u8) -> Self {
        let mut background = Picture::black(size);
        background.paint(whole(size), |plane, _, row| match plane {
            // Darker towards the top, where the letters are.
            0 => 40 + u8::try_from(row * 40 / size.height as usize).expect("at most 40"),
            1 => 112 + hue / 8,
            _ => 144 - hue / 8,
        });
        let below = part(size, (0, 20), (16, 4));
        for (index, colour) in (0_u32..).zip(BARS) {
            let (x, right) = (even(size.width * index / 6), even(size.width * (index + 1) / 6));
            let bar = Rect { x, y: below.y, size: Size { width: right - x, height: below.size.height } };
            background.fill(bar, colour);
        }
        write(&mut background, part(size, (1, 1), (14, 4)), name);
        Self { background, copier: Scaler::default() }
    }

    /// The picture of a moment.
    pub fn at(&mut self, date: WallTime) -> Result<Picture, FfmpegError> {
        let size = self.background.size();
        let mut picture = Picture::black(size);
        self.copier.draw(&self.background, &mut picture, whole(size))?;
        let flash = flashes(date);
        picture.fill(part(size, (4, 10), (8, 6)), if flash { WHITE } else { DARK });
        // HH:MM:SS.mmm of the date.
        let date_text = date.rfc3339_millis();
        write(&mut picture, part(size, (1, 5), (14, 4)), &date_text[11..23]);
        let track = part(size, (0, 17), (16, 2));
        let width = even(size.width / 16).max(2);
        let travelled = date.as_micros().rem_euclid(SWEEP_US) * i64::from(size.width - width) / SWEEP_US;
        let x = even(u32::try_from(travelled).expect("inside the picture"));
        picture.fill(Rect { x, y: track.y, size: Size { width, height: track.size.height } }, MOVING);
        Ok(picture)
    }
}

/// Whether the middle is white.
pub const fn flashes(date: WallTime) -> bool {
    date.as_micros().rem_euclid(SECOND_US) < MARK_US
}

/// Sample `index` of the tone, counted from a full second, 48,000 to the second.
pub fn tone(index: u64) -> f32 {
    let in_second = u32::try_from(index % u64::from(SAMPLE_RATE)).expect("below the rate");
    if i64::from(in_second) * SECOND_US >= MARK_US * i64::from(SAMPLE_RATE) {
        return 0.0;
    }
    // Whole periods are dropped before the division, so that it stays exact.
    let phase = (in_second * TONE_HERTZ % SAMPLE_RATE) as f32 / SAMPLE_RATE as f32;
    (phase * std::f32::consts::TAU).sin() * TONE_PEAK
}

/// A rectangle by sixteenths of the width and twenty-fourths of the height, with even edges.
fn part(size: Size, (column, row): (u32, u32), (columns, rows): (u32, u32)) -> Rect {
    let (x, y) = (even(size.width * column / 16), even(size.height * row / 24));
    let (right, bottom) = (even(size.width * (column + columns) / 16), even(size.height * (row + rows) / 24));
    Rect { x, y, size: Size { width: right - x, height: bottom - y } }
}

const fn even(v: u32) -> u32 {
    v / 2 * 2
}

/// Writes text as large as fits, centred; what does not fit at the smallest is cut.
fn write(picture: &mut Picture, inside: Rect, text: &str) {
    let letters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX).max(1);
    let dot =
        even((inside.size.width / letters.saturating_mul(glyphs::ADVANCE)).min(inside.size.height / glyphs::HEIGHT));
    let dot = dot.max(2);
    let fitting = inside.size.width / (glyphs::ADVANCE * dot);
    let left = inside.x + even((inside.size.width - letters.min(fitting) * glyphs::ADVANCE * dot) / 2);
    for (at, letter) in (0..fitting).zip(text.chars()) {
        for (column, dots) in (0_u32..).zip(glyphs::columns(letter)) {
            for row in (0..glyphs::HEIGHT).filter(|row| dots >> row & 1 == 1) {
                let (x, y) = (left + (at * glyphs::ADVANCE + column) * dot, inside.y + row * dot);
                if y + dot <= inside.y + inside.size.height {
                    picture.fill(Rect { x, y, size: Size { width: dot, height: dot } }, WHITE);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIZE: Size = Size { width: 640, height: 360 };

    fn luma(picture: &Picture, x: usize, y: usize) -> u8 {
        let (plane, stride) = picture.plane(0);
        plane[y * stride + x]
    }

    fn rows_of(picture: &Picture, rect: Rect) -> Vec<Vec<u8>> {
        let (plane, stride) = picture.plane(0);
        let columns = rect.x as usize..(rect.x + rect.size.width) as usize;
        let rows = rect.y as usize..(rect.y + rect.size.height) as usize;
        rows.map(|row| plane[row * stride..][columns.clone()].to_vec()).collect()
    }

    #[test]
    fn the_middle_is_white_for_the_first_tenth_of_a_second_and_the_tone_sounds_as_long() {
        let mut card = TestPicture::new(SIZE, "Ada", 0);
        let second = 1_800_000_000 * SECOND_US;
        for (us, white) in [(0, true), (99_999, true), (100_000, false), (999_999, false), (1_000_000, true)] {
            let picture = card.at(WallTime::from_micros(second + us)).expect("draws");
            assert_eq!(luma(&picture, 320, 180) == WHITE[0], white, "{us}");
        }
        let loud: Vec<u64> = (0..96_000).filter(|i| tone(*i).abs() > 0.01).collect();
        assert!(loud.iter().all(|i| i % 48_000 < 4_800), "{:?}", loud.last());
        assert!(loud.iter().any(|i| *i < 10) && loud.iter().any(|i| *i > 52_700));
        let crossings = (1..4_800).filter(|i| tone(i - 1) < 0.0 && tone(*i) >= 0.0).count();
        assert_eq!(crossings, 99, "100 periods in 100 ms: 1 kHz");
    }

    #[test]
    fn the_clock_runs_the_block_moves_and_the_name_stays() {
        let mut card = TestPicture::new(SIZE, "Ada", 0);
        let at = |card: &mut TestPicture, us| card.at(WallTime::from_micros(us)).expect("draws");
        let (one, two) = (at(&mut card, 200_000), at(&mut card, 233_333));
        let clock = part(SIZE, (1, 5), (14, 4));
        let (name, track) = (part(SIZE, (1, 1), (14, 4)), part(SIZE, (0, 17), (16, 2)));
        assert_ne!(rows_of(&one, clock), rows_of(&two, clock));
        assert_ne!(rows_of(&one, track), rows_of(&two, track));
        assert_eq!(rows_of(&one, name), rows_of(&two, name));
        let other = at(&mut TestPicture::new(SIZE, "Grace", 0), 200_000);
        assert_ne!(rows_of(&one, name), rows_of(&other, name));
    }

    #[test]
    fn letters_are_drawn_as_the_font_has_them() {
        let mut picture = Picture::black(Size { width: 128, height: 128 });
        let box_of_one = Rect { x: 0, y: 0, size: Size { width: 12, height: 14 } };
        write(&mut picture, box_of_one, "L");
        let drawn: Vec<String> = (0..7)
            .map(|row| (0..5).map(|column| if luma(&picture, column * 2, row * 2) > 100 { '#' } else { '.' }).collect())
            .collect();
        assert_eq!(drawn, ["#....", "#....", "#....", "#....", "#....", "#....", "#####"]);
    }

    proptest! {
        #[test]
        fn any_size_date_and_name_can_be_drawn(
            width in 64_u32..500, height in 64_u32..400, us in any::<i32>(), name in ".{0,40}",
        ) {
            let size = Size { width: width * 2, height: height * 2 };
            let picture = TestPicture::new(size, &name, 200).at(WallTime::from_micros(i64::from(us) * 1_000));
            prop_assert_eq!(picture.expect("draws").size(), size);
        }
    }
}
