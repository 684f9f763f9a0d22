//! What every viewer may rely on, whatever the answer: CORS, methods, and that nothing private is shown.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a scenario drives tasks")]

mod support;

use footlight_edge::{Edge, Limits, Wiring};
use std::sync::Arc;
use support::{Got, RULES, SEGMENT, Upstream, answer, edge, get, read, request, send};

const EXPOSED: &str = "Age, Date, ETag, Content-Length, Content-Range, Cache-Status";

fn check_cors(got: &Got) {
    let status = got.status;
    assert_eq!(got.header("access-control-allow-origin"), "*", "{status}");
    assert_eq!(got.header("access-control-expose-headers"), EXPOSED, "{status}");
    assert!(!got.headers.contains_key("access-control-allow-credentials"), "{status}");
}

#[tokio::test(start_paused = true)]
async fn scripts_of_any_page_may_read_every_status() {
    for status in [200, 204, 301, 400, 401, 403, 404, 410, 416, 429, 500, 502, 503, 507] {
        let upstream = Upstream::answering(move |_, _| {
            let headers =
                [("access-control-allow-origin", "https://one.example"), ("access-control-allow-credentials", "true")];
            answer(status, &headers, "")
        });
        let got = get(&edge(&upstream), SEGMENT).await;
        assert_eq!(got.status, status);
        check_cors(&got);
    }
    let upstream = Upstream::new(|_, _| async { Err(std::io::ErrorKind::ConnectionRefused.into()) });
    let edge = edge(&upstream);
    for (method, target, status) in
        [("GET", SEGMENT, 502), ("GET", "/a//b", 400), ("POST", SEGMENT, 405), ("OPTIONS", SEGMENT, 204)]
    {
        let got = send(&edge, method, target, &[]).await;
        assert_eq!(got.status, status);
        check_cors(&got);
    }
}

#[tokio::test(start_paused = true)]
async fn a_preflight_is_answered_by_the_edge() {
    let upstream = Upstream::answering(|_, _| answer(500, &[], ""));
    let got = send(&edge(&upstream), "OPTIONS", SEGMENT, &[("access-control-request-method", "GET")]).await;
    assert_eq!(got.line(), (204, "", ""));
    assert_eq!(got.header("access-control-allow-methods"), "GET, HEAD, OPTIONS");
    assert_eq!(got.header("access-control-allow-headers"), "*");
    assert_eq!(got.header("access-control-max-age"), "86400");
    assert_eq!(upstream.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_but_reading_reaches_the_origin() {
    let upstream = Upstream::answering(|_, _| answer(200, &[("cache-control", "max-age=9")], "x"));
    let edge = edge(&upstream);
    for method in ["PUT", "DELETE", "POST", "PATCH", "TRACE", "CONNECT", "PURGE"] {
        let got = send(&edge, method, SEGMENT, &[]).await;
        assert_eq!((got.status.as_u16(), got.header("allow")), (405, "GET, HEAD, OPTIONS"), "{method}");
        assert_eq!(got.header("content-type"), "application/problem+json");
    }
    assert_eq!(upstream.count(), 0);
    // Nothing that a viewer says of itself goes further than the edge.
    let told = [("cookie", "a=b"), ("authorization", "Bearer x"), ("cache-control", "no-cache"), ("x-custom", "1")];
    send(&edge, "GET", SEGMENT, &told).await;
    for (name, _) in told {
        assert_eq!(upstream.header(0, name), "");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_between_origin_and_edge_stays_there() {
    let upstream = Upstream::answering(|_, _| {
        let headers = [
            ("cache-control", "max-age=9"),
            ("playback-access", "public"),
            ("footlight-version", "13.2"),
            ("footlight-anything", "x"),
            ("set-cookie", "a=b"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("x-end-to-end", "1"),
        ];
        answer(200, &headers, "x")
    });
    let edge = edge(&upstream);
    for _ in ["miss", "hit"] {
        let got = get(&edge, SEGMENT).await;
        for name in [
            "playback-access",
            "footlight-version",
            "footlight-anything",
            "set-cookie",
            "connection",
            "x-hop",
            "keep-alive",
        ] {
            assert!(!got.headers.contains_key(name), "{name}");
        }
        assert_eq!(got.header("x-end-to-end"), "1");
    }
}

fn guarded(verifier: bool) -> (Upstream, Edge<Upstream>) {
    let upstream = Upstream::answering(|_, request| {
        let access = if request.uri().path().contains("open") { "public" } else { "token" };
        answer(200, &[("cache-control", "max-age=9"), ("playback-access", access), ("etag", "\"1\"")], "secret")
    });
    let verify: footlight_edge::playback::Verifier =
        Arc::new(|token, path| token == "good" && path.starts_with("/hls/room/"));
    let verifier = verifier.then_some(verify);
    let wiring = Wiring { limits: Limits::default(), query_rules: RULES.into(), verifier };
    (upstream.clone(), Edge::new(upstream, wiring))
}

#[tokio::test(start_paused = true)]
async fn a_guarded_object_opens_to_a_token_for_it_alone() {
    let (upstream, edge) = guarded(true);
    for _ in ["miss", "hit"] {
        for (target, status) in [
            (SEGMENT.to_owned(), 403),
            (format!("/t/good{SEGMENT}"), 200),
            (format!("/t/bad{SEGMENT}"), 403),
            ("/t/good/hls/other/s1/v/12.m4s".to_owned(), 403),
            ("/hls/room/open".to_owned(), 200),
            ("/t/bad/hls/room/open".to_owned(), 200),
        ] {
            let got = get(&edge, &target).await;
            assert_eq!(got.status, status, "{target}");
            check_cors(&got);
            if status == 403 {
                assert!(!got.text().contains("secret"));
                assert_eq!((got.header("cache-control"), got.header("etag")), ("no-store", ""));
            }
        }
    }
    // One object is one request, whatever token it was asked with.
    assert_eq!(upstream.targets(), [SEGMENT, "/hls/other/s1/v/12.m4s", "/hls/room/open"]);
    let conditional = request("GET", SEGMENT, &[("if-none-match", "\"1\""), ("range", "bytes=0-1")]);
    assert_eq!(read(edge.handle(conditional).await).await.status, 403);
    assert_eq!(send(&edge, "HEAD", SEGMENT, &[]).await.status, 403);
}

#[tokio::test(start_paused = true)]
async fn without_a_verifier_no_token_opens_anything() {
    let (_, edge) = guarded(false);
    assert_eq!(get(&edge, &format!("/t/good{SEGMENT}")).await.status, 403);
    assert_eq!(get(&edge, "/t/good/hls/room/open").await.status, 200);
}
