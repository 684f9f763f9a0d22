//! Where each source goes on the canvas: pure geometry in luma pixels, x to the right and y down.
//!
//! All edges are even, because a 4:2:0 chroma sample covers two by two pixels. They are aligned to nothing more: that would cost tiles that are alike and
//! pictures of their own proportions, and saves no time (`docs/decisions/tiles-are-alike-not-aligned.md`).

use footlight_media::track::{Contributor, PeerKey, Source};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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

impl Rect {
    /// Whether they have a pixel in common.
    pub const fn overlaps(self, other: Self) -> bool {
        let apart = self.x + self.size.width <= other.x
            || other.x + other.size.width <= self.x
            || self.y + self.size.height <= other.y
            || other.y + other.size.height <= self.y;
        !apart
    }
}

/// Most sources that one picture shows: a 4x4 grid. Who comes later is heard and not seen.
pub const MAX_TILES: usize = 16;

/// How a programme's picture is arranged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Who is where.
    pub arrangement: Arrangement,
    /// What becomes of a picture that has other proportions than its tile.
    pub scaling: Scaling,
    /// Whose picture is the large one. While they have none, and where nobody is named, it is that of whoever came first.
    pub focus: Option<PeerKey>,
    /// The large one is whoever speaks. Until somebody does, and while they have no picture, it is as without this.
    pub follows_speaker: bool,
    /// Whose picture stands small in a corner over whatever arrangement, as a sign-language interpreter's.
    pub pinned: Option<PeerKey>,
    /// Where screens that are shared go.
    pub screens: Screens,
    /// How it passes into the next, and into what it becomes when people come and go.
    pub transition: Transition,
    /// What stands under whose picture.
    pub names: BTreeMap<PeerKey, String>,
    /// Who is not among `names` has the name that they came with.
    pub show_names: bool,
    /// The background's red, green and blue; `None`: the stage.
    pub background: Option<[u8; 3]>,
    /// Text at the lower left, over the pictures.
    pub lower_third: Option<LowerThird>,
}

/// Text over the pictures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LowerThird {
    /// The upper line.
    pub title: String,
    /// Smaller, below it.
    pub subtitle: Option<String>,
}

/// Where screens that are shared go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Screens {
    /// The newest is the large one of its arrangement, where a grid becomes a sidebar for as long as it lasts.
    #[default]
    Large,
    /// They are tiles as any other.
    Tiles,
}

/// How one arrangement passes into the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transition {
    /// Within 300 ms.
    #[default]
    Smooth,
    /// From one picture to the next.
    None,
}

impl Transition {
    /// For how many pictures neither the one nor the other is seen alone.
    pub const fn ticks(self, fps: u32) -> u32 {
        match self {
            Self::Smooth => fps * 3 / 10,
            Self::None => 0,
        }
    }
}

/// Who is where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Arrangement {
    /// All alike.
    #[default]
    Grid,
    /// One alone.
    Spotlight,
    /// One large, the others beside it; below it on an upright canvas.
    Sidebar,
    /// One large, the others small over its lower edge.
    PictureInPicture,
}

/// What becomes of a picture that has other proportions than its tile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scaling {
    /// All of it is seen, between bars.
    #[default]
    Fit,
    /// It fills the tile, and what does not fit in is cut off.
    Fill,
}

/// A source's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Which source.
    pub source: usize,
    /// Its tile.
    pub rect: Rect,
    /// How its picture is put into it: of a screen nothing is cut off, as what is written there may be at its edge.
    pub scaling: Scaling,
}

/// Tiles whose width differs by less than this are as large as each other: then there are rather more columns than more rows.
const ALIKE: u32 = 16;
/// Of the canvas's longer side: what a small tile takes where there is room for it, and what it does not fall below before there is a second row of them.
const SMALL: u32 = 4;
const LEAST: u32 = 8;
/// The part of a tile's side below which a bar is not left: it would be seen as a line, and the picture's being stretched by so little is not seen.
const SLIVER: u64 = 64;

/// What tiles are shaped like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// 16:9, as most cameras.
    Wide,
    /// As there is room: for cameras of any kind that are to fill an upright canvas.
    Room,
}

