//! A server's Link header, with the ICE servers that it recommends.
#![no_main]

use footlight_stage::link::ice_servers;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|header: &str| {
    for server in ice_servers([header]) {
        assert!(server.url.starts_with("stun") || server.url.starts_with("turn"));
    }
});
