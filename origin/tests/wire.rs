//! docs/wire.md, row by row, on both listeners in process.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a scenario drives tasks")]

mod support;

use footlight_origin::{Limits, Origin};
use support::{Got, PART, PLAYLIST, get, origin, publish, put, put_version, send};

const PLAIN: [(&str, &str); 2] = [("content-type", "video/mp4"), ("cache-control", "max-age=60")];

fn check_problem(got: &Got, status: u16, detail: &str) {
    assert_eq!(got.status, status, "{got:?}");
    assert_eq!(got.header("content-type"), "application/problem+json");
    let document: serde_json::Value = serde_json::from_slice(&got.body).unwrap();
    assert_eq!(document["status"], status);
    assert!(document["detail"].as_str().unwrap().contains(detail), "{document}");
}

#[tokio::test(start_paused = true)]
async fn put_makes_replaces_and_delete_removes() {
    let origin = origin();
    assert_eq!(put(&origin, PART, "one").await.status, 201);
    assert_eq!(put(&origin, PART, "two").await.status, 204);
    assert_eq!(get(&origin, PART).await.text(), "two");
    put(&origin, "/hls/room/s1/init.mp4", "another of the stream").await;
    assert_eq!(publish(&origin, "DELETE", PART, &[], "").await.status, 204);
    check_problem(&get(&origin, PART).await, 410, "left the window");
    check_problem(&publish(&origin, "DELETE", PART, &[], "").await, 410, "left the window");
    check_problem(&publish(&origin, "DELETE", "/hls/room/s1/never", &[], "").await, 404, "no object");
    // The stream's last object takes the memory of the others with it.
    publish(&origin, "DELETE", "/hls/room/s1/init.mp4", &[], "").await;
    assert_eq!(get(&origin, PART).await.status, 404);
    assert_eq!((origin.usage().bytes, origin.usage().objects), (0, 0));
    // And back again.
    assert_eq!(put(&origin, PART, "three").await.status, 201);
    assert_eq!(get(&origin, PART).await.text(), "three");
}

