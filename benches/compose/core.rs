//! Our side: the packager's own decoders, compositor, painter, mixer, encoders and session, in the threads in which its driver has them, but without a
//! clock: each waits for the one before it, and none for the time. What it would send to an origin goes into files. Run as a process of its own, so that the
//! kernel says what it took.

use super::inputs::{FPS, pictures, sounds};
use footlight_media::codec::Codec;
use footlight_media::frame::IngestStamps;
use footlight_media::time::{SessionTime, WallTime};
use footlight_media::track::{PeerKey, TrackId};
use footlight_packager::canvas::{Canvas, Painter};
use footlight_packager::compositor::Compositor;
use footlight_packager::decode::VideoDecoder;
use footlight_packager::dissolve::Dissolve;
use footlight_packager::encode::{AudioEncoder, VideoEncoder};
use footlight_packager::ffmpeg::{Picture, Scaler, whole};
use footlight_packager::ladder::{AudioRendition, Ladder, Rung, VideoCodec};
use footlight_packager::layout::{Layout, Size};
use footlight_packager::limiter::Limiter;
use footlight_packager::mixer::{CHUNK_SAMPLES, Mixer};
use footlight_packager::objects::{Change, Stream};
use footlight_packager::segmenter::{Cut, Unit};
use footlight_packager::session::{Input, Lane, Output, Session};
use footlight_packager::signal::{Glance, PictureSignal};
use footlight_packager::stages::FrameStamps;
use footlight_packager::timeline::Timeline;
use footlight_packager::voice::VoiceDecoder;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// As in the driver.
const QUEUE: usize = 8;
/// What waits for the session.
const INPUTS: usize = 512;

/// Composes the first `count` inputs of a folder, and keeps the first rung there as `ours.mp4`; what a packager would publish goes into files in `out`.
pub fn run(folder: &Path, count: usize, rungs: usize, out: &Path) {
    footlight_packager::ffmpeg::quiet();
    let ladder = ladder(rungs);
    let timeline =
        Timeline { zero: SessionTime::ZERO, zero_date: WallTime::from_micros(0), delay: Duration::ZERO, fps: FPS };
    let (inputs, made) = sync_channel::<Input>(INPUTS);
    let publishing = thread::spawn({
        let session = Session::new(Stream::new("room", "stream", 0), ladder.clone(), timeline);
        let out = out.to_owned();
        move || publish(session, &made, &out)
    });
    let (beats, beat) = sync_channel(QUEUE);
    let mixing = thread::spawn({
        let (folder, audio, inputs) = (folder.to_owned(), ladder.audio[0].clone(), inputs.clone());
        move || mix(&folder, count, &audio, rungs, &beat, &inputs)
    });
    let (canvases, encoding): (Vec<_>, Vec<_>) = (0..rungs)
        .map(|lane| {
            let (canvases, queue) = sync_channel::<Arc<Canvas>>(QUEUE);
            let (rung, canvas, inputs) = (ladder.rungs[lane].clone(), ladder.canvas, inputs.clone());
            (canvases, thread::spawn(move || encode(lane, &rung, canvas, &queue, &inputs)))
        })
        .unzip();
    drop(inputs);
    compose(folder, count, &ladder, timeline, |canvas| {
        canvases.iter().for_each(|rung| rung.send(Arc::clone(canvas)).unwrap());
        beats.send(()).unwrap();
    });
    drop((canvases, beats));
    encoding.into_iter().for_each(|rung| rung.join().unwrap());
    mixing.join().unwrap();
    std::fs::write(folder.join("ours.mp4"), publishing.join().unwrap()).unwrap();
}

/// As the driver's compositor thread, tick by tick, for as long as there are pictures.
fn compose(folder: &Path, count: usize, ladder: &Ladder, timeline: Timeline, mut shown: impl FnMut(&Arc<Canvas>)) {
    let decoding: Vec<Receiver<(SessionTime, Picture)>> = (0..count).map(|number| decode(folder, number)).collect();
    let mut compositor = Compositor::new(ladder.canvas, Layout::default(), timeline);
    (0..count).for_each(|number| compositor.add(track(number), PeerKey(number.to_string()).into()));
    let (mut painter, mut dissolve) = (Painter::new(ladder.canvas), Dissolve::default());
    let mut signals: Vec<_> = (0..=count).map(|_| PictureSignal::new(SessionTime::ZERO)).collect();
    let see = |signal: &mut PictureSignal, picture: &Picture, time| {
        let (luma, stride) = picture.plane(0);
        signal.see(Glance::of(luma, stride, picture.size()), time);
    };
    let cut = Cut::video(FPS);
    for tick in 0.. {
        let mut any = false;
        for (number, pictures) in decoding.iter().enumerate() {
            if let Ok((time, picture)) = pictures.recv() {
                see(&mut signals[number], &picture, time);
                let stamps = FrameStamps { track: track(number), time, ingest: IngestStamps::default(), decoded: time };
                compositor.push(track(number), time, (Arc::new(picture), stamps));
                any = true;
            }
        }
        if !any {
            return;
        }
        let tiles = compositor.tick(tick);
        // Without a transition: the other side has none.
        let canvas = dissolve.show(&tiles, painter.paint(&tiles).unwrap(), 0);
        if cut.begins_part(tick) {
            see(&mut signals[count], &canvas.picture, timeline.content_time(tick));
        }
        shown(&canvas);
    }
}

