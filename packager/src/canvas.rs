//! Paints canvases: the background once, then only the tiles whose picture or place has changed since that canvas was last painted, and what lies over
//! them.

use crate::compositor::Tile;
use crate::ffmpeg::{FfmpegError, Picture, Scaler, whole};
use crate::layout::{self, Rect, Scaling, Size};
use crate::names::{Names, Placed};
use crate::stages::FrameStamps;
use std::sync::Arc;

/// Canvases in use at once: what one rung may have waiting, one that it encodes, one that is painted, one that was the last.
const CANVASES: usize = 11;

/// A painted canvas, shared by the rungs.
pub struct Canvas {
    /// The picture.
    pub picture: Picture,
    /// What it shows, in the order in which it was painted.
    holds: Vec<Held>,
}

impl Canvas {
    /// One that has not even a background.
    pub(crate) fn new(size: Size) -> Self {
        let nothing = Held { part: NOWHERE, rect: NOWHERE, serial: 0, name: None };
        Self { picture: Picture::black(size), holds: vec![nothing] }
    }
}

/// A picture on a canvas, with the name on it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    /// The part of the picture that is seen.
    part: Rect,
    /// Where it is.
    rect: Rect,
    /// Which picture.
    serial: u64,
    name: Option<Placed>,
}

impl Held {
    fn of(tile: &Tile<'_, (Picture, FrameStamps)>) -> Self {
        let source = tile.shown.picture.0.size();
        let (part, rect) = match tile.scaling {
            Scaling::Fit => (whole(source), layout::fit(source, tile.rect)),
            Scaling::Fill => (layout::crop(source, tile.rect.size), tile.rect),
        };
        Self { part, rect, serial: tile.shown.serial, name: None }
    }
}

/// Paints canvases and uses them again.
pub struct Painter {
    background: Picture,
    pool: Vec<Arc<Canvas>>,
    last: Option<Arc<Canvas>>,
    /// One for each tile, because a scaler keeps the tables of one pair of sizes.
    scalers: Vec<Scaler>,
    names: Names,
}

impl Painter {
    /// A painter of canvases of one size.
    pub fn new(size: Size) -> Self {
        Self { background: slate(size), pool: Vec::new(), last: None, scalers: Vec::new(), names: Names::default() }
    }

    /// A canvas with these tiles; the last one where nothing changed.
    pub fn paint(&mut self, tiles: &[Tile<'_, (Picture, FrameStamps)>]) -> Result<Arc<Canvas>, FfmpegError> {
        let wanted = self.wanted(tiles);
        if let Some(last) = self.last.as_ref().filter(|last| last.holds == wanted) {
            return Ok(Arc::clone(last));
        }
        let mut canvas = self.take();
        let free = Arc::get_mut(&mut canvas).expect("just made, or taken because nobody else holds it");
        let same_places = free.holds.iter().map(|held| held.rect).eq(wanted.iter().map(|held| held.rect));
        if !same_places {
            Scaler::default().draw(&self.background, &mut free.picture, whole(self.background.size()))?;
            free.holds.clear();
        }
        self.scalers.resize_with(tiles.len().max(self.scalers.len()), Scaler::default);
        let mut painted: Vec<Rect> = Vec::new();
        for (index, (tile, want)) in tiles.iter().zip(&wanted).enumerate() {
            if free.holds.get(index) != Some(want) || painted.iter().any(|below| below.overlaps(want.rect)) {
                self.scalers[index].draw_part(&tile.shown.picture.0, want.part, &mut free.picture, want.rect)?;
                if let Some(name) = &want.name {
                    name.sprite.lay(&mut free.picture, name.x, name.y);
                }
                painted.push(want.rect);
            }
        }
        free.holds = wanted;
        self.last = Some(Arc::clone(&canvas));
        if self.pool.len() < CANVASES {
            self.pool.push(Arc::clone(&canvas));
        }
        Ok(canvas)
    }

    /// What a canvas is to hold: these pictures, and the names of whoever is on them.
    fn wanted(&mut self, tiles: &[Tile<'_, (Picture, FrameStamps)>]) -> Vec<Held> {
        let mut wanted: Vec<Held> = tiles.iter().map(Held::of).collect();
        let rects: Vec<Rect> = wanted.iter().map(|held| held.rect).collect();
        let canvas = self.background.size();
        for (index, (held, tile)) in wanted.iter_mut().zip(tiles).enumerate() {
            held.name = tile.name.and_then(|name| self.names.place(name, canvas, held.rect, &rects[index + 1..]));
        }
        wanted
    }

    /// A canvas that nobody holds any more, or a new one.
    fn take(&mut self) -> Arc<Canvas> {
        self.last = None;
        if let Some(free) = self.pool.iter().position(|c| Arc::strong_count(c) == 1) {
            return self.pool.swap_remove(free);
        }
        Arc::new(Canvas::new(self.background.size()))
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
        let half = Size { width: 640, height: 360 };
        let rects = [0, 640].map(|x| Rect { x, y: 180, size: half });
        let (a, b, c) = (timed(100, 1), timed(150, 2), timed(200, 3));
        let tile = |rect, shown| Tile { rect, scaling: Scaling::Fit, track: TrackId(1), name: None, shown };
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
    fn what_lies_over_a_picture_stays_over_it() {
        let mut painter = Painter::new(SIZE);
        let corner = Rect { x: 928, y: 508, size: Size { width: 320, height: 180 } };
        let small = timed(200, 1);
        for serial in 2..30 {
            // Both canvases come back to be painted again.
            let large = timed(100 + serial as u8, serial);
            let tile = |rect, shown| Tile { rect, scaling: Scaling::Fit, track: TrackId(1), name: None, shown };
            let canvas = painter.paint(&[tile(whole(SIZE), &large), tile(corner, &small)]).expect("paints");
            assert_eq!((luma(&canvas, 100, 100), luma(&canvas, 1_000, 600)), (100 + serial as u8, 200));
        }
    }

    #[test]
    fn a_picture_that_fills_its_tile_is_cut_off_and_one_that_fits_has_bars() {
        let mut painter = Painter::new(SIZE);
        let mut halves = timed(100, 1);
        let (left, picture) = (Rect { x: 0, y: 0, size: Size { width: 160, height: 360 } }, &mut halves.picture.0);
        picture.fill(left, [200, 128, 128]);
        let rect = Rect { x: 0, y: 0, size: Size { width: 320, height: 720 } };
        let tile = |scaling| Tile { rect, scaling, track: TrackId(1), name: None, shown: &halves };
        let fit = painter.paint(&[tile(Scaling::Fit)]).expect("paints");
        assert_eq!((luma(&fit, 20, 360), luma(&fit, 300, 360)), (200, 100));
        assert!(luma(&fit, 20, 20) < 60, "a bar");
        let fill = painter.paint(&[tile(Scaling::Fill)]).expect("paints");
        assert_eq!((luma(&fill, 2, 2), luma(&fill, 300, 700)), (100, 100), "the left quarter is cut off");
    }

    #[test]
    fn canvases_are_used_again() {
        let mut painter = Painter::new(SIZE);
        let rect = whole(SIZE);
        for serial in 0..100 {
            let shown = timed(100, serial);
            painter
                .paint(&[Tile { rect, scaling: Scaling::Fit, track: TrackId(1), name: None, shown: &shown }])
                .expect("paints");
        }
        assert!(painter.pool.len() <= 2, "{}", painter.pool.len());
    }
}
