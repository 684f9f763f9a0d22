//! Rooms over the API: ours to name, 100ms's to look like.

use crate::harness::Harness;
use http::{Method, Request, header};
use serde_json::json;

#[tokio::test]
async fn a_room_s_life() {
    let h = Harness::new().await;
    let recording = json!({"enabled": true, "upload_info": {"type": "s3", "location": "bucket", "prefix": "p"}});
    let wishes = json!({
        "name": "Show-1", "description": "d", "recording_info": recording, "region": "eu", "size": 100,
        "max_duration_seconds": 3600, "polls": ["p1"], "webhook": {"url": "https://a.example/h"}, "unknown": 1,
    });
    let room = h.made("/v2/rooms", wishes.clone()).await;
    for key in ["name", "description", "recording_info", "region", "size", "max_duration_seconds", "polls", "webhook"] {
        assert_eq!(room[key], wishes[key], "{key}");
    }
    assert_eq!((&room["enabled"], &room["large_room"]), (&json!(true), &json!(false)));
    assert_eq!((&room["recording_source_template"], &room["template"]), (&json!(false), &json!("live-streaming")));
    assert_eq!(room["id"].as_str().unwrap().len(), 24);
    assert_eq!(room["created_at"], room["updated_at"]);

    let again = h.made("/v2/rooms", json!({"name": "show-1", "description": "e"})).await;
    assert_eq!((&again["id"], &again["description"], &again["size"]), (&room["id"], &json!("e"), &json!(100)));
    let path = format!("/v2/rooms/{}", room["id"].as_str().unwrap());
    assert_eq!(h.get(&path).await.body, again);
    let disabled = h.made(&path, json!({"enabled": false})).await;
    assert_eq!((&disabled["enabled"], &disabled["description"]), (&json!(false), &json!("e")));
    h.post("/v2/rooms/none", json!({"enabled": false})).await.refused(404, "room \"none\"");
}

#[tokio::test]
async fn a_caller_may_choose_the_id() {
    let h = Harness::new().await;
    let room = h.made("/v2/rooms", json!({"id": "demo"})).await;
    assert_eq!((&room["id"], &room["name"]), (&json!("demo"), &json!("demo")));
    let again = h.made("/v2/rooms", json!({"id": "demo", "description": "d"})).await;
    assert_eq!((&again["id"], &again["description"]), (&json!("demo"), &json!("d")));
    h.post("/v2/rooms", json!({"id": "other", "name": "Demo"})).await.refused(400, "is the name of room demo");
    h.post("/v2/rooms/demo", json!({"id": "other"})).await.refused(400, "an id cannot be changed");
}

#[tokio::test]
async fn the_default_template_is_there() {
    let h = Harness::new().await;
    let room = h.made("/v2/rooms", json!({})).await;
    let template = h.get(&format!("/v2/templates/{}", room["template_id"].as_str().unwrap())).await.body;
    let broadcaster = &template["roles"]["broadcaster"];
    assert_eq!(broadcaster["permissions"]["hlsStreaming"], true);
    assert_eq!(broadcaster["publishParams"]["allowed"], json!(["audio", "video", "screen"]));
    assert_eq!(template["roles"]["viewer-near-realtime"]["publishParams"]["allowed"], json!([]));
    assert_eq!(h.get("/v2/templates").await.body["data"], json!([template]));
}

#[tokio::test]
async fn an_absolute_form_target_is_answered() {
    // As a client behind HTTPS_PROXY sends it.
    let h = Harness::new().await;
    let request = Request::builder().method(Method::GET).uri("https://api.100ms.live/v2/rooms");
    let request = request.header(header::AUTHORIZATION, format!("Bearer {}", h.management()));
    let answer = h.raw(request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!((answer.status.as_u16(), &answer.body["data"]), (200, &json!([])));
}
