//! A request for a version waits for it, and gets it the moment it is PUT.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a scenario spawns its viewers")]

mod support;

use support::{PART, PLAYLIST, get, origin, publish, put, put_version, start};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn a_blocking_reload_is_released_by_the_put_it_waits_for() {
    let origin = origin();
    put_version(&origin, "13.2", "12:6,13:2", &[]).await;
    let next_part = start(&origin, &format!("{PLAYLIST}?_HLS_msn=13&_HLS_part=2")).await;
    let segment = start(&origin, &format!("{PLAYLIST}?_HLS_msn=13")).await;
    assert_eq!(origin.usage().waiters, 2);

    put_version(&origin, "13.3", "12:6,13:3", &[]).await;
    let got = next_part.await.unwrap();
    assert_eq!((got.text(), got.header("cache-control")), ("at 13.3", "max-age=12"));
    assert!(!segment.is_finished());

    put_version(&origin, "14.0", "12:6,13:6", &[]).await;
    let got = segment.await.unwrap();
    assert_eq!((got.text(), got.header("cache-control")), ("at 14.0", "max-age=12"));
    assert_eq!(origin.usage().waiters, 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_newer_than_asked_lives_as_long_as_a_plain_one() {
    let origin = origin();
    put_version(&origin, "13.2", "12:6,13:2", &[]).await;
    let got = get(&origin, &format!("{PLAYLIST}?_HLS_msn=12&_HLS_part=3")).await;
    assert_eq!((got.text(), got.header("cache-control")), ("at 13.2", "max-age=1"));
    let got = get(&origin, &format!("{PLAYLIST}?_HLS_msn=13&_HLS_part=1")).await;
    assert_eq!((got.text(), got.header("cache-control")), ("at 13.2", "max-age=12"));
    // Long before the window: the current playlist, whole.
    assert_eq!(get(&origin, &format!("{PLAYLIST}?_HLS_msn=1")).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_part_beyond_the_last_is_part_0_of_the_next() {
    let origin = origin();
    put_version(&origin, "13.5", "12:6,13:5", &[]).await;
    // Segment 13 will turn out to have 6 parts, so that its part 6 never comes.
    let beyond = start(&origin, &format!("{PLAYLIST}?_HLS_msn=13&_HLS_part=6")).await;
    put_version(&origin, "14.0", "13:6,14:0", &[]).await;
    tokio::task::yield_now().await;
    assert!(!beyond.is_finished(), "segment 13 is whole without a part 6");
    put_version(&origin, "14.1", "13:6,14:1", &[]).await;
    let got = beyond.await.unwrap();
    assert_eq!((got.text(), got.header("cache-control")), ("at 14.1", "max-age=12"));
}

#[tokio::test(start_paused = true)]
async fn after_three_target_durations_a_waiter_gets_503() {
    let origin = origin();
    put_version(&origin, "13.2", "13:2", &[("footlight-promises", PART)]).await;
    for target in [format!("{PLAYLIST}?_HLS_msn=13"), PART.to_owned()] {
        let asked = Instant::now();
        let got = get(&origin, &target).await;
        assert_eq!(asked.elapsed().as_secs(), 6);
        assert_eq!((got.status.as_u16(), got.header("retry-after")), (503, "1"));
        assert_eq!(got.header("cache-control"), "no-store");
        assert_eq!(got.header("content-type"), "application/problem+json");
        assert_eq!(origin.usage().waiters, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_ended_playlist_releases_all_and_ignores_directives() {
    let origin = origin();
    put_version(&origin, "13.2", "13:2", &[("footlight-promises", PART)]).await;
    let waiting = start(&origin, &format!("{PLAYLIST}?_HLS_msn=14")).await;
    let promised = start(&origin, PART).await;
    put_version(&origin, "13.2", "13:2", &[("footlight-ended", "1"), ("footlight-promises", PART)]).await;
    let got = waiting.await.unwrap();
    assert_eq!((got.status.as_u16(), got.header("cache-control")), (200, "max-age=1"));
    let got = promised.await.unwrap();
    assert_eq!((got.status.as_u16(), got.header("cache-control")), (404, "max-age=2"));
    for query in ["_HLS_msn=99", "_HLS_msn=x", "_HLS_part=1", "_HLS_msn=1&_HLS_msn=1"] {
        assert_eq!(get(&origin, &format!("{PLAYLIST}?{query}")).await.status, 200, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_promised_path_waits_for_its_put() {
    let origin = origin();
    assert_eq!(get(&origin, PART).await.status, 404);
    put_version(&origin, "13.2", "13:2", &[("footlight-promises", PART)]).await;
    let waiting = start(&origin, PART).await;
    assert!(!waiting.is_finished());
    put(&origin, PART, "the part").await;
    assert_eq!(waiting.await.unwrap().text(), "the part");
    assert_eq!(get(&origin, PART).await.text(), "the part");
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_promise_is_404() {
    let origin = origin();
    put_version(&origin, "13.2", "13:2", &[("footlight-promises", PART)]).await;
    let waiting = start(&origin, PART).await;
    put_version(&origin, "13.3", "13:3", &[("footlight-promises", "/hls/room/s1/v/13.3.m4s")]).await;
    let got = waiting.await.unwrap();
    assert_eq!((got.status.as_u16(), got.header("cache-control")), (404, "no-store"));
    assert_eq!(get(&origin, PART).await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_playlist_releases_who_waits_for_it() {
    let origin = origin();
    put(&origin, "/hls/room/s1/init.mp4", "another object of the stream").await;
    put_version(&origin, "13.2", "13:2", &[("footlight-promises", PART)]).await;
    let reload = start(&origin, &format!("{PLAYLIST}?_HLS_msn=13")).await;
    let promised = start(&origin, PART).await;
    publish(&origin, "DELETE", PLAYLIST, &[], "").await;
    assert_eq!(reload.await.unwrap().status, 410);
    assert_eq!(promised.await.unwrap().status, 404);
}

#[tokio::test(start_paused = true)]
async fn a_viewer_who_leaves_takes_nothing_with_it() {
    let origin = origin();
    put_version(&origin, "13.2", "13:2", &[]).await;
    let waiting = start(&origin, &format!("{PLAYLIST}?_HLS_msn=13")).await;
    assert_eq!(origin.usage().waiters, 1);
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    assert_eq!(origin.usage().waiters, 0);
    put_version(&origin, "14.0", "13:6", &[]).await;
}
