#![allow(clippy::disallowed_methods)] // IO: paces frames, reads the clock.
//! The publishing client against the stage: at 5 % loss with up to 20 ms of jitter what is lost is sent again, and over IPv6 it connects too.

use crate::harness::{Theatre, loopback, next_event, within};
use crate::support::media::{Clip, Video};
use crate::support::relay::{Netem, Relay};
use bytes::Bytes;
use footlight_media::codec::Codec;
use footlight_media::time::{SessionTime, WallTime};
use footlight_media::track::TrackEvent;
use footlight_stage::client::{ClientEvent, Media, Publisher, VideoFormat};
use footlight_stage::config::Config;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// 10 s at 30 fps.
const FRAMES: u32 = 300;
const MEDIA: Media = Media { video: Some(VideoFormat::H264 { profile_level_id: [0x42, 0xe0, 0x1f] }), audio: true };

/// A client whose answer names `port` in place of the stage's.
async fn join(theatre: &Theatre, epoch: Instant, port: u16) -> (Publisher, mpsc::Receiver<ClientEvent>) {
    let zero_date = WallTime::from_micros(1_800_000_000_000_000);
    let (publisher, offer, mut events) = Publisher::offer(MEDIA, &[], epoch, zero_date).await.unwrap();
    let answer = theatre.post("room", "ada", &offer).await;
    assert_eq!(answer.status(), 201, "{}", answer.body());
    let real = format!(" {} typ host", theatre.stage.local_addr().port());
    let answer = answer.body().replace(&real, &format!(" {port} typ host"));
    publisher.accept(&answer).await.unwrap();
    let connected = async { while events.recv().await.expect("it connects") != ClientEvent::Connected {} };
    within(connected).await;
    (publisher, events)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_lost_is_sent_again() {
    let theatre = Theatre::open().await;
    let mut subscription = theatre.subscribe("room").await;
    let relay = Relay::start(theatre.stage.local_addr(), Netem::new(7, 0.05, Duration::from_millis(20))).await;
    let epoch = Instant::now();
    let (mut publisher, mut events) = join(&theatre, epoch, relay.address.port()).await;
    let clip = Clip::synthetic(Video::H264, (1280, 720), 1_500_000, 2);
    let sending = async {
        let mut ticks = tokio::time::interval(Duration::from_micros(33_333));
        for (frame, _) in clip.frames.iter().cycle().zip(0..FRAMES) {
            let now = SessionTime::ZERO + ticks.tick().await.into_std().saturating_duration_since(epoch);
            publisher.send(Codec::H264, now, &Bytes::copy_from_slice(&frame.data)).await.unwrap();
            publisher.send(Codec::Opus, now, &Bytes::from_static(&[0xf8, 0xff, 0xfe])).await.unwrap();
        }
    };
    let counting = async {
        let (mut track, mut frames) = (None, 0);
        loop {
            let next = next_event(&mut subscription, |event| {
                match event {
                    TrackEvent::Added { track: added, codec: Codec::H264, .. } => track = Some(added),
                    TrackEvent::Frame(frame) if Some(frame.track) == track => frames += 1,
                    _ => {}
                }
                Some(())
            });
            if tokio::time::timeout(Duration::from_secs(2), next).await.is_err() {
                return frames;
            }
        }
    };
    let (frames, ()) = tokio::join!(counting, sending);
    let stats = theatre.stage.stats().await;
    let track = stats[0].tracks.iter().find(|track| track.codec == Codec::H264).unwrap();
    println!("{frames} of {FRAMES} frames, {} asked for, {} sent again", track.nacked, track.retransmissions);
    assert!(frames * 100 >= FRAMES * 98, "{frames} of {FRAMES} frames: {track:?}");
    assert!(track.retransmissions > 0 && track.retransmissions * 100 < track.packets * 12, "{track:?}");
    let (mut sent_again, mut round_trip) = (0, None);
    while let Ok(event) = events.try_recv() {
        match event {
            ClientEvent::Retransmissions(packets) => sent_again += packets,
            ClientEvent::RoundTrip(trip) => round_trip = Some(trip),
            _ => {}
        }
    }
    assert!(sent_again > 0, "it is told of");
    let trip = round_trip.expect("receiver reports came");
    assert!(trip < Duration::from_millis(200), "{trip:?}");
    publisher.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_ipv6() {
    let theatre = Theatre::with(Config { listen: "[::1]:0".parse().unwrap(), ..loopback() }).await;
    let (publisher, _events) = join(&theatre, Instant::now(), theatre.stage.local_addr().port()).await;
    publisher.close().await;
}
