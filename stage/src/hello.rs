//! Which ClientHello of a DTLS handshake (RFC 6347) is a mere repeat.
//!
//! The `webrtc` crate's server stops its retransmission timer whenever a handshake message comes, the next flight or not. A client repeats its
//! ClientHello until it is answered, Chromium after 50 ms: were its repeats handed on, an answer that the network lost would never be sent again.
//! Without them the server sends it again after a second (RFC 6347 section 4.2.4.1).

use std::collections::VecDeque;
use std::net::SocketAddr;

/// Pieces of hellos that are remembered: each address of a peer sends one hello, which is seldom longer than a datagram.
const REMEMBERED: usize = 32;
/// Type, version, epoch, number, length (RFC 6347 section 4.1).
const RECORD_HEADER_BYTES: usize = 13;
/// RFC 5246 section 6.2.1.
const CONTENT_HANDSHAKE: u8 = 22;
/// RFC 5246 section 7.4.
const CLIENT_HELLO: u8 = 1;

/// A ClientHello or a part of it, as its handshake header says (RFC 6347 section 4.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello {
    /// 0 asks for a cookie, 1 brings it.
    pub message_sequence: u16,
    /// Where in the message this part begins, in bytes.
    pub fragment_offset: u32,
    /// In bytes.
    pub fragment_length: u32,
}

impl Hello {
    /// The hello with which a datagram begins. `None` for everything else: a hello is a flight of its own.
    pub fn read(datagram: &[u8]) -> Option<Self> {
        let (record, message) = datagram.split_at_checked(RECORD_HEADER_BYTES)?;
        let epoch = &record[3..5];
        if record[0] != CONTENT_HANDSHAKE || epoch != [0, 0] {
            return None;
        }
        let [CLIENT_HELLO, _, _, _, s1, s0, o2, o1, o0, l2, l1, l0] = *message.first_chunk()? else { return None };
        Some(Self {
            message_sequence: u16::from_be_bytes([s1, s0]),
            fragment_offset: u32::from_be_bytes([0, o2, o1, o0]),
            fragment_length: u32::from_be_bytes([0, l2, l1, l0]),
        })
    }
}

/// The hellos of one peer.
#[derive(Debug, Default)]
pub struct Hellos {
    /// Of those that bring a cookie.
    seen: VecDeque<(SocketAddr, Hello)>,
}

impl Hellos {
    /// Whether the server has had this datagram's hello. Hellos without a cookie are repeats once there was one with it; before, the server keeps
    /// nothing of them, and answers each.
    pub fn is_repeat(&mut self, from: SocketAddr, datagram: &[u8]) -> bool {
        let Some(hello) = Hello::read(datagram) else { return false };
        let mut from_there = self.seen.iter().filter(|(address, _)| *address == from);
        if hello.message_sequence == 0 {
            return from_there.next().is_some();
        }
        if from_there.any(|(_, seen)| *seen == hello) {
            return true;
        }
        if self.seen.len() == REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back((from, hello));
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "192.0.2.1:5000";
    const THERE: &str = "192.0.2.1:5001";

    /// A record that begins with a handshake message of `kind`; its number does not matter.
    fn record(kind: u8, epoch: u8, number: u8, sequence: u8, offset: u8, length: u8) -> Vec<u8> {
        let mut record = vec![CONTENT_HANDSHAKE, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, number, 0, 12 + length];
        record.extend([kind, 0, 0, 200, 0, sequence, 0, 0, offset, 0, 0, length]);
        record.resize(record.len() + usize::from(length), 7);
        record
    }

    fn repeat(hellos: &mut Hellos, from: &str, datagram: &[u8]) -> bool {
        hellos.is_repeat(from.parse().expect("an address"), datagram)
    }

    #[test]
    fn a_hello_is_a_repeat_once_one_with_a_cookie_has_come() {
        let mut hellos = Hellos::default();
        let (first, second) = (record(CLIENT_HELLO, 0, 0, 0, 0, 200), record(CLIENT_HELLO, 0, 2, 1, 0, 200));
        assert!(!repeat(&mut hellos, HERE, &first));
        assert!(!repeat(&mut hellos, HERE, &record(CLIENT_HELLO, 0, 1, 0, 0, 200)), "the answer may have been lost");
        assert!(!repeat(&mut hellos, HERE, &second));
        assert!(repeat(&mut hellos, HERE, &second));
        assert!(repeat(&mut hellos, HERE, &record(CLIENT_HELLO, 0, 9, 1, 0, 200)), "in a record of its own");
        assert!(repeat(&mut hellos, HERE, &first), "late");
        assert!(!repeat(&mut hellos, THERE, &first), "each address shakes hands for itself");
    }

    #[test]
    fn a_part_that_has_not_come_yet_is_none() {
        let mut hellos = Hellos::default();
        let part = |offset, length| record(CLIENT_HELLO, 0, 0, 1, offset, length);
        assert!(!repeat(&mut hellos, HERE, &part(0, 100)));
        assert!(!repeat(&mut hellos, HERE, &part(100, 100)));
        assert!(repeat(&mut hellos, HERE, &part(0, 100)));
        assert!(!repeat(&mut hellos, HERE, &part(0, 50)), "cut anew for a smaller path");
    }

    #[test]
    fn nothing_else_is() {
        const CLIENT_KEY_EXCHANGE: u8 = 16;
        let mut hellos = Hellos::default();
        for datagram in
            [record(CLIENT_KEY_EXCHANGE, 0, 0, 5, 0, 60), record(CLIENT_HELLO, 1, 0, 5, 0, 60), vec![22; 24], vec![]]
        {
            assert!(!repeat(&mut hellos, HERE, &datagram));
            assert!(!repeat(&mut hellos, HERE, &datagram));
        }
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let mut hellos = Hellos::default();
        for port in 0..10 * REMEMBERED {
            assert!(!repeat(&mut hellos, &format!("192.0.2.1:{}", 1_000 + port), &record(CLIENT_HELLO, 0, 0, 1, 0, 9)));
        }
        assert_eq!(hellos.seen.len(), REMEMBERED);
    }
}
