#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: one thread per picture track.
//! A thread that decodes one track's pictures.

use super::picture::PictureInput;
use super::{Progress, Shared, ThreadEvent};
use crate::decode::VideoDecoder;
use crate::stages::FrameStamps;
use footlight_media::codec::Codec;
use footlight_media::frame::EncodedFrame;
use footlight_media::time::SessionTime;
use footlight_media::track::TrackId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

/// Frames that wait for the decoder: a second. When it is full the rest is dropped up to the next key frame.
const FRAMES: usize = 30;

/// Feeds a decoder. Dropping it ends the thread.
pub(super) struct Handle {
    frames: SyncSender<EncodedFrame>,
    /// What was dropped makes everything up to the next key frame useless.
    needs_key: bool,
    /// Frames that were handed over.
    pushed: u64,
    /// Frames that the thread is done with.
    done: Arc<AtomicU64>,
    progress: Progress,
    /// Nobody takes frames any more.
    gone: bool,
}

impl Handle {
    /// `false` where the frame was dropped and a key frame is needed.
    pub(super) fn push(&mut self, frame: EncodedFrame) -> bool {
        self.needs_key |= frame.discontinuity;
        if self.needs_key && !frame.key {
            return false;
        }
        let sent = self.frames.try_send(frame);
        self.gone |= matches!(sent, Err(TrySendError::Disconnected(_)));
        self.needs_key = sent.is_err();
        self.pushed += u64::from(sent.is_ok());
        sent.is_ok()
    }

    /// Whether its thread has panicked, or loops: frames wait and none of them gets done.
    pub(super) fn stuck(&mut self, now: SessionTime) -> bool {
        if self.gone {
            return true;
        }
        let done = self.done.load(Ordering::Relaxed);
        if done == self.pushed {
            self.progress = Progress::new(now);
            return false;
        }
        self.progress.stuck(done, now)
    }
}

pub(super) fn start(
    shared: Shared,
    track: TrackId,
    codec: Codec,
    pictures: SyncSender<PictureInput>,
) -> std::io::Result<Handle> {
    let (frames, queue) = sync_channel(FRAMES);
    let done = Arc::new(AtomicU64::new(0));
    let progress = Progress::new(shared.clock.now());
    let handle = Handle { frames, needs_key: true, pushed: 0, done: Arc::clone(&done), progress, gone: false };
    std::thread::Builder::new().name(format!("decode-{}", track.0)).spawn(move || {
        if let Err(error) = run(&shared, codec, &queue, &pictures, &done) {
            let _nobody_listens_after_the_end = shared.events.blocking_send(ThreadEvent::Failed(error));
        }
    })?;
    Ok(handle)
}

fn run(
    shared: &Shared,
    codec: Codec,
    frames: &Receiver<EncodedFrame>,
    pictures: &SyncSender<PictureInput>,
    done: &AtomicU64,
) -> Result<(), crate::ffmpeg::FfmpegError> {
    let meter = shared.counters.meter("decode");
    let mut decoder = VideoDecoder::new(codec)?;
    let mut needs_key = false;
    while let Ok(frame) = frames.recv() {
        let _counted_at_the_end = Done(done);
        if needs_key && !frame.key {
            shared.counters.dropped_frames.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        needs_key = false;
        #[cfg(feature = "failpoints")]
        crate::failpoint::crash_if_asked(&frame.data);
        match decoder.decode(&frame.data, frame.time) {
            Ok(decoded) => {
                if let Some((time, picture)) = decoded {
                    shared.counters.decoded_frames.fetch_add(1, Ordering::Relaxed);
                    let decoded = shared.clock.now();
                    let stamps = FrameStamps { track: frame.track, time, ingest: frame.stamps, decoded };
                    if pictures.try_send(PictureInput::Picture { stamps, picture }).is_err() {
                        shared.counters.dropped_frames.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
            Err(error) => {
                tracing::debug!(track = frame.track.0, %error, "frame refused");
                shared.counters.undecodable_frames.fetch_add(1, Ordering::Relaxed);
                // What a decoder holds after an error is not to be trusted, and a new one can begin with a key frame only.
                decoder = VideoDecoder::new(codec)?;
                needs_key = true;
                let _busy = shared.events.try_send(ThreadEvent::KeyFrameWanted(frame.track));
            }
        }
        meter.read();
    }
    Ok(())
}

/// Counts a frame that is done with, however that went.
struct Done<'a>(&'a AtomicU64);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
