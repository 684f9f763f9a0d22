//! FFmpeg's pictures, scaling and errors behind types of our own. Only this file, `decode.rs`, `encode.rs`,
//! `contribution.rs`, `footage.rs`, `reading.rs` and `bitstream.rs` name FFmpeg.

use crate::layout::{Rect, Size};
use ffmpeg_next::ffi;
use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame;
use ffmpeg_next::software::scaling::{self, Flags};
use std::ffi::CStr;

/// What FFmpeg refused. `Input` is a peer's fault and costs a frame; `Setup` is ours or the configuration's and costs the stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FfmpegError {
    /// A peer's bytes could not be decoded.
    #[error("undecodable frame: {0}")]
    Input(String),
    /// A codec, scaler or resampler could not be made, or failed on our own data.
    #[error("{what}: {cause}")]
    Setup {
        /// What was being done.
        what: String,
        /// FFmpeg's words.
        cause: String,
    },
}

impl FfmpegError {
    pub(crate) fn setup(what: impl Into<String>, cause: ffmpeg_next::Error) -> Self {
        Self::Setup { what: what.into(), cause: words(cause) }
    }
}

/// What FFmpeg calls an error. `ffmpeg_next` has words only after an initialisation of its own, which writes to globals without a lock.
pub(crate) fn words(error: ffmpeg_next::Error) -> String {
    let mut text = [0; ffi::AV_ERROR_MAX_STRING_SIZE];
    // SAFETY: it writes at most as many bytes as it is told there are, a terminating zero included, and then they are read.
    let words = unsafe {
        ffi::av_strerror(error.into(), text.as_mut_ptr(), text.len());
        CStr::from_ptr(text.as_ptr())
    };
    words.to_string_lossy().into_owned()
}

/// Silences FFmpeg's own log, which writes to stderr what peers make it say.
pub fn quiet() {
    ffmpeg_next::util::log::set_level(ffmpeg_next::util::log::Level::Quiet);
}

/// A decoded or composed picture: planar YCbCr 4:2:0, 8 bits (I420): a luma plane of `height` rows of `width` bytes, then Cb and Cr of half of
/// both, each row `stride` bytes after the one before.
pub struct Picture(pub(crate) frame::Video);

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Size { width, height } = self.size();
        write!(f, "Picture({width}x{height})")
    }
}

impl Clone for Picture {
    /// Its samples, too.
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl Picture {
    /// A picture of limited-range black.
    pub fn black(size: Size) -> Self {
        let mut picture = Self(frame::Video::new(Pixel::YUV420P, size.width, size.height));
        picture.fill(whole(size), BLACK);
        picture
    }

    /// Luma pixels.
    pub fn size(&self) -> Size {
        Size { width: self.0.width(), height: self.0.height() }
    }

    /// Whether its samples are from 0 to 255, as a decoder may give them; drawn, they become limited.
    pub fn is_full_range(&self) -> bool {
        self.0.format() == Pixel::YUVJ420P
    }

    /// Plane 0 (Y), 1 (Cb) or 2 (Cr) and its stride in bytes.
    pub fn plane(&self, index: usize) -> (&[u8], usize) {
        (self.0.data(index), self.0.stride(index))
    }

    /// Likewise, to be written to.
    pub(crate) fn plane_mut(&mut self, index: usize) -> (&mut [u8], usize) {
        let stride = self.0.stride(index);
        (self.0.data_mut(index), stride)
    }

    /// Paints a rectangle with even edges in one colour `[Y, Cb, Cr]`.
    pub fn fill(&mut self, rect: Rect, colour: [u8; 3]) {
        self.paint(rect, |plane, _, _| colour[plane]);
    }

    /// Paints a rectangle with even edges: `colour(plane, column, row)` for each of its samples, columns and rows counted in that plane from the
    /// canvas's corner.
    pub fn paint(&mut self, rect: Rect, colour: impl Fn(usize, usize, usize) -> u8) {
        for plane in 0..3 {
            let shift = u32::from(plane > 0);
            let stride = self.0.stride(plane);
            let (x, y) = ((rect.x >> shift) as usize, (rect.y >> shift) as usize);
            // Of an odd size there is a sample of chroma for what is left over.
            let [width, height] =
                [rect.size.width, rect.size.height].map(|length| ((length + shift) >> shift) as usize);
            let rows = self.0.data_mut(plane).chunks_mut(stride).enumerate().skip(y).take(height);
            for (row, samples) in rows {
                for (column, sample) in samples[x..x + width].iter_mut().enumerate() {
                    *sample = colour(plane, x + column, row);
                }
            }
        }
    }
}

impl Picture {
    /// Becomes what lies between two pictures of its size: `weight` parts in 256 of `to`, the rest of `from`.
    pub fn blend(&mut self, from: &Self, to: &Self, weight: u16) {
        let rest = 256 - weight.min(256);
        for plane in 0..3 {
            let strides = [self.0.stride(plane), from.0.stride(plane), to.0.stride(plane)];
            let below = from.0.data(plane).chunks(strides[1]).zip(to.0.data(plane).chunks(strides[2]));
            for (row, (from, to)) in self.0.data_mut(plane).chunks_mut(strides[0]).zip(below) {
                for ((sample, from), to) in row.iter_mut().zip(from).zip(to) {
                    *sample = ((u16::from(*from) * rest + u16::from(*to) * (256 - rest) + 128) >> 8) as u8;
                }
            }
        }
    }
}

/// `[Y, Cb, Cr]` of black in limited range (BT.709).
pub const BLACK: [u8; 3] = [16, 128, 128];

/// The rectangle of a whole picture.
pub const fn whole(size: Size) -> Rect {
    Rect { x: 0, y: 0, size }
}

/// Draws pictures into rectangles of others, scaling with swscale's area filter. Keeps the tables of the last pair of sizes, so use one for each
/// tile.
#[derive(Default)]
pub struct Scaler {
    context: Option<(ScalerKey, Context)>,
    /// For what cannot be drawn in its place.
    aside: Option<Picture>,
}

/// swscale writes rows of 8-bit samples in strides of 16 (`yuv2planeX` on x86), so that one of chroma that is no multiple of that spoils what stands beside
/// it.
const WHOLE_ROWS: u32 = 32;

type ScalerKey = (Pixel, Size, Size);

struct Context(scaling::Context);

// SAFETY: an SwsContext holds no thread-local state; it is only ever used through `&mut`, by one thread at a time.
unsafe impl Send for Context {}

impl Scaler {
    /// Draws `source` into `rect` of `target`, which lies inside it and has even edges.
    pub fn draw(&mut self, source: &Picture, target: &mut Picture, rect: Rect) -> Result<(), FfmpegError> {
        self.draw_part(source, whole(source.size()), target, rect)
    }

