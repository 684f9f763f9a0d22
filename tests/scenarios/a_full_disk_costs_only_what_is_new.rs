//! A data directory without room: the stream that runs goes on, what would have to be kept is refused with the cause, and is taken again once there
//! is room.

use crate::harness::playback::Viewer;
use crate::harness::server::{SMALL, Server};
use http::{Method, StatusCode};
use serde_json::json;
use std::io::{ErrorKind, Write};

#[tokio::test(flavor = "multi_thread")]
async fn and_is_named() {
    let server = Server::start_on_a_small_disk(SMALL).await;
    let stream = server.go_live("room").await;
    let filler = server.data_dir().join("filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    let full = std::iter::repeat_with(|| file.write_all(&[0; 512])).find_map(Result::err).unwrap();
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    let token = server.token(&["management"]).await;
    // A few fit where pages of the database are free.
    let mut made = Vec::new();
    let refused = loop {
        let body = Some(("application/json", json!({"name": format!("room-{}", made.len())}).to_string()));
        let (status, _, body) = server.request(Method::POST, "/v2/rooms", Some(&token), body).await;
        match status {
            StatusCode::OK => made.push(body),
            _ => break (status, body),
        }
    };
    assert_eq!(refused.0, StatusCode::INSUFFICIENT_STORAGE, "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.1).contains("disk is full"), "{refused:?}");
    let mut viewer = Viewer::new(&server, "room", &stream, "180p");
    viewer.watch_to(6).await;
    assert_eq!(viewer.discontinuities(), 0);
    drop(file);
    std::fs::remove_file(&filler).unwrap();
    server.rest(Method::POST, "/v2/rooms", json!({"name": "there-is-room-again"})).await;
    server.end().await;
}