impl Layout {
    /// Where what these send goes: cameras in the order of their owners' seats, then screens, the newest last. Later places lie over earlier ones.
    pub fn places(&self, canvas: Size, sources: &[&Contributor], speaker: Option<&PeerKey>) -> Vec<Place> {
        let of = |source: Source, peer: &PeerKey| {
            sources.iter().position(|from| from.source == source && from.peer == *peer)
        };
        // A peer is meant by their camera, and by a screen where they have no other picture.
        let find = |wanted: Option<&PeerKey>| {
            wanted.and_then(|peer| of(Source::Regular, peer).or_else(|| of(Source::Screen, peer)))
        };
        let screen = sources.iter().rposition(|from| from.source == Source::Screen);
        let screen = screen.filter(|_| self.screens == Screens::Large);
        let arrangement = match self.arrangement {
            Arrangement::Grid if screen.is_some() && sources.len() > 1 => Arrangement::Sidebar,
            arrangement => arrangement,
        };
        // Who is alone stands in no corner.
        let pinned = find(self.pinned.as_ref()).filter(|pinned| sources.len() > 1 && screen != Some(*pinned));
        let large = |wanted| find(wanted).filter(|focus| pinned != Some(*focus));
        let focus =
            screen.or_else(|| large(speaker.filter(|_| self.follows_speaker))).or_else(|| large(self.focus.as_ref()));
        let scaling = |source: usize| match sources[source].source {
            Source::Regular => self.scaling,
            Source::Screen => Scaling::Fit,
        };
        let room = MAX_TILES - usize::from(pinned.is_some());
        let mut order: Vec<usize> = (0..sources.len()).filter(|source| pinned != Some(*source)).collect();
        if arrangement != Arrangement::Grid
            && let Some(focus) = focus
        {
            order.retain(|source| *source != focus);
            order.insert(0, focus);
        }
        order.truncate(room);
        let place = |(source, rect)| Place { source, rect, scaling: scaling(source) };
        let corner = pinned.map(|source| place((source, arrangement.corner(canvas, order.len()))));
        let free = corner.map_or(0, |corner| corner.rect.size.width);
        let rects = arrangement.rects(self.scaling, canvas, order.len(), free);
        let places = order.into_iter().zip(rects).map(place).chain(corner);
        // Where so many have no room, some are heard and not seen.
        places.filter(|place| place.rect.size.width > 0 && place.rect.size.height > 0).collect()
    }

    /// What stands under somebody's picture: the name that they were given here, or by which they want to be called. Who said none
    /// has none: how an application knows somebody is not the audience's.
    pub fn name<'a>(&'a self, from: &'a Contributor) -> Option<&'a str> {
        let given = self.names.get(&from.peer).map(String::as_str);
        let own = || from.name.as_deref().filter(|_| self.show_names);
        given.or_else(own).filter(|name| !name.is_empty())
    }
}

impl Arrangement {
    /// Tiles of an arrangement, the large one first. `pinned` is the width of what stands in the corner.
    fn rects(self, scaling: Scaling, canvas: Size, count: usize, pinned: u32) -> Vec<Rect> {
        let whole = Rect { x: 0, y: 0, size: canvas };
        let shape = match scaling {
            Scaling::Fill if canvas.height > canvas.width => Shape::Room,
            _ => Shape::Wide,
        };
        let large = |area| grid(area, 1.min(count), shape);
        let others = count.saturating_sub(1);
        match self {
            Self::Grid => grid(whole, count, shape),
            Self::Spotlight => large(whole),
            Self::Sidebar if others == 0 => large(whole),
            Self::Sidebar => {
                let (main, side) = divided(canvas);
                [large(main), grid(side, others, shape)].concat()
            }
            Self::PictureInPicture => [large(whole), strip(canvas, others, pinned)].concat(),
        }
    }

