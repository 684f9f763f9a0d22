//! A browser that cannot play is told so and asks no more; where it is the server that makes no sense or does not answer, the page asks again with a pause. By a code that is none
//! it says so once, and asks for another.

use crate::harness::browsers;
use crate::harness::server::{SMALL, Server};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn and_does_not_hurry() {
    let server = Server::start(&["serve"], SMALL).await;
    server.go_live("room").await;
    let (_, watch) = browsers::pages(&server, "room").await;
    let argument = json!({"watch": watch, "screenshots": browsers::artifacts()});
    let seen = browsers::run("watch_refused.mjs", argument).await;
    assert_eq!(seen["wrong"], json!({"told": 1, "typed": "kmf"}));
    let told = "This browser cannot play the stream: it needs H.264 and AAC. Try another browser, or reload.";
    for why in ["noCodec", "noMse", "decoder"] {
        assert_eq!(seen[why], json!({"status": told, "after": 0}), "{why}");
    }
    assert_eq!(seen["unanswered"], json!({"askedAgain": true, "plays": true}));
    let pauses: Vec<u64> = seen["pauses"].as_array().unwrap().iter().map(|ms| ms.as_u64().unwrap()).collect();
    assert!(pauses.len() >= 3 && pauses.iter().all(|ms| *ms >= 1_900), "{pauses:?}");
    server.end().await;
}
