//! The watch page by keyboard: play, sound, full screen, help, how far behind live it is (in short on a phone) and the way back; and its menus: of qualities, which changes what is played, and of
//! captions where there are any.

use crate::harness::browsers;
use crate::harness::server::Server;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn that_keys_reach() {
    let server = Server::start(&["serve"], &browsers::two_rungs()).await;
    server.go_live("room").await;
    let (_, watch) = browsers::pages(&server, "room").await;
    let seen = browsers::run("watch_controls.mjs", json!({"watch": watch, "screenshots": browsers::artifacts()})).await;
    let keys = &seen["keys"];
    assert_eq!(keys["m"], json!([["muted"], ["muted"]]));
    assert_eq!(keys["f"], json!([["full"], ["full"]]));
    assert_eq!(keys["?"], json!([["help"], ["help"]]));
    assert_eq!((&keys["k"], &keys[" "]), (&json!([["paused"]]), &json!([["paused"]])));
    assert_eq!(seen["volume"], 80);
    let behind = seen["behind"].as_u64().unwrap();
    assert!((6..=15).contains(&behind), "{behind} s behind after 7 s away");
    let distance = |seen: &str| json!({"seen": seen, "text": "n s behind live", "fits": true});
    let (desk, phone) = (distance("n s behind live"), distance("n s"));
    assert_eq!(seen["distance"], json!({"desk": desk, "phone": phone, "phoneLate": phone}));
    let qualities = seen["qualities"].as_array().unwrap();
    assert!(qualities[0].as_str().unwrap().starts_with("Auto"), "{qualities:?}");
    assert_eq!(qualities[1..], [json!("360p"), json!("180p"), json!("Audio only")]);
    assert_eq!((&seen["quality"], &seen["focus"]), (&json!("Quality: 180p"), &json!("quality")));
    assert!(seen["auto"].as_str().unwrap().starts_with("Quality: Auto"), "{seen}");
    assert_eq!(seen["byMouse"], json!([true, true, false]), "Space pauses and plays, and opens no menu");
    // Nothing to choose from; then a track, which is shown and hidden.
    assert_eq!(seen["captions"], json!([false, ["Off", "English"], "showing", "disabled"]));
    server.end().await;
}
