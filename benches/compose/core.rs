//! Our side: the packager's own decoders, compositor, painter, mixer, encoders and segmenters, in the threads in which its driver has them, but without a
//! clock: each waits for the one before it, and none for the time. Run as a process of its own, so that the kernel says what it took.

use super::inputs::{FPS, pictures, sounds};
use footlight_media::codec::Codec;
use footlight_media::frame::IngestStamps;
use footlight_media::time::{SessionTime, WallTime};
use footlight_media::track::{PeerKey, TrackId};
use footlight_packager::canvas::{Canvas, Painter};
use footlight_packager::cmaf;
use footlight_packager::compositor::Compositor;
use footlight_packager::decode::VideoDecoder;
use footlight_packager::encode::{AudioEncoder, VideoEncoder};
use footlight_packager::ffmpeg::{Picture, Scaler, whole};
use footlight_packager::ladder::{AudioRendition, Ladder, Rung, VideoCodec};
use footlight_packager::layout::{Layout, Size};
use footlight_packager::limiter::Limiter;
use footlight_packager::mixer::{CHUNK_SAMPLES, Mixer};
use footlight_packager::segmenter::{Cut, Segmenter, Unit};
use footlight_packager::stages::FrameStamps;
use footlight_packager::timeline::Timeline;
use footlight_packager::voice::VoiceDecoder;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

/// As in the driver.
const QUEUE: usize = 8;

/// Composes the first `count` inputs of a folder, and keeps the first rung there as `ours.mp4`.
pub fn run(folder: &Path, count: usize, rungs: usize) {
    footlight_packager::ffmpeg::quiet();
    let ladder = ladder(rungs);
    let mixing = thread::spawn({
        let (folder, audio) = (folder.to_owned(), ladder.audio.clone());
        move || mix(&folder, count, &audio[0])
    });
    let (canvases, encoding): (Vec<_>, Vec<_>) = ladder
        .rungs
        .iter()
        .map(|rung| {
            let (canvases, queue) = sync_channel::<Arc<Canvas>>(QUEUE);
            let (rung, canvas) = (rung.clone(), ladder.canvas);
            (canvases, thread::spawn(move || encode(&rung, canvas, &queue)))
        })
        .unzip();
    let decoding: Vec<Receiver<(SessionTime, Picture)>> = (0..count).map(|number| decode(folder, number)).collect();
    let timeline =
        Timeline { zero: SessionTime::ZERO, zero_date: WallTime::from_micros(0), delay: Duration::ZERO, fps: FPS };
    let mut compositor = Compositor::new(ladder.canvas, Layout::default(), timeline);
    (0..count).for_each(|number| compositor.add(track(number), PeerKey(number.to_string()).into()));
    let mut painter = Painter::new(ladder.canvas);
    for tick in 0.. {
        let mut any = false;
        for (number, pictures) in decoding.iter().enumerate() {
            if let Ok((time, picture)) = pictures.recv() {
                let stamps = FrameStamps { track: track(number), time, ingest: IngestStamps::default(), decoded: time };
                compositor.push(track(number), time, (Arc::new(picture), stamps));
                any = true;
            }
        }
        if !any {
            break;
        }
        let canvas = painter.paint(&compositor.tick(tick)).unwrap();
        canvases.iter().for_each(|rung| rung.send(Arc::clone(&canvas)).unwrap());
    }
    drop(canvases);
    let files: Vec<Vec<u8>> = encoding.into_iter().map(|rung| rung.join().unwrap()).collect();
    assert!(mixing.join().unwrap() > 0);
    std::fs::write(folder.join("ours.mp4"), &files[0]).unwrap();
}

