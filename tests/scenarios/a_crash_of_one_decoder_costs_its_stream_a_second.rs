//! A decoder that crashes takes its own packager's process with it and nobody else's: three other streams have no gap, and its own goes
//! on within a second, with one discontinuity.

use crate::harness::clips;
use crate::harness::packaging::assert_ffmpeg_decodes;
use crate::harness::playback::Viewer;
use crate::harness::publishers::send;
use crate::harness::server::{SMALL, Server};

#[tokio::test(flavor = "multi_thread")]
async fn three_streams_have_no_gap_and_the_fourth_goes_on() {
    let server = Server::start(&["serve"], SMALL).await;
    let rooms = ["crash", "one", "two", "three"];
    let mut streams = Vec::new();
    let mut publishers = Vec::new();
    for room in rooms {
        streams.push(server.go_live(room).await);
        // The crashing frame comes eight seconds in. The packager that takes over asks for a key frame, at which the clip begins again, so it comes once
        // in what is watched.
        let clip = clips::grey(120, 320, 180, 60);
        let clip = if room == "crash" { clips::with_crash(clip, 240) } else { clip };
        publishers.push(send(&server, room, "someone", clip).await);
    }
    let mut viewers: Vec<Viewer> =
        rooms.iter().zip(&streams).map(|(room, stream)| Viewer::new(&server, room, stream, "180p")).collect();
    for viewer in &mut viewers {
        viewer.watch_to(10).await;
    }
    let crashed = &viewers[0];
    assert_eq!(crashed.discontinuities(), 1, "{:?}", crashed.segments);
    let lost = gap_seconds(crashed);
    assert!(lost > 0.0 && lost <= 1.0, "the stream went on after {lost} s");
    for viewer in &viewers[1..] {
        assert_eq!(viewer.discontinuities(), 0);
        assert!(viewer.segments.iter().all(|s| (s.seconds - 2.0).abs() < 1e-6), "{:?}", viewer.segments);
    }
    for file in viewers.iter().flat_map(|v| &v.files) {
        assert_ffmpeg_decodes(file);
    }
    server.end().await;
}

/// What is missing between the dates of the segments at a discontinuity.
fn gap_seconds(viewer: &Viewer) -> f64 {
    let at = viewer.segments.iter().position(|s| s.discontinuity).expect("there is one");
    let (before, after) = (&viewer.segments[at - 1], &viewer.segments[at]);
    seconds_of_day(&after.date) - seconds_of_day(&before.date) - before.seconds
}

fn seconds_of_day(date: &str) -> f64 {
    let time = date.split('T').nth(1).expect("a date with a time").trim_end_matches('Z');
    time.split(':').fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().expect("a number"))
}
