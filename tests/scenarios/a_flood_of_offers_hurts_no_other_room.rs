//! A thousand POSTs a second, from strangers without a token and from one with a token of another room: who is on air stays on air without a gap,
//! and who wants to go on air in the meantime can.

use crate::harness::clips;
use crate::harness::playback::Viewer;
use crate::harness::publishers::send;
use crate::harness::server::{SMALL, Server};
use crate::support::{Client, Running, Setup};
use http::{Method, StatusCode};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const SECONDS: u32 = 4;
const PER_SECOND: u32 = 1_000;

#[tokio::test(flavor = "multi_thread")]
async fn nor_keeps_newcomers_out() {
    let server = Arc::new(Server::start(&["serve"], SMALL).await);
    let stream = server.go_live("room").await;
    server.rest(Method::POST, "/v2/rooms", json!({"id": "loud"})).await;
    let first = publish(&server, "first").await;
    let mut viewer = Viewer::new(&server, "room", &stream, "180p");
    viewer.watch_to(4).await;
    let flood = tokio::spawn(flood(Arc::clone(&server), server.auth("loud", "loud").await));
    let newcomer = tokio::time::timeout(Duration::from_secs(u64::from(SECONDS)), publish(&server, "second")).await;
    let newcomer = newcomer.expect("a newcomer is answered while the flood lasts");
    viewer.watch_to(8).await;
    let answers = flood.await.unwrap();
    println!("answers by status: {answers:?}");
    assert_eq!(answers.values().sum::<u32>(), SECONDS * PER_SECOND, "each is answered: {answers:?}");
    assert_eq!(answers[&StatusCode::UNAUTHORIZED.as_u16()], SECONDS * PER_SECOND / 2);
    let expected = [StatusCode::CREATED, StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS].map(|s| s.as_u16());
    assert!(answers.keys().all(|status| expected.contains(status)), "{answers:?}");
    assert!(answers[&StatusCode::TOO_MANY_REQUESTS.as_u16()] > SECONDS * PER_SECOND / 2 - 50, "{answers:?}");
    assert_eq!(viewer.discontinuities(), 0);
    drop((first, newcomer));
    Arc::into_inner(server).expect("the flood is over").end().await;
}

async fn publish(server: &Server, user: &str) -> Running {
    send(server, "room", user, clips::grey(120, 320, 180, 30)).await
}

/// Valid offers at a steady pace, every other one without a token; how often each status was answered.
async fn flood(server: Arc<Server>, token: String) -> BTreeMap<u16, u32> {
    let offer = Client::udp(&Setup::default(), None).await.offer().to_owned();
    let mut answers = JoinSet::new();
    let begin = Instant::now();
    for number in 0..SECONDS * PER_SECOND {
        let due = begin + Duration::from_secs(1) * number / PER_SECOND;
        tokio::time::sleep_until(due.into()).await;
        let (server, offer) = (Arc::clone(&server), offer.clone());
        let token = number.is_multiple_of(2).then(|| token.clone());
        answers.spawn(async move {
            let body = Some(("application/sdp", offer));
            server.request(Method::POST, "/whip/loud", token.as_deref(), body).await.0.as_u16()
        });
    }
    let mut counts = BTreeMap::new();
    while let Some(status) = answers.join_next().await {
        *counts.entry(status.unwrap()).or_default() += 1;
    }
    counts
}
