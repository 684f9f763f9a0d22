//! A stream that somebody has ended is over: who else is on stage is told so, and no page starts another by itself when its connection
//! comes back.

use crate::harness::browsers;
use crate::harness::playback::until;
use crate::harness::server::{PATIENCE, SMALL, Server};
use http::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_back() {
    let server = Server::start(&["serve"], SMALL).await;
    let stream = server.go_live("room").await;
    let (studio, _files) = browsers::studio_of(&server, browsers::ORANGE).await;
    let argument = json!({"studio": studio, "screenshots": browsers::artifacts()});
    let seen = browsers::run("studio_ended.mjs", argument).await;
    let asked = "End the stream? It ends for everybody who watches. The others stay on stage, off air.";
    assert_eq!(seen["asked"], asked);
    let told = "You are on stage; the stream has ended. Stop and go live to start another.";
    assert_eq!(seen["told"], told);
    assert_eq!(seen["mayEndIt"], false);
    assert_eq!(seen["back"], told);
    until(PATIENCE, || async {
        let streams = server.rest(Method::GET, "/v2/live-streams?room_id=room", json!({})).await;
        let all = streams["data"].as_array().unwrap().clone();
        assert_eq!(all.iter().map(|s| &s["id"]).collect::<Vec<_>>(), [&json!(stream)]);
        (all[0]["status"] == "completed").then_some(())
    })
    .await;
    server.end().await;
}