    /// Where a pinned picture stands beside `count` others: where the arrangement has nothing small.
    fn corner(self, canvas: Size, count: usize) -> Rect {
        let margin = margin(canvas);
        let (large, left) = match self {
            Self::Sidebar if count > 1 => (divided(canvas).0.size, true),
            Self::PictureInPicture => (canvas, true),
            Self::Grid | Self::Spotlight | Self::Sidebar => (canvas, false),
        };
        let size = wide(small_width(large, large.width.saturating_sub(2 * margin)));
        let x = if left { margin } else { canvas.width - margin - size.width };
        Rect { x, y: even((large.height - margin).saturating_sub(size.height)), size }
    }
}

/// The part of the large one, and that of the others.
fn divided(canvas: Size) -> (Rect, Rect) {
    let Size { width, height } = canvas;
    if height > width {
        let top = even(height / 2);
        let half = |y, height| Rect { x: 0, y, size: Size { width, height } };
        return (half(0, top), half(top, height - top));
    }
    let left = even(width * 3 / 4);
    let part = |x, width| Rect { x, y: 0, size: Size { width, height } };
    (part(0, left), part(left, width - left))
}

/// From a canvas's edge to what stands over it.
fn margin(canvas: Size) -> u32 {
    even((canvas.width / 40).min(canvas.height / 8))
}

/// A tile of 16:9.
const fn wide(width: u32) -> Size {
    Size { width, height: even(width * 9 / 16) }
}

/// The width of a small tile: a part of the canvas's longer side, as one of an upright canvas's width would be too small to be seen, where there is
/// room for it. It may be nothing on a canvas that is no larger than a stamp.
fn small_width(canvas: Size, room: u32) -> u32 {
    let high = canvas.height.saturating_sub(2 * margin(canvas)) * 16 / 9;
    even((canvas.width.max(canvas.height) / SMALL).min(room).min(high))
}

/// Small tiles over the lower edge, from the right, with so much left free on the left: in one row, or in as few as let each be seen, in the lower half.
fn strip(canvas: Size, count: usize, free: u32) -> Vec<Rect> {
    let count = u32::try_from(count.min(MAX_TILES)).expect("at most 16");
    if count == 0 {
        return Vec::new();
    }
    let margin = margin(canvas);
    let room = Size {
        width: canvas.width.saturating_sub(2 * margin + free),
        height: (canvas.height / 2).saturating_sub(margin),
    };
    let least = canvas.width.max(canvas.height) / LEAST;
    let width = |rows: u32| match rows {
        1 => small_width(canvas, room.width / count),
        _ => even((room.width / count.div_ceil(rows)).min(room.height / rows * 16 / 9).min(least)),
    };
    let enough = (1..=count).find(|rows| width(*rows) >= even(least));
    let rows = enough.or_else(|| (1..=count).rev().max_by_key(|rows| width(*rows))).expect("at least one");
    let (columns, size) = (count.div_ceil(rows), wide(width(rows)));
    let (right, bottom) = (canvas.width - margin, even(canvas.height - margin));
    let tile =
        |i| Rect { x: even(right) - (i % columns + 1) * size.width, y: bottom - (i / columns + 1) * size.height, size };
    (0..count).map(tile).collect()
}

/// The tiles of a plain grid for `count` sources in `area`, row by row; a last row that is not full is centred. There are as many columns as make the
/// tiles largest, and rather more of them than more rows.
fn grid(area: Rect, count: usize, shape: Shape) -> Vec<Rect> {
    let count = u32::try_from(count.min(MAX_TILES)).expect("at most 16");
    if count == 0 {
        return Vec::new();
    }
    let Size { width, height } = area.size;
    // Of a tile in so many columns: its width where it is wide, else the lesser of its two sides.
    let extent = |columns: u32| {
        let (width, height) = (width / columns, height / count.div_ceil(columns));
        match shape {
            Shape::Wide => width.min(height * 16 / 9) / ALIKE,
            Shape::Room => width.min(height),
        }
    };
    let columns = (1..=count).max_by_key(|columns| extent(*columns)).expect("at least one");
    let rows = count.div_ceil(columns);
    let tile_height = even(match shape {
        Shape::Wide => (height / rows).min(width * 9 / (16 * columns)),
        Shape::Room => height / rows,
    });
    let top = area.y + even((height - rows * tile_height) / 2);
    (0..count)
        .map(|i| {
            let (row, column) = (i / columns, i % columns);
            let in_row = if row + 1 == rows { count - row * columns } else { columns };
            // A row that is not full is shifted by half of what it lacks.
            let edge = |c: u32| area.x + even((2 * c + columns - in_row) * width / (2 * columns));
            let x = edge(column);
            let size = Size { width: edge(column + 1) - x, height: tile_height };
            Rect { x, y: top + row * tile_height, size }
        })
        .collect()
}

