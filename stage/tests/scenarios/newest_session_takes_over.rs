//! A new session of a peer replaces the old one at once, dead or alive; other peers and rooms stay.

use crate::harness::{Theatre, next_event, next_frame};
use crate::support::media::{Clip, Video};
use crate::support::{Client, Running, Setup};
use footlight_media::codec::Codec;
use footlight_media::track::{Source, TrackEvent};
use http::Method;

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
