//! The names under people's pictures: how large, where, and drawn once for as long as they are shown. Pure.

use crate::layout::{MAX_TILES, Rect, Size};
use crate::sprite::Sprite;
use crate::text::Text;
use std::sync::Arc;

/// Plates that are kept: those of two layouts, as one passes into the other.
const PLATES: usize = 2 * MAX_TILES;

/// Draws names and keeps what it has drawn.
#[derive(Default)]
pub(crate) struct Names {
    /// Made when there is something to be drawn.
    text: Option<Text>,
    /// The last used last.
    plates: Vec<Plate>,
    made: u64,
}

/// A drawn name.
struct Plate {
    name: String,
    letters: u32,
    longest: u32,
    serial: u64,
    /// `None` where there is nothing to be read.
    sprite: Option<Arc<Sprite>>,
}

/// A name's place on a canvas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    /// Its upper left corner, with even edges.
    pub(crate) x: u32,
    pub(crate) y: u32,
    /// Which drawing: what is drawn otherwise has another.
    pub(crate) serial: u64,
    pub(crate) sprite: Arc<Sprite>,
}

impl Names {
    /// Where the name of whoever is seen in `picture` stands, `above` being what lies over it: on the lower left, on the upper left where that is
    /// covered; nowhere where it has no room.
    pub(crate) fn place(&mut self, name: &str, canvas: Size, picture: Rect, above: &[Rect]) -> Option<Placed> {
        let letters = letters(canvas, picture.size.height);
        // A line and a half of letters with as much as half a letter around, and four of them side by side.
        let inset = (letters / 2) & !1;
        if picture.size.height < 2 * inset + 2 * letters || picture.size.width < 2 * inset + 4 * letters {
            return None;
        }
        let (serial, sprite) = self.plate(name, letters, picture.size.width - 2 * inset)?;
        let x = picture.x + inset;
        let lower = (picture.y + picture.size.height - inset - sprite.size().height) & !1;
        let covered = |y| above.iter().any(|rect| rect.overlaps(Rect { x, y, size: sprite.size() }));
        let y = if covered(lower) { picture.y + inset } else { lower };
        Some(Placed { x, y, serial, sprite })
    }

    /// What draws the letters.
    pub(crate) fn text(&mut self) -> &mut Text {
        self.text.get_or_insert_default()
    }

    /// `None` where there is nothing to be read.
    fn plate(&mut self, name: &str, letters: u32, longest: u32) -> Option<(u64, Arc<Sprite>)> {
        let same = |plate: &Plate| (plate.letters, plate.longest) == (letters, longest) && plate.name == name;
        let plate = match self.plates.iter().position(same) {
            Some(at) => self.plates.remove(at),
            None => {
                // Beside the letters the plate has three quarters of their size, and may be a pixel wider to be even.
                let room = longest.saturating_sub(letters + 2);
                let line = self.text().line(name, letters, room);
                self.made += 1;
                let (sprite, serial) = (line.is_seen().then(|| Arc::new(Sprite::plate(&[line]))), self.made);
                Plate { name: name.to_owned(), letters, longest, serial, sprite }
            }
        };
        if self.plates.len() == PLATES {
            self.plates.remove(0);
        }
        let placed = plate.sprite.clone().map(|sprite| (plate.serial, sprite));
        self.plates.push(plate);
        placed
    }
}

/// How large letters are on a picture of this height: a fourteenth of it, but so large that they can be read on the smallest rung of the default ladder (8
/// of 234 rows), and no larger than a caption's.
fn letters(canvas: Size, height: u32) -> u32 {
    let side = canvas.width.min(canvas.height);
    (height / 14).clamp((side / 30).max(8), (side / 18).max(8))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HD: Size = Size { width: 1280, height: 720 };

    fn rect(x: u32, y: u32, width: u32, height: u32) -> Rect {
        Rect { x, y, size: Size { width, height } }
    }

    #[test]
    fn a_name_stands_inside_its_picture_on_the_lower_left_or_where_it_is_not_covered() {
        let mut names = Names::default();
        let picture = rect(640, 360, 640, 360);
        let placed = names.place("Ada", HD, picture, &[]).expect("there is room");
        let Size { width, height } = placed.sprite.size();
        assert!(placed.x > 640 && placed.x < 660 && placed.y + height < 720 && placed.y + height > 700, "{placed:?}");
        assert!(width < 120 && height < 50, "{width}x{height}");
        assert_eq!([placed.x % 2, placed.y % 2, width % 2, height % 2], [0; 4]);
        let covered = names.place("Ada", HD, picture, &[rect(640, 600, 320, 120)]).expect("there is room");
        assert!(covered.y > 360 && covered.y < 380, "{covered:?}");
        let long = names.place(&"Ada ".repeat(30), HD, picture, &[]).expect("there is room");
        let right = long.x + long.sprite.size().width;
        assert!(right <= 1280 && right > 1200, "{right}");
    }

    #[test]
    fn where_there_is_no_room_there_is_no_name() {
        let mut names = Names::default();
        for (size, fits) in [((16, 360), false), ((640, 2), false), ((320, 180), true), ((192, 360), true)] {
            assert_eq!(names.place("Ada", HD, rect(0, 0, size.0, size.1), &[]).is_some(), fits, "{size:?}");
        }
        assert_eq!(names.place(" \u{200b}", HD, rect(0, 0, 640, 360), &[]).map(|placed| placed.x), None);
    }

    #[test]
    fn a_name_is_drawn_once_for_as_long_as_it_is_shown() {
        let mut names = Names::default();
        let picture = rect(0, 0, 640, 360);
        let first = names.place("Ada", HD, picture, &[]).expect("there is room");
        for number in 0..PLATES - 1 {
            names.place(&number.to_string(), HD, picture, &[]);
            assert_eq!(names.place("Ada", HD, picture, &[]).map(|placed| placed.serial), Some(first.serial));
        }
        (0..1_000).for_each(|number| drop(names.place(&number.to_string(), HD, picture, &[])));
        assert_eq!(names.plates.len(), PLATES);
        assert_ne!(names.place("Bob", HD, picture, &[]).map(|placed| placed.serial), Some(first.serial));
    }

    #[test]
    fn letters_are_read_on_the_smallest_rung() {
        // Of 720 rows, shown on 234.
        assert_eq!([720, 360, 180, 90].map(|height| letters(HD, height)), [40, 25, 24, 24]);
        assert!(letters(HD, 90) * 234 / 720 >= 7);
    }
}
