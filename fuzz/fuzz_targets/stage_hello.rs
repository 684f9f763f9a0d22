//! A stranger's datagrams where a DTLS handshake is expected: only a ClientHello is ever a repeat, and one that brings a cookie only of itself.
#![no_main]

use footlight_stage::hello::{Hello, Hellos};
use libfuzzer_sys::fuzz_target;
use std::net::SocketAddr;

fuzz_target!(|datagrams: Vec<(bool, Vec<u8>)>| {
    let from: SocketAddr = ([192, 0, 2, 1], 5_000).into();
    let mut hellos = Hellos::default();
    let mut with_cookie: Vec<Hello> = Vec::new();
    for (shaped, mut datagram) in datagrams {
        if shaped && datagram.len() > 13 {
            datagram[..5].copy_from_slice(&[22, 0xfe, 0xfd, 0, 0]);
            datagram[13] = 1;
        }
        let hello = Hello::read(&datagram);
        if hellos.is_repeat(from, &datagram) {
            let hello = hello.expect("a hello");
            assert!(if hello.message_sequence == 0 { !with_cookie.is_empty() } else { with_cookie.contains(&hello) });
        }
        with_cookie.extend(hello.filter(|hello| hello.message_sequence > 0));
    }
});
