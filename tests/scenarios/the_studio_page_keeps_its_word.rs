//! What the studio page says is so: Stop means off air whatever is under way, a lost connection comes back by itself, a busy server is
//! asked again when it said, of two windows of one person the later one has the stage, no session is left behind, a camera that is gone is
//! told of, and the stream ends when its owner ends it. Where it cannot begin, it says why and lets nothing be pressed; with a camera or a
//! microphone alone it begins, and says which is missing and why.

use crate::harness::browsers;
use crate::harness::playback::until;
use crate::harness::server::{PATIENCE, SMALL, Server};
use http::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn where_it_cannot_begin() {
    let server = Server::start(&["serve"], SMALL).await;
    server.rest(Method::POST, "/v2/rooms", json!({"name": "room", "id": "room"})).await;
    let (studio, watch) = browsers::pages(&server, "room").await;
    let wrong = format!("{}/studio/abc-defg-hij", server.url("http"));
    let viewer = watch.replace("/watch/", "/studio/");
    let argument = json!({"wrong": wrong, "viewer": viewer, "studio": studio, "screenshots": browsers::artifacts()});
    let seen = browsers::run("studio_start.mjs", argument).await;
    for case in ["wrong", "viewer", "refused", "neither", "insecure"] {
        let seen = &seen[case];
        assert_eq!(
            (&seen["mayGo"], &seen["mayChoose"], &seen["stayed"]),
            (&json!(false), &json!(0), &json!(true)),
            "{case}"
        );
    }
    assert_eq!(seen["wrong"]["status"], "No room has the code abc-defg-hij.");
    assert_eq!(seen["viewer"]["status"], "This link is for watching.");
    let way = watch.strip_prefix(server.url("http")).unwrap();
    assert_eq!(seen["viewer"]["link"], json!(["Watch the stream", way]));
    let refused = "Camera and microphone are blocked for this page. Allow them in the address bar and reload.";
    assert_eq!(seen["refused"]["status"], refused);
    let neither = "No camera was found. The microphone gives nothing: another programme may be using it. Close that and try again. \
                   One of them is enough to go on stage.";
    assert_eq!(seen["neither"]["status"], neither);
    assert!(seen["insecure"]["status"].as_str().unwrap().contains("https"), "{seen}");

    let voice = "You can go on stage with your voice alone.";
    let (found, blocked) =
        ("No camera was found.", "The camera is blocked for this page: allow it in the address bar and try again.");
    let used = "The microphone gives nothing: another programme may be using it. Close that and try again.";
    let heard =
        ("You are on air. You are heard, and not seen.", json!(["dark", "hearing", "meter", "mute", "retry"]), "audio");
    let shown = ("You are on air. You are seen, and not heard.", json!(["blank", "retry"]), "video");
    for (case, why, may, (air, parts, sent)) in [
        ("voice", found, voice, &heard),
        ("blocked", blocked, voice, &heard),
        ("picture", used, "You can go on stage with your picture alone.", &shown),
    ] {
        let seen = &seen[case];
        assert_eq!(seen["rehearsal"], format!("You are not on air. {why} {may}"), "{case}");
        assert_eq!((&seen["air"], &seen["parts"]), (&json!(air), parts), "{case}");
        assert_eq!(seen["sent"], json!([[[sent, "ok"]]]), "{case}");
        assert_eq!(seen["invites"], json!(["Watch page", way, watch]), "{case}");
        assert_eq!(seen["whole"], json!(["blank", "hearing", "meter", "mute"]), "{case}");
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_two_windows() {
    let server = Server::start(&["serve"], SMALL).await;
    server.go_live("room").await;
    let (studio, _files) = browsers::studio_of(&server, browsers::ORANGE).await;
    let argument = json!({"studio": studio, "screenshots": browsers::artifacts()});
    let seen = browsers::run("studio_windows.mjs", argument).await;
    let elsewhere = json!(["You are on stage in another window.", "Take over here"]);
    let on_air = json!(["You are on air.", "Go live"]);
    assert_eq!(seen["first"], elsewhere);
    assert_eq!(seen["second"], json!([on_air, 1, 1]), "each published once, and the later one stays");
    assert_eq!(seen["back"], json!([on_air, elsewhere, 2, 1]));
    assert_eq!(seen["free"], json!(["You are not on air.", "Go live"]));
    assert_eq!(seen["lingering"], json!([1, 3]), "its own session lingered, and it came back");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_bad_day() {
    let server = Server::start(&["serve"], SMALL).await;
    let stream = server.go_live("room").await;
    let (studio, _files) = browsers::studio_of(&server, browsers::ORANGE).await;
    let argument = json!({"studio": studio, "admin": server.url("admin"), "screenshots": browsers::artifacts()});
    let seen = browsers::run("studio_word.mjs", argument).await;
    assert_eq!(seen["mayEndAtOnce"], true);
    assert_eq!(seen["stoppedEarly"], json!([[201], "You are not on air."]));
    assert_eq!(seen["garbled"], json!([201]));
    assert_eq!(seen["busy"], "The server refused: server: busy; try again. Trying again in 2 s…");
    assert_eq!(seen["stoppedLate"], json!([[201], "You are not on air."]));
    let unplugged = "The camera sends nothing any more: unplugged, or switched off. Plug it in or choose another: stop and go live again.";
    assert_eq!(seen["unplugged"], unplugged);
    assert_eq!(seen["endAgain"], true);
    assert_eq!(seen["goAgain"], true);
    until(PATIENCE, || async {
        let now = server.rest(Method::GET, &format!("/v2/live-streams/{stream}"), json!({})).await;
        (now["status"] == "completed").then_some(())
    })
    .await;
    server.end().await;
}
