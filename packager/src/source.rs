#![allow(clippy::disallowed_methods)] // IO: a thread for each source, which sleeps until its next frame is due.
//! Sources of frames for a publisher: the test picture, or a file. Each runs on a thread of its own and hands its frames out as they are due.

use crate::clock::SessionClock;
use crate::contribution::{OPUS_FRAME_SAMPLES, OpusEncoder, VideoEncoder, VideoSettings};
use crate::decode::{Pcm, SAMPLE_RATE};
use crate::ffmpeg::FfmpegError;
use crate::footage::Footage;
use crate::testsrc::{TestPicture, tone};
use bytes::Bytes;
use footlight_media::codec::Codec;
use footlight_media::time::{SessionTime, WallTime};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::{self, Runtime};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendTimeoutError;

/// Frames that wait for the publisher: most of a second of picture and sound.
const FRAMES: usize = 64;
/// A source that was late has many frames at once, more than [`FRAMES`]; who is connected takes them within this. Who is not takes none, and
/// they are dropped, because a live source does not wait.
const FULL_WAIT: Duration = Duration::from_millis(500);
/// The test picture leaves pictures out where it is behind by more than this.
const LATE: Duration = Duration::from_millis(200);
/// A file that is behind by more than this, because this machine cannot encode it in time, goes on from there: both tracks alike.
const TOO_LATE: Duration = Duration::from_secs(2);
/// The test sound's bitrate: silence and a tone.
const TEST_AUDIO_BPS: u32 = 64_000;

/// One frame of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFrame {
    /// What `data` is.
    pub codec: Codec,
    /// When it is shown or heard, on the session clock.
    pub time: SessionTime,
    /// Whether a decoder can begin here.
    pub key: bool,
    /// In the form that [`Codec`] names.
    pub data: Bytes,
}

/// What a source says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromSource {
    /// A frame that is due.
    Frame(SourceFrame),
    /// There are no more.
    Ended,
    /// It cannot go on.
    Failed(FfmpegError),
}

/// What a source's frames are, for the offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceMedia {
    /// The picture's codec, with the `profile-level-id` where it is H.264.
    pub video: Option<(Codec, [u8; 3])>,
    /// Whether there is a sound; it is Opus.
    pub audio: bool,
}

/// The test picture and sound.
pub struct TestSettings {
    /// How the picture is encoded.
    pub video: VideoSettings,
    /// What is written on it.
    pub name: String,
    /// Its tint.
    pub hue: u8,
}

/// A source that has been opened and not started.
pub struct Source(Maker);

enum Maker {
    Test(Box<TestMaker>),
    File(Box<Footage>),
}

impl Source {
    /// The test picture and sound.
    pub fn test(settings: TestSettings) -> Result<Self, FfmpegError> {
        Ok(Self(Maker::Test(Box::new(TestMaker::new(settings)?))))
    }

    /// A file, once or for ever. With `bitrate_bps` its picture is encoded anew whatever it is.
    pub fn file(path: &Path, repeat: bool, bitrate_bps: Option<u32>) -> Result<Self, FfmpegError> {
        Ok(Self(Maker::File(Box::new(Footage::open(path, repeat, bitrate_bps)?))))
    }

    /// What its frames will be.
    pub fn media(&self) -> SourceMedia {
        match &self.0 {
            Maker::Test(test) => {
                SourceMedia { video: Some((Codec::H264, test.encoder.profile_level_id())), audio: true }
            }
            Maker::File(footage) => footage.media(),
        }
    }

    /// Starts its thread, which ends with the source or when [`Playing`] is dropped. `zero_date` is the date of the clock's zero.
    pub fn start(self, clock: SessionClock, zero_date: WallTime) -> std::io::Result<Playing> {
        let (frames, playing) = mpsc::channel(FRAMES);
        let key_wanted = Arc::new(AtomicBool::new(false));
        let wanted = Arc::clone(&key_wanted);
        // The thread's timer is made there: it could not be dropped here, on the async runtime's thread.
        std::thread::Builder::new().name("source".into()).spawn(move || {
            match Thread::new(frames.clone(), clock, wanted) {
                Ok(thread) => thread.run(self.0, zero_date),
                Err(error) => {
                    let (what, cause) = ("its timer".to_owned(), error.to_string());
                    let _nobody_listens = frames.blocking_send(FromSource::Failed(FfmpegError::Setup { what, cause }));
                }
            }
        })?;
        Ok(Playing { frames: playing, key_wanted })
    }
}

/// A source that runs.
pub struct Playing {
    frames: mpsc::Receiver<FromSource>,
    key_wanted: Arc<AtomicBool>,
}

impl Playing {
    /// What comes next.
    pub async fn next(&mut self) -> FromSource {
        self.frames.recv().await.unwrap_or_else(|| {
            let (what, cause) = ("its thread".to_owned(), "died, which is a bug: please report it".to_owned());
            FromSource::Failed(FfmpegError::Setup { what, cause })
        })
    }

