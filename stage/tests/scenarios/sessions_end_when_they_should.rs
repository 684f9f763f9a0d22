#![allow(clippy::disallowed_methods)] // IO: looks at the sessions ten times a second.
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
    let mut subscription = theatre.subscribe("room").await;
    let mut joined = theatre.join("room", "ada", Client::udp(&SETUP(), None).await).await;
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
async fn a_killed_publisher_is_noticed_within_twelve_seconds() {
    let theatre = Theatre::open().await;
    let mut subscription = theatre.subscribe("room").await;
    let mut joined = theatre.join("room", "ada", Client::udp(&SETUP(), None).await).await;
    joined.client.publish(clip(), false);
    let running = joined.client.spawn();
    next_frame(&mut subscription, Codec::Vp8).await;
    drop(running);
    #[allow(clippy::disallowed_methods)] // What is measured is how long the stage takes.
    let killed = Instant::now();
    next_event(&mut subscription, |event| matches!(event, TrackEvent::Removed { .. }).then_some(())).await;
    #[allow(clippy::disallowed_methods)]
    let noticed = killed.elapsed();
    assert!((Duration::from_secs(7)..Duration::from_secs(12)).contains(&noticed), "{noticed:?}");
    assert!(theatre.stage.stats().await.is_empty());
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
    let mut stats = theatre.stage.stats().await;
    assert_eq!(stats.len(), 1);
    // Twenty seconds of looking: as often as the bound needs, and no core spent on it.
    let mut look = tokio::time::interval(Duration::from_millis(100));
    within(async {
        while !stats.is_empty() {
            assert!(stats[0].age < Duration::from_secs(22));
            look.tick().await;
            stats = theatre.stage.stats().await;
        }
    })
    .await;
}
