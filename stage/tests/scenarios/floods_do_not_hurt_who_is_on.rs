#![allow(clippy::disallowed_methods)] // IO: paces a flood.
//! A thousand POSTs a second: most are told to come back, and who is publishing does not miss a frame.

use crate::harness::{Theatre, loopback, next_event, next_frame};
use crate::support::media::{Clip, Video};
use crate::support::{Client, Setup};
use footlight_media::codec::Codec;
use footlight_media::track::TrackEvent;
use footlight_stage::config::Config;
use http::Method;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_offers_a_second() {
    let theatre = Arc::new(
        Theatre::with(Config { offers_per_second: 20, offer_burst: 20, peer_offers_per_second: 1_000, ..loopback() })
            .await,
    );
    let setup = Setup { video: vec![Video::Vp8], audio: false };
    let (mut subscription, mut joined) = theatre.watched(&setup).await;
    joined.client.publish(Some(Clip::synthetic(Video::Vp8, (320, 180), 300_000, 1)), false);
    let _running = joined.client.spawn();
    let track = next_frame(&mut subscription, Codec::Vp8).await.track;

    let offer = Client::udp(&Setup::default(), None).await.offer().to_owned();
    let mut answers = JoinSet::new();
    let begin = Instant::now();
    for number in 0..3_000_u32 {
        tokio::time::sleep_until((begin + Duration::from_millis(u64::from(number))).into()).await;
        let (theatre, offer) = (Arc::clone(&theatre), offer.clone());
        answers.spawn(async move {
            let answer = theatre.post("room", &format!("flood{}", number % 50), &offer).await;
            (answer.status().as_u16(), answer.headers().get("retry-after").cloned())
        });
    }
    let (mut created, mut busy) = (0, 0);
    while let Some(answer) = answers.join_next().await {
        match answer.unwrap() {
            (201, _) => created += 1,
            (503, Some(_)) => busy += 1,
            other => panic!("{other:?}"),
        }
    }
    println!("{created} answered, {busy} told to come back");
    assert!((20..=100).contains(&created) && busy > 2_500);
    let mut frames = 0;
    while frames < 90 {
        next_event(&mut subscription, |event| {
            if let TrackEvent::Frame(frame) = event
                && frame.track == track
            {
                assert!(!frame.discontinuity);
                let took = frame.stamps.assembled.micros_since(frame.stamps.first_packet);
                assert!(took < 400_000, "assembled after {took} us");
                frames += 1;
            }
            Some(())
        })
        .await;
    }
}

#[tokio::test]
async fn one_peer_s_offers_are_counted_apart() {
    // None comes back, however long the negotiations take.
    let theatre = Theatre::with(Config { peer_offers_per_second: 0, peer_offer_burst: 2, ..loopback() }).await;
    let offer = Client::udp(&Setup::default(), None).await.offer().to_owned();
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let answer = theatre.post("room", "loud", &offer).await;
        assert_eq!(answer.headers().contains_key("retry-after"), answer.status() == 429);
        statuses.push(answer.status().as_u16());
    }
    assert_eq!(statuses, [201, 201, 429, 429]);
    assert_eq!(theatre.post("room", "quiet", &offer).await.status(), 201);
    assert_eq!(theatre.post("another", "loud", &offer).await.status(), 201, "a name in another room is another peer");
}

#[tokio::test]
async fn one_peer_s_changes_are_counted_and_its_restarts_as_offers() {
    let never = 0;
    let (offers, changes) = (2, 4);
    let config = Config {
        peer_offers_per_second: never,
        peer_offer_burst: offers,
        peer_changes_per_second: never,
        peer_change_burst: changes,
        ..loopback()
    };
    let theatre = Theatre::with(config).await;
    let loud = theatre.join_udp("room", "loud").await;
    let mut statuses = Vec::new();
    for time in 0..5 {
        let restart = format!("a=ice-ufrag:time{time}\r\na=ice-pwd:0123456789012345678901\r\n");
        let answer = theatre.change(Method::PATCH, &loud.url, "room:loud", Some("*"), &restart).await;
        assert_eq!(answer.headers().contains_key("retry-after"), answer.status() == 429);
        statuses.push((answer.status().as_u16(), answer.body().contains("may offer")));
    }
    // One offer is left for a restart; then it is the offers that are used up, then the changes.
    assert_eq!(statuses, [(200, false), (429, true), (429, true), (429, true), (429, false)]);
    let refused = theatre.change(Method::DELETE, &loud.url, "room:loud", None, "").await;
    assert_eq!(refused.status(), 429);
    let quiet = theatre.join_udp("room", "quiet").await;
    let left = theatre.change(Method::DELETE, &quiet.url, "room:quiet", None, "").await;
    assert_eq!(left.status(), 200);
}

#[tokio::test]
async fn those_of_a_room_are_counted_and_who_takes_over_is_let_in() {
    let theatre = Theatre::with(Config { max_sessions_per_room: 2, ..loopback() }).await;
    let offer = Client::udp(&Setup::default(), None).await.offer().to_owned();
    let offers = [
        ("room", "a", 201),
        ("room", "b", 201),
        ("room", "c", 503),
        ("room", "a", 201),
        ("room?source=screen", "a", 503),
        ("another", "c", 201),
    ];
    for (room, peer, want) in offers {
        let answer = theatre.post(room, peer, &offer).await;
        assert_eq!(answer.status(), want, "{peer} in {room}: {}", answer.body());
        assert_eq!(answer.headers().contains_key("retry-after"), want == 503);
        if want == 503 {
            let problem: serde_json::Value = serde_json::from_str(answer.body()).unwrap();
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains("has 2 sessions") && detail.contains("webrtc.max_sessions_per_room"), "{detail}");
        }
    }
    assert_eq!(theatre.stage.stats().await.len(), 3);
    // A place is free again.
    let leaving = theatre.post("room", "b", &offer).await;
    let url = leaving.headers()["location"].to_str().unwrap();
    assert_eq!(theatre.change(Method::DELETE, url, "room:b", None, "").await.status(), 200);
    assert_eq!(theatre.post("room", "c", &offer).await.status(), 201);
}

#[tokio::test]
async fn sessions_are_counted() {
    let theatre = Theatre::with(Config { max_sessions: 2, ..loopback() }).await;
    let offer = Client::udp(&Setup::default(), None).await.offer().to_owned();
    for (peer, want) in [("a", 201), ("b", 201), ("c", 503), ("a", 201)] {
        let answer = theatre.post("room", peer, &offer).await;
        assert_eq!(answer.status(), want, "{peer}: {}", answer.body());
    }
    assert_eq!(theatre.stage.stats().await.len(), 2);
}
