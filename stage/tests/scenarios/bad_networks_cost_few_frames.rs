#![allow(clippy::disallowed_methods)] // IO: sockets and patience of its own.
//! 5 % loss with 0 to 20 ms of jitter: at least 99 % of the frames are assembled, without asking for packets without end.

use crate::harness::{Theatre, next_event, within};
use crate::support::media::{Clip, Video};
use crate::support::relay::{Netem, Relay};
use crate::support::{Client, Setup};
use footlight_media::codec::Codec;
use footlight_media::track::TrackEvent;
use std::time::Duration;

/// 14 s at 30 fps.
const FRAMES: u64 = 415;

async fn check(codec: Video, want: Codec) {
    let theatre = Theatre::open().await;
    let mut subscription = theatre.subscribe("room").await;
    let netem = Netem::new(7, 0.05, Duration::from_millis(20));
    let relay = Relay::start(theatre.stage.local_addr(), netem).await;
    let client = Client::udp(&Setup { video: vec![codec], audio: true }, Some(relay.address)).await;
    let mut joined = theatre.join("room", "ada", client).await;
    joined.client.publish(Some(Clip::synthetic(codec, (1280, 720), 1_500_000, 2)), true);
    let counting = async {
        let (mut track, mut frames, mut sound) = (None, 0_u64, 0_u64);
        loop {
            let last_heard = tokio::time::timeout(
                Duration::from_secs(2),
                next_event(&mut subscription, |event| {
                    match event {
                        TrackEvent::Added { track: added, codec, .. } if codec == want => track = Some(added),
                        TrackEvent::Frame(frame) if Some(frame.track) == track => frames += 1,
                        TrackEvent::Frame(_) => sound += 1,
                        _ => {}
                    }
                    Some(())
                }),
            );
            if last_heard.await.is_err() {
                return (frames, sound);
            }
        }
    };
    let sending = async {
        within(joined.client.run_until(|seen| seen.video_frames >= FRAMES)).await;
        joined.client.publish(None, false);
        // Time for the last retransmissions.
        joined.client.run_for(Duration::from_secs(3)).await;
    };
    let ((frames, sound), ()) = tokio::join!(counting, sending);
    let (sent, sent_sound) = (joined.client.seen.video_frames, joined.client.seen.audio_frames);
    let stats = theatre.stage.stats().await;
    let track = stats[0].tracks.iter().find(|track| track.codec == want).unwrap();
    println!(
        "{want:?}: {frames} of {sent} frames, {sound} of {sent_sound} audio frames, {} packets, {} retransmissions, \
         {} asked for, wait {:?}, jitter {:?}, {:?}",
        track.packets, track.retransmissions, track.nacked, track.wait, track.jitter, track.assembler,
    );
    assert!(frames * 100 >= sent * 99, "{frames} of {sent} frames");
    assert!(sound * 100 >= sent_sound * 93, "{sound} of {sent_sound} audio frames");
    // 5 % of about 3,000 packets, and 5 % of the repeats.
    assert!(track.retransmissions * 100 < track.packets * 12, "{} of {}", track.retransmissions, track.packets);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h264() {
    check(Video::H264, Codec::H264).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vp8() {
    check(Video::Vp8, Codec::Vp8).await;
}
