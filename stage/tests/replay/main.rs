#![allow(unreachable_pub, missing_docs, clippy::unwrap_used)]
//! What real clients sent, replayed through the session core on a virtual clock: the same bytes on every run.
//!
//! `fixtures/README.md` says where the captures come from. A change of the core that is meant changes the figures here; a
//! mismatch prints the new line.

#[allow(dead_code)]
mod format;
#[path = "../support/media.rs"]
#[allow(dead_code)]
mod media;

use footlight_media::codec::Codec;
use footlight_media::time::SessionTime;
use footlight_media::track::{PeerKey, TrackEvent};
use footlight_stage::picture_size::{PictureLimits, PictureSize};
use footlight_stage::session::{Input, Output, Session};
use media::Noise;
use std::collections::HashMap;
use std::time::Duration;

/// What came out of a session.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
struct Played {
    video: u32,
    key: u32,
    audio: u32,
    broken: u32,
    nacked: u32,
    plis: u32,
    /// FNV-1a over every event in order, with its track, time, flags and bytes.
    hash: u64,
}

/// Feeds a session, with its timers firing when they are due.
fn play(inputs: &[(SessionTime, Input)]) -> Played {
    let mut session = Session::new(PeerKey("peer".into()).into(), PictureLimits::default(), inputs[0].0);
    let mut played = Played { hash: 0xcbf2_9ce4_8422_2325, ..Played::default() };
    let mut codecs = HashMap::new();
    let mut last_time = HashMap::new();
    for (now, input) in inputs {
        while let Some(due) = session.poll_timeout()
            && due < *now
        {
            session.handle_input(Input::Timeout, due);
            drain(&mut session, &mut played, &mut codecs, &mut last_time);
        }
        session.handle_input(input.clone(), *now);
        drain(&mut session, &mut played, &mut codecs, &mut last_time);
    }
    played
}

