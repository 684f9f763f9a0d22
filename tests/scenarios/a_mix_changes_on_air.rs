//! An application makes somebody on stage quieter, mutes them, and lets them be heard again, on air and without a cut.

use crate::harness::playback::{Viewer, mono_samples};
use crate::harness::publishers::publish;
use crate::harness::server::{SMALL, Server};
use http::Method;
use serde_json::{Value, json};

/// Of the last second, in which there is a beep.
const LAST_SAMPLES: usize = 48_000;

#[tokio::test(flavor = "multi_thread")]
async fn who_is_heard_and_how_loud() {
    let server = Server::start(&["serve"], SMALL).await;
    let stream = server.go_live("room").await;
    let _publisher = publish(&server, "room", "aiortc", &["--seconds", "600"]).await;
    let mut viewer = Viewer::new(&server, "room", &stream, "audio");
    // Three segments of slate, and the client's start.
    viewer.watch_to(7).await;
    let loud = peak(viewer.file());
    assert!(loud > 0.1, "the beep is heard: {loud}");

    let mut heard_at = async |voice: Value| {
        let path = format!("/v2/live-streams/{stream}/mix");
        server.rest(Method::POST, &path, json!({"voices": {"aiortc": voice}})).await;
        // What is in a segment that had begun is as it was.
        let next = viewer.segments.last().unwrap().msn + 3;
        viewer.watch_to(next).await;
        peak(viewer.file())
    };
    let quiet = heard_at(json!({"gain_db": -20})).await;
    assert!((0.07..0.14).contains(&(quiet / loud)), "a tenth: {quiet} of {loud}");
    let muted = heard_at(json!({"muted": true, "gain_db": 20})).await;
    assert!(muted < 0.001, "{muted}");
    let back = heard_at(Value::Null).await;
    assert!((0.8..1.25).contains(&(back / loud)), "as before: {back}, then {loud}");
    server.end().await;
}

fn peak(file: &[u8]) -> f32 {
    let samples = mono_samples(file);
    samples[samples.len() - LAST_SAMPLES..].iter().fold(0.0, |peak, sample| peak.max(sample.abs()))
}
