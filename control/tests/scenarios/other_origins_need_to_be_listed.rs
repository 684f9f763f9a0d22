//! Pages of listed origins may call the API, errors included, and preflights carry no token.

use crate::harness::{Answer, Harness};
use http::{Method, Request};

async fn from(h: &Harness, origin: &str, method: Method, path: &str) -> Answer {
    let mut request = Request::builder().method(&method).uri(path).header("origin", origin);
    if method == Method::OPTIONS {
        request = request.header("access-control-request-method", "POST");
    }
    h.raw(request.body(axum::body::Body::empty()).unwrap()).await
}

#[tokio::test]
async fn preflights_and_answers() {
    let h = Harness::new().await;
    let listed = "https://app.example";
    let preflight = from(&h, listed, Method::OPTIONS, "/v2/live-streams/room/r1/start").await;
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.headers["access-control-allow-origin"], listed);
    assert_eq!(preflight.headers["access-control-allow-headers"], "Authorization, Content-Type");
    assert!(preflight.headers["access-control-allow-methods"].to_str().unwrap().contains("POST"));
    for path in ["/v2/rooms", "/v2/nothing", "/openapi.json"] {
        let answer = from(&h, listed, Method::GET, path).await;
        assert_eq!(answer.headers["access-control-allow-origin"], listed, "{path}");
        assert_eq!(answer.headers["vary"], "Origin", "{path}");
        assert_eq!(answer.headers["cache-control"], "no-store", "{path}");
    }
    for method in [Method::OPTIONS, Method::GET] {
        let other = from(&h, "https://other.example", method, "/v2/rooms").await;
        assert!(!other.headers.contains_key("access-control-allow-origin"));
    }
    let h = Harness::with_origins(&["*"]).await;
    let any = from(&h, "https://other.example", Method::POST, "/v2/token").await;
    assert_eq!(any.headers["access-control-allow-origin"], "*");
}