/// What both sides make: the first rungs of the default ladder.
pub fn ladder(rungs: usize) -> Ladder {
    let rung = |name: &str, width, height, bitrate_bps| Rung {
        name: name.into(),
        size: Size { width, height },
        bitrate_bps,
        codec: VideoCodec::Libx264,
        preset: "superfast".into(),
        audio: "audio".into(),
    };
    let mut all = vec![
        rung("720p", 1280, 720, 2_500_000),
        rung("480p", 848, 480, 1_200_000),
        rung("360p", 640, 360, 700_000),
        rung("234p", 416, 234, 110_000),
    ];
    all.truncate(rungs);
    let audio = vec![AudioRendition { name: "audio".into(), bitrate_bps: 128_000 }];
    Ladder { canvas: Size { width: 1280, height: 720 }, fps: FPS, rungs: all, audio }
}

fn track(number: usize) -> TrackId {
    TrackId(number as u64)
}

fn decode(folder: &Path, number: usize) -> Receiver<(SessionTime, Picture)> {
    let (decoded, queue) = sync_channel(QUEUE);
    let units = pictures(folder, number);
    thread::spawn(move || {
        let mut decoder = VideoDecoder::new(Codec::H264).unwrap();
        for (at, unit) in units.iter().enumerate() {
            let time = SessionTime::from_micros(at as i64 * 1_000_000 / i64::from(FPS));
            if let Some(picture) = decoder.decode(unit, time).unwrap()
                && decoded.send(picture).is_err()
            {
                return;
            }
        }
    });
    queue
}

/// A rung's thread; answers with its file.
fn encode(rung: &Rung, canvas: Size, canvases: &Receiver<Arc<Canvas>>) -> Vec<u8> {
    let mut encoder = VideoEncoder::new(rung, FPS).unwrap();
    let mut scaled = (rung.size != canvas).then(|| (Scaler::default(), Picture::black(rung.size)));
    let mut segmenter = Segmenter::new(Cut::video(FPS), 0);
    let mut file = cmaf::init_segment(encoder.header()).to_vec();
    for (tick, canvas) in (0..).zip(canvases) {
        let picture = match &mut scaled {
            Some((scaler, picture)) => {
                let rect = whole(picture.size());
                scaler.draw(&canvas.picture, picture, rect).unwrap();
                picture
            }
            None => &canvas.picture,
        };
        let access_unit = encoder.encode(picture, tick, tick.is_multiple_of(u64::from(FPS))).unwrap();
        let unit = Unit { number: tick, access_unit: Some(access_unit) };
        if let Some(finished) = segmenter.push(unit) {
            file.extend_from_slice(&finished.part.bytes);
        }
    }
    file
}

/// The audio thread; answers with the length of what it made.
fn mix(folder: &Path, count: usize, rendition: &AudioRendition) -> usize {
    let mut voices: Vec<_> =
        (0..count).map(|number| (sounds(folder, number).into_iter(), VoiceDecoder::new().unwrap())).collect();
    let (mut mixer, mut limiter) = (Mixer::new(0), Limiter::new(rendition.bitrate_bps));
    (0..count).for_each(|number| mixer.add(track(number), PeerKey(number.to_string()).into()));
    let (mut encoder, mut segmenter) = (AudioEncoder::new(rendition).unwrap(), Segmenter::new(Cut::audio(), 0));
    let (mut made, mut unit) = (cmaf::init_segment(encoder.header()).len(), 0);
    let samples = 960_i64;
    for at in 0.. {
        let position = at * samples;
        for (number, (packets, decoder)) in voices.iter_mut().enumerate() {
            let Some(packet) = packets.next() else { return made };
            let placing = mixer.placing(track(number), position, samples);
            let pcm = decoder.decode(&packet, 0).unwrap();
            mixer.push(track(number), position, placing, samples, &pcm);
        }
        while mixer.position() + CHUNK_SAMPLES as i64 <= position + samples {
            let mut pcm = mixer.mix();
            limiter.limit(&mut pcm);
            for access_unit in encoder.encode(&pcm.left, &pcm.right).unwrap() {
                let finished = segmenter.push(Unit { number: unit, access_unit: Some(access_unit) });
                made += finished.map_or(0, |finished| finished.part.bytes.len());
                unit += 1;
            }
        }
    }
    made
}