/// The largest rectangle of the tile's proportions inside a source, centred ("fill"): what is seen of it. Never empty where the source is not.
pub fn crop(source: Size, tile: Size) -> Rect {
    let (sw, sh) = (u64::from(source.width), u64::from(source.height));
    let (tw, th) = (u64::from(tile.width.max(1)), u64::from(tile.height.max(1)));
    let (width, height) = if sw * th > tw * sh { (sh * tw / th, sh) } else { (sw, sw * th / tw) };
    let whole = |v: u64, of: u32| u32::try_from(v).expect("not larger than the source").max(of.min(2));
    let (width, height) = (whole(width, source.width), whole(height, source.height));
    let size = Size { width, height };
    Rect { x: even((source.width - width) / 2), y: even((source.height - height) / 2), size }
}

/// How large a picture of `source`'s proportions is that is cut to fill `tile`: the tile, and what is cut off.
pub fn uncropped(source: Size, tile: Size) -> Size {
    let part = crop(source, tile).size;
    let whole = |tile: u32, of: u32, part: u32| u64::from(tile) * u64::from(of) / u64::from(part.max(1));
    let to_u32 = |v: u64| u32::try_from(v).unwrap_or(u32::MAX);
    Size {
        width: to_u32(whole(tile.width, source.width, part.width)),
        height: to_u32(whole(tile.height, source.height, part.height)),
    }
}

