//! Paints canvases: the background once, then only the tiles whose picture or place has changed since that canvas was last painted, and what lies over
//! them: other tiles, a lower third, a logo.

use crate::compositor::Tile;
use crate::ffmpeg::{FfmpegError, Picture, Scaler, whole};
use crate::layout::{self, Layout, LowerThird, Rect, Scaling, Size};
use crate::names::{Names, Placed};
use crate::scenery::{self, Scenery};
use crate::sprite::limited;
use crate::stages::FrameStamps;
use std::sync::Arc;

/// Canvases that are kept to be painted again: what one rung may have waiting, one that it encodes, one that is painted, one that was the last. Where more are
/// in use, as those that rungs repeat, one is made anew.
pub(crate) const CANVASES: usize = 11;

/// A painted canvas, shared by the rungs.
pub struct Canvas {
    /// The picture.
    pub picture: Picture,
    /// What it shows, in the order in which it was painted.
    holds: Vec<Held>,
    /// What is around that: see [`Painter::dress`].
    dressed: u64,
}

impl Canvas {
    /// One that has not even a background.
    pub(crate) fn new(size: Size) -> Self {
        let nothing = Held { part: NOWHERE, rect: NOWHERE, serial: 0, name: None };
        Self { picture: Picture::black(size), holds: vec![nothing], dressed: 0 }
    }

    /// Which background, lower third and logo it was painted with: others have another number.
    pub const fn dressed(&self) -> u64 {
        self.dressed
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
    fn of(tile: &Tile<'_, (Arc<Picture>, FrameStamps)>) -> Self {
        let source = tile.shown.picture.0.size();
        let (part, rect) = match tile.scaling {
            Scaling::Fit => (whole(source), layout::fit(source, tile.rect)),
            Scaling::Fill => (layout::crop(source, tile.rect.size), tile.rect),
        };
        Self { part, rect, serial: tile.shown.serial, name: None }
    }
}

/// What is around the people.
#[derive(Default, PartialEq)]
struct Dress {
    colour: Option<[u8; 3]>,
    lower_third: Option<LowerThird>,
    scenery: Scenery,
}

/// Paints canvases and uses them again.
pub struct Painter {
    background: Picture,
    /// Over the tiles, later ones over earlier ones.
    over: Vec<Placed>,
    /// What background and `over` were made of, and how often they were.
    dress: Dress,
    dressed: u64,
    pool: Vec<Arc<Canvas>>,
    last: Option<Arc<Canvas>>,
    /// One for each tile, because a scaler keeps the tables of one pair of sizes.
    scalers: Vec<Scaler>,
    names: Names,
}

impl Painter {
    /// A painter of canvases of one size.
    pub fn new(size: Size) -> Self {
        Self {
            background: slate(size),
            over: Vec::new(),
            dress: Dress::default(),
            dressed: 0,
            pool: Vec::new(),
            last: None,
            scalers: Vec::new(),
            names: Names::default(),
        }
    }

    /// Another background, lower third or logo, where they are others.
    pub fn dress(&mut self, layout: &Layout, scenery: &Scenery) {
        let (colour, lower_third) = (layout.background, layout.lower_third.clone());
        let dress = Dress { colour, lower_third, scenery: scenery.clone() };
        if dress == self.dress {
            return;
        }
        let size = self.background.size();
        if (dress.colour, &dress.scenery.background) != (self.dress.colour, &self.dress.scenery.background) {
            match dress.colour {
                Some(colour) => self.background.fill(whole(size), limited(colour)),
                None => self.background = slate(size),
            }
            if let Some(picture) = &dress.scenery.background {
                picture.lay(&mut self.background, 0, 0);
            }
        }
        let lower_third = dress.lower_third.as_ref();
        let lower_third = lower_third.and_then(|text| scenery::lower_third(self.names.text(), size, text));
        let logo = dress.scenery.logo.as_ref().and_then(|logo| scenery::logo(size, logo));
        self.over = lower_third.into_iter().chain(logo).collect();
        self.dress = dress;
        self.dressed += 1;
    }

