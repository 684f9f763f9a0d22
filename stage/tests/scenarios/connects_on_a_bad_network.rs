#![allow(clippy::disallowed_methods)] // IO: a relay of its own.
//! Whichever datagram of the DTLS handshake the network loses, the handshake goes on.

use crate::harness::Theatre;
use crate::support::relay::Relay;
use crate::support::{Client, Setup};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// A handshake is six flights of about one datagram each (RFC 6347 section 4.2.4).
const DATAGRAMS: usize = 8;
/// Chromium repeats a flight after this, whatever the round trip: on a long way everything of its handshake comes twice.
const REPEATED_AFTER: Duration = Duration::from_millis(50);
/// The lost flight is sent again after a second by whoever sent it; the next try may meet an ICE check.
const PATIENCE: Duration = Duration::from_secs(5);
/// Further than a handshake's records reach, and well within the window of its replay detection (RFC 6347 section 4.1.2.6).
const RECORDS: u64 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_lost_of_the_handshake() {
    let theatre = Arc::new(Theatre::open().await);
    let mut runs = JoinSet::new();
    for lost in 0..DATAGRAMS {
        let theatre = Arc::clone(&theatre);
        runs.spawn(async move { (lost, connects(&theatre, lost).await) });
    }
    let mut stuck: Vec<_> = runs.join_all().await.into_iter().filter(|(_, connected)| !connected).collect();
    stuck.sort_unstable();
    assert_eq!(stuck, [], "which datagram was lost where the handshake did not end");
}

/// Whether a peer gets on stage when the network loses datagram `lost` of the handshake.
async fn connects(theatre: &Theatre, lost: usize) -> bool {
    let mut number = 0;
    let fate = move |datagram: &[u8]| {
        // DTLS, among what shares the port (RFC 7983 section 7).
        if !(20..=63).contains(&datagram[0]) {
            return vec![(Duration::ZERO, datagram.to_vec())];
        }
        number += 1;
        let again = repeated_hello(datagram).map(|again| (REPEATED_AFTER, again));
        let first = (number - 1 != lost).then(|| (Duration::ZERO, datagram.to_vec()));
        first.into_iter().chain(again).collect()
    };
    let relay = Relay::start_with(theatre.stage.local_addr(), fate).await;
    let client = Client::udp(&Setup::default(), Some(relay.address)).await;
    let mut joined = theatre.join("room", &format!("peer-{lost}"), client).await;
    tokio::time::timeout(PATIENCE, joined.client.run_until(|seen| seen.connected)).await.is_ok()
}

/// A ClientHello as its sender repeats it: the same message in a record with a number of its own.
fn repeated_hello(datagram: &[u8]) -> Option<Vec<u8>> {
    /// Content type `handshake`, and its first message's type `client_hello`.
    const HELLO: (u8, u8) = (22, 1);
    (datagram.len() > 13 && (datagram[0], datagram[13]) == HELLO).then(|| {
        let mut again = datagram.to_vec();
        let number: [u8; 8] = again[3..11].try_into().unwrap();
        again[3..11].copy_from_slice(&(u64::from_be_bytes(number) + RECORDS).to_be_bytes());
        again
    })
}
