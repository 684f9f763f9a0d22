//! With no input at all the playlists stand within two seconds of the start, and what they list decodes.

use crate::harness::clips;
use crate::harness::packaging::{Packaging, assert_ffmpeg_decodes, small_ladder};
use crate::harness::playback::{Viewer, middle_luma};
use crate::harness::publishers::send;
use crate::harness::server::{SMALL, Server};
use std::time::Duration;

/// 300 ms, and what an encoder rounds.
const FADE_TICKS: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn playlists_stand_within_two_seconds_and_go_on() {
    let mut packaging = Packaging::start(small_ladder());
    let begun = packaging.clock.now();
    packaging.until_running().await;
    let took = packaging.clock.now().micros_since(begun);
    assert!(took < Duration::from_secs(2).as_micros() as i64, "{took} us");

    let (_, master) = packaging.get("/live/room/master.m3u8").await;
    let master = String::from_utf8(master.to_vec()).unwrap();
    assert!(master.contains("CODECS=\"avc1.64"), "{master}");
    for rendition in ["180p", "audio"] {
        let playlist = packaging.playlist(rendition, 5).await;
        assert!(playlist.contains("#EXT-X-MEDIA-SEQUENCE:1\n"), "{playlist}");
        assert_ffmpeg_decodes(&packaging.download(rendition, &playlist).await);
    }
    packaging.stop().await;
    let ended = packaging.playlist("180p", 0).await;
    assert!(ended.ends_with("#EXT-X-ENDLIST\n"), "{ended}");
    assert_ffmpeg_decodes(&packaging.download("180p", &ended).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_still_is_encoded_once_and_whoever_comes_is_seen() {
    let server = Server::start(&["serve"], SMALL).await;
    let stream = server.go_live("room").await;
    let mut viewer = Viewer::new(&server, "room", &stream, "180p");
    viewer.watch_to(6).await;
    // Of one scrape: from one to the next they grow.
    let metrics = server.admin("/metrics").await;
    let (ticks, repeated) = (counter(&metrics, "ticks"), counter(&metrics, "rung_repeated_ticks"));
    // All but the first second.
    assert!(repeated + 45 >= ticks && repeated <= ticks - 30, "{repeated} of {ticks}");

    let _ada = send(&server, "room", "ada", clips::grey(200, 320, 180, 30)).await;
    viewer.watch_to(9).await;
    let seen = middle_luma(viewer.file());
    let begins = seen.iter().position(|luma| luma.abs_diff(seen[0]) > 2).expect("somebody is seen");
    let (passing, seen) = seen[begins..].split_at(FADE_TICKS);
    assert!(passing.is_sorted(), "the slate passes into who came: {passing:?}");
    assert!(!seen.is_empty() && seen.iter().all(|luma| luma.abs_diff(200) <= 8), "nobody else: {seen:?}");
    server.end().await;
}

fn counter(metrics: &str, name: &str) -> u64 {
    let line = metrics.lines().find(|line| line.starts_with(&format!("footlight_stream_{name}_total{{")));
    line.unwrap_or_else(|| panic!("{metrics}")).rsplit(' ').next().unwrap().parse().unwrap()
}
