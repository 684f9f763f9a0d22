//! A live stream is kept before it is commanded, runs when its maker says so, and is over when its maker says so.

use crate::harness::Harness;
use footlight_control::{Command, ControlError, Event, NeverRan};
use http::Method;
use serde_json::json;

#[tokio::test]
async fn by_the_handle() {
    let mut h = Harness::new().await;
    let codes = h.control.ensure_room("demo").await.unwrap();
    assert_eq!(codes.len(), 5);
    assert_eq!(h.control.ensure_room("demo").await.unwrap(), codes, "made once");
    let entry = h.control.code(&codes.iter().find(|c| c.role == "broadcaster").unwrap().code).await.unwrap();
    assert!(entry.may_publish && entry.room_id == "demo");

    let stream = h.control.start_stream("demo").await.unwrap();
    let id = stream.id.clone();
    let commanded = h.commands.recv().await.unwrap();
    assert!(
        matches!(commanded, Command::StartStream { room, stream, ladder: None } if (room.as_str(), &stream) == ("demo", &id))
    );
    let waiting = tokio::spawn({
        let (control, id) = (h.control.clone(), id.clone());
        async move { control.until_running(&id).await }
    });
    h.happen(Event::StreamRunning { stream: id.clone() }).await;
    waiting.await.unwrap().unwrap();
    h.control.until_running(&id).await.unwrap();
    assert!(matches!(h.control.start_stream("demo").await, Err(ControlError::Refused(_))));
    assert_eq!(h.control.streams().await.unwrap().len(), 1);

    assert_eq!(h.control.stop_room_streams("demo").await.unwrap()[0].id, id);
    assert!(matches!(h.commands.recv().await.unwrap(), Command::StopStream { stream } if stream == id));
    h.happen(Event::StreamEnded { stream: id.clone() }).await;
    assert!(h.control.streams().await.unwrap().is_empty());
    assert!(h.control.stop_room_streams("demo").await.unwrap().is_empty(), "stopping twice is no mistake");
    assert_eq!(h.control.until_running(&id).await, Err(NeverRan::Ended));
}

#[tokio::test]
async fn by_the_api() {
    let mut h = Harness::new().await;
    h.control.ensure_room("demo").await.unwrap();
    let recording = json!({"hls_vod": true, "single_file_per_layer": false});
    let asked = json!({"recording": recording, "meeting_url": "https://app.example/r", "more": [1]});
    let started = h.made("/v2/live-streams/room/demo/start", asked).await;
    let id = started["id"].as_str().unwrap().to_owned();
    assert_eq!(started["status"], "starting");
    assert_eq!(started["recording"], recording);
    assert_eq!(started["meeting_url"], "https://app.example/r");
    assert_eq!(started["playback"]["url"], format!("http://127.0.0.1:8080/hls/demo/{id}/master.m3u8"));
    assert!(started["started_at"].is_null() && started["recording_assets"].is_null());
    h.happen(Event::StreamRunning { stream: id.clone() }).await;

    let path = format!("/v2/live-streams/{id}");
    let running = h.get(&path).await.body;
    assert_eq!(running["status"], "running");
    assert!(running["started_at"].as_str().unwrap().ends_with('Z'));
    h.post("/v2/live-streams/room/demo/start", json!({})).await.refused(400, &id);

    let stopped = h.made("/v2/live-streams/room/demo/stop", json!({})).await;
    assert_eq!(stopped["data"][0]["status"], "stopping");
    assert_eq!(stopped["last"], id);
    let again = h.made(&format!("{path}/stop"), json!({})).await;
    assert_eq!(again["status"], "stopping");
    h.happen(Event::StreamEnded { stream: id.clone() }).await;
    let over = h.get(&path).await.body;
    assert_eq!(over["status"], "completed");
    assert!(over["stopped_at"].is_string());
    assert!(matches!(h.commands.recv().await, Some(Command::StartStream { .. })));
    assert!(matches!(h.commands.recv().await, Some(Command::StopStream { .. })));
    assert!(h.commands.try_recv().is_err(), "each is commanded once");
}

