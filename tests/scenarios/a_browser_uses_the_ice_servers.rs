//! What `webrtc.ice_servers` names is what the studio's connection has, credentials included; that it cannot be learnt, or does not answer, keeps nobody
//! off air.

use crate::harness::browsers;
use crate::harness::server::{SMALL, Server};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn of_the_configuration() {
    // Nobody listens there.
    let servers = r#"[{url: "stun:127.0.0.1:9"}, {url: "turn:127.0.0.1:9?transport=udp", username: "a\"b", credential: "c, d; e"}]"#;
    let listen = "webrtc: {listen: \"127.0.0.1:0\"";
    let server = Server::start(&["serve"], &SMALL.replace(listen, &format!("{listen}, ice_servers: {servers}"))).await;
    server.go_live("room").await;
    let (studio, _files) = browsers::studio_of(&server, browsers::ORANGE).await;
    let seen = browsers::run("studio_ice_servers.mjs", json!({"studio": studio})).await;
    let turn = json!(["turn:127.0.0.1:9?transport=udp", "a\"b", "c, d; e"]);
    let told = seen["told"].as_array().unwrap();
    assert_eq!((told.len(), told[0][0].as_str(), &told[1]), (2, Some("stun:127.0.0.1:9"), &turn));
    assert_eq!(seen["untold"], json!([]));
    server.end().await;
}