    /// Makes the next picture a key frame, where it is encoded here.
    pub fn want_key_frame(&self) {
        self.key_wanted.store(true, Ordering::Relaxed);
    }
}

struct Thread {
    frames: mpsc::Sender<FromSource>,
    clock: SessionClock,
    key_wanted: Arc<AtomicBool>,
    /// The timer of its waits for room.
    waits: Runtime,
    /// A picture was dropped, so that those up to the next key frame cannot be decoded. A receiver would not know: no packet is missing.
    key_lost: bool,
    /// The latest frame was taken, so that it is worth waiting with the next one.
    taken: bool,
}

impl Thread {
    fn new(
        frames: mpsc::Sender<FromSource>,
        clock: SessionClock,
        key_wanted: Arc<AtomicBool>,
    ) -> std::io::Result<Self> {
        let waits = runtime::Builder::new_current_thread().enable_time().build()?;
        Ok(Self { frames, clock, key_wanted, waits, key_lost: false, taken: true })
    }

    fn run(mut self, mut maker: Maker, zero_date: WallTime) {
        let mut start = self.clock.now();
        if let Maker::Test(test) = &mut maker {
            start = aligned(start, zero_date, test.fps);
            test.date = zero_date.offset_micros(start.as_micros());
        }
        let last = loop {
            if self.key_wanted.swap(false, Ordering::Relaxed) {
                maker.want_key_frame();
            }
            let due_us = match maker.due() {
                Ok(Some(due_us)) => due_us,
                Ok(None) => break FromSource::Ended,
                Err(error) => break FromSource::Failed(error),
            };
            let (now, due) = (self.clock.now(), start.offset_micros(due_us));
            if due > now {
                std::thread::sleep(Duration::from_micros(due.micros_since(now).unsigned_abs()));
            }
            match &mut maker {
                Maker::Test(test) if now > due + LATE => test.catch_up(now.micros_since(start)),
                Maker::File(_) if now > due + TOO_LATE => start = start.offset_micros(now.micros_since(due)),
                Maker::Test(_) | Maker::File(_) => {}
            }
            match maker.make() {
                Ok(mut frame) => {
                    frame.time = start.offset_micros(frame.time.as_micros());
                    if !self.give(frame) {
                        return;
                    }
                }
                Err(error) => break FromSource::Failed(error),
            }
        };
        // Whoever listens takes what is waiting first; if nobody does, nobody needs to know.
        let _nobody_listens = self.frames.blocking_send(last);
    }

    /// Whether anyone still listens.
    fn give(&mut self, frame: SourceFrame) -> bool {
        let (picture, key) = (frame.codec != Codec::Opus, frame.key);
        if picture && !key && self.key_lost {
            return !self.frames.is_closed();
        }
        match self.send(FromSource::Frame(frame)) {
            Ok(()) => {
                self.taken = true;
                self.key_lost &= !picture;
            }
            Err(SendTimeoutError::Timeout(_)) => {
                self.taken = false;
                self.key_lost |= picture;
                if picture {
                    self.key_wanted.store(true, Ordering::Relaxed);
                }
            }
            Err(SendTimeoutError::Closed(_)) => return false,
        }
        true
    }

    fn send(&self, frame: FromSource) -> Result<(), SendTimeoutError<FromSource>> {
        let wait = if self.taken { FULL_WAIT } else { Duration::ZERO };
        self.waits.block_on(self.frames.send_timeout(frame, wait))
    }
}

impl Maker {
    fn want_key_frame(&mut self) {
        match self {
            Self::Test(test) => test.key_wanted = true,
            Self::File(footage) => footage.want_key_frame(),
        }
    }

    /// When the next frame is due, in microseconds since the start; none at the end.
    fn due(&mut self) -> Result<Option<i64>, FfmpegError> {
        match self {
            Self::Test(test) => Ok(Some(test.due())),
            Self::File(footage) => footage.due(),
        }
    }

    /// The frame that is due. Its time counts from the start.
    fn make(&mut self) -> Result<SourceFrame, FfmpegError> {
        match self {
            Self::Test(test) => test.make(),
            Self::File(footage) => Ok(footage.take().expect("one was due")),
        }
    }
}

/// The first moment from now on that lies on the wall clock's grid of frames: then a picture falls on each full second, where it flashes.
fn aligned(now: SessionTime, zero_date: WallTime, fps: u32) -> SessionTime {
    let date = i128::from(zero_date.as_micros()) + i128::from(now.as_micros());
    let frame = (date * i128::from(fps)).div_euclid(1_000_000) + 1;
    let wait = (frame * 1_000_000).div_euclid(i128::from(fps)) - date;
    // The grid is rounded down, so this lies up to a microsecond before it; a second's begin is exact.
    now.offset_micros(i64::try_from(wait).expect("a frame's duration"))
}

/// Makes the test picture and sound.
struct TestMaker {
    card: TestPicture,
    encoder: VideoEncoder,
    opus: OpusEncoder,
    fps: u32,
    /// The date of the start.
    date: WallTime,
    /// Number of the next picture.
    picture: i64,
    /// Number of the next sound packet.
    packet: i64,
    key_wanted: bool,
}

