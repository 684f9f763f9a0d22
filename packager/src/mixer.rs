//! One mix of all voices, in chunks of 1,024 samples of 48 kHz stereo. Pure: positions are samples since the stream's zero.
//!
//! A voice's packets are laid end to end, with silence for those that are missing between two and were not made up. Where the session clock says that a
//! packet belongs elsewhere, the difference decides: within 2 ms nothing, up to 40 ms the packet is stretched by at most 1.25 % (2.5 % beyond 10 ms), beyond
//! that it is put where it belongs, with silence before it or less of what overlaps (a gap of DTX, a mute, a sender's report that moved time).

use crate::decode::Pcm;
use footlight_media::track::{Contributor, PeerKey, Source, TrackId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Samples of one mixed chunk: one AAC frame.
pub const CHUNK_SAMPLES: usize = 1024;
/// 2 ms: nobody hears it, and chasing it would only modulate the pitch.
const DEAD_BAND: i64 = 96;
/// 40 ms: below, a stretch; beyond, a jump. Lip sync holds within 45 ms.
const JUMP: i64 = 1_920;
/// 2.5 ms, the shortest packet of Opus (RFC 6716 section 2.1.4): a packet that is later than its predecessor's end by so much comes after one that was lost
/// or not sent; drift is a hundred times slower.
const MISSING: i64 = 120;
/// One sample in 80, 1.25 %: a little more than the 1 % by which sync moves a peer's time, or a peer that joined late would be heard
/// to jump each time that the difference has grown to [`JUMP`].
const STRETCH_ONE_IN: i64 = 80;
/// 10 ms: a voice that is further off is stretched twice as much, or one that is off while sync moves time would come back at a quarter of a per cent: 40 ms
/// in 16 s.
const FAR: i64 = 480;
/// Two seconds: what belongs further from the next chunk, before or after, is refused, because its sender is lying about time; and no voice has more
/// samples waiting.
const VOICE_SAMPLES: i64 = 96_000;
/// Samples that a voice may bring for each sample of the mix, beyond [`VOICE_SAMPLES`] at once. A sender's clock that drifts needs a hundredth above
/// one, and who sends what a network has held up for two seconds needs none.
const ALLOWANCE_PER_SAMPLE: i64 = 2;
/// What a packet costs at least, whatever it says of itself: 2.5 ms, the shortest there is.
const LEAST_COST: i64 = 120;

/// What to do with the next packet of a voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placing {
    /// Lay it behind the last one, longer by so many samples (shorter where negative).
    Append {
        /// Samples, at most 2.5 % of the packet.
        stretch: i32,
    },
    /// Put it at its own position.
    Jump,
}

/// How loud one peer is mixed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Fader {
    /// Decibels above what the peer sends; below it where negative.
    pub gain_db: f32,
    /// Not at all.
    pub muted: bool,
}

/// How loud all are: who is not named, as they come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Mix(pub HashMap<PeerKey, Fader>);

impl Mix {
    /// What a peer's samples are multiplied by.
    fn gain(&self, peer: &PeerKey) -> f32 {
        match self.0.get(peer) {
            Some(Fader { muted: true, .. }) => 0.0,
            Some(Fader { gain_db, .. }) => 10.0_f32.powf(gain_db / 20.0),
            None => 1.0,
        }
    }
}

#[derive(Debug)]
struct Voice {
    from: Contributor,
    /// What the last sample was multiplied by, and what the next chunk's last one is to be.
    gain: f32,
    next_gain: f32,
    /// Mean square of what it had in the last chunk, as it was mixed, and as it came, where anything did.
    level: f32,
    sent_level: Option<f32>,
    /// Position of the queue's front, in samples since the stream's zero.
    start: i64,
    /// Left and right.
    samples: VecDeque<[f32; 2]>,
    /// Where the next packet belongs, if none is missing; `None` before the first.
    next: Option<i64>,
    /// Samples that it may bring now.
    allowance: i64,
}

/// Mixes.
#[derive(Debug)]
pub struct Mixer {
    voices: BTreeMap<TrackId, Voice>,
    mix: Mix,
    late_samples: u64,
    /// Position of the next chunk.
    position: i64,
}

