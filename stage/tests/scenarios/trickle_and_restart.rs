//! PATCH (RFC 9725 section 4.3): trickled candidates are taken, an ICE restart renews both sides' credentials while
//! the media goes on, and a restart that fails leaves the session as it was.

use crate::harness::{Theatre, loopback, next_event, next_frame, within};
use crate::support::Setup;
use crate::support::media::{Clip, Video};
use footlight_media::codec::Codec;
use footlight_media::track::TrackEvent;
use footlight_stage::config::Config;
use http::Method;

const CANDIDATE: &str = "a=mid:0\r\na=candidate:1 1 udp 2122260223 192.0.2.1 50001 typ host\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trickling_needs_the_current_etag_and_answers_204() {
    let theatre = Theatre::open().await;
    let joined = theatre.join_udp("room", "ada").await;
    let patch = async |if_match: Option<&str>, body: &str| {
        theatre.change(Method::PATCH, &joined.url, "room:ada", if_match, body).await
    };
    let taken = patch(Some(&joined.etag), CANDIDATE).await;
    assert_eq!(taken.status(), 204);
    assert!(taken.body().is_empty());
    assert!(!taken.headers().contains_key("etag"));
    // The client's own credentials, as trickled fragments carry them, are no restart.
    let offered = |name: &str| joined.client.offer().lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    let with_own = format!("{}\r\n{}\r\n{CANDIDATE}", offered("a=ice-ufrag:"), offered("a=ice-pwd:"));
    assert_eq!(patch(Some(&joined.etag), &with_own).await.status(), 204);
    assert_eq!(patch(Some(&joined.etag), "a=end-of-candidates\r\n").await.status(), 204);
    // What cannot be used is dropped without a word.
    let unusable = "a=candidate:1 1 udp 1 nonsense.local 9 typ host\r\na=candidate:2 1 sctp 1 ::1 9 typ relay\r\n";
    assert_eq!(patch(Some(&joined.etag), unusable).await.status(), 204);
    assert_eq!(patch(None, CANDIDATE).await.status(), 428);
    assert_eq!(patch(Some("\"stale\""), CANDIDATE).await.status(), 412);
    assert_eq!(patch(Some(&joined.etag), "nonsense").await.status(), 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_renews_credentials_and_the_media_goes_on() {
    let theatre = Theatre::open().await;
    let setup = Setup { video: vec![Video::Vp8], audio: false };
    let (mut subscription, mut joined) = theatre.watched(&setup).await;
    joined.client.publish(Some(Clip::synthetic(Video::Vp8, (320, 180), 200_000, 1)), false);
    within(joined.client.run_until(|seen| seen.video_frames > 10)).await;
    let track = next_frame(&mut subscription, Codec::Vp8).await.track;

    let fragment = joined.client.restart_ice();
    let restarted = theatre.change(Method::PATCH, &joined.url, "room:ada", Some("*"), &fragment).await;
    assert_eq!(restarted.status(), 200, "{}", restarted.body());
    assert_eq!(restarted.headers()["content-type"], "application/trickle-ice-sdpfrag");
    let etag = restarted.headers()["etag"].to_str().unwrap();
    assert_ne!(etag, joined.etag);
    assert!(etag.starts_with('"'), "strong: {etag}");
    for line in ["a=ice-lite", "a=ice-ufrag:", "a=ice-pwd:", "a=candidate:"] {
        assert!(restarted.body().contains(line), "{line} in {}", restarted.body());
    }
    joined.client.accept_restart(restarted.body());
    within(joined.client.run_until(|seen| seen.ice_connected)).await;
    let frames = joined.client.seen.video_frames;
    within(joined.client.run_until(|seen| seen.video_frames > frames + 60)).await;
    let running = joined.client.spawn();
    while subscription.events.try_recv().is_ok() {}
    next_event(&mut subscription, |event| {
        matches!(event, TrackEvent::Frame(frame) if frame.track == track).then_some(())
    })
    .await;
    drop(running);

    let stale = theatre.change(Method::PATCH, &joined.url, "room:ada", Some(&joined.etag), CANDIDATE).await;
    assert_eq!(stale.status(), 412, "trickling with the ETag from before the restart");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_that_fails_keeps_the_session() {
    let theatre = Theatre::open().await;
    let setup = Setup { video: vec![Video::Vp8], audio: false };
    let (mut subscription, mut joined) = theatre.watched(&setup).await;
    joined.client.publish(Some(Clip::synthetic(Video::Vp8, (320, 180), 200_000, 1)), false);
    let _running = joined.client.spawn();
    let track = next_frame(&mut subscription, Codec::Vp8).await.track;
    for broken in ["a=ice-ufrag:new1\r\na=ice-pwd:short\r\n", "a=ice-ufrag:new1\r\n"] {
        let refused = theatre.change(Method::PATCH, &joined.url, "room:ada", Some("*"), broken).await;
        assert_eq!(refused.status(), 400);
    }
    while subscription.events.try_recv().is_ok() {}
    next_event(&mut subscription, |event| {
        matches!(event, TrackEvent::Frame(frame) if frame.track == track).then_some(())
    })
    .await;
    let taken = theatre.change(Method::PATCH, &joined.url, "room:ada", Some(&joined.etag), CANDIDATE).await;
    assert_eq!(taken.status(), 204, "the ETag is still good");
}

/// A client that hangs up in the middle of a restart: it is restarted or it is not, and the ETag says which.
#[tokio::test]
async fn a_restart_whose_client_has_gone_is_finished() {
    let free = 100_000;
    let config = Config { peer_offer_burst: free, offer_burst: free, peer_change_burst: free, ..loopback() };
    let theatre = Theatre::with(config).await;
    let fragment = "a=ice-ufrag:left\r\na=ice-pwd:0123456789012345678901\r\n";
    let mut restarted_unheard = 0;
    // It is left at each place where it waits, one after the other, until it is answered before.
    for places in 1.. {
        let joined = theatre.join_udp("room", "ada").await;
        let mut restart = Box::pin(theatre.change(Method::PATCH, &joined.url, "room:ada", Some("*"), fragment));
        let mut answered = false;
        for _ in 0..places {
            answered = futures_util::poll!(&mut restart).is_ready();
            if answered {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(restart);
        if answered {
            break;
        }
        let trickled = theatre.change(Method::PATCH, &joined.url, "room:ada", Some(&joined.etag), CANDIDATE).await;
        restarted_unheard += usize::from(trickled.status() == 412);
    }
    assert!(restarted_unheard > 0, "what was begun is undone by nobody, so it has to be finished");
}
