//! The watch page's buttons for other screens are there while the browser knows of one, by the Remote Playback API or by AirPlay, and open the browser's
//! own choice of screens. AirPlay is given the playlist, of which a screen plays by itself.

use crate::harness::browsers;
use crate::harness::server::{SMALL, Server};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn that_the_browser_knows_of() {
    let server = Server::start(&["serve"], SMALL).await;
    server.go_live("room").await;
    let (_, watch) = browsers::pages(&server, "room").await;
    let seen = browsers::run("watch_elsewhere.mjs", json!({"watch": watch})).await;
    let buttons = |cast: bool, airplay: bool| json!({"cast": cast, "airplay": airplay});
    for name in ["own", "none", "refusing", "remote", "airplay"] {
        let of = &seen[name];
        assert_eq!((&of["errors"], &of["before"]), (&json!([]), &buttons(false, false)), "{name}");
        assert_eq!(of["may"], true, "{name}");
    }
    for (name, found) in [("remote", buttons(true, false)), ("airplay", buttons(false, true))] {
        let of = &seen[name];
        assert_eq!((&of["found"], &of["prompts"]), (&found, &json!(1)), "{name}");
        assert_eq!(of["lost"], buttons(false, false), "{name}");
    }
    assert_eq!(seen["remote"]["sent"], json!([]));
    assert_eq!(seen["airplay"]["sent"], json!(["blob", "/live/room/master.m3u8"]));
    assert_eq!(seen["airplay"]["back"], Value::Bool(true));
    server.end().await;
}
