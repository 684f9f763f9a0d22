//! Pictures that are uploaded: a background, a logo. They are taken whole or refused by name, and never larger than what a canvas may need. The only file
//! of control that names `image`. Pure.

use crate::rooms::Invalid;
use image::imageops::{self, FilterType};
use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbaImage, SubImage, guess_format,
};
use std::io::Cursor;

/// Longest file.
pub const MAX_BYTES: usize = 4 << 20;
/// Longest side, in pixels: of the largest canvas.
pub const MAX_SIDE: u32 = 4_096;
/// What decoding may take: the pixels of the largest picture, of 16 bits each, and as much again for a decoder's own.
const DECODER_BYTES: u64 = MAX_SIDE as u64 * MAX_SIDE as u64 * 8 * 2;
/// What is shown of a decoder's words.
const WORDS_CHARS: usize = 120;

/// A picture's pixels.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture(RgbaImage);

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({}x{})", self.width(), self.height())
    }
}

impl Picture {
    /// Reads a PNG, JPEG or WebP file; of one that moves, the first picture.
    pub fn parse(file: &[u8]) -> Result<Self, Invalid> {
        let format = format(file)?;
        let size = reader(file, format).into_dimensions().map_err(|error| damaged(&error))?;
        if size.0 > MAX_SIDE || size.1 > MAX_SIDE {
            let (width, height) = size;
            return Err(Invalid(format!("the picture is {width}x{height} pixels; give at most {MAX_SIDE}x{MAX_SIDE}")));
        }
        // Its decoder takes half a picture for a whole one.
        if format == ImageFormat::Jpeg && !ends_as_jpeg(file) {
            return Err(Invalid("the picture breaks off: it has no end marker; send the whole file".to_owned()));
        }
        let mut decoder = reader(file, format).into_decoder().map_err(|error| damaged(&error))?;
        // A phone's camera writes down how it was held.
        let orientation = decoder.orientation().map_err(|error| damaged(&error))?;
        let mut picture = DynamicImage::from_decoder(decoder).map_err(|error| damaged(&error))?;
        picture.apply_orientation(orientation);
        let mut picture = picture.into_rgba8();
        for pixel in picture.pixels_mut() {
            let [colours @ .., alpha] = &mut pixel.0;
            for colour in colours {
                *colour =
                    u8::try_from((u32::from(*colour) * u32::from(*alpha) + 127) / 255).expect("at most as before");
            }
        }
        Ok(Self(picture))
    }

    /// Pixels from left to right.
    pub fn width(&self) -> u32 {
        self.0.width()
    }

    /// Pixels from top to bottom.
    pub fn height(&self) -> u32 {
        self.0.height()
    }

    /// Red, green, blue and how much it covers, 0 to 255, row by row; colours in the measure in which they cover.
    pub fn rgba(&self) -> &[u8] {
        self.0.as_raw()
    }

    /// It as large as this: scaled, and what does not fit in cut off on both sides. Nothing can be seen through it: what could is darker.
    pub fn cover(self, width: u32, height: u32) -> Self {
        let mut picture = if (self.width(), self.height()) == (width, height) {
            self.0
        } else {
            // Cut before it is scaled: a line that is as long as a picture may be would become one of millions of rows.
            let part = self.seen(width, height);
            imageops::resize(&*part, width, height, FilterType::Triangle)
        };
        picture.pixels_mut().for_each(|pixel| pixel.0[3] = u8::MAX);
        Self(picture)
    }

    /// Its middle, of the proportions of a picture as large as this.
    fn seen(&self, width: u32, height: u32) -> SubImage<&RgbaImage> {
        let (own, other) = (u64::from(self.width()) * u64::from(height), u64::from(self.height()) * u64::from(width));
        let share = |of: u32, part: u64, whole: u64| {
            u32::try_from(u64::from(of) * part / whole.max(1)).unwrap_or(of).clamp(1, of)
        };
        let wide = if own > other { share(self.width(), other, own) } else { self.width() };
        let high = if other > own { share(self.height(), own, other) } else { self.height() };
        imageops::crop_imm(&self.0, (self.width() - wide) / 2, (self.height() - high) / 2, wide, high)
    }

