//! A peer that publishes is heard and seen by the room's subscribers: every frame, whole, in order.

use crate::harness::{Theatre, next_event, next_frame, within};
use crate::support::media::{Clip, Video};
use crate::support::{Client, Setup};
use footlight_media::codec::Codec;
use footlight_media::track::TrackEvent;

async fn check(codec: Video, want: Codec) {
    let theatre = Theatre::open().await;
    let setup = Setup { video: vec![codec], audio: true };
    let (mut subscription, mut joined) = theatre.watched(&setup).await;
    let clip = Clip::synthetic(codec, (640, 360), 500_000, 2);
    let sent = clip.frames.clone();
    joined.client.publish(Some(clip), true);
    let publishing = joined.client.run_until(|seen| seen.video_frames >= 90);
    let receiving = async {
        let (mut video, mut frames, mut sound, mut last) = (None, Vec::new(), 0, None);
        while frames.len() < 60 || sound < 50 {
            next_event(&mut subscription, |event| {
                match event {
                    TrackEvent::Added { track, from, codec } => {
                        assert_eq!(from.peer.0, "ada");
                        if codec == want {
                            video = Some(track);
                        } else {
                            assert_eq!(codec, Codec::Opus);
                        }
                    }
                    TrackEvent::Frame(frame) if Some(frame.track) == video => {
                        assert!(last.is_none_or(|last| frame.time > last), "time goes on");
                        assert!(!frame.discontinuity);
                        last = Some(frame.time);
                        frames.push(frame);
                    }
                    TrackEvent::Frame(frame) => {
                        assert_eq!(&frame.data[..], [0xf8, 0xff, 0xfe]);
                        sound += 1;
                    }
                    TrackEvent::Removed { .. } => panic!("nothing ends"),
                }
                Some(())
            })
            .await;
        }
        frames
    };
    let (frames, ()) = within(async { tokio::join!(receiving, publishing) }).await;
    let mut at = sent.iter().position(|frame| frame.data == frames[0].data[..]).expect("bytes as sent");
    for (number, frame) in frames.iter().enumerate() {
        if frame.data != sent[at].data[..] && frame.key {
            // A key frame was asked for: the clip went on at its next one.
            at = sent.iter().position(|sent| sent.data == frame.data[..]).expect("bytes as sent");
        }
        assert!(frame.data == sent[at].data[..] && frame.key == sent[at].key, "frame {number}");
        at = (at + 1) % sent.len();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h264() {
    check(Video::H264, Codec::H264).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vp8() {
    check(Video::Vp8, Codec::Vp8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vp9() {
    check(Video::Vp9, Codec::Vp9).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn av1() {
    check(Video::Av1, Codec::Av1).await;
}

/// Browsers that offer simulcast, and some encoders, do not say which SSRCs they will use.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_declared_ssrcs() {
    let theatre = Theatre::open().await;
    let mut subscription = theatre.subscribe("room").await;
    let mut client = Client::udp(&Setup { video: vec![Video::Vp8], audio: true }, None).await;
    let declared = |line: &&str| !line.starts_with("a=ssrc") && !line.starts_with("a=msid:");
    let offer: String = client.offer().lines().filter(declared).map(|line| format!("{line}\r\n")).collect();
    let answer = theatre.post("room", "ada", &offer).await;
    assert_eq!(answer.status(), 201, "{}", answer.body());
    client.accept(answer.body());
    client.publish(Some(Clip::synthetic(Video::Vp8, (320, 180), 200_000, 1)), true);
    let _running = client.spawn();
    assert!(next_frame(&mut subscription, Codec::Vp8).await.key);
    let mut audio = theatre.subscribe("room").await;
    next_frame(&mut audio, Codec::Opus).await;
}
