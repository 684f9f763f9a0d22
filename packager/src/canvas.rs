//! Paints canvases: the background once, then only the tiles whose picture or place has changed since that canvas was last painted.

use crate::compositor::Tile;
use crate::ffmpeg::{FfmpegError, Picture, Scaler, whole};
use crate::layout::{self, Rect, Size};
use crate::stages::FrameStamps;
use std::sync::Arc;

/// Canvases in use at once: what one rung may have waiting, one that it encodes, one that is painted, one that was the last.
const CANVASES: usize = 11;

/// A painted canvas, shared by the rungs.
pub struct Canvas {
    /// The picture.
    pub picture: Picture,
    /// What it shows: where, and which picture by its serial number.
    holds: Vec<(Rect, u64)>,
}

/// Paints canvases and uses them again.
pub struct Painter {
    background: Picture,
    pool: Vec<Arc<Canvas>>,
    last: Option<Arc<Canvas>>,
    /// One for each tile, because a scaler keeps the tables of one pair of sizes.
    scalers: Vec<Scaler>,
}

impl Painter {
    /// A painter of canvases of one size.
    pub fn new(size: Size) -> Self {
        Self { background: slate(size), pool: Vec::new(), last: None, scalers: Vec::new() }
    }

    /// A canvas with these tiles; the last one where nothing changed.
    pub fn paint(&mut self, tiles: &[Tile<'_, (Picture, FrameStamps)>]) -> Result<Arc<Canvas>, FfmpegError> {
        let wanted: Vec<(Rect, u64)> =
            tiles.iter().map(|t| (layout::fit(t.shown.picture.0.size(), t.rect), t.shown.serial)).collect();
        if let Some(last) = self.last.as_ref().filter(|last| last.holds == wanted) {
            return Ok(Arc::clone(last));
        }
        let mut canvas = self.take();
        let free = Arc::get_mut(&mut canvas).expect("just made, or taken because nobody else holds it");
        let same_places = free.holds.iter().map(|(rect, _)| rect).eq(wanted.iter().map(|(rect, _)| rect));
        if !same_places {
            Scaler::default().draw(&self.background, &mut free.picture, whole(self.background.size()))?;
            free.holds.clear();
        }
        self.scalers.resize_with(tiles.len().max(self.scalers.len()), Scaler::default);
        for (index, (tile, (rect, serial))) in tiles.iter().zip(&wanted).enumerate() {
            if free.holds.get(index).is_none_or(|(_, held)| held != serial) {
                self.scalers[index].draw(&tile.shown.picture.0, &mut free.picture, *rect)?;
            }
        }
        free.holds = wanted;
        self.last = Some(Arc::clone(&canvas));
        if self.pool.len() < CANVASES {
            self.pool.push(Arc::clone(&canvas));
        }
        Ok(canvas)
    }

    /// A canvas that nobody holds any more, or a new one.
    fn take(&mut self) -> Arc<Canvas> {
        self.last = None;
        if let Some(free) = self.pool.iter().position(|c| Arc::strong_count(c) == 1) {
            return self.pool.swap_remove(free);
        }
        Arc::new(Canvas { picture: Picture::black(self.background.size()), holds: vec![(NOWHERE, 0)] })
    }
}

/// Held by a canvas that has not even a background.
const NOWHERE: Rect = Rect { x: 0, y: 0, size: Size { width: 0, height: 0 } };

/// What is seen where nobody is: a dark stage with light falling on its middle.
fn slate(size: Size) -> Picture {
    let mut picture = Picture::black(size);
    picture.paint(whole(size), |plane, column, row| {
        let (width, height) = if plane == 0 { (size.width, size.height) } else { (size.width / 2, size.height / 2) };
        let from_centre = |at: usize, length: u32| {
            let half = i64::from(length) / 2;
            (i64::try_from(at).unwrap_or(0) - half) * 1_000 / half.max(1)
        };
        let (x, y) = (from_centre(column, width), from_centre(row, height) * 3 / 4);
        // 1,000 in the middle, 0 from the middle of the edges on.
        let light = (1_000_000 - x * x - y * y).max(0) / 1_000;
        let value = match plane {
            0 => 22 + light * 26 / 1_000,
            1 => 136 + light * 6 / 1_000,
            _ => 124,
        };
        u8::try_from(value).expect("at most 142")
    });
    picture
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compositor::Timed;
    use footlight_media::frame::IngestStamps;
    use footlight_media::time::SessionTime;
    use footlight_media::track::TrackId;

    const SIZE: Size = Size { width: 1280, height: 720 };

    fn timed(luma: u8, serial: u64) -> Timed<(Picture, FrameStamps)> {
        let mut picture = Picture::black(Size { width: 640, height: 360 });
        picture.fill(whole(picture.size()), [luma, 128, 128]);
        let stamps = FrameStamps {
            track: TrackId(1),
            time: SessionTime::ZERO,
            ingest: IngestStamps::default(),
            decoded: SessionTime::ZERO,
        };
        Timed { time: SessionTime::ZERO, picture: (picture, stamps), tick: 0, serial }
    }

    fn luma(canvas: &Canvas, x: usize, y: usize) -> u8 {
        let (plane, stride) = canvas.picture.plane(0);
        plane[y * stride + x]
    }

    #[test]
    fn a_changed_tile_is_painted_an_unchanged_canvas_is_shared_and_a_tile_that_goes_leaves_the_background() {
        let mut painter = Painter::new(SIZE);
        let rects = layout::grid(SIZE, 2);
        let (a, b, c) = (timed(100, 1), timed(150, 2), timed(200, 3));
        let tile = |rect, shown| Tile { rect, track: TrackId(1), shown };
        let first = painter.paint(&[tile(rects[0], &a), tile(rects[1], &b)]).expect("paints");
        assert_eq!((luma(&first, 320, 360), luma(&first, 960, 360)), (100, 150));
        let same = painter.paint(&[tile(rects[0], &a), tile(rects[1], &b)]).expect("paints");
        assert!(Arc::ptr_eq(&first, &same));
        let second = painter.paint(&[tile(rects[0], &a), tile(rects[1], &c)]).expect("paints");
        assert_eq!((luma(&second, 320, 360), luma(&second, 960, 360)), (100, 200));
        assert_eq!(luma(&first, 960, 360), 150, "a canvas in use is not painted over");
        let slate = painter.paint(&[]).expect("paints");
        assert!(luma(&slate, 320, 360) < 60);
    }

    #[test]
    fn canvases_are_used_again() {
        let mut painter = Painter::new(SIZE);
        let rect = layout::grid(SIZE, 1)[0];
        for serial in 0..100 {
            let shown = timed(100, serial);
            painter.paint(&[Tile { rect, track: TrackId(1), shown: &shown }]).expect("paints");
        }
        assert!(painter.pool.len() <= 2, "{}", painter.pool.len());
    }
}
