//! The record that a packager leaves for its successor, and what it says to its server: both by somebody who has taken it over. What is made of a
//! record by ending its stream is of a bounded size and in the stream's own folder.
#![no_main]

use footlight_packager::driver::FromPackager;
use footlight_packager::ladder::{AudioRendition, Ladder, Rung};
use footlight_packager::layout::Size;
use footlight_packager::objects::{Change, Stream};
use footlight_packager::session::{Output, Resume, Session};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _said: Result<FromPackager, _> = postcard::from_bytes(bytes);
    let (stream, ladder) = (Stream::new("room", "stream", 8), ladder());
    let Some(resume) = Resume::read(bytes, &stream, &ladder) else { return };
    let mut session = Session::abandon(stream.clone(), ladder, resume);
    while let Some(output) = session.poll_output() {
        match output {
            Output::Publish(batch) => batch.changes.iter().for_each(|change| match change {
                Change::Put(put) => assert!(stream.owns(&put.path)),
                Change::Join { segment, parts } => {
                    assert!(stream.owns(&segment.path) && parts.iter().all(|part| stream.owns(part)));
                }
                Change::Delete(path) => assert!(stream.owns(path)),
            }),
            Output::Ended { leftovers } => {
                assert!(leftovers.len() < 100_000 && leftovers.iter().all(|path| stream.owns(path)));
            }
        }
    }
});

fn ladder() -> Ladder {
    let size = Size { width: 1280, height: 720 };
    let rung = Rung { name: "720p".into(), size, bitrate_bps: 2_500_000, preset: "veryfast".into(), audio: "audio".into() };
    Ladder { canvas: size, fps: 30, rungs: vec![rung], audio: vec![AudioRendition { name: "audio".into(), bitrate_bps: 128_000 }] }
}
