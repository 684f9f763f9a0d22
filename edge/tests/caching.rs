//! What is kept, for how long it answers, and what is asked of the origin then (RFC 9111, RFC 5861).
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a scenario drives the clock")]

mod support;

use std::time::Duration;
use support::{Answer, PLAYLIST, SEGMENT, Upstream, answer, edge, get, send, settle};

async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

/// Version n of an object: by an `If-None-Match` of the same version it is confirmed.
fn versioned(version: usize, cache_control: &str, request: &http::Request<()>) -> Answer {
    let etag = format!("\"{version}\"");
    let headers = [("cache-control", cache_control), ("etag", &etag), ("content-type", "video/mp4")];
    if request.headers().get("if-none-match").is_some_and(|asked| *asked == *etag) {
        return answer(304, &headers[..2], "");
    }
    answer(200, &headers, format!("version {version}"))
}

#[tokio::test(start_paused = true)]
async fn a_fresh_object_is_answered_from_the_store_with_its_age() {
    let upstream = Upstream::answering(|_, request| versioned(1, "max-age=10", request));
    let edge = edge(&upstream);
    let miss = get(&edge, SEGMENT).await;
    assert_eq!(miss.line(), (200, "version 1", "fwd=miss"));
    assert!(!miss.headers.contains_key("age"));
    pass(3).await;
    let hit = get(&edge, SEGMENT).await;
    assert_eq!(hit.line(), (200, "version 1", "hit"));
    assert_eq!((hit.header("age"), hit.header("content-length")), ("3", "9"));
    assert_eq!(hit.header("cache-control"), "max-age=10");
    assert!(hit.headers.contains_key("date"));
    assert_eq!(upstream.count(), 1);
    assert_eq!(upstream.header(0, "accept-encoding"), "identity");
}

