#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: one thread per picture track.
//! A thread that decodes one track's pictures.

use super::picture::PictureInput;
use super::{Shared, ThreadEvent};
use crate::decode::VideoDecoder;
use crate::stages::FrameStamps;
use footlight_media::codec::Codec;
use footlight_media::frame::EncodedFrame;
use footlight_media::track::TrackId;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Frames that wait for the decoder: a second. When it is full the rest is dropped up to the next key frame.
const FRAMES: usize = 30;

/// Feeds a decoder. Dropping it ends the thread.
pub(super) struct Handle {
    frames: SyncSender<EncodedFrame>,
    /// What was dropped makes everything up to the next key frame useless.
    needs_key: bool,
}

impl Handle {
    /// `false` where the frame was dropped and a key frame is needed.
    pub(super) fn push(&mut self, frame: EncodedFrame) -> bool {
        self.needs_key |= frame.discontinuity;
        if self.needs_key && !frame.key {
            return false;
        }
        self.needs_key = self.frames.try_send(frame).is_err();
        !self.needs_key
    }
}

pub(super) fn start(
    shared: Shared,
    track: TrackId,
    codec: Codec,
    pictures: SyncSender<PictureInput>,
) -> std::io::Result<Handle> {
    let (frames, queue) = sync_channel(FRAMES);
    std::thread::Builder::new().name(format!("decode-{}", track.0)).spawn(move || {
        if let Err(error) = run(&shared, codec, &queue, &pictures) {
            let _nobody_listens_after_the_end = shared.events.blocking_send(ThreadEvent::Failed(error));
        }
    })?;
    Ok(Handle { frames, needs_key: true })
}

fn run(
    shared: &Shared,
    codec: Codec,
    frames: &Receiver<EncodedFrame>,
    pictures: &SyncSender<PictureInput>,
) -> Result<(), crate::ffmpeg::FfmpegError> {
    let meter = shared.counters.meter("decode");
    let mut decoder = VideoDecoder::new(codec)?;
    while let Ok(frame) = frames.recv() {
        #[cfg(feature = "failpoints")]
        crate::failpoint::crash_if_asked(&frame.data);
        match decoder.decode(&frame.data, frame.time) {
            Ok(decoded) => {
                for (time, picture) in decoded {
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
                // What a decoder holds after an error is not to be trusted.
                decoder = VideoDecoder::new(codec)?;
                let _busy = shared.events.try_send(ThreadEvent::KeyFrameWanted(frame.track));
            }
        }
        meter.read();
    }
    Ok(())
}
