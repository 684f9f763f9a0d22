#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: the audio thread waits for its chunks.
//! The audio thread: decodes every voice, mixes them, and encodes the mix once for each audio rendition.

use super::intake::{Came, Intake};
use super::slot::Slot;
use super::{Shared, Signals, ThreadEvent};
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
use crate::signal::{SoundSignal, Subject};
use crate::speaker::Speaker;
use crate::voice::{self, VoiceDecoder};
use footlight_media::frame::EncodedFrame;
use footlight_media::track::{Contributor, PeerKey, TrackId};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Packets that wait: 16 voices of 50 packets a second, for a third of a second.
const PACKETS: usize = 256;

/// A second, in microseconds. A mix that is later is not waited for by what is to go into it: packets are thrown away until it has caught up. Decoding is most of the
/// work, and the only part that can be left out: a machine that is too small for sixteen voices has gaps in them, but goes on. What a machine that was
/// busy for a moment has in its queue is heard whole.
const LATEST_US: i64 = 1_000_000;

pub(super) enum AudioInput {
    Added { track: TrackId, from: Contributor },
    Frame(EncodedFrame),
    Removed { track: TrackId },
}

/// What is wanted of the sound.
pub(super) struct Sound {
    pub(super) renditions: Vec<AudioRendition>,
    pub(super) loudness_lufs: Option<f64>,
    pub(super) mix: Slot<Mix>,
    /// Who stands in a corner, whoever speaks.
    pub(super) pinned: Slot<Option<PeerKey>>,
    /// Where it is said who speaks, and what there is to hear.
    pub(super) speaker: Slot<PeerKey>,
    pub(super) heard: Slot<Signals>,
}

