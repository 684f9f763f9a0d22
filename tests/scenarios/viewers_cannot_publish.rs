//! A viewer who PUTs or DELETEs an object is refused, and nothing changes; nor does one see what is not for viewers.

use crate::harness::server::{SMALL, Server};
use http::{Method, StatusCode};

#[tokio::test(flavor = "multi_thread")]
async fn and_see_no_private_object() {
    let server = Server::start(&["serve"], SMALL).await;
    let stream = server.go_live("room").await;
    let segment = format!("/hls/room/{stream}/180p/s1.m4s");
    let (_, before) = server.get(&segment).await;
    for method in [Method::PUT, Method::DELETE, Method::POST, Method::PATCH] {
        let body = Some(("video/mp4", "mine".to_owned()));
        let (status, headers, _) = server.request(method.clone(), &segment, None, body).await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(headers["access-control-allow-origin"], "*", "{method}: a page must be able to read why");
    }
    assert_eq!(server.get(&segment).await, (StatusCode::OK, before));
    let (status, _) = server.get(&format!("/hls/room/{stream}/resume")).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "the packager's record is not for viewers");
    server.end().await;
}