impl TestMaker {
    fn new(settings: TestSettings) -> Result<Self, FfmpegError> {
        Ok(Self {
            card: TestPicture::new(settings.video.size, &settings.name, settings.hue),
            encoder: VideoEncoder::new(&settings.video)?,
            opus: OpusEncoder::new(TEST_AUDIO_BPS)?,
            fps: settings.video.fps,
            date: WallTime::default(),
            picture: 0,
            packet: 0,
            key_wanted: true,
        })
    }

    fn picture_us(&self) -> i64 {
        // Rounded up, so that the picture of a full second is not dated just before it.
        (self.picture * 1_000_000 + i64::from(self.fps) - 1) / i64::from(self.fps)
    }

    /// Goes on with the picture of now; no sound is left out.
    fn catch_up(&mut self, now_us: i64) {
        self.picture = self.picture.max(now_us * i64::from(self.fps) / 1_000_000);
    }

    fn packet_us(&self) -> i64 {
        self.packet * 20_000
    }

    fn due(&self) -> i64 {
        self.picture_us().min(self.packet_us())
    }

    fn make(&mut self) -> Result<SourceFrame, FfmpegError> {
        let picture_us = self.picture_us();
        if picture_us > self.packet_us() {
            return self.make_sound();
        }
        let date = self.date.offset_micros(picture_us);
        // A grid of frames that does not divide a microsecond is dated up to one too early.
        let picture = self.card.at(date.offset_micros(1))?;
        self.picture += 1;
        let time = SessionTime::from_micros(picture_us);
        let coded = self.encoder.encode(&picture, time, std::mem::take(&mut self.key_wanted))?;
        Ok(SourceFrame { codec: Codec::H264, time, key: coded.key, data: coded.data })
    }

    fn make_sound(&mut self) -> Result<SourceFrame, FfmpegError> {
        let begin_us = self.packet_us();
        let in_second = self.date.offset_micros(begin_us).as_micros().rem_euclid(1_000_000);
        let first = (in_second * i64::from(SAMPLE_RATE) + 500_000) / 1_000_000;
        let left: Vec<f32> = (first.unsigned_abs()..).take(OPUS_FRAME_SAMPLES).map(tone).collect();
        self.packet += 1;
        let data = self.opus.encode(&Pcm { right: left.clone(), left })?;
        let time = SessionTime::from_micros(begin_us - self.opus.delay_us());
        Ok(SourceFrame { codec: Codec::Opus, time, key: true, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread(room: usize) -> (Thread, mpsc::Receiver<FromSource>) {
        let (frames, playing) = mpsc::channel(room);
        (Thread::new(frames, SessionClock::starting_now(), Arc::default()).expect("a timer"), playing)
    }

    fn frame(codec: Codec, millis: i64, key: bool) -> SourceFrame {
        SourceFrame { codec, time: SessionTime::from_micros(millis * 1_000), key, data: Bytes::new() }
    }

    fn taken(playing: &mut mpsc::Receiver<FromSource>) -> Vec<i64> {
        let frames = std::iter::from_fn(|| playing.try_recv().ok());
        let times = frames.map(|said| match said {
            FromSource::Frame(frame) => frame.time.as_micros() / 1_000,
            other => panic!("{other:?}"),
        });
        times.collect()
    }

    #[test]
    fn pictures_after_a_lost_one_are_left_out_up_to_the_next_key_frame_and_sound_is_not() {
        let (mut thread, mut playing) = thread(2);
        for (millis, key) in [(0, true), (33, false), (67, false)] {
            assert!(thread.give(frame(Codec::H264, millis, key)));
        }
        assert_eq!(taken(&mut playing), [0, 33], "nobody made room");
        assert!(thread.key_wanted.swap(false, Ordering::Relaxed), "where it is encoded here, one key frame helps");
        for (codec, millis, key) in [(Codec::H264, 100, false), (Codec::Opus, 100, true)] {
            assert!(thread.give(frame(codec, millis, key)));
        }
        assert_eq!(taken(&mut playing), [100], "the sound");
        for (millis, key) in [(133, true), (167, false)] {
            assert!(thread.give(frame(Codec::H264, millis, key)));
        }
        assert_eq!(taken(&mut playing), [133, 167]);
        assert!(!thread.key_wanted.load(Ordering::Relaxed));
        drop(playing);
        assert!(!thread.give(frame(Codec::H264, 200, false)));
    }

    #[test]
    fn many_frames_at_once_are_not_lost_where_somebody_takes_them() {
        let (mut thread, mut playing) = thread(1);
        let taking = std::thread::spawn(move || std::iter::from_fn(|| playing.blocking_recv()).count());
        for millis in 0..100 {
            assert!(thread.give(frame(Codec::H264, millis, millis == 0)));
        }
        drop(thread);
        assert_eq!(taking.join().expect("it takes them"), 100);
    }
}
