//! A demo on loopback gives the pages of its machine a management token, and nobody else; to every other server the route is none.

use crate::harness::{Answer, Harness};
use axum::body::Body;
use http::{Method, Request, header};

/// POST /v2/token/management, sent to `host` by a page of `origin`.
async fn ask(h: &Harness, host: &str, origin: Option<&str>) -> Answer {
    let mut request = Request::builder().method(Method::POST).uri("/v2/token/management").header(header::HOST, host);
    if let Some(origin) = origin {
        request = request.header(header::ORIGIN, origin);
    }
    h.raw(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn and_nobody_else() {
    let h = Harness::open_to_this_machine().await;
    let given = ask(&h, "127.0.0.1:8080", Some("http://127.0.0.1:8080")).await;
    assert_eq!(given.headers[header::CACHE_CONTROL], "no-store");
    let token = given.body["token"].as_str().unwrap();
    let rooms = h.send(Method::GET, "/v2/rooms", Some(token), String::new()).await;
    assert_eq!(rooms.status, 200, "{rooms:?}");
    // Although its CORS lets every page read what it answers.
    ask(&h, "127.0.0.1:8080", Some("https://elsewhere.example")).await.refused(404, "no such route");
    ask(&h, "127.0.0.1:8080", None).await.refused(404, "no such route");
    ask(&h, "rebound.example:8080", Some("http://rebound.example:8080")).await.refused(404, "no such route");
}

#[tokio::test]
async fn and_no_other_server_does() {
    let h = Harness::new().await;
    let refused = ask(&h, "127.0.0.1:8080", None).await;
    refused.refused(404, "no such route");
    // A name of the same length: the answers name the path.
    let unknown = h.send(Method::POST, "/v2/token/unknownone", None, String::new()).await;
    assert_eq!((refused.status, refused.headers), (unknown.status, unknown.headers));
}
