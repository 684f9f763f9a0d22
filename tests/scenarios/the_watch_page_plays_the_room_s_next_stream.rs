//! A viewer who stays on the page when a stream ends sees the room's next one begin, without a reload: at once, too, while the room's
//! playlist still leads to the one that has ended. Sound that was asked for once stays.

use crate::harness::browsers;
use crate::harness::server::{SMALL, Server};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn after_the_first_has_ended() {
    let server = Server::start(&["serve"], SMALL).await;
    server.go_live("room").await;
    let (_, watch) = browsers::pages(&server, "room").await;
    let token = server.token(&["management"]).await;
    let ask =
        |what: &str| json!({"url": format!("{}/v2/live-streams/room/room/{what}", server.url("http")), "token": token});
    let argument =
        json!({"watch": watch, "end": ask("stop"), "start": ask("start"), "screenshots": browsers::artifacts()});
    let seen = browsers::run("next_stream.mjs", argument).await;
    assert_eq!(seen["said"], json!(["Live", "The stream has ended. The next one starts here by itself.", "Live"]));
    let look = |curtain: Value, sound: bool, muted: bool, controls: bool| json!({"curtain": curtain, "sound": sound, "muted": muted, "controls": controls});
    let open = Value::Bool(false);
    let want = [
        look(open.clone(), true, true, true),
        look(open.clone(), false, false, true),
        look(json!("The stream has ended"), false, false, false),
        look(open, false, false, true),
    ];
    assert_eq!(seen["looks"], json!(want));
    server.end().await;
}
