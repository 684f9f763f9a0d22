//! A stage on `[::]`, as is the default, is reached over IPv6 and over IPv4, by UDP and by TCP, by the candidates of its answers.

use crate::harness::{Theatre, loopback, next_frame};
use crate::support::media::{Clip, Video};
use crate::support::{Client, Setup};
use footlight_media::codec::Codec;
use footlight_stage::config::Config;
use std::net::{IpAddr, SocketAddr};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_stage_on_all_addresses() {
    let announce = vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
    let theatre = Theatre::with(Config { listen: "[::]:0".parse().unwrap(), announce, ..loopback() }).await;
    let port = theatre.stage.local_addr().port();
    let setup = Setup { video: vec![Video::Vp8], audio: false };
    let mut running = Vec::new();
    for (room, address, tcp) in [
        ("ipv4", "127.0.0.1", false),
        ("ipv6", "::1", false),
        ("ipv4-tcp", "127.0.0.1", true),
        ("ipv6-tcp", "::1", true),
    ] {
        let address: IpAddr = address.parse().unwrap();
        // Each in its turn: a TCP connection that says nothing for a few seconds is closed.
        let client = match tcp {
            true => Client::tcp(&setup, (address, port).into()).await,
            false => Client::udp_from(&setup, &SocketAddr::from((address, 0)).to_string(), None).await,
        };
        let mut subscription = theatre.subscribe(room).await;
        let mut joined = theatre.join(room, "ada", client).await;
        for address in ["127.0.0.1", "::1"] {
            let candidate = format!(" {address} {port} typ host");
            assert!(joined.client.answer().contains(&candidate), "{candidate} in {}", joined.client.answer());
        }
        joined.client.publish(Some(Clip::synthetic(Video::Vp8, (320, 180), 200_000, 1)), false);
        running.push(joined.client.spawn());
        assert!(next_frame(&mut subscription, Codec::Vp8).await.key, "over {room}");
    }
}
