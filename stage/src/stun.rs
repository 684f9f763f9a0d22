//! Just enough STUN (RFC 8489) to tell whose datagram it is: the first bytes that a stranger sends are read here.

/// `0x2112A442`, RFC 8489 section 5.
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// Type, length, cookie and transaction id (RFC 8489 section 5).
const HEADER_BYTES: usize = 20;
/// Binding, class request (RFC 8489 section 5, figure 3).
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
/// RFC 8489 section 14.3.
const ATTR_USERNAME: [u8; 2] = [0x00, 0x06];
/// The most attributes that are looked at: an ICE check carries about six, and USERNAME comes early.
const MAX_ATTRIBUTES: usize = 16;

/// Whether a datagram on a port shared with DTLS and SRTP is STUN (RFC 7983 section 7, plus the magic cookie).
pub fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER_BYTES && datagram[0] < 4 && datagram[4..8] == MAGIC_COOKIE
}

/// The receiver's username fragment of an ICE connectivity check: what stands before the colon of USERNAME in a
/// Binding request (RFC 8445 section 7.2.2). `None` for anything else or anything malformed.
pub fn receiver_ufrag(datagram: &[u8]) -> Option<&str> {
    if !is_stun(datagram) || datagram[..2] != BINDING_REQUEST {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([datagram[2], datagram[3]]));
    let mut rest = datagram.get(HEADER_BYTES..HEADER_BYTES + length)?;
    for _ in 0..MAX_ATTRIBUTES {
        let header: &[u8; 4] = rest.first_chunk()?;
        let value_bytes = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let value = rest.get(4..4 + value_bytes)?;
        if header[..2] == ATTR_USERNAME {
            let (ufrag, _) = std::str::from_utf8(value).ok()?.split_once(':')?;
            return Some(ufrag);
        }
        // Values are padded to a multiple of four (RFC 8489 section 14).
        rest = rest.get(4 + value_bytes.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (kind, value) in attributes {
            body.extend(kind.to_be_bytes());
            body.extend((value.len() as u16).to_be_bytes());
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let mut datagram = vec![0, 1];
        datagram.extend((body.len() as u16).to_be_bytes());
        datagram.extend(MAGIC_COOKIE);
        datagram.extend([7; 12]);
        datagram.extend(body);
        datagram
    }

    #[test]
    fn the_ufrag_is_what_stands_before_the_colon() {
        let check = |attributes: &[(u16, &[u8])], want| assert_eq!(receiver_ufrag(&request(attributes)), want);
        check(&[(6, b"ours:theirs")], Some("ours"));
        check(&[(0x24, &[1, 2, 3, 4]), (6, b"ours:theirs")], Some("ours"));
        check(&[(0x8022, b"odd"), (6, b"a:b")], Some("a"));
        check(&[(6, b"no colon")], None);
        check(&[(6, &[0xff, b':'])], None);
        check(&[], None);
        check(&[(0x24, b"x".as_slice()); 17], None);
    }

    #[test]
    fn a_response_names_nobody() {
        let mut datagram = request(&[(6, b"ours:theirs")]);
        datagram[0] = 1;
        assert!(is_stun(&datagram));
        assert_eq!(receiver_ufrag(&datagram), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..60) {
            let _ = receiver_ufrag(&bytes);
            let mut request = request(&[(6, b"ours:theirs"), (0x24, &bytes)]);
            request.truncate(request.len().saturating_sub(cut));
            let _ = receiver_ufrag(&request);
        }
    }
}
