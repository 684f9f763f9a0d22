//! A layout that follows the speaker shows whoever speaks, a moment after they have begun, and goes on showing them while nobody does.

use crate::harness::clips;
use crate::harness::packaging::{Packaging, small_ladder};
use crate::harness::playback::middle_luma;
use bytes::Bytes;
use footlight_media::codec::Codec;
use footlight_media::frame::{EncodedFrame, IngestStamps};
use footlight_media::time::SessionTime;
use footlight_media::track::{PeerKey, TrackEvent, TrackId};
use footlight_packager::contribution::{OPUS_FRAME_SAMPLES, OpusEncoder};
use footlight_packager::decode::Pcm;
use footlight_packager::direction::Changed;
use footlight_packager::driver::ToPackager;
use footlight_packager::layout::{Arrangement, Layout, Transition};
use std::time::Duration;

/// Brightness of the two; the first came first.
const GREYS: [u8; 2] = [70, 200];
const PACKET: Duration = Duration::from_millis(20);
const PICTURE: Duration = Duration::from_micros(33_333);
/// Who speaks in which second: nobody, the second, nobody, the first.
const SPEAKERS: [Option<usize>; 14] =
    [None, None, None, Some(1), Some(1), Some(1), Some(1), None, None, Some(0), Some(0), Some(0), Some(0), Some(0)];

#[tokio::test(flavor = "multi_thread")]
async fn and_stays_while_nobody_does() {
    let mut packaging = Packaging::start(small_ladder());
    packaging.until_running().await;
    let transition = Transition::None;
    let layout = Layout { arrangement: Arrangement::Spotlight, follows_speaker: true, transition, ..Layout::default() };
    packaging
        .to
        .send(ToPackager::Direct(Box::new(Changed { layout: Some(layout), ..Changed::default() })))
        .await
        .unwrap();
    let clips = GREYS.map(|luma| clips::grey(luma, 320, 180, SPEAKERS.len() as u32));
    let [tone, silence] = [0.3, 0.0].map(sound);
    for (peer, grey) in GREYS.iter().enumerate() {
        for (track, codec) in [(picture_of(peer), Codec::H264), (voice_of(peer), Codec::Opus)] {
            let added = TrackEvent::Added { track, from: PeerKey(grey.to_string()).into(), codec };
            packaging.to.send(ToPackager::Event(added)).await.unwrap();
        }
    }
    let (begin, mut packets) = (packaging.clock.now(), tokio::time::interval(PACKET));
    let mut pictures = 0;
    for (number, second) in (0..).zip((0..50 * SPEAKERS.len()).map(|packet| packet / 50)) {
        packets.tick().await;
        let sent = PACKET * number;
        for peer in 0..GREYS.len() {
            let said = if SPEAKERS[second] == Some(peer) { &tone } else { &silence };
            let data = said[number as usize % said.len()].clone();
            packaging.to.send(frame(voice_of(peer), begin + sent, true, data)).await.unwrap();
        }
        while PICTURE * pictures <= sent {
            for (peer, clip) in clips.iter().enumerate() {
                let picture = &clip.frames[pictures as usize];
                let data = Bytes::from(picture.data.clone());
                packaging
                    .to
                    .send(frame(picture_of(peer), begin + PICTURE * pictures, picture.key, data))
                    .await
                    .unwrap();
            }
            pictures += 1;
        }
    }
    packaging.stop().await;
    let playlist = packaging.playlist("180p", 0).await;
    let seen = middle_luma(&packaging.download("180p", &playlist).await);
    let whom = |luma: &u8| GREYS.iter().position(|grey| luma.abs_diff(*grey) <= 8);
    let shown: Vec<(Option<usize>, usize)> =
        seen.chunk_by(|one, other| whom(one) == whom(other)).map(|run| (whom(&run[0]), run.len())).collect();
    let [(None, _), (Some(0), first), (Some(1), second), (Some(0), _)] = shown[..] else { panic!("{shown:?}") };
    // Seconds until they spoke, and until that was certain.
    assert!((3 * 30..=4 * 30 + 15).contains(&first) && (6 * 30 - 15..=7 * 30 + 15).contains(&second), "{shown:?}");
}

fn picture_of(peer: usize) -> TrackId {
    TrackId(peer as u64)
}

fn voice_of(peer: usize) -> TrackId {
    TrackId(10 + peer as u64)
}

fn frame(track: TrackId, time: SessionTime, key: bool, data: Bytes) -> ToPackager {
    let stamps = IngestStamps::default();
    ToPackager::Event(TrackEvent::Frame(EncodedFrame { track, time, key, discontinuity: false, data, stamps }))
}

/// A second of a tone.
fn sound(level: f32) -> Vec<Bytes> {
    let mut encoder = OpusEncoder::new(64_000).unwrap();
    let left: Vec<f32> =
        (0..OPUS_FRAME_SAMPLES).map(|n| level * (std::f32::consts::TAU * n as f32 / 120.0).sin()).collect();
    (0..50).map(|_| encoder.encode(&Pcm { right: left.clone(), left: left.clone() }).unwrap()).collect()
}