/// The driver's loop: cuts, lists, compresses playlists. Each object goes into a file, as ffmpeg's do. Answers with the first rung's.
fn publish(mut session: Session, made: &Receiver<Input>, out: &Path) -> Vec<u8> {
    let mut first_rung = Vec::new();
    while let Ok(input) = made.recv() {
        session.handle(input, SessionTime::ZERO);
        while let Some(output) = session.poll_output() {
            let Output::Publish(batch) = output else { continue };
            for change in batch.changes {
                let Change::Put(put) = change else { continue };
                let file = out.join(put.path.trim_start_matches('/'));
                std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                let bytes: Vec<&[u8]> = put.bodies.iter().map(|(_, body)| &body[..]).collect();
                std::fs::write(file, bytes.concat()).unwrap();
                // Parts have a second point in their names.
                let whole = |name: &str| !name.ends_with(".m3u8") && name.matches('.').count() == 1;
                if put.path.rsplit_once("/720p/").is_some_and(|(_, name)| whole(name)) {
                    first_rung.extend_from_slice(&put.bodies[0].1);
                }
            }
        }
    }
    first_rung
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

/// A rung's thread.
fn encode(lane: Lane, rung: &Rung, canvas: Size, canvases: &Receiver<Arc<Canvas>>, made: &SyncSender<Input>) {
    let mut encoder = VideoEncoder::new(rung, FPS).unwrap();
    let mut scaled = (rung.size != canvas).then(|| (Scaler::default(), Picture::black(rung.size)));
    made.send(Input::Opened { lane, header: encoder.header().clone() }).unwrap();
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
        made.send(Input::Unit { lane, unit, stamps: None }).unwrap();
    }
    made.send(Input::Drained { lane }).unwrap();
}

/// The audio thread, which keeps the pictures' pace.
fn mix(
    folder: &Path,
    count: usize,
    rendition: &AudioRendition,
    lane: Lane,
    beat: &Receiver<()>,
    made: &SyncSender<Input>,
) {
    let mut voices: Vec<_> =
        (0..count).map(|number| (sounds(folder, number).into_iter(), VoiceDecoder::new().unwrap())).collect();
    let (mut mixer, mut limiter) = (Mixer::new(0), Limiter::new(rendition.bitrate_bps));
    (0..count).for_each(|number| mixer.add(track(number), PeerKey(number.to_string()).into()));
    let mut encoder = AudioEncoder::new(rendition).unwrap();
    made.send(Input::Opened { lane, header: encoder.header().clone() }).unwrap();
    let (samples, mut due, mut number) = (960_i64, 0, 0);
    for position in (0..).map(|at| at * samples) {
        while due < position + samples && beat.recv().is_ok() {
            due += 48_000 / i64::from(FPS);
        }
        for (number, (packets, decoder)) in voices.iter_mut().enumerate() {
            let Some(packet) = packets.next() else {
                // Nobody waits for the last beats.
                beat.iter().for_each(drop);
                return made.send(Input::Drained { lane }).unwrap();
            };
            let placing = mixer.placing(track(number), position, samples);
            let pcm = decoder.decode(&packet, 0).unwrap();
            mixer.push(track(number), position, placing, samples, &pcm);
        }
        while mixer.position() + CHUNK_SAMPLES as i64 <= position + samples {
            let mut pcm = mixer.mix();
            limiter.limit(&mut pcm);
            for access_unit in encoder.encode(&pcm.left, &pcm.right).unwrap() {
                let unit = Unit { number, access_unit: Some(access_unit) };
                made.send(Input::Unit { lane, unit, stamps: None }).unwrap();
                number += 1;
            }
        }
    }
}
