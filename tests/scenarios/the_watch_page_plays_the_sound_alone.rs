//! Who chooses "Audio only" on the watch page is sent nothing but sound, and hears it on where the page is out of sight; who chooses a picture again sees it, without
//! a reload.

use crate::harness::browsers;
use crate::harness::server::Server;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn and_pictures_again() {
    let server = Server::start(&["serve"], &browsers::two_rungs()).await;
    server.go_live("room").await;
    let (_, watch) = browsers::pages(&server, "room").await;
    let argument = json!({"watch": watch, "screenshots": browsers::artifacts()});
    let seen = browsers::run("watch_listens.mjs", argument).await;
    assert_eq!((&seen["both"], &seen["chosen"]), (&Value::Bool(true), &json!("Quality: Audio only")));
    assert_eq!((&seen["words"], &seen["pictureInPicture"]), (&json!("Audio only"), &json!(false)));
    assert_eq!(seen["alone"], json!({"renditions": ["audio"], "paused": false, "height": 0}));
    assert_eq!(seen["muted"], false);
    let behind = seen["behind"].as_u64().unwrap();
    assert!((1..=6).contains(&behind), "{behind} s behind live");
    assert_eq!(seen["back"], json!({"words": false, "quality": "Quality: 180p", "renditions": true}));
    assert_eq!(seen["paused"], true);
    server.end().await;
}
