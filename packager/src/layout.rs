//! Where each source goes on the canvas: pure geometry in luma pixels, x to the right and y down.
//!
//! Measured with swscale's area filter on 2 cores: a tile whose x is a multiple of 64 and whose width is a multiple of 16 costs
//! half of one that is not. Heights and offsets are even because a 4:2:0 chroma sample covers two by two pixels.

use serde::{Deserialize, Serialize};

/// Width and height in luma pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Size {
    /// Luma pixels from left to right.
    pub width: u32,
    /// Luma pixels from top to bottom.
    pub height: u32,
}

/// A rectangle on the canvas, in luma pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rect {
    /// Left edge.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Extent.
    pub size: Size,
}

/// Most sources that one picture shows: a 4x4 grid. Who comes later is heard and not seen.
pub const MAX_TILES: usize = 16;

const X_ALIGN: u32 = 64;
const WIDTH_ALIGN: u32 = 16;

/// The tiles of a plain grid for `count` sources on a canvas, row by row. The grid has as many columns as rows or one more; a last row
/// that is not full is centred. Two sources stand side by side, each as wide as half the canvas and in its proportions.
pub fn grid(canvas: Size, count: usize) -> Vec<Rect> {
    let count = u32::try_from(count.min(MAX_TILES)).expect("at most 16");
    if count == 0 {
        return Vec::new();
    }
    let columns = (1..).find(|c| c * c >= count).expect("4 x 4 holds 16");
    let rows = count.div_ceil(columns);
    let tile_height = even(canvas.height / columns);
    let top = even((canvas.height - rows * tile_height) / 2);
    (0..count)
        .map(|i| {
            let (row, column) = (i / columns, i % columns);
            let in_row = if row + 1 == rows { count - row * columns } else { columns };
            // A row that is not full is shifted by half of what it lacks.
            let edge = |c: u32| align_down((2 * c + columns - in_row) * canvas.width / (2 * columns), X_ALIGN);
            let x = edge(column);
            let right = if column + 1 == columns && in_row == columns { canvas.width } else { edge(column + 1) };
            Rect {
                x,
                y: top + row * tile_height,
                size: Size { width: align_down(right - x, WIDTH_ALIGN), height: tile_height },
            }
        })
        .collect()
}

/// The largest rectangle of the source's proportions inside `tile`, centred ("fit"): bars rather than a cut. Never empty.
pub fn fit(source: Size, tile: Rect) -> Rect {
    let (sw, sh) = (u64::from(source.width.max(1)), u64::from(source.height.max(1)));
    let (tw, th) = (u64::from(tile.size.width), u64::from(tile.size.height));
    let (width, height) = if sw * th >= tw * sh { (tw, tw * sh / sw) } else { (th * sw / sh, th) };
    let to_u32 = |v: u64| u32::try_from(v).expect("not larger than the tile");
    // Rounding to 16 may cost up to 15 pixels of width; where the picture already spans the tile nothing is lost.
    let width = align_down(to_u32(width), WIDTH_ALIGN).max(WIDTH_ALIGN.min(tile.size.width));
    let height = even(to_u32(height)).max(2);
    Rect {
        x: tile.x + align_down((tile.size.width - width) / 2, WIDTH_ALIGN),
        y: tile.y + even((tile.size.height - height) / 2),
        size: Size { width, height },
    }
}

const fn align_down(v: u32, to: u32) -> u32 {
    v / to * to
}

const fn even(v: u32) -> u32 {
    v / 2 * 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HD: Size = Size { width: 1280, height: 720 };

    fn rect(x: u32, y: u32, width: u32, height: u32) -> Rect {
        Rect { x, y, size: Size { width, height } }
    }

    #[test]
    fn one_to_four_sources_fill_the_canvas_as_people_expect() {
        assert_eq!(grid(HD, 0), []);
        assert_eq!(grid(HD, 1), [rect(0, 0, 1280, 720)]);
        assert_eq!(grid(HD, 2), [rect(0, 180, 640, 360), rect(640, 180, 640, 360)]);
        assert_eq!(grid(HD, 3), [rect(0, 0, 640, 360), rect(640, 0, 640, 360), rect(320, 360, 640, 360)]);
        assert_eq!(grid(HD, 4)[3], rect(640, 360, 640, 360));
    }

    #[test]
    fn a_source_keeps_its_proportions() {
        let check = |w, h, want| assert_eq!(fit(Size { width: w, height: h }, rect(0, 0, 640, 360)), want, "{w}x{h}");
        check(1280, 720, rect(0, 0, 640, 360));
        check(640, 480, rect(80, 0, 480, 360));
        check(720, 1280, rect(224, 0, 192, 360));
        check(10_000, 2, rect(0, 178, 640, 2));
        check(2, 10_000, rect(304, 0, 16, 360));
    }

    proptest! {
        #[test]
        fn tiles_are_aligned_inside_the_canvas_and_never_overlap(
            w in 20u32..120, h in 20u32..120, count in 0usize..20, sw in 1u32..5000, sh in 1u32..5000,
        ) {
            let canvas = Size { width: w * 16, height: h * 16 };
            let tiles = grid(canvas, count);
            prop_assert_eq!(tiles.len(), count.min(MAX_TILES));
            for (i, t) in tiles.iter().enumerate() {
                prop_assert!(t.x + t.size.width <= canvas.width && t.y + t.size.height <= canvas.height);
                prop_assert!(t.x % X_ALIGN == 0 && t.size.width % WIDTH_ALIGN == 0 && t.y % 2 == 0 && t.size.height % 2 == 0);
                prop_assert!(t.size.width > 0 && t.size.height > 0);
                for other in &tiles[..i] {
                    let apart = t.x >= other.x + other.size.width || other.x >= t.x + t.size.width
                        || t.y >= other.y + other.size.height || other.y >= t.y + t.size.height;
                    prop_assert!(apart, "{t:?} {other:?}");
                }
                let f = fit(Size { width: sw, height: sh }, *t);
                prop_assert!(f.x >= t.x && f.x + f.size.width <= t.x + t.size.width);
                prop_assert!(f.y >= t.y && f.y + f.size.height <= t.y + t.size.height);
            }
        }
    }
}
