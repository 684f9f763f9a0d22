#![allow(clippy::disallowed_methods)] // IO: measures how long the stage takes.
//! A session ends by DELETE, by the room's closing, by its publisher's death, and not before.

use crate::harness::{Theatre, next_event, next_frame, within};
use crate::support::media::{Clip, Video};
use crate::support::{Client, Setup};
use footlight_media::codec::Codec;
use footlight_media::track::TrackEvent;
use http::Method;
use std::time::{Duration, Instant};

const SETUP: fn() -> Setup = || Setup { video: vec![Video::Vp8], audio: true };

fn clip() -> Option<Clip> {
    Some(Clip::synthetic(Video::Vp8, (320, 180), 200_000, 1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_delete() {
    let theatre = Theatre::open().await;
    let (mut subscription, mut joined) = theatre.watched(&SETUP()).await;
    joined.client.publish(clip(), true);
    let _running = joined.client.spawn();
    next_frame(&mut subscription, Codec::Vp8).await;
    let ended = theatre.change(Method::DELETE, &joined.url, "room:ada", Some("\"any\""), "").await;
    assert_eq!(ended.status(), 200);
    assert!(ended.body().is_empty());
    let mut removed = 0;
    while removed < 2 {
        next_event(&mut subscription, |event| matches!(event, TrackEvent::Removed { .. }).then_some(())).await;
        removed += 1;
    }
    assert!(theatre.stage.stats().await.is_empty());
    let again = theatre.change(Method::DELETE, &joined.url, "room:ada", None, "").await;
    assert_eq!(again.status(), 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_publisher_is_noticed() {
    let theatre = Theatre::open().await;
    let (mut subscription, mut joined) = theatre.watched(&SETUP()).await;
    joined.client.publish(clip(), false);
    let running = joined.client.spawn();
    next_frame(&mut subscription, Codec::Vp8).await;
    drop(running);
    let killed = Instant::now();
    next_event(&mut subscription, |event| matches!(event, TrackEvent::Removed { .. }).then_some(())).await;
    let off_stage = killed.elapsed();
    assert!((Duration::from_secs(7)..Duration::from_secs(9)).contains(&off_stage), "{off_stage:?}");
    theatre.empties().await;
    let noticed = killed.elapsed();
    assert!(noticed < Duration::from_secs(13), "{noticed:?}");
}

/// Who sends nothing for longer than a killed publisher is waited for, but consents, leaves the stage and not the session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_muted_publisher_comes_back_in_its_session() {
    let theatre = Theatre::open().await;
    let (mut subscription, mut joined) = theatre.watched(&SETUP()).await;
    joined.client.publish(clip(), true);
    joined.client.mute(Duration::from_secs(2)..Duration::from_secs(16));
    let _running = joined.client.spawn();
    let before = next_frame(&mut subscription, Codec::Vp8).await;
    for _ in [Codec::Vp8, Codec::Opus] {
        next_event(&mut subscription, |event| matches!(event, TrackEvent::Removed { .. }).then_some(())).await;
    }
    let after = next_frame(&mut subscription, Codec::Vp8).await;
    assert_eq!(after.track, before.track);
    assert!(after.key);
    let away = Duration::from_micros(after.time.micros_since(before.time).unsigned_abs());
    assert!((Duration::from_secs(14)..Duration::from_secs(18)).contains(&away), "{away:?}");
}

/// Who sends sound alone, or video alone, is heard or seen, and stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_kind_of_media_is_enough() {
    let theatre = Theatre::open().await;
    for (room, video, audio) in [("sound", false, true), ("picture", true, false)] {
        for offers_both in [true, false] {
            let mut subscription = theatre.subscribe(room).await;
            let setup = match offers_both {
                true => SETUP(),
                false => Setup { video: if video { vec![Video::Vp8] } else { vec![] }, audio },
            };
            let mut joined = theatre.join(room, "ada", Client::udp(&setup, None).await).await;
            joined.client.publish(clip().filter(|_| video), audio);
            let _running = joined.client.spawn();
            let codec = if video { Codec::Vp8 } else { Codec::Opus };
            let frame = next_frame(&mut subscription, codec).await;
            assert!(frame.key);
            theatre.change(Method::DELETE, &joined.url, &format!("{room}:ada"), None, "").await;
        }
    }
}

/// Who connects and sends nothing holds a session, and no track, until the first packet's time is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_nothing_is_let_go() {
    let theatre = Theatre::open().await;
    let mut joined = theatre.join("room", "ada", Client::udp(&SETUP(), None).await).await;
    within(joined.client.run_until(|seen| seen.connected)).await;
    let _running = joined.client.spawn();
    assert_eq!(theatre.stage.stats().await.len(), 1);
    let began = Instant::now();
    theatre.empties().await;
    assert!(began.elapsed() > Duration::from_secs(17), "it had {:?}", began.elapsed());
}
