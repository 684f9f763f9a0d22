//! Gzip (RFC 1952) of one text after the other by one compressor. Its tables are some 300 KB: made anew for each playlist, the allocator gives them
//! back and the kernel zeroes them again, which cost more than the compressing.

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// Deflate, no name, no date, no extra flags, an unknown system (RFC 1952 section 2.3).
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// Room that is made where the output needs more.
const MORE_BYTES: usize = 1_024;

/// The compressor.
pub struct Gzip(Compress);

impl Default for Gzip {
    fn default() -> Self {
        Self(Compress::new(Compression::default(), false))
    }
}

impl Gzip {
    /// The same text gives the same bytes, whatever came before it.
    pub fn compress(&mut self, text: &[u8]) -> Bytes {
        self.0.reset();
        let mut out = Vec::with_capacity(HEADER.len() + text.len() / 3 + MORE_BYTES);
        out.extend_from_slice(&HEADER);
        loop {
            let taken = usize::try_from(self.0.total_in()).expect("no more than was given");
            let status = self.0.compress_vec(&text[taken..], &mut out, FlushCompress::Finish);
            if status.expect("nothing is asked of it out of turn") == Status::StreamEnd {
                break;
            }
            out.reserve(MORE_BYTES);
        }
        let mut crc = Crc::new();
        crc.update(text);
        out.extend_from_slice(&crc.sum().to_le_bytes());
        // The length modulo 2^32 (RFC 1952 section 2.3.1).
        out.extend_from_slice(&(text.len() as u32).to_le_bytes());
        Bytes::from(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use proptest::prelude::*;
    use std::io::Read as _;

    proptest! {
        #[test]
        fn what_is_compressed_is_read_again(
            texts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9_000), 1..5),
        ) {
            let mut gzip = Gzip::default();
            for text in &texts {
                let compressed = gzip.compress(text);
                prop_assert_eq!(&compressed, &Gzip::default().compress(text));
                let mut read = Vec::new();
                GzDecoder::new(&compressed[..]).read_to_end(&mut read).expect("gzip");
                prop_assert_eq!(&read, text);
            }
        }
    }
}
