//! What is around the people: the background behind them, a logo, and a lower third over them. Pure.

use crate::layout::{LowerThird, Rect, Size};
use crate::names::Placed;
use crate::sprite::Sprite;
use crate::text::Text;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Pictures that were given to a live stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenery {
    /// As large as the canvas, in place of the layout's colour.
    pub background: Option<Sprite>,
    /// Over everything.
    pub logo: Option<Logo>,
}

/// A logo and its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logo {
    /// As large as it is shown.
    pub sprite: Sprite,
    /// Where.
    pub corner: Corner,
}

/// A corner of the canvas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Corner {
    /// The upper left one.
    TopLeft,
    /// The upper right one.
    TopRight,
    /// The lower left one.
    BottomLeft,
    /// The lower right one.
    BottomRight,
}

/// How large a logo may be on a canvas.
pub const fn largest_logo(canvas: Size) -> Size {
    Size { width: canvas.width / 4, height: canvas.height / 8 }
}

/// A logo in its corner; `None` where it has no room.
pub(crate) fn logo(canvas: Size, logo: &Logo) -> Option<Placed> {
    let margin = margin(canvas);
    let Size { width, height } = logo.sprite.size();
    let (right, bottom) = (canvas.width.checked_sub(margin + width)?, canvas.height.checked_sub(margin + height)?);
    let (x, y) = match logo.corner {
        Corner::TopLeft => (margin, margin),
        Corner::TopRight => (right, margin),
        Corner::BottomLeft => (margin, bottom),
        Corner::BottomRight => (right, bottom),
    };
    Some(Placed { x: x & !1, y: y & !1, serial: 0, sprite: Arc::new(logo.sprite.clone()) })
}

/// A title, and smaller below it a subtitle, on a plate at the lower left. `None` where there is nothing to be read, or no room.
pub(crate) fn lower_third(text: &mut Text, canvas: Size, lower_third: &LowerThird) -> Option<Placed> {
    let margin = margin(canvas);
    let title = canvas.width.min(canvas.height) / 16;
    // Beside the letters the plate has three quarters of the title's, and may be a pixel wider to be even.
    let longest = canvas.width.checked_sub(2 * margin + title + 2)?;
    let subtitle = lower_third.subtitle.as_deref().map(|subtitle| (subtitle, title * 2 / 3));
    let lines = [(lower_third.title.as_str(), title)].into_iter().chain(subtitle);
    let lines: Vec<_> =
        lines.map(|(line, size)| text.line(line, size, longest)).filter(|line| line.is_seen()).collect();
    if lines.is_empty() {
        return None;
    }
    let sprite = Arc::new(Sprite::plate(&lines));
    let y = canvas.height.checked_sub(margin + sprite.size().height)?;
    Some(Placed { x: margin & !1, y: y & !1, serial: 0, sprite })
}

const fn margin(canvas: Size) -> u32 {
    canvas.width / 40
}

impl Placed {
    pub(crate) fn rect(&self) -> Rect {
        Rect { x: self.x, y: self.y, size: self.sprite.size() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HD: Size = Size { width: 1280, height: 720 };

    #[test]
    fn a_logo_stands_in_its_corner() {
        let sprite = Sprite::new(Size { width: 100, height: 60 }, |_, _| ([200, 128, 128], 255));
        let at = |corner| logo(HD, &Logo { sprite: sprite.clone(), corner }).expect("there is room").rect();
        let size = sprite.size();
        let rect = |x, y| Rect { x, y, size };
        assert_eq!(at(Corner::TopLeft), rect(32, 32));
        assert_eq!(at(Corner::TopRight), rect(1148, 32));
        assert_eq!(at(Corner::BottomLeft), rect(32, 628));
        assert_eq!(at(Corner::BottomRight), rect(1148, 628));
        assert_eq!(logo(Size { width: 100, height: 80 }, &Logo { sprite, corner: Corner::TopLeft }), None);
    }

    #[test]
    fn a_lower_third_is_one_plate_however_long_its_lines_are() {
        let mut text = Text::default();
        let mut third = |title: &str, subtitle: Option<&str>| {
            let wanted = LowerThird { title: title.into(), subtitle: subtitle.map(str::to_owned) };
            lower_third(&mut text, HD, &wanted).map(|placed| placed.rect())
        };
        let one = third("Ada Lovelace", None).expect("a title");
        let two = third("Ada Lovelace", Some("Analyst")).expect("a title");
        assert!(one.x == 32 && one.y > 600 && one.y + one.size.height == 688, "{one:?}");
        assert!(two.y < one.y && two.y + two.size.height == 688 && two.size.width == one.size.width, "{two:?}");
        let wide = third("Ada", Some(&"and many others ".repeat(20))).expect("a title");
        assert!(wide.x + wide.size.width <= 1248 && wide.size.width > 1_000, "{wide:?}");
        assert_eq!(third(" ", None), None);
    }
}
