#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: the audio thread waits for its chunks.
//! The audio thread: decodes every voice, mixes them, and encodes the mix once for each audio rendition.

use super::intake::{Came, Intake};
use super::slot::Slot;
use super::{Shared, ThreadEvent};
use crate::decode::Pcm;
use crate::encode::AudioEncoder;
use crate::ffmpeg::FfmpegError;
use crate::ladder::AudioRendition;
use crate::limiter::{self, Limiter};
use crate::loudness::Leveller;
use crate::mixer::{CHUNK_SAMPLES, Mix, Mixer, Placing};
use crate::opus;
use crate::segmenter::{Cut, Unit};
use crate::session::{Input, Lane};
use crate::voice::VoiceDecoder;
use footlight_media::frame::EncodedFrame;
use footlight_media::track::{PeerKey, TrackId};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Packets that wait: 16 voices of 50 packets a second, for a third of a second.
const PACKETS: usize = 256;

pub(super) enum AudioInput {
    Added { track: TrackId, peer: PeerKey },
    Frame(EncodedFrame),
    Removed { track: TrackId },
}

pub(super) fn start(
    shared: Shared,
    lanes: Range<Lane>,
    renditions: Vec<AudioRendition>,
    loudness_lufs: Option<f64>,
    mix: Slot<Mix>,
    first_unit: u64,
) -> std::io::Result<SyncSender<AudioInput>> {
    let (inputs, queue) = sync_channel(PACKETS);
    std::thread::Builder::new().name("audio".into()).spawn(move || {
        let events = shared.events.clone();
        let leveller = loudness_lufs.map(Leveller::new);
        let audio = Audio::open(shared, lanes.clone(), &renditions, leveller, mix, first_unit);
        let result = audio.and_then(|audio| audio.run(&queue));
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

/// One rendition: what its encoder adds to peaks is kept free for it.
struct Rendition {
    lane: Lane,
    limiter: Limiter,
    encoder: AudioEncoder,
}

struct Audio {
    shared: Shared,
    renditions: Vec<Rendition>,
    decoders: HashMap<TrackId, VoiceDecoder>,
    mixer: Mixer,
    mix: Slot<Mix>,
    /// Where the mix has a loudness that it is brought to.
    leveller: Option<Leveller>,
    /// The unit that the encoders' next packet is.
    unit: u64,
}

impl Audio {
    fn open(
        shared: Shared,
        lanes: Range<Lane>,
        renditions: &[AudioRendition],
        leveller: Option<Leveller>,
        mix: Slot<Mix>,
        first_unit: u64,
    ) -> Result<Self, FfmpegError> {
        let mut opened = Vec::new();
        for (lane, rendition) in lanes.zip(renditions) {
            let encoder = AudioEncoder::new(rendition)?;
            let header = encoder.header().clone();
            let event = ThreadEvent::Session(Input::Opened { lane, header });
            let _nobody_listens_after_the_end = shared.events.blocking_send(event);
            opened.push(Rendition { lane, limiter: Limiter::new(rendition.bitrate_bps), encoder });
        }
        let chunk = i64::try_from(CHUNK_SAMPLES).expect("1,024");
        let position = i64::try_from(first_unit).unwrap_or(i64::MAX).saturating_mul(chunk);
        // So much earlier is mixed what is so much later limited.
        let mixer = Mixer::new(position.saturating_add(i64::try_from(limiter::DELAY).expect("72")));
        let (decoders, renditions) = (HashMap::new(), opened);
        Ok(Self { shared, renditions, decoders, mixer, mix, leveller, unit: first_unit })
    }

    fn run(mut self, inputs: &Receiver<AudioInput>) -> Result<(), FfmpegError> {
        let meter = self.shared.counters.meter("audio");
        while !self.done() {
            if !self.wait(inputs)? {
                return Ok(());
            }
            if let Some(mix) = self.mix.take() {
                self.mixer.set_mix(mix);
            }
            let mut pcm = self.mixer.mix();
            if let Some(leveller) = &mut self.leveller {
                leveller.level(&mut pcm);
            }
            let late = self.mixer.late_samples();
            self.shared.counters.late_samples.store(late, Ordering::Relaxed);
            let mut out = 0;
            for Rendition { lane, limiter, encoder } in &mut self.renditions {
                let mut limited = pcm.clone();
                limiter.limit(&mut limited);
                let units = encoder.encode(&limited.left, &limited.right)?;
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
        let mut intake = Intake::new(inputs, PACKETS);
        loop {
            let left = due.micros_since(self.shared.clock.now());
            let left = Duration::from_micros(u64::try_from(left).unwrap_or(0));
            match intake.next(left) {
                Came::Input(AudioInput::Added { track, peer }) => {
                    self.decoders.insert(track, VoiceDecoder::new()?);
                    self.mixer.add(track, peer);
                }
                Came::Input(AudioInput::Removed { track }) => {
                    self.decoders.remove(&track);
                    self.mixer.remove(track);
                }
                Came::Input(AudioInput::Frame(frame)) => self.decode(&frame),
                Came::Due => return Ok(true),
                Came::Over => return Ok(false),
            }
        }
    }

    fn decode(&mut self, frame: &EncodedFrame) {
        let Some(decoder) = self.decoders.get_mut(&frame.track) else { return };
        let at = self.shared.timeline.sample_at(frame.time);
        let sent = opus::samples(&frame.data).unwrap_or(0);
        let missing = self.mixer.missing(frame.track, at);
        if !self.mixer.admits(frame.track, sent) {
            self.shared.counters.dropped_frames.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let placing = self.mixer.placing(frame.track, at, sent);
        let (stretch, follows) = match placing {
            Placing::Append { stretch } => (stretch, true),
            Placing::Jump => (0, false),
        };
        let concealed = if follows && missing > 0 && self.mixer.admits(frame.track, missing) {
            decoder.conceal(missing, &frame.data)
        } else {
            Ok(Pcm::default())
        };
        let decoded = concealed.and_then(|concealed| Ok((concealed, decoder.decode(&frame.data, stretch)?)));
        match decoded {
            Ok((concealed, pcm)) => {
                if !concealed.left.is_empty() {
                    let filling = Placing::Append { stretch: 0 };
                    self.mixer.push(frame.track, at.saturating_sub(missing), filling, missing, &concealed);
                }
                self.mixer.push(frame.track, at, placing, sent, &pcm);
            }
            Err(error) => {
                tracing::debug!(track = frame.track.0, %error, "packet refused");
                self.shared.counters.undecodable_frames.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SessionClock;
    use crate::driver::{THREAD_EVENTS, meter};
    use crate::timeline::Timeline;
    use bytes::Bytes;
    use footlight_media::frame::IngestStamps;
    use footlight_media::time::SessionTime;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;
    use tokio::sync::mpsc;

    /// CELT, six frames of 20 ms: as much work as one packet can be.
    const LONGEST_PACKET: &[u8] = &[0xfb, 0x06, 0xff, 0xfe, 0xff, 0xfe, 0xff, 0xfe, 0xff, 0xfe, 0xff, 0xfe, 0xff, 0xfe];

    /// Whoever sends more sound than there is time for cannot keep the thread from mixing.
    #[test]
    fn a_flood_of_packets_does_not_stop_the_mix() {
        let clock = SessionClock::starting_now();
        let delay = Duration::from_millis(150);
        let timeline = Timeline { zero: SessionTime::ZERO, zero_date: clock.zero_date(), delay, fps: 30 };
        let (events, mut heard) = mpsc::channel(THREAD_EVENTS);
        let counters = Arc::<meter::Counters>::default();
        // Three parts: a second of sound.
        let stop_part = Arc::new(AtomicU64::new(3));
        let shared = Shared { clock, timeline, stop_part, counters: Arc::clone(&counters), events };
        let rendition = AudioRendition { name: "audio".into(), bitrate_bps: 64_000 };
        let inputs = start(shared, 0..1, vec![rendition], None, Slot::new(Mix::default()), 0).expect("a thread");
        let track = TrackId(1);
        inputs.send(AudioInput::Added { track, peer: PeerKey("ada".into()) }).expect("it runs");
        let flood = std::thread::spawn(move || {
            let (data, stamps) = (Bytes::from_static(LONGEST_PACKET), IngestStamps::default());
            let frame =
                |time| EncodedFrame { track, time, key: true, discontinuity: false, data: data.clone(), stamps };
            while inputs.send(AudioInput::Frame(frame(clock.now()))).is_ok() {}
        });
        loop {
            match heard.blocking_recv().expect("it says that it has ended") {
                ThreadEvent::Session(Input::Drained { .. }) => break,
                ThreadEvent::Session(_) | ThreadEvent::KeyFrameWanted(_) | ThreadEvent::Shown(..) => {}
                ThreadEvent::Failed(error) => panic!("{error}"),
            }
        }
        assert!(clock.now() < SessionTime::ZERO + Duration::from_secs(5), "a second of sound by {:?}", clock.now());
        assert!(counters.dropped_frames.load(Ordering::Relaxed) > 0);
        flood.join().expect("it ends with the thread");
    }
}