impl Mixer {
    /// The first chunk begins at `position`.
    pub fn new(position: i64) -> Self {
        Self { voices: BTreeMap::new(), mix: Mix::default(), late_samples: 0, position }
    }

    /// A peer's voice begins.
    pub fn add(&mut self, track: TrackId, from: Contributor) {
        let gain = self.mix.gain(&from.peer);
        let (start, samples, next, allowance) = (0, VecDeque::new(), None, VOICE_SAMPLES);
        self.voices.insert(
            track,
            Voice { from, gain, next_gain: gain, level: 0.0, sent_level: None, start, samples, next, allowance },
        );
    }

    /// Mixes otherwise, from the next chunk on and within it.
    pub fn set_mix(&mut self, mix: Mix) {
        for voice in self.voices.values_mut() {
            voice.next_gain = mix.gain(&voice.from.peer);
        }
        self.mix = mix;
    }

    /// A voice is over.
    pub fn remove(&mut self, track: TrackId) {
        self.voices.remove(&track);
    }

    /// Position of the next chunk, in samples since the stream's zero.
    pub const fn position(&self) -> i64 {
        self.position
    }

    /// Each microphone and its mean square in the last chunk, as it was mixed: who is muted is silent. A film that is shown is nobody who speaks.
    pub fn levels(&self) -> impl Iterator<Item = (&PeerKey, f32)> {
        let microphones = self.voices.values().filter(|voice| voice.from.source == Source::Regular);
        microphones.map(|voice| (&voice.from.peer, voice.level))
    }

    /// Each voice of which something came for the last chunk, and its mean square: full scale is 1.
    pub fn sent_levels(&self) -> impl Iterator<Item = (TrackId, f32)> {
        self.voices.iter().filter_map(|(track, voice)| Some((*track, voice.sent_level?)))
    }

    /// Samples that came after their chunk.
    pub const fn late_samples(&self) -> u64 {
        self.late_samples
    }

    /// Whether a packet of `samples` samples is worth decoding: a voice that brings more sound than there is time for would take the others'
    /// time, too. What is admitted is counted.
    pub fn admits(&mut self, track: TrackId, samples: i64) -> bool {
        let Some(voice) = self.voices.get_mut(&track) else { return false };
        let left = voice.allowance - samples.max(LEAST_COST);
        if left >= 0 {
            voice.allowance = left;
        }
        left >= 0
    }

    /// Samples that are missing between what it has brought and a packet that belongs at `at`: lost, or not sent.
    pub fn missing(&self, track: TrackId, at: i64) -> i64 {
        self.voices.get(&track).and_then(|voice| voice.next).map_or(0, |next| missing(at, next))
    }

    /// How a packet of `samples` samples that belongs at `at` is to be laid.
    pub fn placing(&self, track: TrackId, at: i64, samples: i64) -> Placing {
        let Some((voice, next)) = self.voices.get(&track).and_then(|v| Some((v, v.next?))) else {
            return Placing::Jump;
        };
        let off = at.saturating_sub(voice.end()).saturating_sub(missing(at, next));
        if off.saturating_abs() <= DEAD_BAND {
            return Placing::Append { stretch: 0 };
        }
        if off.saturating_abs() > JUMP {
            return Placing::Jump;
        }
        let share = if off.saturating_abs() > FAR { STRETCH_ONE_IN / 2 } else { STRETCH_ONE_IN };
        let most = (samples / share).max(1);
        Placing::Append { stretch: i32::try_from(off.clamp(-most, most)).unwrap_or(0) }
    }

