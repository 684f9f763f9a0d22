//! All peers, over IPv4 and IPv6, are answered from the one UDP port, and nobody gets another's packets.

use crate::harness::{Theatre, loopback, next_event, within};
use crate::support::media::{Clip, Video};
use crate::support::{Client, Setup, udp_candidate};
use footlight_media::track::TrackEvent;
use footlight_stage::config::Config;
use std::collections::HashMap;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_peers() {
    let theatre = Theatre::open().await;
    let mut subscription = theatre.subscribe("room").await;
    let mut running = Vec::new();
    for number in 0..8_u32 {
        let client = Client::udp(&Setup { video: vec![Video::Vp8], audio: false }, None).await;
        let mut joined = theatre.join("room", &format!("peer{number}"), client).await;
        // Everybody's picture has a size of their own, so that a frame says whose it is.
        let size = (160 + 16 * number, 96);
        joined.client.publish(Some(Clip::synthetic(Video::Vp8, size, 100_000, 1)), false);
        running.push(joined.client.spawn());
    }
    let mut owners = HashMap::new();
    let mut frames: HashMap<String, u32> = HashMap::new();
    while frames.len() < 8 || frames.values().any(|count| *count < 40) {
        next_event(&mut subscription, |event| {
            match event {
                TrackEvent::Added { track, from, .. } => {
                    owners.insert(track, from.peer.0);
                }
                TrackEvent::Frame(frame) => {
                    let owner = &owners[&frame.track];
                    if frame.key {
                        let width = u16::from_le_bytes([frame.data[6], frame.data[7]]);
                        assert_eq!(format!("peer{}", (width - 160) / 16), *owner);
                    }
                    *frames.entry(owner.clone()).or_default() += 1;
                }
                TrackEvent::Removed { .. } => panic!("nobody leaves"),
            }
            Some(())
        })
        .await;
    }
    let stats = theatre.stage.stats().await;
    assert_eq!(stats.len(), 8);
    assert!(stats.iter().all(|session| session.connected && session.dropped == 0), "{stats:?}");
}

#[tokio::test]
async fn answers_name_the_announced_addresses_and_the_one_port() {
    let announce = vec!["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()];
    let theatre = Theatre::with(Config { announce, ..loopback() }).await;
    for peer in ["ada", "bob"] {
        let client = Client::udp(&Setup::default(), None).await;
        let answer = theatre.post("room", peer, client.offer()).await;
        let port = theatre.stage.local_addr().port();
        assert_eq!(udp_candidate(answer.body()), Some(format!("192.0.2.7:{port}").parse().unwrap()));
        assert!(answer.body().contains(&format!("2001:db8::7 {port} typ host")));
        assert!(!answer.body().contains("127.0.0.1 "), "nothing of the virtual sockets shows");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wildcard_socket_takes_both_families() {
    let announce = vec!["127.0.0.1".parse().unwrap()];
    let listen = "[::]:0".parse().unwrap();
    let theatre = Theatre::with(Config { listen, announce, ..loopback() }).await;
    let mut joined = theatre.join_udp("room", "ada").await;
    within(joined.client.run_until(|seen| seen.connected)).await;
}