#[tokio::test(start_paused = true)]
async fn paths_outside_the_grammar_are_400_on_both_sides() {
    let origin = origin();
    for target in ["/", "/a//b", "/a/../b", "/a/", "/a%20b", "/1/2/3/4/5/6/7/8/9"] {
        assert_eq!(get(&origin, target).await.status, 400, "{target}");
        assert_eq!(publish(&origin, "PUT", target, &PLAIN, "x").await.status, 400, "{target}");
        assert_eq!(publish(&origin, "DELETE", target, &[], "").await.status, 400, "{target}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_listener_takes_its_methods_and_says_which() {
    let origin = origin();
    put(&origin, PART, "one").await;
    for method in ["PUT", "DELETE", "POST", "PATCH", "TRACE"] {
        let got = send(&origin, method, PART, &PLAIN).await;
        check_problem(&got, 405, method);
        assert_eq!(got.header("allow"), "GET, HEAD, OPTIONS");
    }
    for method in ["POST", "PATCH", "OPTIONS", "TRACE"] {
        let got = publish(&origin, method, PART, &PLAIN, "two").await;
        assert_eq!((got.status.as_u16(), got.header("allow")), (405, "PUT, DELETE, GET, HEAD"), "{method}");
    }
    let got = send(&origin, "OPTIONS", PART, &[]).await;
    assert_eq!((got.status.as_u16(), got.header("allow")), (204, "GET, HEAD, OPTIONS"));
    assert_eq!(get(&origin, PART).await.text(), "one", "nothing changed");
}

#[tokio::test(start_paused = true)]
async fn a_private_object_is_there_for_publishers_alone() {
    let origin = origin();
    let path = "/hls/room/s1/resume";
    let private = [PLAIN[0], PLAIN[1], ("footlight-visibility", "private")];
    assert_eq!(publish(&origin, "PUT", path, &private, "state").await.status, 201);
    put(&origin, PART, "another of the stream").await;
    assert_eq!(get(&origin, path).await.status, 404);
    assert_eq!(publish(&origin, "GET", path, &[], "").await.text(), "state");
    publish(&origin, "DELETE", path, &[], "").await;
    assert_eq!(get(&origin, path).await.status, 404, "nor does it say that it was there");
    assert_eq!(publish(&origin, "GET", path, &[], "").await.status, 410);
}

#[tokio::test(start_paused = true)]
async fn headers_reach_viewers_and_the_wires_own_do_not() {
    let origin = origin();
    put_version(&origin, "13.2", "13:2", &[("playback-access", "token"), ("footlight-promises", PART)]).await;
    let got = get(&origin, PLAYLIST).await;
    assert_eq!(got.header("content-type"), "application/vnd.apple.mpegurl");
    assert_eq!((got.header("cache-control"), got.header("playback-access")), ("max-age=1", "token"));
    assert!(got.headers.keys().all(|name| !name.as_str().starts_with("footlight-")));
    assert!(got.header("etag").starts_with('"'));
    assert_eq!(got.header("content-length"), "7");
    put(&origin, PART, "x").await;
    assert!(!get(&origin, PART).await.headers.contains_key("playback-access"));
}

#[tokio::test(start_paused = true)]
async fn a_put_that_contradicts_itself_is_refused_and_changes_nothing() {
    let origin = origin();
    put_version(&origin, "13.2", "13:2", &[]).await;
    let bad: [(&[(&str, &str)], &str); 6] = [
        (&[("content-type", "a")], "Cache-Control"),
        (&[("cache-control", "a")], "Content-Type"),
        (&[PLAIN[0], PLAIN[1], ("footlight-version", "13.2")], "Footlight-Target-Duration"),
        (&[PLAIN[0], PLAIN[1], ("footlight-promises", PART)], "Footlight-Promises"),
        (&[PLAIN[0], PLAIN[1], ("footlight-bodies", "full=99")], "Footlight-Bodies"),
        (&[PLAIN[0], PLAIN[1], ("footlight-colour", "red")], "footlight-colour"),
    ];
    for (headers, detail) in bad {
        check_problem(&publish(&origin, "PUT", PLAYLIST, headers, "x").await, 400, detail);
    }
    check_problem(&put_version(&origin, "13.1", "13:1", &[]).await, 409, "never goes back");
    check_problem(&put_version(&origin, "12.9", "12:9", &[]).await, 409, "13.2");
    let changed = [
        ("footlight-target-duration", "3", "Footlight-Target-Duration"),
        ("footlight-part-target", "0.5", "Footlight-Part-Target"),
    ];
    for (name, value, detail) in changed {
        let mut headers = vec![
            PLAIN[0],
            PLAIN[1],
            ("footlight-version", "13.3"),
            ("footlight-target-duration", "2"),
            ("footlight-part-target", "0.342"),
        ];
        headers.retain(|(kept, _)| *kept != name);
        headers.push((name, value));
        check_problem(&publish(&origin, "PUT", PLAYLIST, &headers, "x").await, 409, detail);
    }
    put_version(&origin, "14.0", "13:6", &[("footlight-ended", "1")]).await;
    check_problem(&put_version(&origin, "14.1", "14:1", &[]).await, 409, "never goes back");
    assert_eq!(get(&origin, PLAYLIST).await.text(), "at 14.0");
}

#[tokio::test(start_paused = true)]
async fn limits_are_507_with_the_figure_and_413() {
    let limits = Limits { object_bytes: 10, stream_objects: 2, ..Limits::default() };
    let origin = Origin::new(limits);
    check_problem(&put(&origin, PART, "eleven byte").await, 413, "10 bytes");
    put(&origin, "/hls/room/s1/1", "x").await;
    put(&origin, "/hls/room/s1/2", "x").await;
    check_problem(&put(&origin, "/hls/room/s1/3", "x").await, 507, "objects in the stream would be 3, the limit is 2");
    assert_eq!(put(&origin, "/hls/room/s1/2", "y").await.status, 204, "a replacement fits");
    assert_eq!(put(&origin, "/hls/room/s2/3", "x").await.status, 201, "another stream has its own");

    let origin = Origin::new(Limits { stream_bytes: 4000, origin_bytes: 6000, ..Limits::default() });
    put(&origin, "/hls/room/s1/1", &"x".repeat(2000)).await;
    let full = put(&origin, "/hls/room/s1/2", &"x".repeat(2000)).await;
    check_problem(&full, 507, "bytes in the stream would be 6048, the limit is 4000");
    put(&origin, "/hls/room/s2/1", &"x".repeat(1900)).await;
    check_problem(&put(&origin, "/hls/room/s3/1", "x").await, 507, "bytes in the origin");
    publish(&origin, "DELETE", "/hls/room/s1/1", &[], "").await;
    assert_eq!(put(&origin, "/hls/room/s3/1", "x").await.status, 201);
}

#[tokio::test(start_paused = true)]
async fn bodies_are_chosen_by_directive_and_encoding() {
    let origin = origin();
    let names = ["full", "full.gzip", "delta", "delta.gzip", "delta2", "delta2.gzip"];
    let list: Vec<_> = names.iter().map(|name| format!("{name}={}", name.len())).collect();
    let headers = [
        PLAIN[0],
        PLAIN[1],
        ("footlight-version", "13.2"),
        ("footlight-target-duration", "2"),
        ("footlight-bodies", &list.join(",")),
    ];
    assert_eq!(publish(&origin, "PUT", PLAYLIST, &headers, &names.concat()).await.status, 201);
    let mut validators = std::collections::HashSet::new();
    for (query, name) in [("", "full"), ("?_HLS_skip=YES", "delta"), ("?_HLS_skip=v2", "delta2"), ("?x=1", "full")] {
        let plain = get(&origin, &format!("{PLAYLIST}{query}")).await;
        assert_eq!((plain.text(), plain.header("content-encoding")), (name, ""), "{query}");
        let zip = send(&origin, "GET", &format!("{PLAYLIST}{query}"), &[("accept-encoding", "br, gzip")]).await;
        assert_eq!((zip.text(), zip.header("content-encoding")), (format!("{name}.gzip").as_str(), "gzip"));
        for got in [plain, zip] {
            assert_eq!(got.header("vary"), "accept-encoding");
            assert_eq!(got.header("content-length"), got.body.len().to_string());
            validators.insert(got.header("etag").to_owned());
        }
    }
    assert_eq!(validators.len(), names.len());
    // An ended playlist is whole for everybody.
    put_version(&origin, "13.2", "13:2", &[]).await;
    let mut ended = headers.to_vec();
    ended.extend([("footlight-part-target", "0.342"), ("footlight-ended", "1")]);
    publish(&origin, "DELETE", PLAYLIST, &[], "").await;
    publish(&origin, "PUT", PLAYLIST, &ended, &names.concat()).await;
    assert_eq!(get(&origin, &format!("{PLAYLIST}?_HLS_skip=YES")).await.text(), "full");
}

#[tokio::test(start_paused = true)]
async fn a_playlist_without_a_delta_answers_in_full() {
    let origin = origin();
    put_version(&origin, "13.2", "13:2", &[]).await;
    assert_eq!(get(&origin, &format!("{PLAYLIST}?_HLS_skip=YES")).await.text(), "at 13.2");
    // A multivariant playlist has no version, and may have a gzip body.
    let headers = [PLAIN[0], PLAIN[1], ("footlight-bodies", "full=4,full.gzip=2")];
    publish(&origin, "PUT", "/hls/room/s1/master.m3u8", &headers, "fullzz").await;
    let got = send(&origin, "GET", "/hls/room/s1/master.m3u8?_HLS_msn=x", &[("accept-encoding", "gzip")]).await;
    assert_eq!((got.text(), got.header("vary")), ("zz", "accept-encoding"));
}

#[tokio::test(start_paused = true)]
async fn directives_count_on_live_playlists_and_nowhere_else() {
    let origin = origin();
    put_version(&origin, "13.2", "12:6,13:2", &[]).await;
    put(&origin, PART, "x").await;
    for (query, detail) in [
        ("_HLS_part=2", "_HLS_msn"),
        ("_HLS_msn=x", "\"x\""),
        ("_HLS_msn=1&_HLS_part=-1", "_HLS_part"),
        ("_HLS_msn=1&_HLS_msn=1", "more than once"),
        ("_HLS_msn=01", "leading zeros"),
        ("_HLS_skip=v3", "YES or v2"),
        ("_HLS_msn=15", "too far ahead"),
        ("_HLS_msn=13&_HLS_part=11", "too far ahead"),
        ("_HLS_msn=99999999999999999999999", "too far ahead"),
    ] {
        let got = get(&origin, &format!("{PLAYLIST}?{query}")).await;
        check_problem(&got, 400, detail);
        assert_eq!(got.header("cache-control"), "no-store");
        assert_eq!(get(&origin, &format!("{PART}?{query}")).await.status, 200, "{query}");
        assert_eq!(get(&origin, &format!("/hls/room/s1/none?{query}")).await.status, 404, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn conditions_ranges_and_head() {
    let origin = origin();
    put(&origin, PART, "0123456789").await;
    let etag = get(&origin, PART).await.header("etag").to_owned();
    for matching in [etag.clone(), format!("\"x\", {etag}"), format!("W/{etag}"), "*".to_owned()] {
        let got = send(&origin, "GET", PART, &[("if-none-match", &matching)]).await;
        assert_eq!((got.status.as_u16(), got.text(), got.header("etag")), (304, "", etag.as_str()), "{matching}");
        assert_eq!(got.header("cache-control"), "max-age=60");
    }
    assert_eq!(send(&origin, "GET", PART, &[("if-none-match", "\"x\"")]).await.status, 200);
    let got = send(&origin, "GET", PART, &[("range", "bytes=2-4")]).await;
    assert_eq!((got.status.as_u16(), got.text()), (206, "234"));
    assert_eq!((got.header("content-range"), got.header("content-length")), ("bytes 2-4/10", "3"));
    let got = send(&origin, "GET", PART, &[("range", "bytes=-3"), ("if-range", &etag)]).await;
    assert_eq!(got.text(), "789");
    let got = send(&origin, "GET", PART, &[("range", "bytes=-3"), ("if-range", "\"x\"")]).await;
    assert_eq!((got.status.as_u16(), got.text()), (200, "0123456789"));
    let got = send(&origin, "GET", PART, &[("range", "bytes=10-")]).await;
    check_problem(&got, 416, "10 bytes");
    assert_eq!(got.header("content-range"), "bytes */10");
    let got = send(&origin, "HEAD", PART, &[("range", "bytes=2-4")]).await;
    assert_eq!((got.status.as_u16(), got.text(), got.header("content-length")), (200, "", "10"));
    let got = send(&origin, "HEAD", "/none", &[]).await;
    assert_eq!((got.status.as_u16(), got.text()), (404, ""));
}

#[tokio::test(start_paused = true)]
async fn errors_are_kept_for_a_target_duration_once_the_stream_has_ended() {
    let origin = origin();
    put_version(&origin, "13.2", "13:2", &[]).await;
    put(&origin, PART, "x").await;
    publish(&origin, "DELETE", PART, &[], "").await;
    for (path, status) in [(PART, 410), ("/hls/room/s1/v/none", 404)] {
        let got = get(&origin, path).await;
        assert_eq!((got.status.as_u16(), got.header("cache-control")), (status, "no-store"));
    }
    put_version(&origin, "14.0", "13:6", &[("footlight-ended", "1")]).await;
    for (path, status) in [(PART, 410), ("/hls/room/s1/v/none", 404)] {
        let got = get(&origin, path).await;
        assert_eq!((got.status.as_u16(), got.header("cache-control")), (status, "max-age=2"));
    }
    assert_eq!(get(&origin, "/hls/room/s2/v/none").await.header("cache-control"), "no-store");
}

#[tokio::test(start_paused = true)]
async fn so_many_wait_and_no_more() {
    let origin = Origin::new(Limits { waiters: 1, ..Limits::default() });
    put_version(&origin, "13.2", "13:2", &[]).await;
    let waiting = support::start(&origin, &format!("{PLAYLIST}?_HLS_msn=13")).await;
    let got = get(&origin, &format!("{PLAYLIST}?_HLS_msn=14")).await;
    check_problem(&got, 503, "1 requests wait already");
    assert_eq!(got.header("retry-after"), "1");
    put_version(&origin, "14.0", "13:6", &[]).await;
    assert_eq!(waiting.await.unwrap().status, 200);
}

#[tokio::test(start_paused = true)]
async fn the_bytes_of_a_put_are_those_of_the_answer() {
    let origin = origin();
    let bytes = bytes::Bytes::from(vec![7; 1_000_000]);
    let request = support::request("PUT", PART, &PLAIN, bytes.clone());
    tower::ServiceExt::oneshot(origin.publish(), request).await.unwrap();
    assert_eq!(get(&origin, PART).await.body.as_ptr(), bytes.as_ptr());
}
