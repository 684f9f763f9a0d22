//! Pictures with transparency that are laid over a canvas: drawn once, laid on for as long as they are wanted. Pure.

use crate::ffmpeg::Picture;
use crate::layout::Size;
use crate::text::Line;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Luma of white and of black in limited range, and chroma of both.
const WHITE: u8 = 235;
const BLACK: u8 = 16;
const GREY: u8 = 128;
/// How much of what is below a plate it covers, in parts of 255: letters on it are read before a white shirt and before a dark stage.
const PLATE: u8 = 166;

/// One sample of a sprite's making: `[Y, Cb, Cr]` in limited range (BT.709), and how much it covers, 0 to 255.
pub type Sample = ([u8; 3], u8);

/// A picture with transparency in 4:2:0, whose width, height and place are even.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sprite {
    size: Size,
    /// Y, Cb, Cr.
    planes: [Plane; 3],
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Plane {
    width: usize,
    /// Samples in the measure in which they cover.
    colour: Bytes,
    /// How much of what is below is seen, 0 to 255; empty where nothing is, anywhere: a background is half as long without.
    below: Bytes,
}

/// A plane that is being made.
struct Making {
    colour: Vec<u8>,
    below: Vec<u8>,
}

impl Sprite {
    /// A sprite of `sample(column, row)` for each of its pixels. Odd lengths are cut to even ones.
    pub fn new(size: Size, sample: impl Fn(usize, usize) -> Sample) -> Self {
        let size = Size { width: size.width & !1, height: size.height & !1 };
        let (width, height) = (size.width as usize, size.height as usize);
        let mut planes = [1, 2, 2].map(|step| Making {
            colour: Vec::with_capacity(width * height / (step * step)),
            below: Vec::with_capacity(width * height / (step * step)),
        });
        for row in 0..height {
            for column in 0..width {
                let (colour, covers) = sample(column, row);
                planes[0].push(u32::from(colour[0]) * u32::from(covers), u32::from(covers), 1);
            }
        }
        for (row, column) in
            (0..height).step_by(2).flat_map(|row| (0..width).step_by(2).map(move |column| (row, column)))
        {
            let four = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(right, down)| sample(column + right, row + down));
            let covers = four.iter().map(|(_, covers)| u32::from(*covers)).sum();
            for index in 1..3 {
                let colour = four.iter().map(|(colour, covers)| u32::from(colour[index]) * u32::from(*covers)).sum();
                planes[index].push(colour, covers, 4);
            }
        }
        let mut index = 0;
        let planes = planes.map(|Making { colour, below }| {
            let step = if index == 0 { 1 } else { 2 };
            index += 1;
            let below = if below.iter().all(|below| *below == 0) { Bytes::new() } else { below.into() };
            Plane { width: width / step, colour: colour.into(), below }
        });
        Self { size, planes }
    }

    /// A sprite of red, green, blue and how much it covers, 0 to 255, for each pixel, row by row; colours in the measure in which they cover. What is
    /// missing covers nothing.
    pub fn from_rgba(size: Size, rgba: &[u8]) -> Self {
        let width = size.width as usize;
        Self::new(size, |column, row| {
            let at = (row * width + column) * 4;
            let Some(&[red, green, blue, covers]) = rgba.get(at..at + 4) else { return ([BLACK, GREY, GREY], 0) };
            let whole = |colour: u8| small(u32::from(colour) * 255 / u32::from(covers).max(1));
            (limited([red, green, blue].map(whole)), covers)
        })
    }

    /// Lines of white text below each other on a dark, translucent plate with rounded corners. Lines that run from right to left begin at the right.
    pub fn plate(lines: &[Line]) -> Self {
        let rows: usize = lines.iter().map(|line| line.height).sum();
        let widest = lines.iter().map(|line| line.width).max().unwrap_or(0);
        let margin = lines.first().map_or(0, |line| line.height / 4);
        let (width, height) = (widest + 2 * margin, rows);
        let covered = |column: usize, row: usize| {
            let mut top = 0;
            let line = lines.iter().find(|line| {
                let here = (top..top + line.height).contains(&row);
                top += if here { 0 } else { line.height };
                here
            })?;
            let left = if line.from_the_right { margin + widest - line.width } else { margin };
            let column = column.checked_sub(left).filter(|column| *column < line.width)?;
            line.coverage.get((row - top) * line.width + column).copied()
        };
        let to_u32 = |length: usize| u32::try_from(length.next_multiple_of(2)).expect("a line of a canvas");
        Self::new(Size { width: to_u32(width), height: to_u32(height) }, |column, row| {
            let letter = u32::from(covered(column, row).unwrap_or(0));
            let plate = u32::from(PLATE) * rounded(column, row, (width, height), margin) / 255;
            let under = plate * (255 - letter) / 255;
            let covers = letter + under;
            let luma = (letter * u32::from(WHITE) + under * u32::from(BLACK)) / covers.max(1);
            ([small(luma), GREY, GREY], small(covers))
        })
    }

    /// Luma pixels.
    pub const fn size(&self) -> Size {
        self.size
    }

    /// Lays it over a picture, its upper left corner at an even place. What would be outside is not laid.
    pub fn lay(&self, onto: &mut Picture, x: u32, y: u32) {
        let canvas = onto.size();
        for (index, plane) in self.planes.iter().enumerate() {
            let shift = u32::from(index > 0);
            let half = |length: u32| (length >> shift) as usize;
            let (left, top, width, height) = (half(x), half(y), half(canvas.width), half(canvas.height));
            let seen = plane.width.min(width.saturating_sub(left));
            if seen == 0 {
                continue;
            }
            let (samples, stride) = onto.plane_mut(index);
            let onto = samples.chunks_mut(stride).take(height).skip(top);
            if plane.below.is_empty() {
                for (onto, colour) in onto.zip(plane.colour.chunks(plane.width)) {
                    onto[left..left + seen].copy_from_slice(&colour[..seen]);
                }
                continue;
            }
            let rows = plane.colour.chunks(plane.width).zip(plane.below.chunks(plane.width));
            for (onto, (colour, below)) in onto.zip(rows) {
                for ((sample, colour), below) in onto[left..left + seen].iter_mut().zip(colour).zip(below) {
                    *sample = colour.saturating_add(part(*sample, *below));
                }
            }
        }
    }
}

