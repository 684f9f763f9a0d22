//! One picture as a JPEG, for people and for pages that wait. Pure.

use crate::ffmpeg::{Picture, Scaler, whole};
use crate::layout::Size;
use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};

/// Of 100: a programme's text is still clean.
const QUALITY: u8 = 80;

/// A BT.709 picture as JFIF, whose colours are sRGB's. `None` where it has no pixels, or more in a row than a JPEG can have.
pub fn jpeg(picture: &Picture) -> Option<Bytes> {
    let Size { width, height } = picture.size();
    let mut limited = None;
    if picture.is_full_range() {
        let mut drawn = Picture::black(picture.size());
        Scaler::default().draw(picture, &mut drawn, whole(picture.size())).ok()?;
        limited = Some(drawn);
    }
    let rgb = rgb(limited.as_ref().unwrap_or(picture));
    let mut file = Vec::with_capacity(rgb.len() / 8);
    let encoder = JpegEncoder::new_with_quality(&mut file, QUALITY);
    encoder.write_image(&rgb, width, height, ExtendedColorType::Rgb8).ok()?;
    Some(file.into())
}

/// Red, green and blue of each pixel of a limited-range picture, row by row (ITU-T H.273 table 4, MatrixCoefficients 1), in 1/65,536ths.
fn rgb(picture: &Picture) -> Vec<u8> {
    let Size { width, height } = picture.size();
    let [(luma, luma_stride), (cb, cb_stride), (cr, cr_stride)] = [0, 1, 2].map(|plane| picture.plane(plane));
    let mut rgb = Vec::with_capacity(width as usize * height as usize * 3);
    for y in 0..height as usize {
        for x in 0..width as usize {
            let luma = 76_309 * (i32::from(luma[y * luma_stride + x]) - 16);
            let cb = i32::from(cb[y / 2 * cb_stride + x / 2]) - 128;
            let cr = i32::from(cr[y / 2 * cr_stride + x / 2]) - 128;
            let byte = |value: i32| ((value + 32_768) >> 16).clamp(0, 255) as u8;
            rgb.extend([byte(luma + 117_489 * cr), byte(luma - 13_975 * cb - 34_925 * cr), byte(luma + 138_438 * cb)]);
        }
    }
    rgb
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(size: Size, ycbcr: [u8; 3]) -> image::RgbImage {
        let mut picture = Picture::black(size);
        picture.fill(whole(size), ycbcr);
        let file = jpeg(&picture).expect("a file");
        image::load_from_memory_with_format(&file, image::ImageFormat::Jpeg).expect("a JPEG").to_rgb8()
    }

    #[test]
    fn colours_are_those_of_the_programme() {
        let size = Size { width: 64, height: 36 };
        // Limited-range BT.709, as `ffmpeg -f lavfi -i color=red,scale=out_color_matrix=bt709:out_range=tv` makes them.
        for (ycbcr, want) in [
            ([63, 102, 240], [255, 0, 0]),
            ([173, 42, 26], [0, 255, 0]),
            ([32, 240, 118], [0, 0, 255]),
            ([235, 128, 128], [255, 255, 255]),
            ([16, 128, 128], [0, 0, 0]),
        ] {
            let image = decoded(size, ycbcr);
            assert_eq!((image.width(), image.height()), (64, 36));
            let pixel = image.get_pixel(32, 18).0;
            assert!(pixel.iter().zip(want).all(|(have, want)| have.abs_diff(want) <= 4), "{ycbcr:?}: {pixel:?}");
        }
    }

    #[test]
    fn whatever_is_on_stage_can_be_shot() {
        for (width, height) in [(1, 1), (17, 3), (1_280, 720)] {
            let image = decoded(Size { width, height }, [235, 128, 128]);
            assert_eq!((image.width(), image.height()), (width, height));
        }
    }
}
