//! Which ladder a start commands: its own, a destination's of its room's template, or none, which is the configured one; and what of it is refused.

use crate::harness::Harness;
use footlight_control::{Command, Ladder};
use http::{Method, StatusCode};
use serde_json::{Value, json};

/// Starts the room's stream, stops it again, and answers with the ladder that was commanded.
async fn commanded(h: &mut Harness, room: &str, body: Value) -> Option<Ladder> {
    let answer = h.post(&format!("/v2/live-streams/room/{room}/start"), body).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    let Some(Command::StartStream { ladder, .. }) = h.commands.recv().await else { panic!("no start") };
    h.post(&format!("/v2/live-streams/room/{room}/stop"), json!({})).await;
    assert!(matches!(h.commands.recv().await, Some(Command::StopStream { .. })));
    ladder
}

fn heights(ladder: Option<Ladder>) -> Vec<u32> {
    ladder.unwrap().layers.iter().map(|layer| layer.height).collect()
}

fn destinations(heights: &[(&str, u32)]) -> Value {
    let of =
        |height: &u32| json!({"layers": [{"width": 640, "height": height, "videoBitrate": 500, "audioBitrate": 64}]});
    let named: serde_json::Map<_, _> = heights.iter().map(|(name, height)| ((*name).to_owned(), of(height))).collect();
    json!({"hlsDestinations": named})
}

#[tokio::test]
async fn of_the_start_of_its_destination_or_of_the_configuration() {
    let mut h = Harness::new().await;
    let made = h.post("/v2/templates", json!({"name": "one", "destinations": destinations(&[("main", 480)])})).await;
    let template = made.body["id"].as_str().unwrap().to_owned();
    assert_eq!(made.body["roles"].as_object().unwrap().len(), 5);
    h.post("/v2/rooms", json!({"id": "plain"})).await;
    let room = h.post("/v2/rooms", json!({"id": "r", "template_id": template})).await;
    assert_eq!(room.body["template"], "one");

    assert_eq!(commanded(&mut h, "plain", json!({"destination": "whatever"})).await, None);
    assert_eq!(heights(commanded(&mut h, "r", json!({})).await), [480]);
    assert_eq!(heights(commanded(&mut h, "r", json!({"layers": [{"height": 1080}]})).await), [1080]);

    // Replaced, it has two, and the start has to name one; it is the same after a restart.
    let two = json!({"destinations": destinations(&[("main", 480), ("tiny", 240)])});
    let replaced = h.post(&format!("/v2/templates/{template}"), two).await;
    assert_eq!((&replaced.body["id"], &replaced.body["name"]), (&json!(template), &json!("one")));
    let mut h = h.restart(Vec::new()).await;
    assert_eq!(heights(commanded(&mut h, "r", json!({"destination": "tiny"})).await), [240]);
    let refused = h.post("/v2/live-streams/room/r/start", json!({})).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        refused.body["message"],
        "destination: missing; the room's template has several: name one of \"main\", \"tiny\""
    );

    // Who is on stage cannot know of them, and is given the first, or what goes on; a server that starts it again hears that it does.
    let start = "/v2/live-streams/room/r/start";
    let peer = h.auth("r", "broadcaster");
    let started = h.send(Method::POST, start, Some(&peer), "{}".to_owned()).await;
    assert_eq!(started.status, StatusCode::OK, "{:?}", started.body);
    let Some(Command::StartStream { ladder, .. }) = h.commands.recv().await else { panic!("no start") };
    assert_eq!(heights(ladder), [480]);
    let again = h.send(Method::POST, start, Some(&peer), "{}".to_owned()).await;
    assert_eq!(again.body["id"], started.body["id"]);
    h.post(start, json!({})).await.refused(400, "has live stream");
    let own = h.send(Method::POST, start, Some(&peer), r#"{"frame_rate": 60}"#.to_owned()).await;
    own.refused(403, "may not choose what is encoded");
}

#[tokio::test]
async fn and_a_template_that_cannot_be_is_refused() {
    let h = Harness::new().await;
    for (body, want) in [
        (json!({}), "name: missing; give a string"),
        (json!({"name": "a", "roles": {}}), "roles: cannot be given"),
        (
            json!({"name": "a", "destinations": destinations(&[("x", 0)])}),
            r#"destinations.hlsDestinations.\"x\": no such height"#,
        ),
        (
            json!({"name": "a", "destinations": {"hlsDestinations": {"x": {"layers": [{}]}}}}),
            "x.layers[0].height: missing",
        ),
    ] {
        let refused = h.post("/v2/templates", body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert!(refused.body.to_string().contains(want), "{:?}", refused.body);
    }
    let listed = h.get("/v2/templates").await;
    assert_eq!(listed.body["data"].as_array().unwrap().len(), 1, "{:?}", listed.body);
    assert_eq!(h.post("/v2/templates/none", json!({})).await.status, StatusCode::NOT_FOUND);
}