#[tokio::test]
async fn by_a_peer_on_stage() {
    let h = Harness::new().await;
    h.control.ensure_room("demo").await.unwrap();
    h.control.ensure_room("other").await.unwrap();
    let send = async |path: &str, token: &str| h.send(Method::POST, path, Some(token), "{}".to_owned()).await;
    let start = "/v2/live-streams/room/demo/start";
    for role in ["viewer-on-stage", "viewer-realtime", "viewer-near-realtime", "nobody"] {
        send(start, &h.auth("demo", role)).await.refused(403, role);
    }
    send(start, &h.auth("other", "broadcaster")).await.refused(403, "other");
    send("/v2/live-streams/room/none/start", &h.auth("none", "broadcaster")).await.refused(404, "none");
    assert!(h.control.streams().await.unwrap().is_empty(), "a refusal has no effect");

    let first = send(start, &h.auth("demo", "broadcaster")).await.body;
    assert_eq!(first["started_by"], "u1");
    let second = send(start, &h.auth("demo", "co-broadcaster")).await;
    assert_eq!((second.status.as_u16(), &second.body["id"]), (200, &first["id"]), "all mean the room's one stream");
    let stopped = send("/v2/live-streams/room/demo/stop", &h.auth("demo", "co-broadcaster")).await.body;
    assert_eq!(stopped["data"][0]["stopped_by"], "u1");

    h.control.start_stream("other").await.unwrap();
    let see = async |query: &str, token: &str| {
        h.send(Method::GET, &format!("/v2/live-streams{query}"), Some(token), String::new()).await
    };
    let broadcaster = h.auth("demo", "broadcaster");
    for query in ["", "?room_id=demo"] {
        let seen = see(query, &broadcaster).await.body;
        let ids: Vec<_> = seen["data"].as_array().unwrap().iter().map(|stream| &stream["id"]).collect();
        assert_eq!(ids, [&first["id"]], "its own room's and no other's: {query}");
        assert_eq!(seen["data"][0]["status"], "stopping");
    }
    see("?room_id=other", &broadcaster).await.refused(403, "see the live streams of room \"other\"");
    see("", &h.auth("demo", "viewer-on-stage")).await.refused(403, "viewer-on-stage");

    let id = first["id"].as_str().unwrap();
    send(&format!("/v2/live-streams/{id}/stop"), &h.auth("demo", "broadcaster")).await.refused(403, "management");
}

#[tokio::test]
async fn whoever_waits_is_told_of_a_failure() {
    let h = Harness::new().await;
    h.control.ensure_room("demo").await.unwrap();
    let id = h.control.start_stream("demo").await.unwrap().id;
    let (control, waited) = (h.control.clone(), id.clone());
    let waiting = tokio::spawn(async move { control.until_running(&waited).await });
    h.happen(Event::StreamFailed { stream: id.clone(), reason: "no memory".into() }).await;
    assert_eq!(waiting.await.unwrap(), Err(NeverRan::Failed("no memory".into())));
    let failed = h.get(&format!("/v2/live-streams/{id}")).await.body;
    assert_eq!((failed["status"].as_str(), failed["error"].as_str()), (Some("failed"), Some("no memory")));
    assert_eq!(h.control.until_running("nothing").await, Err(NeverRan::Unknown));
    h.control.start_stream("demo").await.expect("the room is free again");
}

#[tokio::test]
async fn what_ran_when_the_process_died_has_failed() {
    let h = Harness::new().await;
    h.control.ensure_room("demo").await.unwrap();
    let id = h.control.start_stream("demo").await.unwrap().id;
    h.happen(Event::StreamRunning { stream: id.clone() }).await;
    let h = h.restart(Vec::new()).await;
    let failed = h.get(&format!("/v2/live-streams/{id}")).await.body;
    assert_eq!(failed["status"], "failed");
    assert!(failed["error"].as_str().unwrap().contains("server ended"));
    h.control.start_stream("demo").await.expect("the room is free again");
}

#[tokio::test]
async fn what_ended_with_the_process_has_completed() {
    let h = Harness::new().await;
    h.made("/v2/rooms", json!({"id": "room"})).await;
    let id = h.made("/v2/live-streams/room/room/start", json!({})).await["id"].as_str().unwrap().to_owned();
    let h =
        h.restart(vec![Event::StreamRunning { stream: id.clone() }, Event::StreamEnded { stream: id.clone() }]).await;
    assert_eq!(h.get(&format!("/v2/live-streams/{id}")).await.body["status"], "completed");
}
