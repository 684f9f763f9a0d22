//! What the studio page's desk shows is so: the level of the microphone moves, a muted one is silent, the camera is offered in three layers with the
//! name that was given, the layout picker changes what viewers see, people are shown as they arrive, and a screen is shared beside the camera.

use crate::harness::playback::until;
use crate::harness::publishers::send;
use crate::harness::server::{PATIENCE, SMALL, Server};
use crate::harness::{browsers, clips};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn for_who_may_stream() {
    let server = Server::start(&["serve"], SMALL).await;
    server.go_live("room").await;
    let (studio, _files) = browsers::studio_of(&server, browsers::ORANGE).await;
    let other = send(&server, "room", "other", clips::grey(120, 320, 180, 2)).await;
    until(PATIENCE, || async { server.admin("/metrics").await.contains("footlight_publishers 1\n").then_some(()) })
        .await;
    let seen = browsers::run("studio_desk.mjs", json!({"studio": studio})).await;
    assert_eq!(seen["chips"], json!(["Stream on air for", ""]), "whose time it is, to who is not on air");
    assert_eq!(seen["lines"], 1, "the switches stand side by side");
    assert_eq!(seen["rehearsal"], "Rehearsal: only you see this");
    assert_eq!(seen["query"], "?name=Ada+%26+Co");
    assert_eq!(seen["simulcast"], "q;h;f");
    assert_eq!((&seen["aloud"], &seen["muted"]), (&json!(true), &json!(0)));
    assert_eq!((&seen["dark"], &seen["programmeIsMuted"]), (&json!(true), &json!(true)));
    assert_eq!(seen["people"], json!(["Ada & Co (you)", "other"]));
    assert_eq!(seen["viewers"].as_str().map(str::trim), Some("1 viewer"), "this test, and not the crew");
    assert_eq!((&seen["same"], &seen["large"]), (&json!(true), &json!("true")));
    assert_eq!((&seen["sharing"], &seen["onAir"]), (&json!("You share your screen."), &json!("You are on air.")));
    let focus = |what: &str| if what == "focused" { json!("other") } else { Value::Null };
    let check = |what: &str, arrangement: &str, scaling: &str, follow: bool, screens: &str| {
        let named = ["named", "grid", "focused"].contains(&what);
        let want = json!({"type": arrangement, "scaling": scaling, "focus": focus(what), "follow_speaker": follow, "pinned": null, "screens": screens, "transition": "smooth",
            "names": {}, "show_names": named, "background": null, "lower_third": null, "warnings": []});
        assert_eq!(seen[what], want, "{what}");
    };
    check("spotlight", "spotlight", "fit", false, "large");
    check("filled", "spotlight", "fill", false, "large");
    check("followed", "spotlight", "fill", true, "large");
    check("tiles", "spotlight", "fill", true, "tiles");
    check("named", "spotlight", "fill", true, "tiles");
    check("grid", "grid", "fill", true, "tiles");
    // A grid has no large one.
    check("focused", "sidebar", "fill", false, "tiles");
    assert_eq!(seen["pressed"], json!(["Sidebar"]));
    assert_eq!((&seen["programme"], &seen["kept"]), (&Value::Bool(false), &json!("Ada & Co")));
    drop(other);
    server.end().await;
}
