#![allow(clippy::disallowed_methods)] // IO: sends packets at instants.
//! Garbage from one peer is that peer's loss: another one in the same room does not miss a frame.

use crate::harness::{Theatre, next_event, next_frame, within};
use crate::support::media::{Clip, Noise, Video, packetize, sps};
use crate::support::{Client, Packet, Setup};
use footlight_media::codec::Codec;
use footlight_media::track::{TrackEvent, TrackId};
use footlight_stage::driver::Subscription;
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::media::MediaKind;
use tokio::net::UdpSocket;

const VP8_ONLY: fn() -> Setup = || Setup { video: vec![Video::Vp8], audio: false };

/// A good peer whose frames are counted, and a client of a bad one that is connected.
async fn good_and_bad(theatre: &Theatre, bad: Setup) -> (Subscription, TrackId, crate::support::Running, Client) {
    let mut subscription = theatre.subscribe("room").await;
    let mut good = theatre.join("room", "good", Client::udp(&VP8_ONLY(), None).await).await;
    good.client.publish(Some(Clip::synthetic(Video::Vp8, (320, 180), 300_000, 1)), false);
    let running = good.client.spawn();
    let track = next_frame(&mut subscription, Codec::Vp8).await.track;
    let mut bad = theatre.join("room", "bad", Client::udp(&bad, None).await).await;
    within(bad.client.run_until(|seen| seen.connected)).await;
    (subscription, track, running, bad.client)
}

/// Takes the good peer's next frames: none is missing. Gives whether the bad one was heard of.
async fn the_good_one_goes_on(subscription: &mut Subscription, good: TrackId) -> u32 {
    let (mut frames, mut others) = (0, 0);
    while frames < 60 {
        next_event(subscription, |event| {
            match event {
                TrackEvent::Frame(frame) if frame.track == good => {
                    assert!(!frame.discontinuity, "a frame of the good peer is missing");
                    frames += 1;
                }
                TrackEvent::Frame(_) => others += 1,
                _ => {}
            }
            Some(())
        })
        .await;
    }
    others
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_payloads() {
    let theatre = Theatre::open().await;
    let setup = Setup { video: vec![Video::H264], audio: true };
    let (mut subscription, good, _running, mut bad) = good_and_bad(&theatre, setup).await;
    let mut noise = Noise(99);
    let begin = Instant::now();
    for number in 0..1_500_u64 {
        let payload: Arc<[u8]> = (0..noise.next() % 1_000).map(|_| noise.next() as u8).collect();
        let kind = if number % 4 == 0 { MediaKind::Audio } else { MediaKind::Video };
        let timestamp = noise.next() as u32;
        let packet = Packet { sequence: number, timestamp, marker: number % 3 == 0, payload };
        bad.script(begin + Duration::from_millis(number), kind, packet);
    }
    let _bad = bad.spawn();
    the_good_one_goes_on(&mut subscription, good).await;
    let stats = theatre.stage.stats().await;
    let bad = stats.iter().find(|session| session.from.peer.0 == "bad").expect("it may stay");
    let video = bad.tracks.iter().find(|track| track.codec == Codec::H264).unwrap();
    assert!(video.packets > 300 && video.assembler.assembled == 0, "{video:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_of_8192_by_8192() {
    let theatre = Theatre::open().await;
    let setup = Setup { video: vec![Video::H264], audio: false };
    let (mut subscription, good, _running, mut bad) = good_and_bad(&theatre, setup).await;
    let clip = Clip::synthetic(Video::H264, (8_192, 8_192), 300_000, 1);
    assert!(clip.frames[0].data.windows(8).any(|window| window == &sps(8_192, 8_192)[..8]));
    bad.publish(Some(clip), false);
    let _bad = bad.spawn();
    assert_eq!(the_good_one_goes_on(&mut subscription, good).await, 0, "refused before any decoder");
    let stats = theatre.stage.stats().await;
    let bad = stats.iter().find(|session| session.from.peer.0 == "bad").unwrap();
    assert!(bad.tracks[0].assembler.frames_refused > 0, "{bad:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timestamps_that_jump_by_hours() {
    let theatre = Theatre::open().await;
    let (mut subscription, good, _running, mut bad) = good_and_bad(&theatre, VP8_ONLY()).await;
    let clip = Clip::synthetic(Video::Vp8, (160, 96), 100_000, 1);
    let begin = Instant::now();
    let mut sequence = 0;
    for number in 0..120_u64 {
        let hours = [0_i64, 3, -5, 6][(number / 30) as usize];
        let timestamp = (number as i64 * 3_000 + hours * 3_600 * 90_000) as u32;
        let payloads = packetize(Video::Vp8, &clip.frames[(number % 30) as usize]);
        let last = payloads.len() - 1;
        for (part, payload) in payloads.into_iter().enumerate() {
            let packet = Packet { sequence, timestamp, marker: part == last, payload };
            bad.script(begin + Duration::from_millis(33 * number), MediaKind::Video, packet);
            sequence += 1;
        }
    }
    let _bad = bad.spawn();
    let mut frames = 0;
    while frames < 115 {
        next_event(&mut subscription, |event| {
            if let TrackEvent::Frame(frame) = event
                && frame.track != good
            {
                frames += 1;
                let late = frame.stamps.assembled.micros_since(frame.time);
                assert!((-300_000..300_000).contains(&late), "frame {frames} lies {late} us off its arrival");
            }
            Some(())
        })
        .await;
    }
}

/// Strangers who know nothing, or a fragment but no password, get no answer at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_on_the_udp_port() {
    let theatre = Theatre::open().await;
    let (mut subscription, good, _running, bad) = good_and_bad(&theatre, VP8_ONLY()).await;
    let answer_ufrag = bad.answer().lines().find_map(|line| line.strip_prefix("a=ice-ufrag:")).unwrap().to_owned();
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut noise = Noise(3);
    for round in 0..2_000_u64 {
        let mut datagram: Vec<u8> = (0..20 + noise.next() % 200).map(|_| noise.next() as u8).collect();
        if round % 2 == 0 {
            let username = format!("{}:x", if round % 4 == 0 { &answer_ufrag } else { "nobody" });
            let padded = username.len().next_multiple_of(4);
            datagram = vec![0, 1, 0, (4 + padded) as u8, 0x21, 0x12, 0xa4, 0x42];
            datagram.extend([9; 12]);
            datagram.extend([0, 6, 0, username.len() as u8]);
            datagram.extend(username.as_bytes());
            datagram.resize(20 + 4 + padded, 0);
        }
        stranger.send_to(&datagram, theatre.stage.local_addr()).await.unwrap();
    }
    the_good_one_goes_on(&mut subscription, good).await;
    let mut buffer = [0; 2_048];
    let error = stranger.try_recv_from(&mut buffer).expect_err("no answer to a stranger");
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
}
