//! An application shows the people on stage otherwise, on air: without a cut, and for as long as the stream lives, whatever becomes of its packager.

use crate::harness::clips;
use crate::harness::packaging::assert_ffmpeg_decodes;
use crate::harness::playback::{Viewer, luma_pictures};
use crate::harness::publishers::send;
use crate::harness::server::{SMALL, Server};
use http::{Method, StatusCode};
use serde_json::json;

/// Brightness of the two on stage.
const DARK: u8 = 60;
const LIGHT: u8 = 200;

#[tokio::test(flavor = "multi_thread")]
async fn and_stays_when_the_packager_is_replaced() {
    let server = Server::start(&["serve"], SMALL).await;
    let stream = server.go_live("room").await;
    // Eight seconds in, the decoder of the first crashes, and the packager with it.
    let dark = clips::with_crash(clips::grey(DARK, 320, 180, 60), 240);
    let _dark = send(&server, "room", "dark", dark).await;
    let _light = send(&server, "room", "light", clips::grey(LIGHT, 320, 180, 2)).await;
    let mut viewer = Viewer::new(&server, "room", &stream, "180p");
    viewer.watch_to(5).await;
    let mut halves = last_halves(&viewer.files[0]);
    halves.sort_unstable();
    assert!(near(halves[0], DARK) && near(halves[1], LIGHT), "a grid: {halves:?}");

    let path = format!("/v2/live-streams/{stream}/layout");
    let spotlight = json!({"type": "spotlight", "focus": "light"});
    let set = server.rest(Method::POST, &path, spotlight).await;
    assert_eq!(
        set,
        json!({"type": "spotlight", "scaling": "fit", "focus": "light", "follow_speaker": false, "pinned": null, "screens": "large", "transition": "smooth",
            "names": {}, "show_names": false, "background": null, "lower_third": null, "warnings": []})
    );
    let token = server.token(&["management"]).await;
    let body = Some(("application/json", json!({"focus": "nobody"}).to_string()));
    let (status, _, refused) = server.request(Method::POST, &path, Some(&token), body).await;
    let refused = String::from_utf8_lossy(&refused);
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(refused.contains("is not on stage") && refused.contains("dark") && refused.contains("light"), "{refused}");

    viewer.watch_to(10).await;
    assert_eq!(viewer.discontinuities(), 1, "that of the crash alone: {:?}", viewer.segments);
    for file in &viewer.files {
        let halves = last_halves(file);
        assert!(halves.iter().all(|half| near(*half, LIGHT)), "in the spotlight: {halves:?}");
        assert_ffmpeg_decodes(file);
    }
    server.end().await;
}

/// The brightness of the left and of the right half of the last picture.
fn last_halves(file: &[u8]) -> [u8; 2] {
    let last = luma_pictures(file, 32, 18).pop().expect("pictures");
    [8, 24].map(|x| last[9 * 32 + x])
}

/// As far as the encoder and the limited range let it be.
fn near(seen: u8, grey: u8) -> bool {
    seen.abs_diff(grey) <= 8
}