    /// Likewise of a part of `source` alone, which lies inside it and whose corner is even.
    pub fn draw_part(
        &mut self,
        source: &Picture,
        part: Rect,
        target: &mut Picture,
        rect: Rect,
    ) -> Result<(), FfmpegError> {
        assert!(inside(rect, target.size()) && inside(part, source.size()), "{part:?} to {rect:?}");
        if source.0.format() == Pixel::YUV420P && part.size == rect.size {
            copy(source, part, target, rect);
            return Ok(());
        }
        if !rect.size.width.is_multiple_of(WHOLE_ROWS) && rect != whole(target.size()) {
            let kept = self.aside.take().filter(|aside| aside.size() == rect.size);
            let mut aside = kept.unwrap_or_else(|| Picture::black(rect.size));
            let drawn = self.draw_part(source, part, &mut aside, whole(rect.size));
            copy(&aside, whole(rect.size), target, rect);
            self.aside = Some(aside);
            return drawn;
        }
        let context = self.context_for((source.0.format(), part.size, rect.size))?;
        // SAFETY: the frames outlive the call; the planes' pointers are moved to the rectangles' corners, and the assertion above keeps the rows and columns
        // that sws_scale reads and writes (those of the context's sizes, which are the rectangles') inside the frames' buffers; a whole frame's rows have
        // room behind them for the rest of a stride.
        unsafe {
            let (from, from_strides) = planes(source.0.as_ptr(), part);
            let (to, to_strides) = planes(target.0.as_mut_ptr(), rect);
            let rows = i32::try_from(part.size.height).expect("a decoder's picture");
            ffi::sws_scale(
                context.0.as_mut_ptr(),
                from.as_ptr().cast(),
                from_strides.as_ptr(),
                0,
                rows,
                to.as_ptr(),
                to_strides.as_ptr(),
            );
        }
        Ok(())
    }

