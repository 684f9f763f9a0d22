//! The record that a packager leaves for its successor, and what it says to its server: both by somebody who has taken it over. What its server makes at
//! the origin of what it says is the stream's own, and can be asked for; what is made of a record by ending its stream is of a bounded size too.
#![no_main]

use footlight_packager::driver::FromPackager;
use footlight_packager::ladder::{AudioRendition, Ladder, Rung, VideoCodec};
use footlight_packager::layout::Size;
use footlight_packager::objects::{Change, Stream};
use footlight_packager::session::{Output, Resume, Session};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (stream, ladder) = (Stream::new("room", "stream", 8), ladder());
    if let Ok(FromPackager::Publish(changes)) = postcard::from_bytes(bytes) {
        changes.iter().filter(|change| stream.accepts(change).is_ok()).for_each(|change| own(&stream, change));
    }
    let Some(resume) = Resume::read(bytes, &stream, &ladder) else { return };
    let mut session = Session::abandon(stream.clone(), ladder, resume);
    while let Some(output) = session.poll_output() {
        match output {
            Output::Publish(batch) => batch.changes.iter().for_each(|change| own(&stream, change)),
            Output::Ended { leftovers } => {
                assert!(leftovers.len() < 100_000 && leftovers.iter().all(|path| stream.owns(path)));
            }
        }
    }
});

fn own(stream: &Stream, change: &Change) {
    let own = |path: &String| {
        let mut segments = path.split('/').skip(1);
        assert!(stream.owns(path) && segments.clone().count() <= 8 && segments.all(|s| s.len() <= 128), "{path}");
    };
    match change {
        Change::Put(put) => own(&put.path),
        Change::Join { segment, parts } => std::iter::once(&segment.path).chain(parts).for_each(own),
        Change::Delete(path) => own(path),
    }
}

fn ladder() -> Ladder {
    let size = Size { width: 1280, height: 720 };
    let rung = Rung { name: "720p".into(), size, bitrate_bps: 2_500_000, codec: VideoCodec::Libx264, preset: "veryfast".into(), audio: "audio".into() };
    Ladder { canvas: size, fps: 30, rungs: vec![rung], audio: vec![AudioRendition { name: "audio".into(), bitrate_bps: 128_000 }] }
}
