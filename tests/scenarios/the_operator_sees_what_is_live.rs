//! The root page, with a management token: rooms, what is live in them, their links; streams started and stopped. Signed out, nothing is kept. A demo
//! asks for no token.

use crate::harness::browsers;
use crate::harness::server::{SMALL, Server};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn by_a_token() {
    let server = Server::start(&["serve"], SMALL).await;
    let root = format!("{}/", server.url("http"));
    let token = server.token(&["management"]).await;
    let seen = browsers::run("operator.mjs", json!({"root": root, "token": token})).await;
    assert_eq!(seen["refused"], false);
    assert_eq!((&seen["name"], &seen["before"]), (&json!("evening-lecture"), &json!(["Never on air"])));
    assert!(seen["created"].as_str().unwrap().starts_with("Created as evening-lecture: "), "{seen}");
    let links = json!([["Studio", "/studio/X"], ["Watch", "/watch/X"], ["Playlist", "/live/X/master.m3u8"]]);
    assert_eq!(seen["links"], links);
    assert_eq!((&seen["after"], &seen["kept"]), (&json!("Off air"), &json!([1, 0])));
    assert_eq!(seen["signedOut"], json!([false, 0, [0, 0]]));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openly_in_a_demo() {
    let server = Server::start(&["demo", "--publishers", "0"], SMALL).await;
    let seen = browsers::run("operator.mjs", json!({"demo": format!("{}/", server.url("http"))})).await;
    assert_eq!(seen, json!({"asked": false}));
    server.end().await;
}
