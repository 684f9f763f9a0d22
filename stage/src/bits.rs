//! Reads bits, most significant first, as the headers of H.264, VP9 and AV1 are written. Every reader answers `None` where the bytes have ended.

/// A reader of strangers' bits.
pub(crate) struct Bits<'a> {
    bytes: &'a [u8],
    /// In bits.
    at: usize,
}

impl<'a> Bits<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// An unsigned number of at most 32 bits.
    pub(crate) fn read(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    pub(crate) fn flag(&mut self) -> Option<bool> {
        Some(self.read(1)? == 1)
    }

    /// Exp-Golomb, unsigned (ITU-T H.264 section 9.1; `uvlc` of AV1 section 4.10.3). 31 leading zeros are the most that a 32-bit value has.
    pub(crate) fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.read(1)? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1_u32 << zeros) - 1 + self.read(zeros)?)
    }

    /// Exp-Golomb, signed (ITU-T H.264 section 9.1.1).
    pub(crate) fn se(&mut self) -> Option<i64> {
        let code = i64::from(self.ue()?);
        Some(if code % 2 == 1 { (code + 1) / 2 } else { -(code / 2) })
    }
}