    /// A canvas with these tiles; the last one where nothing changed.
    pub fn paint(&mut self, tiles: &[Tile<'_, (Arc<Picture>, FrameStamps)>]) -> Result<Arc<Canvas>, FfmpegError> {
        let wanted = self.wanted(tiles);
        if let Some(last) = self.last.as_ref().filter(|last| last.holds == wanted && last.dressed == self.dressed) {
            return Ok(Arc::clone(last));
        }
        let mut canvas = self.take();
        let free = Arc::get_mut(&mut canvas).expect("just made, or taken because nobody else holds it");
        let same_dress = free.dressed == self.dressed;
        let same_places = same_dress && free.holds.iter().map(|held| held.rect).eq(wanted.iter().map(|held| held.rect));
        if !same_places {
            Scaler::default().draw(&self.background, &mut free.picture, whole(self.background.size()))?;
            free.holds.clear();
        }
        self.scalers.resize_with(tiles.len().max(self.scalers.len()), Scaler::default);
        let stale = stale(&free.holds, &wanted, &self.over, same_places);
        let (stale_tiles, stale_over) = stale.split_at(wanted.len());
        // What can be seen through is laid on fresh ground: else it would become thicker each time.
        let over: Vec<&Placed> =
            self.over.iter().zip(stale_over).filter(|(_, stale)| **stale).map(|(over, _)| over).collect();
        for ground in over.iter().map(|over| over.rect()).filter(|_| same_places) {
            Scaler::default().draw_part(&self.background, ground, &mut free.picture, ground)?;
        }
        for (index, (tile, want)) in tiles.iter().zip(&wanted).enumerate().filter(|(index, _)| stale_tiles[*index]) {
            self.scalers[index].draw_part(&tile.shown.picture.0, want.part, &mut free.picture, want.rect)?;
            if let Some(name) = &want.name {
                name.sprite.lay(&mut free.picture, name.x, name.y);
            }
        }
        for over in over {
            over.sprite.lay(&mut free.picture, over.x, over.y);
        }
        free.dressed = self.dressed;
        free.holds = wanted;
        self.last = Some(Arc::clone(&canvas));
        if self.pool.len() < CANVASES {
            self.pool.push(Arc::clone(&canvas));
        }
        Ok(canvas)
    }

    /// What a canvas is to hold: these pictures, and the names of whoever is on them.
    fn wanted(&mut self, tiles: &[Tile<'_, (Arc<Picture>, FrameStamps)>]) -> Vec<Held> {
        let mut wanted: Vec<Held> = tiles.iter().map(Held::of).collect();
        let rects: Vec<Rect> = wanted.iter().map(|held| held.rect).collect();
        let canvas = self.background.size();
        let over: Vec<Rect> = self.over.iter().map(Placed::rect).collect();
        for (index, (held, tile)) in wanted.iter_mut().zip(tiles).enumerate() {
            let above = [&rects[index + 1..], &over].concat();
            held.name = tile.name.and_then(|name| self.names.place(name, canvas, held.rect, &above));
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

/// Which tiles, and which of what is over them, are to be painted on a canvas that holds `holds`, of which nothing is kept where it was painted over
/// (not `kept`): those that are others, what lies over one that is painted, and what lies below something that can be seen through and is painted.
fn stale(holds: &[Held], wanted: &[Held], over: &[Placed], kept: bool) -> Vec<bool> {
    let rects: Vec<Rect> = wanted.iter().map(|held| held.rect).chain(over.iter().map(Placed::rect)).collect();
    let tiles = wanted.len();
    let mut stale: Vec<bool> =
        (0..rects.len()).map(|index| !kept || index < tiles && holds.get(index) != wanted.get(index)).collect();
    loop {
        let touched = |index: usize| {
            (0..rects.len())
                .any(|other| (other < index || other >= tiles) && stale[other] && rects[other].overlaps(rects[index]))
        };
        let next: Vec<bool> = (0..rects.len()).map(|index| stale[index] || touched(index)).collect();
        if next == stale {
            return stale;
        }
        stale = next;
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
    use crate::scenery::{Corner, Logo};
    use crate::sprite::Sprite;
    use footlight_media::frame::IngestStamps;
    use footlight_media::time::SessionTime;
    use footlight_media::track::TrackId;

    const SIZE: Size = Size { width: 1280, height: 720 };

    fn timed(luma: u8, serial: u64) -> Timed<(Arc<Picture>, FrameStamps)> {
        let mut picture = Picture::black(Size { width: 640, height: 360 });
        picture.fill(whole(picture.size()), [luma, 128, 128]);
        shown(picture, serial)
    }

    fn shown(picture: Picture, serial: u64) -> Timed<(Arc<Picture>, FrameStamps)> {
        let stamps = FrameStamps {
            track: TrackId(1),
            time: SessionTime::ZERO,
            ingest: IngestStamps::default(),
            decoded: SessionTime::ZERO,
        };
        Timed { time: SessionTime::ZERO, picture: (Arc::new(picture), stamps), tick: 0, serial }
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
    fn what_can_be_seen_through_stays_as_thin_as_it_is_and_what_stands_still_is_one_canvas() {
        let mut painter = Painter::new(SIZE);
        let half = Sprite::new(Size { width: 80, height: 40 }, |_, _| ([235, 128, 128], 128));
        let scenery = Scenery { background: None, logo: Some(Logo { sprite: half, corner: Corner::TopRight }) };
        let third = LowerThird { title: "Ada".into(), subtitle: None };
        let layout = Layout { lower_third: Some(third), background: Some([255; 3]), ..Layout::default() };
        painter.dress(&layout, &scenery);
        let rects = [0, 640].map(|x| Rect { x, y: 0, size: Size { width: 640, height: 360 } });
        let still = timed(100, 1);
        for serial in 2..30 {
            // The logo is over the one that moves.
            let moving = timed(35, serial);
            let tile = |rect, shown| Tile { rect, scaling: Scaling::Fit, track: TrackId(1), name: Some("Ada"), shown };
            let tiles = [tile(rects[0], &still), tile(rects[1], &moving)];
            let canvas = painter.paint(&tiles).expect("paints");
            assert_eq!((luma(&canvas, 1_200, 50), luma(&canvas, 1_000, 50)), (135, 35));
            assert_eq!((luma(&canvas, 100, 100), luma(&canvas, 1_000, 500)), (100, 235));
            painter.dress(&layout, &scenery);
            assert!(Arc::ptr_eq(&canvas, &painter.paint(&tiles).expect("paints")), "nothing has changed");
        }
        painter.dress(&Layout::default(), &Scenery::default());
        assert!(luma(&painter.paint(&[]).expect("paints"), 1_200, 50) < 60, "the stage");
    }

    #[test]
    fn a_picture_that_fills_its_tile_is_cut_off_and_one_that_fits_has_bars() {
        let mut painter = Painter::new(SIZE);
        let mut picture = Picture::black(Size { width: 640, height: 360 });
        picture.fill(whole(picture.size()), [100, 128, 128]);
        picture.fill(Rect { x: 0, y: 0, size: Size { width: 160, height: 360 } }, [200, 128, 128]);
        let halves = shown(picture, 1);
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
