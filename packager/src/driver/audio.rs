#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: the audio thread waits for its chunks.
//! The audio thread: decodes every voice, mixes them, and encodes the mix once for each audio rendition.

use super::{Shared, ThreadEvent};
use crate::decode::AudioDecoder;
use crate::encode::AudioEncoder;
use crate::ffmpeg::FfmpegError;
use crate::ladder::AudioRendition;
use crate::mixer::{CHUNK_SAMPLES, Mixer, Placing};
use crate::opus;
use crate::segmenter::{Cut, Unit};
use crate::session::{Input, Lane};
use footlight_media::codec::Codec;
use footlight_media::frame::EncodedFrame;
use footlight_media::track::TrackId;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// Packets that wait: 16 voices of 50 packets a second, for a third of a second.
const PACKETS: usize = 256;

pub(super) enum AudioInput {
    Added { track: TrackId, codec: Codec },
    Frame(EncodedFrame),
    Removed { track: TrackId },
}

pub(super) fn start(
    shared: Shared,
    lanes: Range<Lane>,
    renditions: Vec<AudioRendition>,
    first_unit: u64,
) -> std::io::Result<SyncSender<AudioInput>> {
    let (inputs, queue) = sync_channel(PACKETS);
    std::thread::Builder::new().name("audio".into()).spawn(move || {
        let events = shared.events.clone();
        let result = Audio::open(shared, lanes.clone(), &renditions, first_unit).and_then(|audio| audio.run(&queue));
        let last: Vec<ThreadEvent> = match result {
            Ok(()) => lanes.map(|lane| ThreadEvent::Session(Input::Drained { lane })).collect(),
            Err(error) => vec![ThreadEvent::Failed(error)],
        };
        for event in last {
            let _nobody_listens_after_the_end = events.blocking_send(event);
        }
    })?;
    Ok(inputs)
}

struct Audio {
    shared: Shared,
    encoders: Vec<(Lane, AudioEncoder)>,
    decoders: HashMap<TrackId, AudioDecoder>,
    mixer: Mixer,
    /// The unit that the encoders' next packet is.
    unit: u64,
}

impl Audio {
    fn open(
        shared: Shared,
        lanes: Range<Lane>,
        renditions: &[AudioRendition],
        first_unit: u64,
    ) -> Result<Self, FfmpegError> {
        let mut encoders = Vec::new();
        for (lane, rendition) in lanes.zip(renditions) {
            let encoder = AudioEncoder::new(rendition)?;
            let header = encoder.header().clone();
            let opened = ThreadEvent::Session(Input::Opened { lane, header });
            let _nobody_listens_after_the_end = shared.events.blocking_send(opened);
            encoders.push((lane, encoder));
        }
        let position = i64::try_from(first_unit).unwrap_or(i64::MAX) * i64::try_from(CHUNK_SAMPLES).expect("1,024");
        Ok(Self { shared, encoders, decoders: HashMap::new(), mixer: Mixer::new(position), unit: first_unit })
    }

    fn run(mut self, inputs: &Receiver<AudioInput>) -> Result<(), FfmpegError> {
        let meter = self.shared.counters.meter("audio");
        while !self.done() {
            if !self.wait(inputs)? {
                return Ok(());
            }
            let pcm = self.mixer.mix();
            let late = self.mixer.late_samples();
            self.shared.counters.late_samples.store(late, Ordering::Relaxed);
            let mut out = 0;
            for (lane, encoder) in &mut self.encoders {
                let units = encoder.encode(&pcm.left, &pcm.right)?;
                out = units.len() as u64;
                for (number, access_unit) in (self.unit..).zip(units) {
                    let unit = Unit { number, access_unit: Some(access_unit) };
                    let input = Input::Unit { lane: *lane, unit, stamps: None };
                    let _nobody_listens_after_the_end = self.shared.events.blocking_send(ThreadEvent::Session(input));
                }
            }
            self.unit += out;
            meter.read();
        }
        Ok(())
    }

    /// Whether the last unit before the stop is out.
    fn done(&self) -> bool {
        let stop = self.shared.stop_part.load(Ordering::Relaxed);
        stop != u64::MAX && self.unit >= Cut::audio().first_unit(stop)
    }

    /// Takes packets until the next chunk is due; `false` where nobody can send any more.
    fn wait(&mut self, inputs: &Receiver<AudioInput>) -> Result<bool, FfmpegError> {
        let chunk = i64::try_from(CHUNK_SAMPLES).expect("1,024");
        let end = u64::try_from(self.mixer.position() + chunk).unwrap_or(0);
        let due = self.shared.timeline.audio_due(end);
        loop {
            let left = due.micros_since(self.shared.clock.now());
            let left = Duration::from_micros(u64::try_from(left).unwrap_or(0));
            match inputs.recv_timeout(left) {
                Ok(AudioInput::Added { track, codec }) => {
                    self.decoders.insert(track, AudioDecoder::new(codec)?);
                    self.mixer.add(track);
                }
                Ok(AudioInput::Removed { track }) => {
                    self.decoders.remove(&track);
                    self.mixer.remove(track);
                }
                Ok(AudioInput::Frame(frame)) => self.decode(&frame),
                Err(RecvTimeoutError::Timeout) => return Ok(true),
                Err(RecvTimeoutError::Disconnected) => return Ok(false),
            }
        }
    }

    fn decode(&mut self, frame: &EncodedFrame) {
        let Some(decoder) = self.decoders.get_mut(&frame.track) else { return };
        let at = self.shared.timeline.sample_at(frame.time);
        let sent = opus::samples(&frame.data).unwrap_or(0);
        let placing = self.mixer.placing(frame.track, at, sent);
        let stretch = match placing {
            Placing::Append { stretch } => stretch,
            Placing::Jump => 0,
        };
        match decoder.decode(&frame.data, stretch) {
            Ok(pcm) => self.mixer.push(frame.track, at, placing, sent, &pcm),
            Err(error) => {
                tracing::debug!(track = frame.track.0, %error, "packet refused");
                self.shared.counters.undecodable_frames.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
