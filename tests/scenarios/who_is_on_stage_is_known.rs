//! An application, and whoever runs the stage, knows who is there, how what they send arrives, and what it looks like.

use crate::harness::clips;
use crate::harness::playback::until;
use crate::harness::publishers::{send, send_muted};
use crate::harness::server::{PATIENCE, SMALL, Server};
use crate::support::media::Clip;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

/// A picture that moves, one that never does, and a camera that is switched off.
fn clips() -> [(&'static str, Clip); 3] {
    [
        ("mover", clips::moving(320, 180, 300, 4)),
        ("stone", clips::grey(120, 320, 180, 2)),
        ("off", clips::grey(0, 320, 180, 2)),
    ]
}

async fn peers(server: &Server) -> Value {
    server.rest(Method::GET, "/v2/active-rooms/room/peers", json!({})).await["peers"].clone()
}

/// What a peer's tracks of this type are like, whichever their numbers.
fn state<'a>(peers: &'a Value, user: &str, kind: &str) -> Option<&'a Value> {
    let tracks = peers[user]["tracks"].as_object()?;
    tracks.values().find(|track| track["type"] == kind).map(|track| &track["state"])
}

#[tokio::test(flavor = "multi_thread")]
async fn with_what_is_wrong_with_what_they_send() {
    let server = Server::start(&["serve"], SMALL).await;
    server.go_live("room").await;
    let mut sending = Vec::new();
    for (user, clip) in clips() {
        sending.push(send(&server, "room", user, clip).await);
    }
    // They consent, and nothing comes of them.
    let away = Duration::from_secs(3)..Duration::from_secs(60);
    sending.push(send_muted(&server, "room", "away", clips::grey(60, 320, 180, 2), away).await);
    let known = until(PATIENCE, || async {
        let peers = peers(&server).await;
        let is = |user, kind, want| state(&peers, user, kind).is_some_and(|state| state == want);
        let pictures = [("mover", "ok"), ("stone", "frozen"), ("off", "muted"), ("away", "no_packets")];
        // What these senders' microphones pick up is perfect silence.
        let all = pictures.iter().all(|(user, want)| is(user, "video", want)) && is("stone", "audio", &"muted");
        all.then_some(peers)
    })
    .await;
    let mover = &known["mover"];
    assert_eq!((&mover["name"], &mover["role"]), (&json!("mover"), &json!("broadcaster")), "{mover}");
    let track = mover["tracks"].as_object().unwrap().values().find(|track| track["type"] == "video").unwrap();
    assert_eq!((&track["codec"], &track["width"], &track["source"]), (&json!("h264"), &json!(320), &json!("regular")));
    assert_eq!(track["loss"], 0.0);
    assert!(track["key_frame_age_ms"].as_u64().is_some_and(|ms| ms < 10_000), "{track}");

    let told = async || server.rest(Method::GET, "/v2/active-rooms/room/events", json!({})).await["events"].clone();
    let events = told().await;
    let has = |events: &Value, kind: &str, user: &str, state: Option<&str>| {
        let same = |event: &&Value| event["type"] == kind && event["user_id"] == user && event["state"] == json!(state);
        events.as_array().unwrap().iter().filter(same).count()
    };
    assert_eq!(has(&events, "peer.joined", "mover", None), 1, "{events}");
    assert_eq!(has(&events, "track.state", "stone", Some("frozen")), 1, "{events}");
    let metrics = server.admin("/metrics").await;
    let line = r#"footlight_track_trouble{room="room",peer="stone",type="video",source="regular",state="frozen"} 1"#;
    assert!(metrics.lines().any(|have| have == line), "{metrics}");
    let line = r#"footlight_programme_trouble{room="room",type="video",state="ok"} 0"#;
    assert!(metrics.lines().any(|have| have == line), "{metrics}");

    drop(sending);
    until(PATIENCE, || async { (has(&told().await, "peer.left", "mover", None) == 1).then_some(()) }).await;
    // Who may not be on stage does not see who is.
    let viewer = server.token(&["auth", "--room", "room", "--role", "viewer-near-realtime", "--user", "eve"]).await;
    let (status, _, _) = server.request(Method::GET, "/v2/active-rooms/room/peers", Some(&viewer), None).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn and_a_screen_is_the_large_one_beside_its_owner() {
    let server = Server::start(&["serve"], SMALL).await;
    let stream = server.go_live("room").await;
    let _camera = send(&server, "room?name=Ada+L.", "ada", clips::grey(60, 320, 180, 2)).await;
    let _screen = send(&server, "room?source=screen", "ada", clips::grey(200, 320, 180, 2)).await;
    let known = until(PATIENCE, || async {
        let peers = peers(&server).await;
        let both = peers["ada"]["tracks"].as_object().is_some_and(|tracks| tracks.len() == 4);
        both.then_some(peers)
    })
    .await;
    assert_eq!(known.as_object().unwrap().len(), 1, "one person: {known}");
    assert_eq!(known["ada"]["name"], "Ada L.");
    // A sidebar of 3 to 1: the middle is the screen's, and the right edge's middle is the camera's.
    let grey = async |path: &str, x: u32, y: u32| {
        let token = server.token(&["management"]).await;
        let (status, headers, jpeg) = server.request(Method::GET, path, Some(&token), None).await;
        assert_eq!((status, &headers["content-type"]), (StatusCode::OK, &http::HeaderValue::from_static("image/jpeg")));
        let picture = image::load_from_memory(&jpeg).unwrap().to_luma8();
        assert_eq!(picture.dimensions(), (320, 180));
        i32::from(picture.get_pixel(x, y).0[0])
    };
    let near = |seen: i32, want: i32| (seen - want).abs() <= 8;
    let programme = format!("/v2/live-streams/{stream}/snapshot");
    until(PATIENCE, || async {
        let sides = (grey(&programme, 120, 90).await, grey(&programme, 280, 90).await);
        (near(sides.0, 200) && near(sides.1, 60)).then_some(())
    })
    .await;
    assert!(near(grey(&format!("{programme}?peer=ada"), 160, 90).await, 60), "by their camera");
    let token = server.token(&["management"]).await;
    let (status, _, refused) = server.request(Method::GET, &format!("{programme}?peer=eve"), Some(&token), None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(String::from_utf8_lossy(&refused).contains("peer \\\"eve\\\": has no picture"), "{refused:?}");

    // Everybody sees the poster, which is of the last ten seconds.
    until(PATIENCE, || async {
        let (status, _) = server.get("/live/room/poster.jpg").await;
        (status == StatusCode::OK && near(grey("/live/room/poster.jpg", 120, 90).await, 200)).then_some(())
    })
    .await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn and_how_many_watch_and_how_it_is_shown() {
    let server = Server::start(&["serve"], SMALL).await;
    let stream = server.go_live("room").await;
    let viewers = async || {
        let path = format!("/v2/live-streams/{stream}/viewers");
        server.rest(Method::GET, &path, json!({})).await["viewers"].as_u64().unwrap()
    };
    // The room's playlist was asked for by one program at one address.
    assert_eq!(viewers().await, 1);
    let playlist = format!("{}/hls/room/{stream}/180p/media.m3u8", server.url("http"));
    for agent in ["one", "another", "one"] {
        let mut command = tokio::process::Command::new("ffprobe");
        command.args(["-v", "error", "-user_agent", agent]).arg(&playlist);
        let output = command.output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(viewers().await, 3);
    let path = format!("/v2/live-streams/{stream}/layout");
    let shown = server.rest(Method::GET, &path, json!({})).await;
    assert_eq!(shown["type"], "grid");
    let mut set = server.rest(Method::POST, &path, json!({"type": "spotlight", "screens": "tiles"})).await;
    set["pictures"] = json!({"background": false, "logo": null});
    assert_eq!(server.rest(Method::GET, &path, json!({})).await, set);
    let path = format!("/v2/live-streams/{stream}/mix");
    let set = server.rest(Method::POST, &path, json!({"voices": {"ada": {"gain_db": -3}}})).await;
    assert_eq!(server.rest(Method::GET, &path, json!({})).await, set);
    server.end().await;
}
