//! Lines of text, shaped and drawn as masks, in any script that a bundled font has: joined where its letters join, from right to left where it runs so.
//! The only file that names `cosmic_text`. Pure.

use crate::fonts::{FIRST, FONTS};
use cosmic_text::fontdb::{Database, Source};
use cosmic_text::{
    Align, Attrs, Buffer, Ellipsize, EllipsizeHeightLimit, Fallback, Family, FontSystem, LayoutRun, Metrics, Shaping,
    SwashCache, SwashContent, Wrap,
};
use std::sync::Arc;

/// Longest text of a line, in bytes: that of a user id. More of it is not drawn.
pub const LONGEST_BYTES: usize = 128;
/// From one line to the next, in parts of the letters' size: room for what Devanagari and Thai have above and below.
const LINE: f32 = 1.5;
/// On both sides of a line, in parts of the letters' size: some letters reach out of their place, as an italic f does.
const EDGE: f32 = 0.125;

/// Draws lines of text.
pub struct Text {
    fonts: FontSystem,
    glyphs: SwashCache,
}

/// A line of text: how much of each pixel it covers, 0 to 255, row by row.
pub struct Line {
    /// Pixels in a row: those of its letters, and [`EDGE`] of their size on both sides.
    pub width: usize,
    /// Rows: the same for all lines of a size.
    pub height: usize,
    /// From the upper left on.
    pub coverage: Vec<u8>,
    /// Its first letter is the rightmost.
    pub from_the_right: bool,
    /// What is drawn, from left to right: where each glyph begins and ends in the text, in bytes. One glyph may be of several characters, and one
    /// character of several glyphs.
    pub glyphs: Vec<(usize, usize)>,
}

impl Line {
    /// Whether there is anything to be read.
    pub fn is_seen(&self) -> bool {
        self.coverage.iter().any(|covered| *covered > 0)
    }
}

/// Only the bundled fonts are there, so that each is looked into for every character.
struct Bundled;

impl Fallback for Bundled {
    fn common_fallback(&self) -> &[&'static str] {
        const FAMILIES: [&str; FONTS.len()] = families();
        &FAMILIES
    }

    fn forbidden_fallback(&self) -> &[&'static str] {
        &[]
    }

    fn script_fallback(&self, _: unicode_script::Script, _: &str) -> &[&'static str] {
        &[]
    }
}

const fn families() -> [&'static str; FONTS.len()] {
    let mut families = [""; FONTS.len()];
    let mut index = 0;
    while index < FONTS.len() {
        families[index] = FONTS[index].0;
        index += 1;
    }
    families
}

impl Default for Text {
    fn default() -> Self {
        let mut database = Database::new();
        for (_, file) in FONTS {
            database.load_font_source(Source::Binary(Arc::new(file)));
        }
        let fonts = FontSystem::new_with_locale_and_db_and_fallback("en".to_owned(), database, Bundled);
        Self { fonts, glyphs: SwashCache::new() }
    }
}

impl Text {
    /// The characters of a text that no font has, each once: boxes are drawn for them.
    pub fn unknown(&mut self, text: &str) -> Vec<char> {
        let mut unknown = Vec::new();
        for letter in drawable(text).chars().filter(|letter| !unseen(*letter)) {
            if !unknown.contains(&letter) && !self.has(letter) {
                unknown.push(letter);
            }
        }
        unknown
    }

    fn has(&mut self, letter: char) -> bool {
        let faces: Vec<_> = self.fonts.db().faces().map(|face| (face.id, face.weight)).collect();
        let mut fonts = faces.into_iter().filter_map(|(id, weight)| self.fonts.get_font(id, weight));
        fonts.any(|font| font.as_swash().charmap().map(letter) != 0)
    }

    /// A line of letters of so many pixels. What is longer than `longest` pixels ends in an ellipsis.
    pub fn line(&mut self, text: &str, size: u32, longest: u32) -> Line {
        let size = size.max(1) as f32;
        let edge = (size * EDGE).ceil();
        let longest = (longest as f32 - 2.0 * edge).max(1.0);
        let mut buffer = Buffer::new_empty(Metrics::relative(size, LINE));
        buffer.set_wrap(Wrap::None);
        buffer.set_ellipsize(Ellipsize::End(EllipsizeHeightLimit::Lines(1)));
        buffer.set_size(Some(longest), None);
        let first = Attrs::new().family(Family::Name(FIRST));
        buffer.set_text(&drawable(text), &first, Shaping::Advanced, Some(Align::Left));
        buffer.shape_until_scroll(&mut self.fonts, false);
        let height = (size * LINE).ceil() as usize;
        match buffer.layout_runs().next() {
            Some(run) => self.draw(&run, height, longest, edge),
            None => Line { width: 0, height, coverage: Vec::new(), from_the_right: false, glyphs: Vec::new() },
        }
    }

    fn draw(&mut self, run: &LayoutRun<'_>, height: usize, longest: f32, edge: f32) -> Line {
        let from = run.glyphs.iter().map(|glyph| glyph.x).fold(f32::INFINITY, f32::min);
        let to = run.glyphs.iter().map(|glyph| glyph.x + glyph.w).fold(0.0, f32::max);
        let width = ((to - from).clamp(0.0, longest) + 2.0 * edge).ceil() as usize;
        let mut coverage = vec![0_u8; width * height];
        for glyph in run.glyphs {
            let glyph = glyph.physical((edge - from, run.line_y), 1.0);
            let image = self.glyphs.get_image_uncached(&mut self.fonts, glyph.cache_key);
            // No bundled font has colours.
            let Some(image) = image.filter(|image| image.content == SwashContent::Mask) else { continue };
            let (left, top) = (glyph.x + image.placement.left, glyph.y - image.placement.top);
            let wide = (image.placement.width as usize).max(1);
            for (row, samples) in (top..).zip(image.data.chunks(wide)) {
                for (column, sample) in (left..).zip(samples) {
                    let (Ok(row), Ok(column)) = (usize::try_from(row), usize::try_from(column)) else { continue };
                    if row < height && column < width {
                        let pixel = &mut coverage[row * width + column];
                        *pixel = pixel.saturating_add(*sample);
                    }
                }
            }
        }
        let mut glyphs: Vec<_> = run.glyphs.iter().collect();
        glyphs.sort_by(|one, other| one.x.total_cmp(&other.x));
        let glyphs = glyphs.into_iter().map(|glyph| (glyph.start, glyph.end)).collect();
        Line { width, height, coverage, from_the_right: run.rtl, glyphs }
    }
}

/// What is drawn of a text: one line of it, no longer than [`LONGEST_BYTES`].
fn drawable(text: &str) -> String {
    let mut end = text.len().min(LONGEST_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let breaks = |letter: char| letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}');
    text[..end].trim().replace(breaks, " ")
}

/// What has no glyph because it has no shape: spaces, joiners, marks of direction, selectors of variants.
fn unseen(letter: char) -> bool {
    letter.is_whitespace()
        || matches!(letter, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}