fn drain(
    session: &mut Session,
    played: &mut Played,
    codecs: &mut HashMap<u64, Codec>,
    last_time: &mut HashMap<u64, SessionTime>,
) {
    let mut mix = |bytes: &[u8]| {
        for byte in bytes {
            played.hash = (played.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    while let Some(output) = session.poll_output() {
        match output {
            Output::Pli { .. } => played.plis += 1,
            Output::Nack { sequences, .. } => played.nacked += sequences.len() as u32,
            Output::NeverSent | Output::Refused { .. } => {}
            Output::Event(TrackEvent::Added { track, codec, .. }) => {
                codecs.insert(track.0, codec);
                mix(&[1, track.0 as u8]);
            }
            Output::Event(TrackEvent::Removed { track, .. }) => mix(&[2, track.0 as u8]),
            Output::Event(TrackEvent::Frame(frame)) => {
                let earlier = last_time.insert(frame.track.0, frame.time);
                assert!(earlier.is_none_or(|earlier| frame.time > earlier), "time goes on");
                match codecs[&frame.track.0] {
                    Codec::Opus => played.audio += 1,
                    Codec::H264 | Codec::Vp8 | Codec::Vp9 | Codec::Av1 => {
                        played.video += 1;
                        played.key += u32::from(frame.key);
                    }
                }
                played.broken += u32::from(frame.discontinuity);
                mix(&[3, frame.track.0 as u8, frame.key.into(), frame.discontinuity.into()]);
                mix(&frame.time.as_micros().to_le_bytes());
                mix(&frame.data);
            }
        }
    }
}

/// The capture over a worse network: packets are lost, doubled, and late by up to `late`, as a seed decides.
fn worsened(inputs: &[(SessionTime, Input)], seed: u64, loss: f64, late: Duration) -> Vec<(SessionTime, Input)> {
    let mut noise = Noise(seed);
    let mut worse: Vec<(SessionTime, Input)> = Vec::new();
    for (now, input) in inputs {
        if !matches!(input, Input::Rtp(_)) {
            worse.push((*now, input.clone()));
            continue;
        }
        let lost = noise.fraction() < loss;
        let copies = if noise.fraction() < 0.01 { 2 } else { 1 };
        for _ in 0..copies {
            let late = late.mul_f64(noise.fraction());
            if !lost {
                worse.push((*now + late, input.clone()));
            }
        }
    }
    worse.sort_by_key(|(now, _)| *now);
    worse
}

fn capture(name: &str) -> Vec<(SessionTime, Input)> {
    #[allow(clippy::disallowed_methods)] // IO: reads a fixture.
    let bytes = std::fs::read(format!("{}/../fixtures/rtp/{name}.rtp", env!("CARGO_MANIFEST_DIR")));
    format::read(&bytes.unwrap())
}

/// Name, then video frames, key frames among them, audio frames, breaks, packets asked for, key frame requests, hash:
/// as captured, and over a network that loses 5 %, doubles 1 % and delays up to 30 ms (nobody answers requests there).
type Golden = (&'static str, [u32; 6], u64, [u32; 6], u64);

const GOLDEN: [Golden; 14] = include!("golden.in");

#[test]
fn every_capture_gives_the_same_bytes_on_every_run() {
    let mut wrong = Vec::new();
    for (name, clean, clean_hash, worse, worse_hash) in GOLDEN {
        let inputs = capture(name);
        let figures = |p: Played| ([p.video, p.key, p.audio, p.broken, p.nacked, p.plis], p.hash);
        let got = figures(play(&inputs));
        let got_worse = figures(play(&worsened(&inputs, 42, 0.05, Duration::from_millis(30))));
        if (got, got_worse) != ((clean, clean_hash), (worse, worse_hash)) {
            wrong.push(format!("    (\"{name}\", {:?}, {:#x}, {:?}, {:#x}),", got.0, got.1, got_worse.0, got_worse.1));
        }
    }
    assert!(wrong.is_empty(), "now:\n{}", wrong.join("\n"));
}

/// Without loss nothing is missing: every video frame that was begun after the first key frame is there.
#[test]
fn clean_captures_lose_nothing() {
    for name in
        ["chromium-h264", "chromium-vp8", "chromium-vp9", "chromium-av1", "aiortc-vp8", "aiortc-h264", "ffmpeg-h264"]
    {
        let inputs = capture(name);
        let played = play(&inputs);
        assert_eq!((played.broken, played.nacked), (0, 0), "{name}");
        let video: std::collections::HashSet<u32> = inputs
            .iter()
            .filter_map(|(_, input)| match input {
                Input::Rtp(packet) if packet.payload_type == video_payload_type(&inputs) => Some(packet.timestamp),
                _ => None,
            })
            .collect();
        // The last frame may have been cut off by the end of the capture.
        assert!(played.video as usize + 1 >= video.len(), "{name}: {} of {}", played.video, video.len());
        assert!(played.key >= 1 && played.audio > 100, "{name}: {played:?}");
    }
}

/// A browser that sends three layers begins with what comes first and ends with the largest, and the smallest is taken when that is enough.
#[test]
fn of_a_browser_s_layers_the_one_that_fits_is_taken() {
    let height = |shown: Option<PictureSize>| {
        let inputs = capture("chromium-layers");
        let mut session = Session::new(PeerKey("peer".into()).into(), PictureLimits::default(), inputs[0].0);
        let mut heights = Vec::new();
        for (now, input) in &inputs {
            session.handle_input(input.clone(), *now);
            if let (Some(size), Input::Negotiated { track, .. }) = (shown, input) {
                session.handle_input(Input::Shown(*track, size), *now);
            }
            while session.poll_output().is_some() {}
            heights.extend(session.stats().iter().filter_map(|track| track.size).map(|size| size.height));
        }
        heights.dedup();
        heights
    };
    // The browser itself begins with less than the camera's size, and climbs.
    assert_eq!(height(None).last(), Some(&540));
    assert_eq!(height(Some(PictureSize { width: 240, height: 135 })).last(), Some(&135));
}

fn video_payload_type(inputs: &[(SessionTime, Input)]) -> u8 {
    let video = inputs.iter().find_map(|(_, input)| match input {
        Input::Negotiated { media, .. } if media.codec != Codec::Opus => Some(media.payload_type),
        _ => None,
    });
    video.unwrap()
}

/// 200 networks from awful to absurd: nothing panics and time never goes back.
#[test]
fn no_network_breaks_the_core() {
    let inputs = capture("chromium-vp8");
    for seed in 1..=200 {
        let loss = f64::from(seed as u32 % 10) / 20.0;
        play(&worsened(&inputs, seed, loss, Duration::from_millis(seed * 5)));
    }
}