impl Making {
    /// Takes the sum of `of` samples, each multiplied by how much it covers.
    fn push(&mut self, colour: u32, covers: u32, of: u32) {
        self.colour.push(small((colour + 255 * of / 2) / (255 * of)));
        self.below.push(255 - small((covers + of / 2) / of));
    }
}

/// So many parts of 255 of a sample, rounded, in 16 bits: a vector takes more of them.
const fn part(sample: u8, of: u8) -> u8 {
    let product = sample as u16 * of as u16 + 128;
    ((product + (product >> 8)) >> 8) as u8
}

/// How much of a pixel a rectangle with rounded corners covers, 0 to 255.
fn rounded(column: usize, row: usize, (width, height): (usize, usize), radius: usize) -> u32 {
    if column >= width || row >= height {
        return 0;
    }
    // From the corner's centre, counted from the pixel's, in both directions.
    let beyond = |at: usize, length: usize| (radius as f32 - (at.min(length - 1 - at) as f32 + 0.5)).max(0.0);
    let (right, down) = (beyond(column, width), beyond(row, height));
    let inside = radius as f32 + 0.5 - right.hypot(down);
    if right == 0.0 || down == 0.0 { 255 } else { (inside.clamp(0.0, 1.0) * 255.0) as u32 }
}

/// Red, green and blue as `[Y, Cb, Cr]` in limited range (ITU-T H.273: BT.709).
pub fn limited([red, green, blue]: [u8; 3]) -> [u8; 3] {
    let [red, green, blue] = [red, green, blue].map(|colour| f32::from(colour) / 255.0);
    let luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    let chroma = |colour: f32, scale: f32| (128.0 + 224.0 * (colour - luma) / scale).round() as u8;
    [(16.0 + 219.0 * luma).round() as u8, chroma(blue, 1.8556), chroma(red, 1.5748)]
}

