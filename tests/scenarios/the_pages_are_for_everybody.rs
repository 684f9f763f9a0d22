//! The pages in the states in which people meet them, in light and dark, on a desk and a phone: nothing that axe finds wrong by WCAG 2.2 AA, and nothing to scroll
//! sideways.

use crate::harness::publishers::send;
use crate::harness::server::Server;
use crate::harness::{browsers, clips};
use http::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn as_axe_sees_them() {
    let server = Server::start(&["serve"], &browsers::two_rungs()).await;
    server.go_live("room").await;
    let (studio, _files) = browsers::studio_of(&server, browsers::ORANGE).await;
    let (_, watch) = browsers::pages(&server, "room").await;
    server.rest(Method::POST, "/v2/rooms", json!({"name": "idle", "id": "idle"})).await;
    let (idle_studio, idle_watch) = browsers::pages(&server, "idle").await;
    let other = send(&server, "room", "Grace Hopper", clips::grey(120, 320, 180, 2)).await;
    let argument = json!({
        "studio": studio,
        "watch": watch,
        "idle": {"studio": idle_studio, "watch": idle_watch},
        "root": format!("{}/", server.url("http")),
        "token": server.token(&["management"]).await,
        "screenshots": browsers::artifacts(),
    });
    assert_eq!(browsers::run("for_everybody.mjs", argument).await, json!([]));
    drop(other);
    server.end().await;
}