    /// It at most as large as this, all of it, in its proportions.
    pub fn within(self, width: u32, height: u32) -> Self {
        if self.width() <= width && self.height() <= height {
            return self;
        }
        Self(DynamicImage::from(self.0).resize(width, height, FilterType::Triangle).into_rgba8())
    }
}

fn format(file: &[u8]) -> Result<ImageFormat, Invalid> {
    const KNOWN: [ImageFormat; 3] = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP];
    if file.is_empty() {
        return Err(Invalid("the body is empty; send a PNG, JPEG or WebP picture".to_owned()));
    }
    if file.len() > MAX_BYTES {
        return Err(Invalid(format!("the picture is {} bytes long; send at most {MAX_BYTES}", file.len())));
    }
    if let Some(format) = guess_format(file).ok().filter(|format| KNOWN.contains(format)) {
        return Ok(format);
    }
    let text = String::from_utf8_lossy(&file[..file.len().min(1_024)]).to_lowercase();
    let wrong = if text.contains("<svg") || text.trim_start_matches(['\u{feff}', ' ', '\r', '\n']).starts_with("<?xml")
    {
        "the body is an SVG, which may link to elsewhere; send PNG, JPEG or WebP"
    } else {
        "the body is no picture of a kind that is taken; send PNG, JPEG or WebP"
    };
    Err(Invalid(wrong.to_owned()))
}

fn reader(file: &[u8], format: ImageFormat) -> ImageReader<Cursor<&[u8]>> {
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(DECODER_BYTES);
    reader.limits(limits);
    reader
}

/// Whether an end of image (ITU-T T.81 B.1.1.3) comes after the last scan, whatever comes behind that: phones append what is no picture.
fn ends_as_jpeg(file: &[u8]) -> bool {
    let mut at = 2;
    let mut scanned = false;
    while let Some([0xff, marker, rest @ ..]) = file.get(at..) {
        match marker {
            0xd9 => return scanned,
            // Fill bytes (B.1.1.2).
            0xff => at += 1,
            // Restarts and others that stand alone.
            0x01 | 0xd0..=0xd8 => at += 2,
            _ => {
                let [high, low, ..] = rest else { return false };
                at += 2 + usize::from(u16::from_be_bytes([*high, *low]));
                if *marker == 0xda {
                    scanned = true;
                    at += entropy_coded(file.get(at..).unwrap_or_default());
                }
            }
        }
    }
    false
}

/// Bytes up to the next marker that is no restart: in a scan an 0xff of the data is followed by 0 (B.1.1.5).
fn entropy_coded(scan: &[u8]) -> usize {
    let marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xd0..=0xd7);
    scan.windows(2).position(marker).unwrap_or(scan.len())
}