    /// Lays a decoded packet that belongs at `at`; `sent` are its samples before they were stretched.
    pub fn push(&mut self, track: TrackId, at: i64, placing: Placing, sent: i64, pcm: &Pcm) {
        let now = self.position;
        let Some(voice) = self.voices.get_mut(&track) else { return };
        if at.saturating_sub(now).saturating_abs() > VOICE_SAMPLES {
            self.late_samples += pcm.left.len() as u64;
            return;
        }
        match (placing, voice.next) {
            (Placing::Append { .. }, Some(next)) => voice.skip(missing(at, next)),
            _ => voice.jump(at),
        }
        voice.next = Some(at.saturating_add(sent));
        let mut fresh = pcm.left.iter().zip(&pcm.right).map(|(l, r)| [*l, *r]);
        if voice.samples.is_empty() && voice.start < now {
            // The chunk that these belong to is gone.
            let late = usize::try_from(now - voice.start).unwrap_or(usize::MAX);
            let skipped = fresh.by_ref().take(late).count();
            self.late_samples += skipped as u64;
            voice.start += i64::try_from(skipped).unwrap_or(0);
        }
        let room = usize::try_from(now + VOICE_SAMPLES - voice.end()).unwrap_or(0);
        voice.samples.extend(fresh.take(room));
    }

    /// The next chunk: left and right. Silence where nobody speaks; where many do, it is louder than full scale.
    pub fn mix(&mut self) -> Pcm {
        let mut pcm = Pcm { left: vec![0.0; CHUNK_SAMPLES], right: vec![0.0; CHUNK_SAMPLES] };
        let chunk = i64::try_from(CHUNK_SAMPLES).expect("1,024");
        for voice in self.voices.values_mut() {
            voice.add_to(self.position, &mut pcm);
            voice.allowance = (voice.allowance + ALLOWANCE_PER_SAMPLE * chunk).min(VOICE_SAMPLES);
        }
        self.position += chunk;
        pcm
    }
}

/// Samples of the packets that are missing before one that belongs at `at`, where `next` was to follow.
const fn missing(at: i64, next: i64) -> i64 {
    let gap = at.saturating_sub(next);
    if gap >= MISSING && gap <= VOICE_SAMPLES { gap } else { 0 }
}

impl Voice {
    /// Position behind its last sample.
    fn end(&self) -> i64 {
        self.start + i64::try_from(self.samples.len()).unwrap_or(i64::MAX)
    }

    /// Silence for packets that are missing; `count` is within what a voice may have.
    fn skip(&mut self, count: i64) {
        if self.samples.is_empty() {
            self.start += count;
        } else {
            let length = self.samples.len() + usize::try_from(count).unwrap_or(0);
            self.samples.resize(length, [0.0; 2]);
        }
    }

    /// Makes `at` the end: by silence where it lies ahead, by cutting what overlaps where it lies behind.
    fn jump(&mut self, at: i64) {
        if self.samples.is_empty() || at <= self.start {
            self.samples.clear();
            self.start = at;
            return;
        }
        let length = usize::try_from(at - self.start).expect("it lies behind the start");
        self.samples.resize(length, [0.0; 2]);
    }

