#![allow(missing_docs, clippy::unwrap_used)]
//! What names look like: lines of text in five scripts, kept in `texts.txt` as pictures that can be read: a hexadecimal digit of coverage for each pixel, a
//! dot where there is none. A change that is meant changes that file; a mismatch prints the new text. That letters are joined, stacked and in their order
//! is asserted beside, because a picture of it is wrong as soon as it is taken wrongly.

use footlight_packager::text::{LONGEST_BYTES, Line, Text};
use proptest::prelude::*;
use std::fmt::Write;

const NAMES: [&str; 6] =
    ["Ada Lovelace", "Софья Ковалевская", "مريم ميرزاخاني", "क्षितिज शर्मा", "湯川秀樹 김민준", "רותם לוי"];
const SIZE: u32 = 18;
/// More than any of them has.
const WIDE: u32 = 600;
/// Floating point may round otherwise on another machine, by a part of one digit.
const ROUNDING: u32 = 1;

fn draw(line: &Line) -> String {
    let mut text = String::new();
    for row in line.coverage.chunks(line.width) {
        let digits = row.iter().map(|covered| match covered / 16 {
            0 => '.',
            digit => char::from_digit(digit.into(), 16).unwrap(),
        });
        let _ = writeln!(text, "{}", digits.collect::<String>().trim_end_matches('.'));
    }
    text
}

/// Whether two pictures are the same, but for rounding.
fn alike(one: &str, other: &str) -> bool {
    let digit = |letter: char| letter.to_digit(16).unwrap_or(0);
    let near = |(one, other): (char, char)| one == other || digit(one).abs_diff(digit(other)) <= ROUNDING;
    let (one, other) = (one.trim_end(), other.trim_end());
    one.lines().count() == other.lines().count()
        && one.lines().zip(other.lines()).all(|(one, other)| {
            let length = one.len().max(other.len());
            let padded = |line: &str| format!("{line:.<length$}");
            // What is not of a picture is of a title.
            let (one, other) = (padded(one), padded(other));
            one.chars().zip(other.chars()).all(near)
        })
}

#[test]
fn names_of_every_script_look_as_they_did() {
    let mut text = Text::default();
    let mut now = String::new();
    for name in NAMES {
        let _ = writeln!(now, "{name}\n{}", draw(&text.line(name, SIZE, WIDE)));
    }
    let golden = include_str!("texts.txt");
    assert!(alike(&now, golden), "now:\n{now}");
    // It is not so patient that boxes or loose letters would pass.
    let loose =
        now.replace(&draw(&text.line(NAMES[2], SIZE, WIDE)), &draw(&text.line(&unjoined(NAMES[2]), SIZE, WIDE)));
    assert!(loose != now && !alike(&loose, golden));
}

/// A text whose letters do not join: there is a non-joiner between them.
fn unjoined(text: &str) -> String {
    text.chars().flat_map(|letter| [letter, '\u{200c}']).collect()
}

#[test]
fn arabic_letters_join() {
    let mut text = Text::default();
    let mut width = |name: &str| text.line(name, SIZE, WIDE).width as f32;
    let (joined, loose) = (width("مريم"), width(&unjoined("مريم")));
    assert!(joined < 0.9 * loose, "{joined} of {loose} pixels");
    assert!((width("Mary") - width(&unjoined("Mary"))).abs() <= 2.0, "Latin ones do not");
}

#[test]
fn devanagari_letters_form_one_conjunct() {
    let mut text = Text::default();
    let mut clusters = |name: &str| {
        let mut clusters = text.line(name, SIZE, WIDE).glyphs;
        clusters.dedup();
        clusters
    };
    let conjunct = "क्ष";
    assert_eq!(clusters(conjunct), [(0, conjunct.len())], "three characters");
    assert_eq!(clusters("कष").len(), 2);
    // The sign of i stands before the letter that it is spoken after: both are of one cluster.
    assert_eq!(clusters("कि"), [(0, "कि".len())]);
    assert_eq!(text.line("कि", SIZE, WIDE).glyphs.len(), 2);
}

