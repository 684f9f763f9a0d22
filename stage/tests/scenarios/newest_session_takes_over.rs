//! A new session of a peer replaces the old one at once, dead or alive; other peers and rooms stay. Who returns has the old place.

use crate::harness::{Theatre, next_event, next_frame};
use crate::support::media::{Clip, Video};
use crate::support::{Client, Running, Setup};
use footlight_media::codec::Codec;
use footlight_media::track::{Seat, Source, TrackEvent};
use footlight_stage::driver::Subscription;
use http::Method;
use std::collections::BTreeMap;

async fn publisher(theatre: &Theatre, room: &str, peer: &str) -> (Running, String) {
    let setup = Setup { video: vec![Video::Vp8], audio: false };
    let mut joined = theatre.join(room, peer, Client::udp(&setup, None).await).await;
    joined.client.publish(Some(Clip::synthetic(Video::Vp8, (320, 180), 200_000, 1)), false);
    (joined.client.spawn(), joined.url)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn within_one_room() {
    let theatre = Theatre::open().await;
    let mut subscription = theatre.subscribe("room").await;
    let (_first, old_url) = publisher(&theatre, "room", "ada").await;
    let first_track = next_frame(&mut subscription, Codec::Vp8).await.track;
    let (_other_room, _) = publisher(&theatre, "room2", "ada").await;
    let (_second, _) = publisher(&theatre, "room", "ada").await;
    let second_track = next_event(&mut subscription, {
        let mut removed = false;
        move |event| match event {
            TrackEvent::Removed { track, succeeded } if track == first_track => {
                assert!(succeeded, "the old picture is to stand until the new one has come");
                removed = true;
                None
            }
            TrackEvent::Added { track, from, .. } => {
                assert!(removed, "the old one is gone before the new one comes");
                assert_eq!(from.peer.0, "ada");
                Some(track)
            }
            _ => None,
        }
    })
    .await;
    assert_ne!(first_track, second_track);
    next_event(&mut subscription, |event| {
        matches!(event, TrackEvent::Frame(frame) if frame.track == second_track).then_some(())
    })
    .await;
    assert_eq!(theatre.stage.stats().await.len(), 2);
    let gone = theatre.change(Method::DELETE, &old_url, "room:ada", None, "").await;
    assert_eq!(gone.status(), 404);
}

/// A screen is shown beside the camera of who shares it, and the next screen takes its place alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn but_a_screen_stands_beside_a_camera() {
    let theatre = Theatre::open().await;
    let mut subscription = theatre.subscribe("room").await;
    let mut added = async |room: &str| {
        let running = publisher(&theatre, room, "ada").await;
        let found = next_event(&mut subscription, |event| match event {
            TrackEvent::Added { track, from, .. } => Some((track, from)),
            _ => None,
        });
        let (track, from) = found.await;
        assert_eq!(from.peer.0, "ada");
        (running, track, (from.source, from.name))
    };
    let (_camera, camera, of) = added("room?name=Ada%20L.").await;
    assert_eq!(of, (Source::Regular, Some("Ada L.".to_owned())));
    let (_first, _, of) = added("room?source=screen").await;
    assert_eq!(of, (Source::Screen, None));
    let (_second, _, of) = added("room?source=screen").await;
    assert_eq!(of, (Source::Screen, None));
    next_event(&mut subscription, |event| {
        assert!(!matches!(event, TrackEvent::Removed { track, .. } if track == camera), "the camera goes on");
        matches!(event, TrackEvent::Frame(frame) if frame.track == camera).then_some(())
    })
    .await;
    let stats = theatre.stage.stats().await;
    assert_eq!(stats.iter().filter(|session| session.from.source == Source::Screen).count(), 1);
    assert_eq!(stats.iter().map(|session| session.role.as_str()).collect::<Vec<_>>(), ["guest"; 2]);
    assert_eq!(theatre.stage.on_stage("room").await.len(), 1, "one person");
}

/// Also where somebody came meanwhile, and for a subscriber that has begun since, as a packager that was replaced.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_who_returns_has_the_old_place() {
    let theatre = Theatre::open().await;
    let mut subscription = theatre.subscribe("room").await;
    let (_ada, url) = publisher(&theatre, "room", "ada").await;
    let _bob = publisher(&theatre, "room", "bob").await;
    let came = seats(&mut subscription, 2).await;
    theatre.change(Method::DELETE, &url, "room:ada", None, "").await;
    let _cy = publisher(&theatre, "room", "cy").await;
    assert!(seats(&mut subscription, 1).await["cy"] > came["bob"]);
    let _ada = publisher(&theatre, "room", "ada").await;
    assert_eq!(seats(&mut subscription, 1).await["ada"], came["ada"]);
    let of_all = seats(&mut theatre.subscribe("room").await, 3).await;
    let mut order: Vec<_> = of_all.iter().collect();
    order.sort_by_key(|(_, seat)| **seat);
    assert_eq!(order.iter().map(|(peer, _)| peer.as_str()).collect::<Vec<_>>(), ["ada", "bob", "cy"]);
}

/// The seats of the next so many tracks, by peer.
async fn seats(subscription: &mut Subscription, tracks: usize) -> BTreeMap<String, Seat> {
    let mut seats = BTreeMap::new();
    for _ in 0..tracks {
        let (peer, seat) = next_event(subscription, |event| match event {
            TrackEvent::Added { from, .. } => Some((from.peer.0, from.seat)),
            _ => None,
        })
        .await;
        seats.insert(peer, seat);
    }
    seats
}
