//! Of more cameras than there are tiles, those beyond cost no decoder, nothing is said of what they look like, and the next of them has a picture when a
//! tile becomes free.

use crate::harness::clips;
use crate::harness::packaging::{Packaging, small_ladder};
use crate::support::media::Clip;
use bytes::Bytes;
use footlight_media::codec::Codec;
use footlight_media::frame::{EncodedFrame, IngestStamps};
use footlight_media::track::{PeerKey, TrackEvent, TrackId, TrackRequest};
use footlight_packager::driver::{FromPackager, Report, ToPackager};
use footlight_packager::layout::MAX_TILES;
use footlight_packager::signal::Subject;
use std::time::Duration;

const CAMERAS: u64 = MAX_TILES as u64 + 4;
const FPS: u64 = 30;

/// Cameras that send in step.
struct Cameras {
    packaging: Packaging,
    clip: Clip,
    there: Vec<u64>,
    ticks: tokio::time::Interval,
    sent: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn until_a_tile_is_free() {
    let mut packaging = Packaging::start(small_ladder());
    packaging.until_running().await;
    let ticks = tokio::time::interval(Duration::from_micros(1_000_000 / FPS));
    let clip = clips::grey(120, 160, 90, 2);
    let mut cameras = Cameras { packaging, clip, there: (0..CAMERAS).collect(), ticks, sent: 0 };
    for camera in 0..CAMERAS {
        let from = PeerKey(camera.to_string()).into();
        let added = TrackEvent::Added { track: TrackId(camera), from, codec: Codec::H264 };
        cameras.packaging.to.send(ToPackager::Event(added)).await.unwrap();
    }
    cameras.send(3).await;
    let (before, _) = cameras.said();
    cameras.send(4).await;
    let (after, asked) = cameras.said();
    let (Some(before), Some(after)) = (before, after) else { panic!("a report each second") };
    let decoded = after.decoded_frames - before.decoded_frames;
    // Reports are a second apart, more or less.
    let seen = MAX_TILES as u64 * FPS;
    assert!((3 * seen..=4 * seen + seen / 2).contains(&decoded), "{decoded} pictures decoded in about 4 s");
    assert_eq!(after.dropped_frames, before.dropped_frames, "what nobody sees is not missed");
    let told = |camera: u64| after.signals.iter().any(|(of, _)| *of == Subject::Track(TrackId(camera)));
    assert_eq!(
        (0..CAMERAS).filter(|camera| told(*camera)).collect::<Vec<_>>(),
        (0..MAX_TILES as u64).collect::<Vec<_>>()
    );
    assert_eq!(asked, [], "no key frame is asked for that nobody needs");

    cameras.there.remove(0);
    let removed = TrackEvent::Removed { track: TrackId(0), succeeded: false };
    cameras.packaging.to.send(ToPackager::Event(removed)).await.unwrap();
    cameras.send(3).await;
    let next = MAX_TILES as u64;
    let (report, asked) = cameras.said();
    assert!(asked.contains(&TrackId(next)), "{asked:?}");
    let signals = report.expect("a report each second").signals;
    let told: Vec<u64> =
        (0..CAMERAS).filter(|n| signals.iter().any(|(of, _)| *of == Subject::Track(TrackId(*n)))).collect();
    assert_eq!(told, (1..=next).collect::<Vec<_>>(), "the next one is seen");
    cameras.packaging.stop().await;
}

impl Cameras {
    async fn send(&mut self, seconds: u64) {
        for _ in 0..seconds * FPS {
            self.ticks.tick().await;
            let time = self.packaging.clock.now();
            let picture = &self.clip.frames[(self.sent % self.clip.frames.len() as u64) as usize];
            let (key, data) = (picture.key, Bytes::from(picture.data.clone()));
            self.sent += 1;
            for track in self.there.iter().map(|camera| TrackId(*camera)) {
                let (data, stamps) = (data.clone(), IngestStamps::default());
                let frame = EncodedFrame { track, time, key, discontinuity: false, data, stamps };
                self.packaging.to.send(ToPackager::Event(TrackEvent::Frame(frame))).await.unwrap();
            }
        }
    }

    /// The last report, and for which tracks a key frame was asked, since it was called last.
    fn said(&mut self) -> (Option<Report>, Vec<TrackId>) {
        let (mut report, mut asked) = (None, Vec::new());
        while let Ok(message) = self.packaging.from.try_recv() {
            match message {
                FromPackager::Report(last) => report = Some(*last),
                FromPackager::Request(TrackRequest::KeyFrame(track)) => asked.push(track),
                _ => {}
            }
        }
        (report, asked)
    }
}
