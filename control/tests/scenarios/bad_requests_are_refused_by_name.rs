//! Whatever is wrong with a request is said with its name, its value and a cure, in 100ms's shape, and nothing is changed.

use crate::harness::Harness;
use http::Method;
use serde_json::json;

#[tokio::test]
async fn bodies() {
    let h = Harness::new().await;
    let token = h.management();
    let post = async |body: &str| h.send(Method::POST, "/v2/rooms", Some(&token), body.to_owned()).await;
    post("{\"name\": ").await.refused(400, "not JSON (line 1, column 9)");
    post("[]").await.refused(400, "the body is a list; send an object");
    post("name=show").await.refused(400, "not JSON");
    post("{\"name\": 7}").await.refused(400, "name: 7 is a number; give a string");
    post("{\"enabled\": \"no\"}").await.refused(400, "enabled: \"no\" is a string; give true or false");
    post("{\"size\": 2.5}").await.refused(400, "size: 2.5 is a number; give a whole number");
    post("{\"recording_info\": true}").await.refused(400, "recording_info: true is true or false; give an object");
    post("{\"polls\": {}}").await.refused(400, "polls: {…} is an object; give a list");
    post("{\"template\": \"x\"}").await.refused(400, "Invalid body param: template. Use template_id");
    post("{\"template_id\": \"x\"}").await.refused(400, "template not found");
    post("{\"id\": \"../etc\"}").await.refused(400, "id: \"../etc\"");
    post(&format!("{{\"description\": \"{}\"}}", "x".repeat(70_000))).await.refused(413, "larger than 65536 bytes");
    post(&"[".repeat(60_000)).await.refused(400, "not JSON");
    let rooms = h.get("/v2/rooms").await.body;
    assert_eq!(rooms["data"], json!([]), "nothing was made");
    let details = post("{\"size\": 20001, \"large_room\": true}").await.body["details"].clone();
    assert_eq!(details, json!(["Invalid body param: room size greater than 20000"]), "100ms's own words");
}

#[tokio::test]
async fn starts() {
    let h = Harness::new().await;
    h.control.ensure_room("r1").await.unwrap();
    let start = "/v2/live-streams/room/r1/start";
    h.post(start, json!({"recording": {"hls_vod": 1}})).await.refused(400, "recording.hls_vod: 1 is a number");
    h.post(start, json!({"recording": "yes"})).await.refused(400, "recording: \"yes\" is a string; give an object");
    h.post(start, json!({"meeting_url": {}})).await.refused(400, "meeting_url");
    h.post("/v2/live-streams/room/none/start", json!({})).await.refused(404, "room \"none\": there is no such room");
    h.post("/v2/live-streams/room/none/stop", json!({})).await.refused(404, "room \"none\"");
    h.post("/v2/live-streams/none/stop", json!({})).await.refused(404, "live stream \"none\"");
    assert!(h.control.streams().await.unwrap().is_empty());
    let empty = h.send(Method::POST, start, Some(&h.management()), String::new()).await;
    assert_eq!(empty.status, 200, "no body is no wishes");
}

#[tokio::test]
async fn paths_and_queries() {
    let h = Harness::new().await;
    h.get("/v2/rooms/none").await.refused(404, "room \"none\": there is no such room");
    h.get("/v2/templates/none").await.refused(404, "template \"none\"");
    h.get("/v2/live-streams/none").await.refused(404, "live stream \"none\"");
    h.get("/v2/nothing").await.refused(404, "GET /v2/nothing: there is no such route");
    h.send(Method::DELETE, "/v2/rooms/r1", Some(&h.management()), String::new()).await.refused(405, "DELETE");
    h.get("/v2/rooms?limit=0").await.refused(400, "limit: \"0\"");
    h.get("/v2/rooms?limit=101").await.refused(400, "from 1 to 100");
    h.get("/v2/rooms?enabled=maybe").await.refused(400, "enabled: \"maybe\"");
    h.get("/v2/rooms?start=none").await.refused(400, "start: \"none\" is not in the list");
    h.get("/v2/live-streams?status=paused").await.refused(400, "status: \"paused\"");
    h.get("/v2/rooms/%ff").await.refused(400, "path");
}