pub(super) fn start(
    shared: Shared,
    lanes: Range<Lane>,
    sound: Sound,
    first_unit: u64,
) -> std::io::Result<SyncSender<AudioInput>> {
    let (inputs, queue) = sync_channel(PACKETS);
    std::thread::Builder::new().name("audio".into()).spawn(move || {
        let events = shared.events.clone();
        let audio = Audio::open(shared, lanes.clone(), sound, first_unit);
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
    speaker: Speaker,
    pinned: Slot<Option<PeerKey>>,
    /// Has a place already: whoever speaks is somebody else.
    has_a_place: Option<PeerKey>,
    speaks: Slot<PeerKey>,
    /// What there is to hear of each track, and of the mix.
    signals: HashMap<TrackId, SoundSignal>,
    programme: SoundSignal,
    heard: Slot<Signals>,
    /// Where the mix has a loudness that it is brought to.
    leveller: Option<Leveller>,
    /// The unit that the encoders' next packet is.
    unit: u64,
}

impl Audio {
    fn open(shared: Shared, lanes: Range<Lane>, sound: Sound, first_unit: u64) -> Result<Self, FfmpegError> {
        let mut renditions = Vec::new();
        for (lane, rendition) in lanes.zip(&sound.renditions) {
            let encoder = AudioEncoder::new(rendition)?;
            let header = encoder.header().clone();
            let event = ThreadEvent::Session(Input::Opened { lane, header });
            let _nobody_listens_after_the_end = shared.events.blocking_send(event);
            renditions.push(Rendition { lane, limiter: Limiter::new(rendition.bitrate_bps), encoder });
        }
        let chunk = i64::try_from(CHUNK_SAMPLES).expect("1,024");
        let position = i64::try_from(first_unit).unwrap_or(i64::MAX).saturating_mul(chunk);
        // So much earlier is mixed what is so much later limited.
        let mut mixer = Mixer::new(position.saturating_add(i64::try_from(limiter::DELAY).expect("72")));
        // Who is muted is so from the first sample on, also in a packager that replaces another.
        if let Some(mix) = sound.mix.take() {
            mixer.set_mix(mix);
        }
        let programme = SoundSignal::new(shared.clock.now());
        Ok(Self {
            shared,
            renditions,
            decoders: HashMap::new(),
            mixer,
            mix: sound.mix,
            speaker: Speaker::default(),
            pinned: sound.pinned,
            has_a_place: None,
            speaks: sound.speaker,
            signals: HashMap::new(),
            programme,
            heard: sound.heard,
            leveller: sound.loudness_lufs.map(Leveller::new),
            unit: first_unit,
        })
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
            if let Some(pinned) = self.pinned.take() {
                self.has_a_place = pinned;
            }
            let levels = self.mixer.levels().filter(|(peer, _)| Some(*peer) != self.has_a_place.as_ref());
            if let Some(peer) = self.speaker.hear(levels) {
                self.speaks.set(peer);
            }
            self.tell_signals(&pcm);
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
            let left_us = due.micros_since(self.shared.clock.now());
            let left = Duration::from_micros(u64::try_from(left_us).unwrap_or(0));
            match intake.next(left) {
                Came::Input(AudioInput::Added { track, from }) => {
                    self.decoders.insert(track, VoiceDecoder::new()?);
                    self.signals.insert(track, SoundSignal::new(self.shared.clock.now()));
                    self.mixer.add(track, from);
                }
                Came::Input(AudioInput::Removed { track }) => {
                    self.decoders.remove(&track);
                    self.signals.remove(&track);
                    self.mixer.remove(track);
                }
                Came::Input(AudioInput::Frame(_)) if left_us < -LATEST_US => {
                    self.shared.counters.dropped_frames.fetch_add(1, Ordering::Relaxed);
                }
                Came::Input(AudioInput::Frame(frame)) => self.decode(&frame),
                Came::Due => return Ok(true),
                Came::Over => return Ok(false),
            }
        }
    }

    /// Says what there is to hear of each voice as it came, and of the mix.
    fn tell_signals(&mut self, mix: &Pcm) {
        let now = self.shared.clock.now();
        for (track, level) in self.mixer.sent_levels() {
            if let Some(signal) = self.signals.get_mut(&track) {
                signal.hear(level, now);
            }
        }
        self.programme.hear(mix.mean_square(), now);
        let tracks = self.signals.iter().map(|(track, signal)| (Subject::Track(*track), signal.signal(now)));
        self.heard.set(tracks.chain([(Subject::Sound, self.programme.signal(now))]).collect());
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
        let concealable =
            voice::concealable(missing).filter(|samples| follows && self.mixer.admits(frame.track, *samples));
        let concealed = concealable.map_or_else(|| Ok(Pcm::default()), |samples| decoder.conceal(samples, &frame.data));
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
    use crate::driver::THREAD_EVENTS;
    use crate::mixer::Fader;
    use crate::timeline::Timeline;
    use bytes::Bytes;
    use footlight_media::frame::IngestStamps;
    use footlight_media::time::SessionTime;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;
    use tokio::sync::mpsc;

    /// CELT, six frames of 20 ms: as much work as one packet can be.
    const LONGEST_PACKET: &[u8] = &[0xfb, 0x06, 0xff, 0xfe, 0xff, 0xfe, 0xff, 0xfe, 0xff, 0xfe, 0xff, 0xfe, 0xff, 0xfe];

    /// What a thread that makes one rendition has in common with the others, and what they hear of it.
    fn shared(parts: u64) -> (Shared, mpsc::Receiver<ThreadEvent>) {
        let clock = SessionClock::starting_now();
        let delay = Duration::from_millis(150);
        let timeline = Timeline { zero: SessionTime::ZERO, zero_date: clock.zero_date(), delay, fps: 30 };
        let (events, heard) = mpsc::channel(THREAD_EVENTS);
        let (counters, stop_part) = (Arc::default(), Arc::new(AtomicU64::new(parts)));
        (Shared { clock, timeline, stop_part, counters, events }, heard)
    }

    fn sound(mix: Option<Mix>) -> Sound {
        let rendition = AudioRendition { name: "audio".into(), bitrate_bps: 64_000 };
        Sound {
            renditions: vec![rendition],
            loudness_lufs: None,
            mix: Slot::new(mix),
            pinned: Slot::new(None),
            speaker: Slot::new(None),
            heard: Slot::new(None),
        }
    }

    #[test]
    fn who_is_muted_is_so_from_the_first_sample_of_a_packager_on() {
        let (track, ada) = (TrackId(1), PeerKey("ada".into()));
        let muted = Mix([(ada.clone(), Fader { gain_db: 0.0, muted: true })].into());
        let (shared, _heard) = shared(3);
        let mut audio = Audio::open(shared, 0..1, sound(Some(muted)), 0).expect("opens");
        audio.mixer.add(track, ada.into());
        let loud = Pcm { left: vec![0.5; CHUNK_SAMPLES], right: vec![0.5; CHUNK_SAMPLES] };
        let sent = i64::try_from(CHUNK_SAMPLES).expect("1,024");
        audio.mixer.push(track, audio.mixer.position(), Placing::Jump, sent, &loud);
        assert_eq!(audio.mixer.mix().left, [0.0; CHUNK_SAMPLES]);
    }

    /// A machine that is too small: what is late is caught up with without what has waited for it, and who speaks then is heard.
    #[test]
    fn who_has_fallen_behind_decodes_nothing_before_it_has_caught_up() {
        let (mut shared, _heard) = shared(u64::MAX);
        shared.timeline.zero = shared.clock.now().offset_micros(-LATEST_US * 3 / 2);
        let counters = Arc::clone(&shared.counters);
        let mut audio = Audio::open(shared, 0..1, sound(None), 0).expect("opens");
        let (inputs, queue) = sync_channel(PACKETS);
        let track = TrackId(1);
        let send = |audio: &Audio| {
            let time = audio.shared.timeline.zero.offset_micros(audio.mixer.position() * 1_000 / 48);
            let (data, stamps) = (Bytes::from_static(LONGEST_PACKET), IngestStamps::default());
            let frame = EncodedFrame { track, time, key: true, discontinuity: false, data, stamps };
            inputs.send(AudioInput::Frame(frame)).expect("there is room");
        };
        inputs.send(AudioInput::Added { track, from: PeerKey("ada".into()).into() }).expect("there is room");
        let mut dropped = Vec::new();
        // A second and a half of chunks, and some that are no longer late enough.
        for _ in 0..60 {
            send(&audio);
            assert!(audio.wait(&queue).expect("decodes"));
            audio.mixer.mix();
            dropped.push(counters.dropped_frames.load(Ordering::Relaxed));
        }
        assert_eq!(dropped[..10], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert!(dropped[50] < 30, "{dropped:?}");
        assert!(audio.mixer.sent_levels().count() == 1, "it is heard again");
    }

    /// Whoever sends more sound than there is time for cannot keep the thread from mixing.
    #[test]
    fn a_flood_of_packets_does_not_stop_the_mix() {
        // Three parts: a second of sound.
        let (shared, mut heard) = shared(3);
        let (clock, counters) = (shared.clock, Arc::clone(&shared.counters));
        let inputs = start(shared, 0..1, sound(None), 0).expect("a thread");
        let track = TrackId(1);
        inputs.send(AudioInput::Added { track, from: PeerKey("ada".into()).into() }).expect("it runs");
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
                ThreadEvent::Snapshot { .. } | ThreadEvent::Poster(_) => panic!("nothing is to be seen"),
                ThreadEvent::Failed(error) => panic!("{error}"),
            }
        }
        assert!(clock.now() < SessionTime::ZERO + Duration::from_secs(5), "a second of sound by {:?}", clock.now());
        assert!(counters.dropped_frames.load(Ordering::Relaxed) > 0);
        flood.join().expect("it ends with the thread");
    }
}