/// The largest rectangle of the source's proportions inside `tile`, centred ("fit"): bars rather than a cut, and no bars where they would be slivers.
/// Never empty.
pub fn fit(source: Size, tile: Rect) -> Rect {
    let (sw, sh) = (u64::from(source.width.max(1)), u64::from(source.height.max(1)));
    let (tw, th) = (u64::from(tile.size.width), u64::from(tile.size.height));
    let (width, height) = if sw * th >= tw * sh { (tw, tw * sh / sw) } else { (th * sw / sh, th) };
    let whole = |inner: u64, outer: u64| {
        let inner = if (outer - inner) * SLIVER < outer { outer } else { inner };
        even(u32::try_from(inner).expect("not larger than the tile")).max(2)
    };
    let (width, height) = (whole(width, tw), whole(height, th));
    Rect {
        x: tile.x + even((tile.size.width - width) / 2),
        y: tile.y + even((tile.size.height - height) / 2),
        size: Size { width, height },
    }
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

    fn peers(count: usize) -> Vec<Contributor> {
        (0..count).map(|i| PeerKey(i.to_string()).into()).collect()
    }

    fn places(layout: &Layout, canvas: Size, count: usize) -> Vec<Place> {
        layout.places(canvas, &peers(count).iter().collect::<Vec<_>>(), None)
    }

    fn rects(layout: &Layout, canvas: Size, count: usize) -> Vec<Rect> {
        places(layout, canvas, count).iter().map(|place| place.rect).collect()
    }

    #[test]
    fn one_to_four_sources_fill_the_canvas_as_people_expect() {
        let grid = |count| rects(&Layout::default(), HD, count);
        assert_eq!(grid(0), []);
        assert_eq!(grid(1), [rect(0, 0, 1280, 720)]);
        assert_eq!(grid(2), [rect(0, 180, 640, 360), rect(640, 180, 640, 360)]);
        assert_eq!(grid(3), [rect(0, 0, 640, 360), rect(640, 0, 640, 360), rect(320, 360, 640, 360)]);
        assert_eq!(grid(4)[3], rect(640, 360, 640, 360));
    }

    #[test]
    fn tiles_of_a_grid_are_alike() {
        let upright = Size { width: 720, height: 1280 };
        for (canvas, scaling, count) in [HD, upright].into_iter().flat_map(|canvas| {
            let scalings = [Scaling::Fit, Scaling::Fill];
            scalings.into_iter().flat_map(move |scaling| (1..=MAX_TILES).map(move |count| (canvas, scaling, count)))
        }) {
            let tiles = rects(&Layout { scaling, ..Layout::default() }, canvas, count);
            let widths = || tiles.iter().map(|tile| tile.size.width);
            let (least, most) = (widths().min().unwrap_or(0), widths().max().unwrap_or(0));
            assert!(most - least <= 2, "{canvas:?} {scaling:?} {count}: {tiles:?}");
            let bars = |row: &[Rect]| {
                let last = row[row.len() - 1];
                row[0].x.abs_diff(canvas.width - last.x - last.size.width)
            };
            assert!(tiles.chunk_by(|a, b| a.y == b.y).all(|row| bars(row) <= 2), "{canvas:?} {count}: {tiles:?}");
        }
    }

    #[test]
    fn small_ones_are_never_too_small_to_be_seen() {
        let layout = |pinned| Layout { arrangement: Arrangement::PictureInPicture, pinned, ..Layout::default() };
        for (canvas, count) in [HD, Size { width: 720, height: 1280 }]
            .into_iter()
            .flat_map(|canvas| (2..=MAX_TILES).map(move |n| (canvas, n)))
        {
            for pinned in [None, Some(PeerKey("0".into()))] {
                let tiles = rects(&layout(pinned.clone()), canvas, count);
                assert_eq!(tiles.len(), count);
                for tile in &tiles[1..] {
                    assert!(tile.size.width >= 150 && tile.y >= canvas.height / 2, "{canvas:?} {count}: {tile:?}");
                }
            }
        }
        assert_eq!(rects(&layout(None), HD, 4)[1..], [928, 608, 288].map(|x| rect(x, 508, 320, 180)));
        let nine = rects(&layout(None), HD, 9);
        assert_eq!((nine[1], nine[8]), (rect(1088, 598, 160, 90), rect(608, 508, 160, 90)));
    }

    #[test]
    fn the_one_in_focus_is_large_and_the_first_where_they_are_not_there() {
        let sidebar = |focus: &str| Layout {
            arrangement: Arrangement::Sidebar,
            focus: Some(PeerKey(focus.into())),
            ..Layout::default()
        };
        let order = |layout: &Layout| places(layout, HD, 4).iter().map(|place| place.source).collect::<Vec<_>>();
        assert_eq!(order(&sidebar("2")), [2, 0, 1, 3]);
        assert_eq!(order(&sidebar("nobody")), [0, 1, 2, 3]);
        assert_eq!(order(&Layout { arrangement: Arrangement::Grid, ..sidebar("2") }), [0, 1, 2, 3]);
        assert_eq!(order(&Layout { arrangement: Arrangement::Spotlight, ..sidebar("2") }), [2]);
        assert_eq!(
            rects(&sidebar("0"), HD, 3),
            [rect(0, 90, 960, 540), rect(960, 180, 320, 180), rect(960, 360, 320, 180)]
        );
        assert_eq!(rects(&sidebar("0"), HD, 1), [rect(0, 0, 1280, 720)]);
    }

    #[test]
    fn who_is_pinned_stands_in_a_corner_over_the_others() {
        let pinned = |arrangement| Layout {
            arrangement,
            focus: Some(PeerKey("1".into())),
            pinned: Some(PeerKey("1".into())),
            ..Layout::default()
        };
        let last = |arrangement, count| places(&pinned(arrangement), HD, count).last().copied();
        let corner = Place { source: 1, rect: rect(928, 508, 320, 180), scaling: Scaling::Fit };
        assert_eq!(last(Arrangement::Grid, 3), Some(corner));
        assert_eq!(last(Arrangement::Spotlight, 2), Some(corner));
        assert_eq!(last(Arrangement::PictureInPicture, 3).map(|place| place.rect.x), Some(32));
        assert_eq!(last(Arrangement::Sidebar, 3).map(|place| place.rect), Some(rect(32, 554, 240, 134)));
        // Beside one alone a sidebar is nothing but that one.
        assert_eq!(last(Arrangement::Sidebar, 2), Some(corner));
        assert_eq!(places(&pinned(Arrangement::Grid), HD, 40).len(), MAX_TILES);
        // Who is alone is seen as large as anybody.
        let alone = Layout { pinned: Some(PeerKey("0".into())), ..Layout::default() };
        assert_eq!(rects(&alone, HD, 1), [rect(0, 0, 1280, 720)]);
    }

    #[test]
    fn a_screen_is_the_large_one_while_it_is_shared() {
        let mut sources = peers(3);
        sources.push(Contributor { source: Source::Screen, ..sources[1].clone() });
        let order = |layout: &Layout, speaker: Option<&str>| {
            let speaker = speaker.map(|peer| PeerKey(peer.into()));
            let places = layout.places(HD, &sources.iter().collect::<Vec<_>>(), speaker.as_ref());
            places.iter().map(|place| (place.source, place.rect.size.width)).collect::<Vec<_>>()
        };
        let grid = Layout { scaling: Scaling::Fill, focus: Some(PeerKey("1".into())), ..Layout::default() };
        assert_eq!(order(&grid, None), [(3, 960), (0, 320), (1, 320), (2, 320)], "a sidebar");
        let tiles = Layout { screens: Screens::Tiles, ..grid.clone() };
        assert_eq!(order(&tiles, None), [(0, 640), (1, 640), (2, 640), (3, 640)]);
        let spotlight = Layout { arrangement: Arrangement::Spotlight, follows_speaker: true, ..grid.clone() };
        assert_eq!(order(&spotlight, Some("2")), [(3, 1280)], "whoever speaks");
        let pinned = Layout { pinned: Some(PeerKey("1".into())), ..grid.clone() };
        assert_eq!(order(&pinned, None).last(), Some(&(1, 240)), "who is pinned is so by their camera");
        let of_screen = grid.places(HD, &sources.iter().collect::<Vec<_>>(), None)[0];
        assert_eq!(of_screen.scaling, Scaling::Fit, "nothing is cut off of what is written");
        let alone = [sources[3].clone()];
        assert_eq!(grid.places(HD, &[&alone[0]], None)[0].rect, rect(0, 0, 1280, 720));
    }

    #[test]
    fn who_is_given_a_name_has_that_and_others_theirs_where_names_are_shown() {
        let given =
            BTreeMap::from([("a", "Ada"), ("silent", "")].map(|(peer, name)| (PeerKey(peer.into()), name.into())));
        let mut layout = Layout { names: given, ..Layout::default() };
        let name = |layout: &Layout, peer: &str, own: Option<&str>| {
            let from = Contributor { name: own.map(str::to_owned), ..PeerKey(peer.into()).into() };
            layout.name(&from).map(str::to_owned)
        };
        assert_eq!(name(&layout, "a", Some("own")).as_deref(), Some("Ada"));
        assert_eq!(name(&layout, "b", Some("own")), None);
        layout.show_names = true;
        assert_eq!(name(&layout, "a", Some("own")).as_deref(), Some("Ada"));
        assert_eq!(name(&layout, "b", Some("own")).as_deref(), Some("own"));
        assert_eq!(name(&layout, "silent", Some("own")), None, "an empty name is none");
        assert_eq!(name(&layout, "b", None), None, "their id is nobody's business");
    }

    #[test]
    fn an_upright_canvas_stacks_and_where_pictures_fill_it_no_bars_are_left() {
        let upright = Size { width: 720, height: 1280 };
        let of =
            |arrangement, scaling, count| rects(&Layout { arrangement, scaling, ..Layout::default() }, upright, count);
        assert_eq!(of(Arrangement::Grid, Scaling::Fit, 2), [rect(0, 236, 720, 404), rect(0, 640, 720, 404)]);
        assert_eq!(of(Arrangement::Grid, Scaling::Fill, 2), [rect(0, 0, 720, 640), rect(0, 640, 720, 640)]);
        assert_eq!(of(Arrangement::Grid, Scaling::Fill, 4)[3], rect(360, 640, 360, 640));
        assert_eq!(of(Arrangement::Sidebar, Scaling::Fill, 2), [rect(0, 0, 720, 640), rect(0, 640, 720, 640)]);
    }

    #[test]
    fn what_does_not_fit_in_is_cut_off_on_both_sides() {
        let check = |source: (u32, u32), tile: (u32, u32), want| {
            let size = |(width, height)| Size { width, height };
            assert_eq!(crop(size(source), size(tile)), want, "{source:?} {tile:?}");
        };
        check((1280, 720), (640, 360), rect(0, 0, 1280, 720));
        check((1280, 720), (360, 640), rect(436, 0, 405, 720));
        check((720, 1280), (640, 360), rect(0, 436, 720, 405));
        check((1, 1), (640, 360), rect(0, 0, 1, 1));
        check((10_000, 2), (16, 360), rect(4_998, 0, 2, 2));
    }

    #[test]
    fn a_source_keeps_its_proportions() {
        let check = |w, h, want| assert_eq!(fit(Size { width: w, height: h }, rect(0, 0, 640, 360)), want, "{w}x{h}");
        check(1280, 720, rect(0, 0, 640, 360));
        check(640, 480, rect(80, 0, 480, 360));
        check(720, 1280, rect(218, 0, 202, 360));
        check(10_000, 2, rect(0, 178, 640, 2));
        check(2, 10_000, rect(318, 0, 2, 360));
        // What is left of a tile that is all but of its proportions would be a line, not a bar.
        check(1278, 720, rect(0, 0, 640, 360));
        check(640, 362, rect(0, 0, 640, 360));
        check(640, 368, rect(6, 0, 626, 360));
    }

    #[test]
    fn nine_people_leave_no_lines_between_their_tiles() {
        for tile in rects(&Layout::default(), HD, 9) {
            assert_eq!(fit(HD, tile), tile);
        }
    }

    proptest! {
        #[test]
        fn tiles_are_even_inside_the_canvas_and_overlap_nothing_but_a_large_one(
            w in 4u32..=240, h in 32u32..=1920, count in 0usize..20, sw in 1u32..5000, sh in 1u32..5000,
            kind in 0usize..4, fill: bool, pinned: bool,
        ) {
            let canvas = Size { width: w * 16, height: h * 2 };
            let arrangement = [
                Arrangement::Grid, Arrangement::Spotlight, Arrangement::Sidebar, Arrangement::PictureInPicture
            ][kind];
            let scaling = if fill { Scaling::Fill } else { Scaling::Fit };
            let pinned = pinned.then(|| PeerKey("0".into()));
            let layout = Layout { arrangement, scaling, pinned: pinned.clone(), ..Layout::default() };
            let tiles = rects(&layout, canvas, count);
            prop_assert!(tiles.len() <= count.min(MAX_TILES));
            for (i, t) in tiles.iter().enumerate() {
                prop_assert!(t.x + t.size.width <= canvas.width && t.y + t.size.height <= canvas.height, "{t:?}");
                let odd = [t.x % 2, t.size.width % 2, t.y % 2, t.size.height % 2];
                prop_assert!(odd == [0; 4] && t.size.width > 0 && t.size.height > 0, "{t:?}");
                // A pinned one lies over a large one, and so do those of picture in picture; all tiles of a grid are.
                let last = pinned.is_some() && count > 1 && i + 1 == tiles.len();
                let large = if last && kind == 0 { i } else { usize::from(last || kind == 3) };
                for other in tiles[..i].iter().skip(large) {
                    let apart = t.x >= other.x + other.size.width || other.x >= t.x + t.size.width
                        || t.y >= other.y + other.size.height || other.y >= t.y + t.size.height;
                    prop_assert!(apart, "{t:?} {other:?}");
                }
                let source = Size { width: sw, height: sh };
                let f = fit(source, *t);
                prop_assert!(f.x >= t.x && f.x + f.size.width <= t.x + t.size.width);
                prop_assert!(f.y >= t.y && f.y + f.size.height <= t.y + t.size.height);
                let c = crop(source, t.size);
                prop_assert!(c.x + c.size.width <= sw && c.y + c.size.height <= sh);
                prop_assert!(c.size.width > 0 && c.size.height > 0 && (c.x | c.y) & 1 == 0);
            }
        }
    }
}