    /// Adds what this voice has for the chunk at `position`, and forgets it and what is older.
    fn add_to(&mut self, position: i64, pcm: &mut Pcm) {
        let end = position + i64::try_from(CHUNK_SAMPLES).expect("1,024");
        let old = usize::try_from(position - self.start).unwrap_or(0).min(self.samples.len());
        self.samples.drain(..old);
        self.start += i64::try_from(old).unwrap_or(0);
        // Over a whole chunk, 21 ms: a step would click.
        let (from, to) = (self.gain, self.next_gain);
        self.gain = to;
        (self.level, self.sent_level) = (0.0, None);
        if self.start >= end || self.samples.is_empty() {
            return;
        }
        let at = usize::try_from(self.start - position).expect("not before the chunk: what was older is gone");
        let count = (CHUNK_SAMPLES - at).min(self.samples.len());
        let (mut power, mut sent_power) = (0.0, 0.0);
        for (i, [left, right]) in self.samples.drain(..count).enumerate() {
            sent_power += left * left + right * right;
            let gain = from + (to - from) * (at + i) as f32 / CHUNK_SAMPLES as f32;
            let (left, right) = (gain * left, gain * right);
            pcm.left[at + i] += left;
            pcm.right[at + i] += right;
            power += left * left + right * right;
        }
        self.level = power / (2 * CHUNK_SAMPLES) as f32;
        self.sent_level = Some(sent_power / (2 * CHUNK_SAMPLES) as f32);
        self.start += i64::try_from(count).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: TrackId = TrackId(1);

    fn tone(samples: usize, level: f32) -> Pcm {
        Pcm { left: vec![level; samples], right: vec![level; samples] }
    }

    fn ada() -> PeerKey {
        PeerKey("ada".into())
    }

    fn one_voice() -> Mixer {
        let mut mixer = Mixer::new(0);
        mixer.add(A, ada().into());
        mixer
    }

    fn push(mixer: &mut Mixer, at: i64, pcm: &Pcm) {
        let sent = i64::try_from(pcm.left.len()).expect("small");
        let placing = mixer.placing(A, at, sent);
        mixer.push(A, at, placing, sent, pcm);
    }

    #[test]
    fn a_voice_is_heard_where_it_belongs_and_silence_elsewhere() {
        let mut mixer = one_voice();
        push(&mut mixer, 100, &tone(960, 0.5));
        push(&mut mixer, 1_060, &tone(960, 0.25));
        let mix = mixer.mix();
        assert_eq!(mix.left[..100], [0.0; 100]);
        assert_eq!((mix.left[100], mix.left[1_023]), (0.5, 0.5));
        assert!(mixer.levels().eq([(&ada(), 0.25 * 924.0 / 1_024.0)]));
        let mix = mixer.mix();
        assert_eq!((mix.left[35], mix.left[36], mix.left[995], mix.left[996]), (0.5, 0.25, 0.25, 0.0));
    }

    #[test]
    fn a_fader_is_moved_without_a_click_and_stays_for_who_comes_back() {
        let mut mixer = one_voice();
        push(&mut mixer, 0, &tone(4 * CHUNK_SAMPLES, 0.5));
        assert_eq!(mixer.mix().left[1_023], 0.5);
        let fader = |gain_db, muted| Mix([(ada(), Fader { gain_db, muted })].into());
        mixer.set_mix(fader(-20.0, false));
        let moved = mixer.mix().left;
        let steepest = moved.windows(2).map(|two| (two[1] - two[0]).abs()).fold(0.0, f32::max);
        assert!(moved[0] == 0.5 && moved[1_023] < 0.051 && steepest < 0.001, "{steepest}");
        mixer.set_mix(fader(20.0, true));
        mixer.mix();
        assert_eq!(mixer.mix().left, [0.0; CHUNK_SAMPLES]);
        mixer.remove(A);
        mixer.add(A, ada().into());
        push(&mut mixer, 4 * 1_024, &tone(2 * CHUNK_SAMPLES, 0.5));
        assert_eq!(mixer.mix().left, [0.0; CHUNK_SAMPLES]);
        mixer.set_mix(Mix::default());
        mixer.mix();
        push(&mut mixer, 6 * 1_024, &tone(CHUNK_SAMPLES, 0.5));
        assert_eq!(mixer.mix().left, [0.5; CHUNK_SAMPLES]);
    }

    #[test]
    fn drift_is_stretched_and_a_gap_is_silence() {
        let mut mixer = one_voice();
        push(&mut mixer, 0, &tone(960, 0.5));
        assert_eq!(mixer.placing(A, 960 + 96, 960), Placing::Append { stretch: 0 });
        assert_eq!(mixer.placing(A, 960 + 97, 960), Placing::Append { stretch: 12 });
        assert_eq!(mixer.placing(A, 960 - 480, 960), Placing::Append { stretch: -12 });
        assert_eq!(mixer.placing(A, 960 - 1_000, 960), Placing::Append { stretch: -24 });
        assert_eq!(mixer.placing(A, 960 - 1_921, 960), Placing::Jump);
        push(&mut mixer, 960 + 2_000, &tone(960, 0.5));
        let heard: Vec<f32> = (0..4).flat_map(|_| mixer.mix().left).collect();
        assert_eq!((heard[959], heard[960], heard[2_959], heard[2_960]), (0.5, 0.0, 0.0, 0.5));
    }

    #[test]
    fn a_lost_packet_is_silence_and_what_follows_stays_in_its_place() {
        let mut mixer = one_voice();
        push(&mut mixer, 0, &tone(960, 0.5));
        // One of 20 ms is lost; the clock has drifted by 1 ms, which is within the dead band.
        push(&mut mixer, 960 + 960 + 48, &tone(960, 0.25));
        let heard: Vec<f32> = (0..3).flat_map(|_| mixer.mix().left).collect();
        assert_eq!((heard[959], heard[960], heard[1_967], heard[1_968], heard[2_927]), (0.5, 0.0, 0.0, 0.25, 0.25));
    }

    #[test]
    fn a_voice_that_is_behind_catches_up_while_time_is_moved() {
        let mut mixer = one_voice();
        push(&mut mixer, 0, &tone(960, 0.5));
        // Its time lies 38 ms before what was laid, and goes back by a hundredth.
        let mut laid = 960;
        let mut off = 0;
        for packet in 1..=150_i64 {
            let at = 960 * packet - 1_824 - 960 * packet / 100;
            off = at - laid;
            let Placing::Append { stretch } = mixer.placing(A, at, 960) else { panic!("{off} is no jump") };
            let samples = 960 + i64::from(stretch);
            mixer.push(
                A,
                at,
                Placing::Append { stretch },
                960,
                &tone(usize::try_from(samples).expect("positive"), 0.5),
            );
            laid += samples;
            while mixer.position() + 9_600 < laid {
                mixer.mix();
            }
        }
        assert!(off.abs() <= 480 + 24, "{off} samples off after three seconds");
    }

    #[test]
    fn time_moved_back_replaces_what_was_laid() {
        let mut mixer = one_voice();
        push(&mut mixer, 0, &tone(4_000, 0.5));
        push(&mut mixer, 1_000, &tone(960, 0.25));
        let heard: Vec<f32> = (0..2).flat_map(|_| mixer.mix().left).collect();
        assert_eq!((heard[999], heard[1_000], heard[1_959], heard[1_960]), (0.5, 0.25, 0.25, 0.0));
    }

    #[test]
    fn what_comes_after_its_chunk_is_counted_and_not_heard_later() {
        let mut mixer = one_voice();
        mixer.mix();
        push(&mut mixer, 0, &tone(960, 0.5));
        push(&mut mixer, 960, &tone(960, 0.25));
        assert_eq!(mixer.late_samples(), 1_024);
        assert_eq!(mixer.mix().left[0], 0.25);
    }

    #[test]
    fn a_voice_brings_two_seconds_at_once_and_twice_real_time_for_long() {
        let mut mixer = one_voice();
        mixer.add(TrackId(2), PeerKey("bob".into()).into());
        let admitted = |mixer: &mut Mixer, samples| (0..10_000).filter(|_| mixer.admits(A, samples)).count();
        assert_eq!(admitted(&mut mixer, 5_760), 16, "96,000 samples are 16 whole packets of 120 ms");
        assert_eq!(admitted(&mut mixer, 0), 32, "what has no length costs 120");
        assert!(mixer.admits(TrackId(2), 5_760), "another voice has its own");
        let second = 47;
        for _ in 0..second {
            mixer.mix();
        }
        assert_eq!(admitted(&mut mixer, 960), 100, "47 chunks are 48,128 samples, and 96,000 is the most");
        mixer.mix();
        assert_eq!(admitted(&mut mixer, 960), 2);
        assert!(!mixer.admits(TrackId(3), 960), "nobody's");
    }

    #[test]
    fn voices_add_up() {
        let mut mixer = Mixer::new(0);
        for n in 0..16 {
            mixer.add(TrackId(n), PeerKey(n.to_string()).into());
            mixer.push(TrackId(n), 0, Placing::Jump, 2_048, &tone(2_048, 0.5));
        }
        assert_eq!(mixer.mix().left, [8.0; CHUNK_SAMPLES]);
    }

    proptest! {
        #[test]
        fn no_times_that_a_sender_can_claim_break_the_mix(
            packets in proptest::collection::vec((any::<i64>(), 0usize..3_000, any::<bool>()), 0..60),
        ) {
            let mut mixer = one_voice();
            for (at, samples, mix) in packets {
                push(&mut mixer, at, &tone(samples, 0.1));
                if mix {
                    prop_assert_eq!(mixer.mix().left.len(), CHUNK_SAMPLES);
                }
                prop_assert!(mixer.voices[&A].samples.len() <= 2 * 96_000);
            }
        }
    }
}
