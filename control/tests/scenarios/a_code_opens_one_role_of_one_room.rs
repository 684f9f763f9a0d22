//! A room code is exchanged for an auth token, which opens one role of one room, and no longer than code and room are enabled.

use crate::harness::Harness;
use footlight_control::{Ask, CodeInfo, Obstacle, Publisher};
use http::{Method, Request, header};
use serde_json::{Value, json};

async fn exchange(h: &Harness, body: Value) -> crate::harness::Answer {
    // As the stock web client sends it: JSON as text/plain, no token.
    let request = Request::post("/v2/token").header(header::CONTENT_TYPE, "text/plain;charset=UTF-8");
    h.raw(request.body(body.to_string().into()).unwrap()).await
}

#[tokio::test]
async fn from_code_to_publisher() {
    let h = Harness::new().await;
    h.made("/v2/rooms", json!({"id": "r1", "name": "show"})).await;
    let all = h.made("/v2/room-codes/room/r1", json!({})).await;
    let codes = all["data"].as_array().unwrap();
    assert_eq!(codes.len(), 5);
    let of = |role: &str| codes.iter().find(|code| code["role"] == role).unwrap()["code"].as_str().unwrap();

    let token = exchange(&h, json!({"code": of("broadcaster"), "user_id": "ann"})).await.body;
    assert_eq!(token["watch_code"], of("viewer-near-realtime"));
    let token = token["token"].as_str().unwrap();
    let publisher = Publisher { user: "ann".into(), role: "broadcaster".into() };
    assert_eq!(h.control.authorize_publish("r1", Some(token), Ask::Join).await, Ok(publisher));
    let nameless = exchange(&h, json!({"code": of("broadcaster")})).await.body;
    let nameless = h.control.authorize_publish("r1", nameless["token"].as_str(), Ask::Join).await.unwrap();
    assert_eq!(nameless.user.len(), 36, "the token's jti stands in for a user");
    let viewer = exchange(&h, json!({"code": of("viewer-near-realtime"), "user_id": "bob"})).await.body;
    assert_eq!(viewer["watch_code"], Value::Null, "only who may go live is told whom to invite how");
    let refused = Err(Obstacle::Role("viewer-near-realtime".into()).into());
    assert_eq!(h.control.authorize_publish("r1", viewer["token"].as_str(), Ask::Join).await, refused);

    let info = CodeInfo { room_id: "r1".into(), role: "viewer-near-realtime".into(), may_publish: false };
    assert_eq!(h.control.code(of("viewer-near-realtime")).await, Some(info));
    let one = h.made("/v2/room-codes/room/r1/role/broadcaster", json!({})).await;
    assert_eq!(one["code"], of("broadcaster"), "a role has one code");
    h.post("/v2/room-codes/room/r1/role/juggler", json!({})).await.refused(404, "it has broadcaster, co-broadcaster");
    h.post("/v2/room-codes/room/none", json!({})).await.refused(404, "room \"none\"");
    for role in ["viewer-near-realtime", "viewer-realtime"] {
        h.made("/v2/room-codes/code", json!({"code": of(role), "enabled": false})).await;
    }
    let alone = exchange(&h, json!({"code": of("broadcaster")})).await.body;
    assert_eq!(alone["watch_code"], Value::Null, "a link that opens nothing is handed to nobody");
}

#[tokio::test]
async fn neither_a_disabled_code_nor_a_disabled_room_opens() {
    let h = Harness::new().await;
    let codes = h.control.ensure_room("r1").await.unwrap();
    let code = &codes.iter().find(|code| code.role == "broadcaster").unwrap().code;
    let token = exchange(&h, json!({"code": code})).await.body;
    let token = token["token"].as_str().unwrap();

    let disabled = h.made("/v2/room-codes/code", json!({"code": code, "enabled": false})).await;
    assert_eq!((&disabled["enabled"], &disabled["code"]), (&json!(false), &json!(code)));
    exchange(&h, json!({"code": code})).await.refused(403, "is disabled");
    assert_eq!(h.control.code(code).await, None);
    h.made("/v2/room-codes/code", json!({"code": code, "enabled": true})).await;
    assert!(h.control.code(code).await.is_some());

    h.made("/v2/rooms/r1", json!({"enabled": false})).await;
    exchange(&h, json!({"code": code})).await.refused(403, "room r1 is disabled");
    assert_eq!(h.control.code(code).await, None);
    assert_eq!(h.control.authorize_publish("r1", Some(token), Ask::Join).await, Err(Obstacle::Disabled.into()));
    assert!(h.control.authorize_publish("r1", Some(token), Ask::Change).await.is_ok(), "who is on stage may leave it");
    h.post("/v2/live-streams/room/r1/start", json!({})).await.refused(403, "room r1 is disabled");
    h.made("/v2/rooms/r1", json!({"enabled": true})).await;
    assert!(h.control.authorize_publish("r1", Some(token), Ask::Join).await.is_ok());
}

#[tokio::test]
async fn what_is_no_code_is_said() {
    let h = Harness::new().await;
    exchange(&h, json!({"code": "abc-defg-hij"})).await.refused(404, "room code \"abc-defg-hij\"");
    exchange(&h, json!({})).await.refused(400, "code: missing");
    exchange(&h, json!({"code": 7})).await.refused(400, "code: 7 is a number");
    exchange(&h, json!({"code": "abc-defg-hij", "user_id": "a\nb"})).await.refused(400, "user_id");
    exchange(&h, json!({"code": "x".repeat(50_000)})).await.refused(404, "…");
    h.post("/v2/room-codes/code", json!({"code": "abc-defg-hij", "enabled": true})).await.refused(404, "no such code");
    h.post("/v2/room-codes/code", json!({"code": "abc-defg-hij"})).await.refused(400, "enabled: missing");
    let answer = h.send(Method::GET, "/v2/token", None, String::new()).await;
    answer.refused(405, "GET /v2/token");
}