#[tokio::test(start_paused = true)]
async fn a_hit_shares_the_bytes_that_the_origin_gave() {
    let bytes = bytes::Bytes::from(vec![7; 1_000_000]);
    let upstream = Upstream::answering({
        let bytes = bytes.clone();
        move |_, _| answer(200, &[("cache-control", "max-age=10")], bytes.clone())
    });
    let edge = edge(&upstream);
    get(&edge, SEGMENT).await;
    let response = edge.handle(support::request("GET", SEGMENT, &[])).await;
    match response.into_body() {
        footlight_edge::Body::Whole(sent) => assert_eq!(sent.as_ptr(), bytes.as_ptr()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_stale_object_is_validated_and_what_is_confirmed_lives_on() {
    let upstream = Upstream::answering(|nth, request| versioned(nth / 2, "max-age=10", request));
    let edge = edge(&upstream);
    get(&edge, SEGMENT).await;
    pass(10).await;
    let confirmed = get(&edge, SEGMENT).await;
    assert_eq!(confirmed.line(), (200, "version 0", "fwd=stale"));
    assert_eq!(upstream.header(1, "if-none-match"), "\"0\"");
    pass(9).await;
    assert_eq!(get(&edge, SEGMENT).await.line(), (200, "version 0", "hit"));
    pass(1).await;
    assert_eq!(get(&edge, SEGMENT).await.line(), (200, "version 1", "fwd=stale"));
    assert_eq!(get(&edge, SEGMENT).await.line(), (200, "version 1", "hit"));
    assert_eq!(upstream.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_stale_object_answers_while_one_fetch_brings_a_new_one() {
    let upstream = Upstream::answering(|nth, request| versioned(nth, "max-age=1, stale-while-revalidate=5", request));
    let edge = edge(&upstream);
    get(&edge, SEGMENT).await;
    pass(2).await;
    for _ in 0..10 {
        assert_eq!(get(&edge, SEGMENT).await.text(), "version 0");
    }
    settle().await;
    assert_eq!(get(&edge, SEGMENT).await.line(), (200, "version 1", "hit"));
    assert_eq!(upstream.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stale_object_stands_in_for_an_error_as_long_as_it_says() {
    let upstream = Upstream::answering(|nth, request| match nth {
        0 => versioned(0, "max-age=1, stale-if-error=5", request),
        _ => answer(503, &[("cache-control", "no-store")], "no"),
    });
    let edge = edge(&upstream);
    get(&edge, SEGMENT).await;
    pass(3).await;
    assert_eq!(get(&edge, SEGMENT).await.line(), (200, "version 0", "fwd=stale"));
    pass(3).await;
    assert_eq!(get(&edge, SEGMENT).await.status, 503);
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_cannot_be_reached_is_502_unless_something_may_stand_in() {
    let upstream = Upstream::new(|nth, request| async move {
        match nth {
            0 => Ok(versioned(0, "max-age=1, stale-if-error=5", &request)),
            _ => Err(std::io::Error::from(std::io::ErrorKind::ConnectionRefused)),
        }
    });
    let edge = edge(&upstream);
    get(&edge, SEGMENT).await;
    pass(3).await;
    assert_eq!(get(&edge, SEGMENT).await.line(), (200, "version 0", "fwd=stale"));
    let got = get(&edge, "/hls/room/s1/v/13.m4s").await;
    assert_eq!((got.status.as_u16(), got.header("retry-after")), (502, "1"));
    assert_eq!(got.header("cache-control"), "no-store");
}

#[tokio::test(start_paused = true)]
async fn what_says_no_lifetime_or_forbids_it_is_fetched_each_time() {
    for cache_control in ["no-store", "private, max-age=9", "max-age=0", "no-cache"] {
        let upstream = Upstream::answering(move |_, _| answer(200, &[("cache-control", cache_control)], "x"));
        let edge = edge(&upstream);
        for _ in 0..3 {
            assert_eq!(get(&edge, SEGMENT).await.line(), (200, "x", "fwd=miss"), "{cache_control}");
        }
        assert_eq!(upstream.count(), 3, "{cache_control}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_404_or_410_is_kept_as_long_as_it_says() {
    for status in [404, 410] {
        let upstream = Upstream::answering(move |_, _| answer(status, &[("cache-control", "max-age=2")], "gone"));
        let edge = edge(&upstream);
        assert_eq!(get(&edge, SEGMENT).await.line(), (status, "gone", "fwd=miss"));
        assert_eq!(get(&edge, SEGMENT).await.line(), (status, "gone", "hit"));
        pass(2).await;
        get(&edge, SEGMENT).await;
        assert_eq!(upstream.count(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn each_encoding_is_kept_and_a_spelling_of_the_header_is_not() {
    let upstream = Upstream::answering(|_, request| {
        let encoding = request.headers()["accept-encoding"].to_str().unwrap().to_owned();
        let mut headers = vec![("cache-control", "max-age=9"), ("vary", "accept-encoding")];
        if encoding == "gzip" {
            headers.push(("content-encoding", "gzip"));
        }
        answer(200, &headers, encoding.clone())
    });
    let edge = edge(&upstream);
    for accepted in ["gzip, deflate, br", "br;q=1, gzip;q=0.5", "*"] {
        let got = send(&edge, "GET", PLAYLIST, &[("accept-encoding", accepted)]).await;
        assert_eq!((got.text(), got.header("content-encoding")), ("gzip", "gzip"), "{accepted}");
        assert_eq!(got.header("vary"), "accept-encoding");
    }
    for accepted in ["", "br", "gzip;q=0", "identity"] {
        let got = send(&edge, "GET", PLAYLIST, &[("accept-encoding", accepted)]).await;
        assert_eq!((got.text(), got.header("content-encoding")), ("identity", ""), "{accepted}");
    }
    assert_eq!(upstream.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_does_not_vary_is_fetched_once_for_all() {
    let upstream = Upstream::answering(|_, request| versioned(1, "max-age=10", request));
    let edge = edge(&upstream);
    send(&edge, "GET", SEGMENT, &[("accept-encoding", "gzip")]).await;
    assert_eq!(get(&edge, SEGMENT).await.line(), (200, "version 1", "hit"));
}

#[tokio::test(start_paused = true)]
async fn conditions_ranges_and_head_are_answered_from_the_store() {
    let upstream = Upstream::answering(|_, request| versioned(1, "max-age=10", request));
    let edge = edge(&upstream);
    for round in ["miss", "hit"] {
        let got = send(&edge, "GET", SEGMENT, &[("if-none-match", "\"0\", W/\"1\"")]).await;
        assert_eq!((got.status.as_u16(), got.text(), got.header("etag")), (304, "", "\"1\""), "{round}");
        assert!(!got.headers.contains_key("content-length"));
        let got = send(&edge, "GET", SEGMENT, &[("range", "bytes=0-6")]).await;
        assert_eq!((got.status.as_u16(), got.text()), (206, "version"));
        assert_eq!((got.header("content-range"), got.header("content-length")), ("bytes 0-6/9", "7"));
        let got = send(&edge, "GET", SEGMENT, &[("range", "bytes=0-6"), ("if-range", "\"1\"")]).await;
        assert_eq!(got.status, 206);
        for changed in ["\"0\"", "W/\"1\"", "Sun, 06 Nov 1994 08:49:37 GMT"] {
            let got = send(&edge, "GET", SEGMENT, &[("range", "bytes=0-6"), ("if-range", changed)]).await;
            assert_eq!((got.status.as_u16(), got.text()), (200, "version 1"), "{changed}");
        }
        let got = send(&edge, "GET", SEGMENT, &[("range", "bytes=9-")]).await;
        assert_eq!((got.status.as_u16(), got.header("content-range")), (416, "bytes */9"));
        let got = send(&edge, "HEAD", SEGMENT, &[("range", "bytes=0-6")]).await;
        assert_eq!((got.status.as_u16(), got.text(), got.header("content-length")), (200, "", "9"));
    }
    assert_eq!(upstream.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn queries_count_only_where_and_as_they_are_named() {
    let upstream = Upstream::answering(|_, _| answer(200, &[("cache-control", "max-age=9")], "x"));
    let edge = edge(&upstream);
    for query in ["?_HLS_msn=1&_HLS_part=2", "?_HLS_part=2&x=1&_HLS_msn=1", "?session=7&_HLS_msn=1&_HLS_part=2"] {
        get(&edge, &format!("{PLAYLIST}{query}")).await;
    }
    get(&edge, &format!("{SEGMENT}?_HLS_msn=1&bust=1")).await;
    get(&edge, SEGMENT).await;
    assert_eq!(upstream.targets(), [&format!("{PLAYLIST}?_HLS_msn=1&_HLS_part=2"), SEGMENT]);
    assert_eq!(get(&edge, &format!("{PLAYLIST}?_HLS_msn=1&_HLS_msn=2")).await.status, 400);
    assert_eq!(get(&edge, "/hls/../etc").await.status, 400);
    assert_eq!(upstream.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_least_used_objects_leave_when_the_store_is_full() {
    let upstream = Upstream::answering(|_, _| answer(200, &[("cache-control", "max-age=999")], vec![0; 100_000]));
    let limits = footlight_edge::Limits { cache_bytes: 2_000_000, object_bytes: 200_000, ..Default::default() };
    let edge = support::edge_with(&upstream, limits);
    for n in 0..100 {
        get(&edge, &format!("/hls/room/s1/v/{n}.m4s")).await;
    }
    assert!(edge.usage().bytes <= 2_000_000, "{}", edge.usage().bytes);
    assert!(edge.usage().bytes > 1_500_000, "{}", edge.usage().bytes);
}
