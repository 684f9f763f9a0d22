//! However many ask, the origin is asked once, and all of them get what came of it.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "a scenario spawns its viewers"
)]

mod support;

use footlight_edge::{Edge, Limits};
use std::io;
use std::time::Duration;
use support::{Answer, Got, PLAYLIST, SEGMENT, Upstream, answer, edge, edge_with, get, send, settle, streamed};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

const HERD: usize = 1000;

fn start(edge: &Edge<Upstream>, target: &str, headers: &'static [(&str, &str)]) -> JoinHandle<Got> {
    let (edge, target) = (edge.clone(), target.to_owned());
    tokio::spawn(async move { send(&edge, "GET", &target, headers).await })
}

/// An upstream that answers when it is let, as the script says.
fn gated(
    script: impl Fn(usize, &http::Request<()>) -> Answer + Send + Sync + Clone + 'static,
) -> (Upstream, watch::Sender<bool>) {
    let (gate, open) = watch::channel(false);
    let upstream = Upstream::new(move |nth, request| {
        let (mut open, script) = (open.clone(), script.clone());
        async move {
            open.wait_for(|open| *open).await.unwrap();
            Ok(script(nth, &request))
        }
    });
    (upstream, gate)
}

#[tokio::test(start_paused = true)]
async fn a_herd_on_one_object_is_one_request() {
    for target in [SEGMENT.to_owned(), format!("{PLAYLIST}?_HLS_msn=13&_HLS_part=2")] {
        let (upstream, gate) = gated(|_, _| answer(200, &[("cache-control", "max-age=9")], "the object"));
        let edge = edge(&upstream);
        let herd: Vec<_> = (0..HERD).map(|_| start(&edge, &target, &[])).collect();
        settle().await;
        assert_eq!((upstream.count(), edge.usage().fetches), (1, 1));
        gate.send_replace(true);
        let mut collapsed = 0;
        for viewer in herd {
            let got = viewer.await.unwrap();
            assert_eq!((got.status.as_u16(), got.text()), (200, "the object"));
            collapsed += usize::from(got.header("cache-status") == "footlight; fwd=miss; collapsed");
        }
        assert_eq!((upstream.count(), collapsed, edge.usage().fetches), (1, HERD - 1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_shared_by_those_who_wait_and_asked_for_again_by_the_next() {
    for status in [400, 404, 500, 503] {
        let (upstream, gate) = gated(move |_, _| answer(status, &[("cache-control", "no-store")], "no"));
        let edge = edge(&upstream);
        let herd: Vec<_> = (0..HERD).map(|_| start(&edge, PLAYLIST, &[])).collect();
        settle().await;
        gate.send_replace(true);
        for viewer in herd {
            assert_eq!(viewer.await.unwrap().status, status);
        }
        assert_eq!(upstream.count(), 1);
        get(&edge, PLAYLIST).await;
        assert_eq!(upstream.count(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn both_encodings_of_a_herd_are_two_requests() {
    let (upstream, gate) = gated(|_, request| {
        let encoding = request.headers()["accept-encoding"].to_str().unwrap().to_owned();
        answer(200, &[("cache-control", "max-age=9"), ("vary", "accept-encoding")], encoding)
    });
    let edge = edge(&upstream);
    let gzip: Vec<_> = (0..HERD).map(|_| start(&edge, PLAYLIST, &[("accept-encoding", "gzip")])).collect();
    let plain: Vec<_> = (0..HERD).map(|_| start(&edge, PLAYLIST, &[])).collect();
    settle().await;
    assert_eq!(upstream.count(), 1);
    gate.send_replace(true);
    for (herd, text) in [(gzip, "gzip"), (plain, "identity")] {
        for viewer in herd {
            assert_eq!(viewer.await.unwrap().text(), text);
        }
    }
    assert_eq!(upstream.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_to_be_shared_is_fetched_for_each() {
    let (upstream, gate) = gated(|nth, _| answer(200, &[("cache-control", "private")], format!("for {nth}")));
    let edge = edge(&upstream);
    let viewers: Vec<_> = (0..5).map(|_| start(&edge, SEGMENT, &[])).collect();
    settle().await;
    gate.send_replace(true);
    let mut texts = Vec::new();
    for viewer in viewers {
        texts.push(viewer.await.unwrap().text().to_owned());
    }
    texts.sort();
    assert_eq!(texts, ["for 0", "for 1", "for 2", "for 3", "for 4"]);
}

#[tokio::test(start_paused = true)]
async fn who_asked_first_may_leave() {
    let (upstream, gate) = gated(|_, _| answer(200, &[("cache-control", "max-age=9")], "the object"));
    let edge = edge(&upstream);
    let first = start(&edge, SEGMENT, &[]);
    settle().await;
    let second = start(&edge, SEGMENT, &[]);
    settle().await;
    first.abort();
    gate.send_replace(true);
    assert_eq!(second.await.unwrap().text(), "the object");
    assert_eq!(upstream.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn each_waiter_has_its_own_time() {
    let (upstream, _gate) = gated(|_, _| answer(200, &[], ""));
    let limits = Limits { wait: Duration::from_secs(20), ..Limits::default() };
    let edge = edge_with(&upstream, limits);
    let begun = tokio::time::Instant::now();
    let first = start(&edge, SEGMENT, &[]);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let second = start(&edge, SEGMENT, &[]);
    assert_eq!(first.await.unwrap().status, 504);
    assert_eq!(begun.elapsed().as_secs(), 20);
    // The fetch has been given up with the one who began it: the second shares that, and may ask again.
    let got = second.await.unwrap();
    assert_eq!((got.status.as_u16(), got.header("retry-after")), (504, "1"));
    assert_eq!(edge.usage().fetches, 0);
}

#[tokio::test(start_paused = true)]
async fn an_object_streams_to_all_while_it_is_filled_and_is_then_kept() {
    let (sender, receiver) = mpsc::channel(8);
    let body = std::sync::Mutex::new(Some(receiver));
    let upstream = Upstream::answering(move |_, _| {
        streamed(&[("cache-control", "max-age=9")], body.lock().unwrap().take().unwrap())
    });
    let edge = edge(&upstream);
    sender.send(Ok("one ")).await.unwrap();
    let mut early = edge.handle(support::request("GET", SEGMENT, &[])).await.into_body();
    let first = http_body_util::BodyExt::frame(&mut early).await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "one ");
    let late = start(&edge, SEGMENT, &[]);
    let ranged = start(&edge, SEGMENT, &[("range", "bytes=4-6")]);
    settle().await;
    assert!(!late.is_finished());
    sender.send(Ok("two")).await.unwrap();
    drop(sender);
    assert_eq!(late.await.unwrap().line(), (200, "one two", "fwd=miss; collapsed"));
    assert_eq!(ranged.await.unwrap().line(), (206, "two", "fwd=miss; collapsed"));
    assert_eq!(get(&edge, SEGMENT).await.line(), (200, "one two", "hit"));
    assert_eq!(upstream.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_breaks_off_breaks_its_readers_off_and_is_not_kept() {
    let upstream = Upstream::answering(|nth, _| {
        let (sender, receiver) = mpsc::channel(8);
        sender.try_send(Ok("one ")).unwrap();
        match nth {
            0 => sender.try_send(Err(io::ErrorKind::ConnectionReset.into())).unwrap(),
            _ => sender.try_send(Ok("two")).unwrap(),
        }
        streamed(&[("cache-control", "max-age=9")], receiver)
    });
    let edge = edge(&upstream);
    let got = get(&edge, SEGMENT).await;
    assert!(got.broken || got.status == 502, "{got:?}");
    assert_eq!(get(&edge, SEGMENT).await.text(), "one two");
    assert_eq!(upstream.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_stops_coming_is_given_up() {
    let (sender, receiver) = mpsc::channel(8);
    sender.try_send(Ok("one ")).unwrap();
    let body = std::sync::Mutex::new(Some(receiver));
    let upstream = Upstream::answering(move |_, _| streamed(&[], body.lock().unwrap().take().unwrap()));
    let edge = edge(&upstream);
    assert!(get(&edge, SEGMENT).await.broken);
    assert_eq!(edge.usage().fetches, 0);
    drop(sender);
}

#[tokio::test(start_paused = true)]
async fn an_object_beyond_the_limit_is_refused() {
    let upstream = Upstream::answering(|_, _| answer(200, &[("cache-control", "max-age=9")], vec![0; 1001]));
    let edge = edge_with(&upstream, Limits { object_bytes: 1000, ..Limits::default() });
    assert_eq!(get(&edge, SEGMENT).await.status, 502);
    assert_eq!(edge.usage().bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn no_more_fetches_are_under_way_than_may_be() {
    let (upstream, gate) = gated(|_, _| answer(200, &[], "x"));
    let edge = edge_with(&upstream, Limits { fills: 2, ..Limits::default() });
    let held: Vec<_> = (0..2).map(|n| start(&edge, &format!("/hls/{n}"), &[])).collect();
    settle().await;
    let got = get(&edge, "/hls/2").await;
    assert_eq!((got.status.as_u16(), got.header("retry-after")), (503, "1"));
    gate.send_replace(true);
    for viewer in held {
        assert_eq!(viewer.await.unwrap().status, 200);
    }
    assert_eq!(get(&edge, "/hls/2").await.status, 200);
}