fn damaged(error: &ImageError) -> Invalid {
    let words: String = error.to_string().chars().take(WORDS_CHARS).collect();
    Invalid(format!("the picture cannot be read ({words}); send a whole PNG, JPEG or WebP file"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageBuffer, Rgb, Rgba};

    /// A file of this picture: the left half half-transparent red, the right half green.
    fn file(format: ImageFormat, width: u32, height: u32) -> Vec<u8> {
        let halves = ImageBuffer::from_fn(width, height, |x, _| {
            if x < width / 2 { Rgba([255_u8, 0, 0, 128]) } else { Rgba([0, 200, 0, 255]) }
        });
        let picture = DynamicImage::from(halves);
        let picture = if format == ImageFormat::Jpeg { picture.into_rgb8().into() } else { picture };
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn refused(file: &[u8], want: &str) {
        let why = Picture::parse(file).map(|_| ()).unwrap_err().0;
        assert!(why.contains(want) && why.len() < 300, "{why}");
    }

    #[test]
    fn a_file_of_each_kind_is_read() {
        for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Jpeg] {
            let picture = Picture::parse(&file(format, 64, 48)).unwrap();
            assert_eq!((picture.width(), picture.height(), picture.rgba().len()), (64, 48, 64 * 48 * 4));
            let right = &picture.rgba()[63 * 4..64 * 4];
            assert!(right[0] < 8 && right[1].abs_diff(200) < 8 && right[2] < 8 && right[3] == 255, "{right:?}");
            if format != ImageFormat::Jpeg {
                assert_eq!(picture.rgba()[..4], [128, 0, 0, 128], "in the measure in which it covers");
            }
        }
    }

    #[test]
    fn what_covers_has_no_bars_and_what_is_within_keeps_its_proportions() {
        let picture = || Picture::parse(&file(ImageFormat::Png, 640, 480)).unwrap();
        let size = |picture: Picture| (picture.width(), picture.height());
        assert_eq!(size(picture().cover(1_280, 720)), (1_280, 720));
        assert_eq!(size(picture().cover(320, 16)), (320, 16));
        assert_eq!(picture().cover(64, 36).rgba()[..4], [128, 0, 0, 255], "over black");
        // Scaled whole they would take tens of gigabytes.
        for (width, height) in [(1, MAX_SIDE), (MAX_SIDE, 1), (1, 1)] {
            let line = Picture::parse(&file(ImageFormat::Png, width, height)).unwrap();
            assert_eq!(size(line.clone().cover(1_280, 720)), (1_280, 720));
            let Picture(small) = line.within(320, 90);
            assert!(small.width() <= 320 && small.height() <= 90, "{}x{}", small.width(), small.height());
        }
        assert_eq!(size(picture().within(320, 90)), (120, 90));
        assert_eq!(size(picture().within(64, 90)), (64, 48));
        assert_eq!(size(picture().within(640, 480)), (640, 480), "what is smaller stays as it is");
        let edge = picture().within(64, 48).rgba()[..4].to_vec();
        assert_eq!(edge, [128, 0, 0, 128]);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        refused(b"", "the body is empty");
        refused(br#"<svg xmlns="http://www.w3.org/2000/svg"/>"#, "an SVG, which may link to elsewhere; send PNG");
        refused(b"\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- -->", "an SVG");
        refused(b"GIF89a\x01\0\x01\0\0\0\0;", "no picture of a kind that is taken; send PNG, JPEG or WebP");
        refused(b"{\"title\": \"no\"}", "no picture");
        refused(&vec![0; MAX_BYTES + 1], "4194305 bytes long; send at most 4194304");
        for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Jpeg] {
            let file = file(format, 200, 100);
            // A phone's film of the moment, or a note of its maker's, behind the picture.
            if format == ImageFormat::Jpeg {
                let longer = [&file[..], &[0; 9], b"\0\0\0\x18ftypmp42SEFT"].concat();
                assert_eq!(Picture::parse(&longer).map(|picture| picture.width()), Ok(200));
            }
            for length in [12, 30, file.len() / 2, file.len() - 12] {
                let why = Picture::parse(&file[..length]).unwrap_err().0;
                assert!(why.contains("the picture"), "{format:?} cut at {length}: {why}");
            }
        }
    }

    #[test]
    fn what_is_too_large_is_refused_by_its_header() {
        let check = |width: u32, height: u32| {
            let mut file = file(ImageFormat::Png, 8, 8);
            // The size is in the header (PNG section 11.2.2), which has a checksum.
            file[16..20].copy_from_slice(&width.to_be_bytes());
            file[20..24].copy_from_slice(&height.to_be_bytes());
            let checksum = crc(&file[12..29]);
            file[29..33].copy_from_slice(&checksum.to_be_bytes());
            refused(&file, &format!("the picture is {width}x{height} pixels; give at most 4096x4096"));
        };
        check(4_097, 1);
        check(1, 4_097);
        check(60_000, 60_000);
        let mut wide = Cursor::new(Vec::new());
        ImageBuffer::from_pixel(5_000, 1, Rgb([0_u8; 3])).write_to(&mut wide, ImageFormat::Jpeg).unwrap();
        refused(&wide.into_inner(), "5000x1 pixels");
    }

    /// PNG's checksum (its annex D).
    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
        })
    }
}
