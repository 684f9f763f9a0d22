//! The first bytes of a stranger's datagram or TCP connection: a fragment that is found stands in the datagram, before a colon.
#![no_main]

use footlight_stage::stun::{is_stun, receiver_ufrag};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<u8>, Vec<(u16, Vec<u8>)>)| {
    let (raw, attributes) = input;
    check(&raw);
    // As deep as a well-formed header leads; its length may say otherwise than what follows.
    let mut body = Vec::new();
    for (kind, value) in &attributes {
        body.extend(kind.to_be_bytes());
        body.extend((value.len() as u16).to_be_bytes());
        body.extend(value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let announced = raw.first().map_or(body.len(), |wrong| body.len() ^ usize::from(*wrong));
    let mut datagram = vec![0, 1];
    datagram.extend((announced as u16).to_be_bytes());
    datagram.extend([0x21, 0x12, 0xa4, 0x42]);
    datagram.extend([7; 12]);
    datagram.extend(body);
    check(&datagram);
});

fn check(datagram: &[u8]) {
    if let Some(ufrag) = receiver_ufrag(datagram) {
        assert!(is_stun(datagram) && !ufrag.contains(':'));
        let named = format!("{ufrag}:");
        assert!(datagram.windows(named.len()).any(|window| window == named.as_bytes()));
    }
}
