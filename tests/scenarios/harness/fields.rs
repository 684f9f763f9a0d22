//! A picture whose every frame can be checked: its number in two rows of cells, the second inverted, and below them bars of known colours that move on
//! with the number. What a lost packet, a wrong reference or a missing picture leaves of it is not one of them.

use std::io::Write as _;
use std::path::Path;

pub const WIDTH: usize = 960;
pub const HEIGHT: usize = 540;
/// The picture after this many is the first again: the bars have moved by the picture's width.
pub const FRAMES: usize = 120;
/// A field is a square of so many pixels, of which a decoded picture is looked at as one.
const FIELD: usize = 20;
const COLUMNS: usize = WIDTH / FIELD;
const ROWS: usize = HEIGHT / FIELD;
/// Of a number: this many cells, each so many fields wide and high.
const BITS: usize = 7;
const CELL: (usize, usize) = (6, 3);
/// Y, Cb and Cr. None is near what a decoder makes of nothing: grey, green or black.
const BARS: [[u8; 3]; 8] = [
    [81, 90, 220],
    [60, 220, 110],
    [200, 40, 146],
    [107, 190, 200],
    [160, 166, 40],
    [130, 70, 180],
    [225, 128, 128],
    [70, 160, 165],
];
const BAR: usize = WIDTH / BARS.len();
/// By how many pixels the bars move from picture to picture: an even number, as chroma has half of the columns.
const STEP: usize = WIDTH / FRAMES;
/// Pixels beside a bar's edge that a smaller layer blurs.
const BLUR: usize = 26;
/// How far a field may be off, in each component: what a few hundred kbit/s of codec leave.
const TOLERANCE: i32 = 36;

/// What a decoded picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The picture of this number.
    Whole(usize),
    /// Nothing that was ever sent: so many fields are wrong; all of them where not even the number can be read.
    Broken(usize),
}

/// Writes the picture as Chromium takes it for a camera.
pub fn write_camera(path: &Path) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    writeln!(file, "YUV4MPEG2 W{WIDTH} H{HEIGHT} F30:1 Ip A1:1 C420mpeg2").unwrap();
    for number in 0..FRAMES {
        writeln!(file, "FRAME").unwrap();
        for (component, scale) in [(0, 1), (1, 2), (2, 2)] {
            for y in (0..HEIGHT).step_by(scale) {
                let row: Vec<u8> = (0..WIDTH).step_by(scale).map(|x| pixel(number, x, y)[component]).collect();
                file.write_all(&row).unwrap();
            }
        }
    }
}

fn pixel(number: usize, x: usize, y: usize) -> [u8; 3] {
    let (column, row) = (x / FIELD / CELL.0, y / FIELD / CELL.1);
    match row {
        0 | 1 => [if column < BITS && (number >> column & 1 == 1) == (row == 0) { 235 } else { 16 }, 128, 128],
        _ => BARS[(x + STEP * number) / BAR % BARS.len()],
    }
}

/// The pictures of a file of any size.
pub fn look(file: &[u8]) -> Vec<Seen> {
    let scale = format!("scale={COLUMNS}:{ROWS}:flags=area");
    let args = ["-vf", &scale, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "yuv444p"];
    super::playback::decode(file, &args).chunks_exact(3 * COLUMNS * ROWS).map(seen).collect()
}

fn seen(picture: &[u8]) -> Seen {
    let field = |x: usize, y: usize, component: usize| picture[(component * ROWS + y) * COLUMNS + x];
    let white = |bit: usize, row: usize| field(bit * CELL.0 + CELL.0 / 2, row * CELL.1 + CELL.1 / 2, 0) > 126;
    let number = (0..BITS).try_fold(0, |number, bit| {
        (white(bit, 0) != white(bit, 1)).then(|| number | usize::from(white(bit, 0)) << bit)
    });
    let Some(number) = number else { return Seen::Broken(COLUMNS * ROWS) };
    let is_wrong = |x: usize, y: usize| {
        let (left, right) = ((x * FIELD + STEP * number) % BAR, (x * FIELD + FIELD + STEP * number) % BAR);
        let clear = left >= BLUR && right >= BLUR && left < right && right + BLUR <= BAR;
        let want = pixel(number, x * FIELD + FIELD / 2, y * FIELD);
        clear && (0..3).any(|of| (i32::from(field(x, y, of)) - i32::from(want[of])).abs() > TOLERANCE)
    };
    // The first and the last row of the bars lie beside something else.
    let rows = 2 * CELL.1 + 1..ROWS - 1;
    let wrong = rows.flat_map(|y| (0..COLUMNS).map(move |x| (x, y))).filter(|(x, y)| is_wrong(*x, *y)).count();
    if wrong == 0 { Seen::Whole(number) } else { Seen::Broken(wrong) }
}
