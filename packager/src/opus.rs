//! How long an Opus packet lasts, read from its first two bytes (RFC 6716 section 3).

/// Samples at 48 kHz; `None` for bytes that are no Opus packet. At most 5,760: 120 ms.
pub fn samples(packet: &[u8]) -> Option<i64> {
    let (toc, rest) = packet.split_first()?;
    let config = usize::from(toc >> 3);
    let frame = match config {
        0..12 => [480, 960, 1_920, 2_880][config & 3],
        12..16 => [480, 960][config & 1],
        _ => [120, 240, 480, 960][config & 3],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => i64::from(rest.first()? & 0x3f),
    };
    Some(frame * frames).filter(|samples| (120..=5_760).contains(samples))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_and_frame_counts() {
        let check = |packet: &[u8], want| assert_eq!(samples(packet), want, "{packet:02x?}");
        check(&[], None);
        // CELT, 20 ms, one frame: what browsers send as silence.
        check(&[0xf8, 0xff, 0xfe], Some(960));
        // SILK, 60 ms, one frame.
        check(&[0x18], Some(2_880));
        // Hybrid, 10 ms, two frames.
        check(&[0x61], Some(960));
        // CELT, 2.5 ms, a count of 1.
        check(&[0x83, 0x01], Some(120));
        // A count of 0, one that lasts longer than 120 ms, and one that is missing.
        check(&[0x83, 0x00], None);
        check(&[0x1b, 0x03], None);
        check(&[0x83], None);
    }

    #[test]
    fn every_pair_of_bytes_has_a_length_or_none() {
        for packet in (0..=u16::MAX).map(u16::to_be_bytes) {
            assert!(samples(&packet).is_none_or(|samples| samples % 120 == 0), "{packet:02x?}");
        }
    }
}
