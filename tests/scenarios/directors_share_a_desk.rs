//! A director changes picture and sound on the studio page, and viewers see it at once. What another director changes meanwhile is shown there, and
//! neither undone by the next change nor written over what somebody is writing. What the server refuses is told in its words.

use crate::harness::publishers::send;
use crate::harness::server::{SMALL, Server};
use crate::harness::{browsers, clips};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn without_undoing_each_other() {
    let server = Server::start(&["serve"], SMALL).await;
    let stream = server.go_live("room").await;
    let (studio, files) = browsers::studio_of(&server, browsers::ORANGE).await;
    let other = send(&server, "room", "other", clips::grey(120, 320, 180, 2)).await;
    let picture = |name: &str, color: &str, width: u32, height: u32| {
        let file = files.path().join(name);
        std::fs::write(&file, clips::png(color, width, height)).unwrap();
        file
    };
    let argument = json!({"studio": studio, "stream": stream, "token": server.token(&["management"]).await, "root": server.url("http"),
        "background": picture("green.png", "0x008000", 400, 400), "logo": picture("white.png", "white", 28, 18)});
    let seen = browsers::run("studio_directs.mjs", argument).await;
    assert_eq!(seen["closed"], false);
    assert_eq!(
        (&seen["pinned"], &seen["unpinned"], &seen["nobodyPinned"]),
        (&json!("other"), &Value::Null, &json!(""))
    );
    assert_eq!((&seen["named"], &seen["color"]), (&json!(true), &json!({"color": "#d02020"})));
    assert_eq!(seen["third"], json!({"title": "Ada", "subtitle": "Analyst"}));
    assert_eq!((&seen["writing"], &seen["others"]), (&json!("Half wri"), &json!("Spotlight")));
    assert_eq!((&seen["stale"], &seen["merged"]), (&json!("#d02020"), &json!(["grid", "fill", "#2020d0", "Grace"])));
    assert_eq!((&seen["refused"], &seen["gone"]), (&json!([128, "Grace"]), &Value::Null));
    assert_eq!((&seen["without"], &seen["with"]), (&json!(true), &json!(true)));
    assert_eq!(seen["pictures"], json!({"background": true, "logo": "bottom-left"}));
    assert_eq!(seen["bare"], Value::Null);
    for words in seen["tooLarge"].as_array().unwrap() {
        assert_eq!(words, "It did not change: the body is larger than 4194304 bytes; send less");
    }
    assert_eq!(seen["quieter"], json!({"other": {"gain_db": -0.5, "muted": false}}));
    assert_eq!(seen["muted"], json!({"other": {"gain_db": -0.5, "muted": true}}));
    assert_eq!(seen["said"], json!(["−0.5 dB", "Unmute other"]));
    assert!(seen["faders"].as_array().unwrap().contains(&json!("away (away)")), "{}", seen["faders"]);
    let dragged = json!({"before": 1, "sent": [-7, -12], "shown": -12});
    assert_eq!(seen["dragged"], dragged, "one request at a time, the newest value last");
    assert_eq!(seen["asTheyCome"], json!({"away": {"gain_db": 0, "muted": true}}));
    drop(other);
    server.end().await;
}