#[test]
fn what_runs_from_the_right_begins_there_and_ends_there_too_where_it_is_too_long() {
    let mut text = Text::default();
    for name in [NAMES[2], NAMES[5]] {
        let line = text.line(name, SIZE, WIDE);
        assert!(line.from_the_right, "{name}");
        assert_eq!(line.glyphs.last().unwrap().0, 0, "the first letter is the rightmost: {:?}", line.glyphs);
        let cut = text.line(name, SIZE, line.width as u32 / 2);
        assert_eq!(cut.glyphs.last().unwrap().0, 0, "the first letter is still seen: {:?}", cut.glyphs);
        assert!(cut.width <= line.width / 2 && cut.glyphs.len() < line.glyphs.len());
    }
    assert!(!text.line(NAMES[0], SIZE, WIDE).from_the_right);
}

#[test]
fn what_is_too_long_ends_in_an_ellipsis() {
    let mut text = Text::default();
    for name in NAMES {
        let whole = text.line(name, SIZE, WIDE);
        for longest in [0, 1, 10, 40, 60] {
            let cut = text.line(name, SIZE, longest);
            assert!(cut.width <= (longest as usize).max(8), "{name} in {longest}: {}", cut.width);
            assert!(cut.width < whole.width);
        }
    }
    let (cut, dots) = (text.line("Ada Lovelace", SIZE, 60), text.line("…", SIZE, WIDE));
    // Without what is left and right of the letters.
    let last = |line: &Line, columns: usize| -> Vec<u8> {
        let from = line.width - columns - 3;
        line.coverage.chunks(line.width).flat_map(|row| row[from..].to_vec()).collect()
    };
    let covered = |samples: &[u8]| samples.iter().map(|sample| u32::from(*sample)).sum::<u32>();
    let (cut, dots) = (covered(&last(&cut, dots.width - 6)), covered(&dots.coverage));
    assert!(cut.abs_diff(dots) < dots / 5, "{cut}, and an ellipsis {dots}");
}

#[test]
fn what_no_font_has_is_told_and_drawn_as_boxes() {
    let mut text = Text::default();
    for name in NAMES {
        assert_eq!(text.unknown(name), [], "{name}");
    }
    assert_eq!(text.unknown("Ꮳ and 😀, ᏣᎳ"), ['Ꮳ', '😀', 'Ꮃ']);
    assert_eq!(text.unknown("a\u{200d}b\u{fe0f}\u{a0}c\u{202e}\u{3000}"), []);
    let boxes = text.line("ᏣᎳ", SIZE, WIDE);
    let half = boxes.width / 2;
    assert!(boxes.glyphs.len() == 2 && boxes.coverage.iter().any(|covered| *covered > 200));
    let column = |x: usize| boxes.coverage.chunks(boxes.width).map(|row| row[x]).collect::<Vec<_>>();
    assert!((3..half).any(|x| column(x) == column(boxes.width - 1 - x)), "two alike");
}

#[test]
fn a_line_is_one_line_and_no_longer_than_it_may_be() {
    let mut text = Text::default();
    let line = text.line("one\ntwo\u{2029}three\r\n\u{7}", SIZE, WIDE);
    assert!(line.glyphs.len() >= "one two three".len() && line.height == 27);
    assert_eq!(line.coverage.len(), line.width * line.height);
    let long = text.line(&"é".repeat(1_000), SIZE, 100_000);
    assert_eq!(long.glyphs.len(), LONGEST_BYTES / 2);
}

proptest! {
    #[test]
    fn any_text_is_drawn(name in "\\PC{0,60}", size in 1u32..60, longest in 0u32..700) {
        let line = Text::default().line(&name, size, longest);
        prop_assert_eq!(line.coverage.len(), line.width * line.height);
        prop_assert!(line.width <= longest as usize + 2 * size as usize);
    }
}