fn small(value: u32) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffmpeg::whole;

    const SIZE: Size = Size { width: 64, height: 32 };

    fn grey(luma: u8) -> Picture {
        let mut picture = Picture::black(SIZE);
        picture.fill(whole(SIZE), [luma, 100, 150]);
        picture
    }

    fn samples(picture: &Picture, x: usize, y: usize) -> [u8; 3] {
        [0, 1, 2].map(|index| {
            let (plane, stride) = picture.plane(index);
            let half = usize::from(index > 0);
            plane[(y >> half) * stride + (x >> half)]
        })
    }

    #[test]
    fn what_covers_is_seen_what_does_not_is_not_and_half_is_half() {
        let colour = [200, 60, 90];
        let halves = Sprite::new(Size { width: 12, height: 4 }, |column, _| (colour, [0, 255, 128][column / 4]));
        let mut picture = grey(100);
        halves.lay(&mut picture, 20, 10);
        assert_eq!(samples(&picture, 20, 10), [100, 100, 150]);
        assert_eq!(samples(&picture, 25, 12), colour);
        assert_eq!(samples(&picture, 30, 13), [150, 80, 120]);
        for outside in [(19, 10), (32, 10), (20, 9), (25, 14)] {
            assert_eq!(samples(&picture, outside.0, outside.1), [100, 100, 150], "{outside:?}");
        }
    }

    #[test]
    fn colours_are_those_of_bt_709() {
        // ITU-R BT.709: black, white, and the primaries at full.
        let table = [
            ([0, 0, 0], [16, 128, 128]),
            ([255, 255, 255], [235, 128, 128]),
            ([255, 0, 0], [63, 102, 240]),
            ([0, 255, 0], [173, 42, 26]),
            ([0, 0, 255], [32, 240, 118]),
        ];
        for (rgb, want) in table {
            assert_eq!(limited(rgb), want, "{rgb:?}");
        }
        // Red that covers half, over grey.
        let red: Vec<u8> = [128, 0, 0, 128].repeat(16);
        let mut picture = grey(100);
        Sprite::from_rgba(Size { width: 4, height: 4 }, &red).lay(&mut picture, 0, 0);
        let seen = samples(&picture, 1, 1);
        for (seen, want) in seen.into_iter().zip([81, 101, 195]) {
            assert!(seen.abs_diff(want) <= 1, "{seen}, not {want}");
        }
    }

    #[test]
    fn what_reaches_out_of_the_picture_is_cut_off() {
        let sprite = Sprite::new(Size { width: 40, height: 40 }, |_, _| ([200, 128, 128], 255));
        for (x, y) in [(40, 8), (62, 30), (64, 0), (0, 32), (1_000, 1_000)] {
            let mut picture = grey(100);
            sprite.lay(&mut picture, x, y);
            assert_eq!(samples(&picture, 0, 0), if (x, y) == (0, 0) { [200, 128, 128] } else { [100, 100, 150] });
            let corner = samples(&picture, 63, 31)[0];
            assert_eq!(corner == 200, x < 64 && y < 32, "{x},{y}");
        }
    }

    #[test]
    fn a_line_from_the_right_ends_where_the_plate_does() {
        let line = |width: usize, from_the_right| Line {
            width,
            height: 16,
            coverage: vec![255; width * 16],
            from_the_right,
            glyphs: Vec::new(),
        };
        for (from_the_right, left, right) in [(false, WHITE, 40), (true, 40, WHITE)] {
            let plate = Sprite::plate(&[line(40, false), line(10, from_the_right)]);
            assert_eq!(plate.size(), Size { width: 48, height: 32 });
            let mut picture = grey(100);
            plate.lay(&mut picture, 0, 0);
            let seen = [8, 39].map(|x| samples(&picture, x, 24)[0]);
            let near = |seen: u8, want: u8| seen.abs_diff(want) < 15;
            assert!(near(seen[0], left) && near(seen[1], right), "{seen:?}");
            assert_eq!(samples(&picture, 0, 0)[0], 100, "a round corner");
        }
    }
}
