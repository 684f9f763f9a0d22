//! How large a peer's picture may be.
//!
//! A 197 KB file that claims 8192x8192 cost a decoder 394 MB, so what a picture's headers claim is read before any decoder sees it, and compared with
//! [`PictureLimits`]: H.264 in `sps`, the others in `depacketize`. What a frame of AV1, or a later one of a VP9 superframe, says beyond that is left to the
//! decoder's own bounds.

/// What a peer's picture may measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureLimits {
    /// Pixels in a row.
    pub max_width: u32,
    /// Rows.
    pub max_height: u32,
    /// Pixels in all: what a decoder's memory grows with.
    pub max_pixels: u32,
}

impl Default for PictureLimits {
    /// 4096x2304, upright or on its side.
    fn default() -> Self {
        Self { max_width: 4_096, max_height: 4_096, max_pixels: 4_096 * 2_304 }
    }
}

impl PictureLimits {
    /// Whether a picture of this size is taken.
    pub fn admit(&self, size: PictureSize) -> bool {
        size.width <= self.max_width
            && size.height <= self.max_height
            && u64::from(size.width) * u64::from(size.height) <= u64::from(self.max_pixels)
    }
}

/// A picture's size in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureSize {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_on_each_side_and_on_the_whole() {
        let limits = PictureLimits::default();
        let admit = |width, height| limits.admit(PictureSize { width, height });
        assert!(admit(4_096, 2_304) && admit(1_440, 2_560));
        assert!(!admit(8_192, 8_192) && !admit(8_192, 16) && !admit(4_096, 2_320));
    }
}
