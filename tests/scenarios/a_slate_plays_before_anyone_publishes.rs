//! With no input at all the playlists stand within two seconds of the start, and what they list decodes.

use crate::harness::packaging::{Packaging, assert_ffmpeg_decodes, small_ladder};
use std::time::Duration;

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