    fn context_for(&mut self, key: ScalerKey) -> Result<&mut Context, FfmpegError> {
        if self.context.as_ref().is_none_or(|(have, _)| *have != key) {
            let (format, from, to) = key;
            let made = scaling::Context::get(
                format,
                from.width,
                from.height,
                Pixel::YUV420P,
                to.width,
                to.height,
                Flags::AREA,
            );
            let what = || format!("scaler of {}x{} to {}x{}", from.width, from.height, to.width, to.height);
            self.context = Some((key, Context(made.map_err(|e| FfmpegError::setup(what(), e))?)));
        }
        let (_, context) = self.context.as_mut().expect("made above");
        Ok(context)
    }
}

fn inside(rect: Rect, size: Size) -> bool {
    // In 64 bits: what is wrong must not come round.
    let ends = |from: u32, length: u32, of: u32| u64::from(from) + u64::from(length) <= u64::from(of);
    ends(rect.x, rect.size.width, size.width) && ends(rect.y, rect.size.height, size.height)
}

/// Pointers to a rectangle's corner in the planes of a 4:2:0 frame, and the strides.
///
/// # Safety
/// The frame is one of three planes, and the corner lies inside it.
unsafe fn planes(frame: *const ffi::AVFrame, rect: Rect) -> ([*mut u8; 4], [i32; 4]) {
    let (mut planes, mut strides) = ([std::ptr::null_mut(); 4], [0; 4]);
    for plane in 0..3 {
        let shift = u32::from(plane > 0);
        // SAFETY: the caller vouches for the frame and the corner.
        unsafe {
            strides[plane] = (*frame).linesize[plane];
            let stride = isize::try_from(strides[plane]).expect("32 bits fit");
            let (x, y) = ((rect.x >> shift) as isize, (rect.y >> shift) as isize);
            planes[plane] = (*frame).data[plane].offset(y * stride + x);
        }
    }
    (planes, strides)
}

/// A tile whose source has its size is copied: an eighth of what scaling costs.
fn copy(source: &Picture, part: Rect, target: &mut Picture, rect: Rect) {
    for plane in 0..3 {
        let shift = u32::from(plane > 0);
        let corner = |rect: Rect| ((rect.x >> shift) as usize, (rect.y >> shift) as usize);
        let ((from_x, from_y), (x, y)) = (corner(part), corner(rect));
        let (width, height) = ((rect.size.width >> shift) as usize, (rect.size.height >> shift) as usize);
        let (from, from_stride) = source.plane(plane);
        let to_stride = target.0.stride(plane);
        let to = target.0.data_mut(plane);
        for row in 0..height {
            let at = (y + row) * to_stride + x;
            let from_at = (from_y + row) * from_stride + from_x;
            to[at..at + width].copy_from_slice(&from[from_at..from_at + width]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(width: u32, height: u32) -> Size {
        Size { width, height }
    }

    #[test]
    fn a_picture_is_drawn_into_its_tile_and_nowhere_else() {
        let check = |source: Size, tile: Rect| {
            let mut canvas = Picture::black(size(128, 64));
            let mut red = Picture::black(source);
            red.fill(whole(source), [81, 90, 240]);
            Scaler::default().draw(&red, &mut canvas, tile).expect("draws");
            for (plane, want) in [(0, 81_u8), (1, 90), (2, 240)] {
                let shift = u32::from(plane > 0);
                let (data, stride) = canvas.plane(plane);
                for y in 0..(64 >> shift) {
                    for x in 0..(128 >> shift) {
                        let across = (tile.x >> shift) as usize..((tile.x + tile.size.width) >> shift) as usize;
                        let down = (tile.y >> shift) as usize..((tile.y + tile.size.height) >> shift) as usize;
                        let inside = across.contains(&x) && down.contains(&y);
                        let want = if inside { want } else { BLACK[plane] };
                        let got = data[y * stride + x];
                        assert!(
                            got.abs_diff(want) <= 1,
                            "{source:?} to {tile:?}, plane {plane} at {x},{y}: {got}, not {want}"
                        );
                    }
                }
            }
        };
        for tile in [
            Rect { x: 64, y: 16, size: size(32, 32) },
            Rect { x: 16, y: 16, size: size(48, 32) },
            Rect { x: 80, y: 2, size: size(48, 62) },
            Rect { x: 48, y: 0, size: size(16, 64) },
        ] {
            for source in [size(32, 32), size(320, 180), size(18, 10), size(17, 3), size(1, 1)] {
                check(source, tile);
            }
        }
    }

    /// A picture whose samples say where they are: luma and the first chroma rise to the right, the second downwards.
    fn gradient(size: Size) -> Picture {
        let mut picture = Picture::black(size);
        picture.paint(whole(size), |plane, column, row| {
            let along = if plane == 2 { row } else { column };
            u8::try_from((along << usize::from(plane > 0)) / 4).expect("at most 1,020 pixels")
        });
        picture
    }

    #[test]
    fn of_a_part_that_part_is_seen_scaled_or_not() {
        let source = gradient(size(640, 360));
        // From 160 to 480, and from 90 to 270, as large as it is and at half.
        let part = Rect { x: 160, y: 90, size: size(320, 180) };
        for (tile, shrink) in [(size(320, 180), 1), (size(160, 90), 2)] {
            let mut canvas = Picture::black(size(640, 360));
            let rect = Rect { x: 64, y: 32, size: tile };
            Scaler::default().draw_part(&source, part, &mut canvas, rect).expect("draws");
            for (x, y) in [(0, 0), (tile.width - 2, 0), (0, tile.height - 2), (tile.width - 2, tile.height - 2)] {
                let (x, y) = (x as usize, y as usize);
                let want = [(160 + x * shrink) / 4, (160 + x * shrink) / 4, (90 + y * shrink) / 4];
                for (plane, want) in want.into_iter().enumerate() {
                    let (data, stride) = canvas.plane(plane);
                    let half = usize::from(plane > 0);
                    let got = data[((32 + y) >> half) * stride + ((64 + x) >> half)];
                    assert!(
                        usize::from(got).abs_diff(want) <= 2,
                        "plane {plane} at {x},{y} of {tile:?}: {got}, not {want}"
                    );
                }
            }
        }
    }
}
