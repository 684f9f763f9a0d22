#![allow(clippy::disallowed_methods)] // IO: sockets and patience of its own.
//! A subscriber that comes late hears of the tracks that are there and gets a key frame soon; one that takes nothing
//! holds nobody up.

use crate::harness::{Theatre, next_event, next_frame};
use crate::support::media::{Clip, Video};
use crate::support::{Client, Setup};
use footlight_media::codec::Codec;
use footlight_media::track::{TrackEvent, TrackRequest};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_and_slow_subscribers() {
    let theatre = Theatre::open().await;
    let mut early = theatre.subscribe("room").await;
    let mut asleep = theatre.subscribe("room").await;
    let setup = Setup { video: vec![Video::H264], audio: true };
    let mut joined = theatre.join("room", "ada", Client::udp(&setup, None).await).await;
    joined.client.publish(Some(Clip::synthetic(Video::H264, (640, 360), 400_000, 1)), true);
    let running = joined.client.spawn();
    let first = next_frame(&mut early, Codec::H264).await;

    // Late: the track is introduced, the picture begins at a key frame, which was asked for.
    let asked = running.seen.borrow().key_frame_requests;
    let mut late = theatre.subscribe("room").await;
    let begins = next_frame(&mut late, Codec::H264).await;
    assert_eq!(begins.track, first.track);
    assert!(begins.key && !begins.discontinuity);
    let mut seen = running.seen.clone();
    tokio::time::timeout(Duration::from_secs(5), seen.wait_for(|seen| seen.key_frame_requests > asked))
        .await
        .expect("a key frame is asked for")
        .unwrap();

    // Slow: five seconds of a peer are more than the queue holds. The early one misses nothing meanwhile.
    let mut frames = 0;
    while frames < 150 {
        next_event(&mut early, |event| match event {
            TrackEvent::Frame(frame) if frame.track == first.track => {
                assert!(!frame.discontinuity);
                Some(())
            }
            _ => None,
        })
        .await;
        frames += 1;
    }
    let mut continues = None;
    while continues.is_none() {
        next_event(&mut asleep, |event| {
            if let TrackEvent::Frame(frame) = event
                && frame.track == first.track
                && frame.discontinuity
            {
                assert!(frame.key, "after a break the picture goes on at a key frame");
                continues = Some(frame);
            }
            Some(())
        })
        .await;
    }
}

/// What the packager asks for when a decoder has lost the thread reaches who sends the picture.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_s_wish_reaches_the_sender() {
    let theatre = Theatre::open().await;
    let setup = Setup { video: vec![Video::H264], audio: false };
    let (mut subscription, mut joined) = theatre.watched(&setup).await;
    joined.client.publish(Some(Clip::synthetic(Video::H264, (320, 180), 200_000, 1)), false);
    let running = joined.client.spawn();
    let track = next_frame(&mut subscription, Codec::H264).await.track;
    // Nobody else wishes for anything: the subscriber was there before the picture, and takes every frame.
    let asked = running.seen.borrow().key_frame_requests;
    theatre.stage.request("room", TrackRequest::KeyFrame(track)).await;
    let mut seen = running.seen.clone();
    tokio::time::timeout(Duration::from_secs(5), seen.wait_for(|seen| seen.key_frame_requests > asked))
        .await
        .expect("the wish is passed on")
        .unwrap();
}
