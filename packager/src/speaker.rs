//! Who speaks, so that they can be shown. Pure: time is counted in chunks of the mix.
//!
//! A cough does not make a speaker, two who talk at once do not take turns twenty times a second, and nobody is taken off the picture for having drawn
//! breath: somebody else is shown once they have been clearly louder for a while.

use crate::decode::SAMPLE_RATE;
use crate::mixer::CHUNK_SAMPLES;
use footlight_media::track::PeerKey;
use std::collections::HashMap;

/// Chunks in so many milliseconds.
const fn chunks(ms: u64) -> u64 {
    ms * SAMPLE_RATE as u64 / (1_000 * CHUNK_SAMPLES as u64)
}

/// How much of a louder chunk counts at once, and of a quieter one: a syllable is heard within 100 ms, and the pause before the next is bridged.
const ATTACK: f32 = 0.3;
const RELEASE: f32 = 0.03;
/// Decibels, as everything here: silence, and what is as loud as speech gets. A cough that is louder would be heard for longer than it lasted.
const SILENCE_DB: f32 = -60.0;
const LOUD_DB: f32 = -15.0;
/// Who is quieter does not speak.
const SPEAKS_DB: f32 = -45.0;
/// By how much whoever speaks must be outspoken.
const CLEARLY_DB: f32 = 4.0;
/// For how long.
const FOR_CHUNKS: u64 = chunks(600);
/// For how long somebody is shown at least.
const SHOWN_CHUNKS: u64 = chunks(2_000);

/// Follows the voices of one mix.
#[derive(Debug, Default)]
pub struct Speaker {
    /// How loud those are who are there, smoothed.
    voices: HashMap<PeerKey, f32>,
    current: Option<PeerKey>,
    /// Chunks since they were chosen.
    shown: u64,
    /// Who is louder, and for how many chunks.
    challenger: Option<(PeerKey, u64)>,
}

impl Speaker {
    /// Takes the mean square of each voice in the next chunk; answers with who speaks from now on, where that is somebody else.
    pub fn hear<'a>(&mut self, levels: impl Iterator<Item = (&'a PeerKey, f32)>) -> Option<PeerKey> {
        let mut voices = HashMap::new();
        for (peer, level) in levels {
            let level = (10.0 * level.log10()).clamp(SILENCE_DB, LOUD_DB);
            let before = self.voices.get(peer).copied().unwrap_or(SILENCE_DB);
            let share = if level > before { ATTACK } else { RELEASE };
            // A peer with two voices is as loud as the louder.
            let heard = voices.entry(peer.clone()).or_insert(SILENCE_DB);
            *heard = heard.max(before + (level - before) * share);
        }
        self.voices = voices;
        self.shown += 1;
        let challenger = self.louder()?;
        let chunks = match self.challenger.take() {
            Some((same, chunks)) if same == challenger => chunks + 1,
            _ => 1,
        };
        if chunks < FOR_CHUNKS || (self.current.is_some() && self.shown < SHOWN_CHUNKS) {
            self.challenger = Some((challenger, chunks));
            return None;
        }
        self.current = Some(challenger.clone());
        self.shown = 0;
        Some(challenger)
    }

    /// Who speaks and is clearly louder than who is shown.
    fn louder(&mut self) -> Option<PeerKey> {
        let current = self.current.as_ref();
        let least =
            current.and_then(|peer| self.voices.get(peer)).map_or(SPEAKS_DB, |db| SPEAKS_DB.max(db + CLEARLY_DB));
        let loudest = self.voices.iter().max_by(|one, other| one.1.total_cmp(other.1));
        let louder = loudest.filter(|(peer, db)| **db >= least && current != Some(*peer)).map(|(peer, _)| peer.clone());
        if louder.is_none() {
            self.challenger = None;
        }
        louder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says for how many milliseconds each is heard at which level in decibels, and gives who was chosen, and when.
    fn follow(speaker: &mut Speaker, parts: &[(u64, &[(&str, f32)])]) -> Vec<(u64, String)> {
        let (mut ms, mut chosen) = (0.0, Vec::new());
        for (length, levels) in parts {
            let levels: Vec<(PeerKey, f32)> =
                levels.iter().map(|(peer, db)| (PeerKey((*peer).into()), 10.0_f32.powf(db / 10.0))).collect();
            for _ in 0..chunks(*length) {
                ms += 1_000.0 * CHUNK_SAMPLES as f64 / f64::from(SAMPLE_RATE);
                let heard = speaker.hear(levels.iter().map(|(peer, level)| (peer, *level)));
                chosen.extend(heard.map(|peer| (ms as u64, peer.0)));
            }
        }
        chosen
    }

    #[test]
    fn whoever_speaks_is_chosen_after_a_moment_and_the_next_when_they_have_taken_over() {
        let (ada, bob): (&[_], &[_]) = (&[("ada", -25.0), ("bob", -70.0)], &[("ada", -70.0), ("bob", -25.0)]);
        let chosen = follow(&mut Speaker::default(), &[(2_500, ada), (3_000, bob)]);
        let [(first, one), (second, other)] = &chosen[..] else { panic!("{chosen:?}") };
        assert_eq!((one.as_str(), other.as_str()), ("ada", "bob"));
        assert!((600..800).contains(first) && (3_100..3_900).contains(second), "{chosen:?}");
    }

    #[test]
    fn a_cough_a_pause_and_talk_at_once_change_nothing() {
        let mut speaker = Speaker::default();
        follow(&mut speaker, &[(3_000, &[("ada", -25.0), ("bob", -70.0)])]);
        let cough: &[_] = &[("ada", -25.0), ("bob", -10.0)];
        let quiet: &[_] = &[("ada", -70.0), ("bob", -70.0)];
        let both: &[_] = &[("ada", -25.0), ("bob", -23.0)];
        let alone: &[_] = &[("ada", -25.0), ("bob", -70.0)];
        let chosen = follow(&mut speaker, &[(150, cough), (3_000, alone), (5_000, quiet), (5_000, both)]);
        assert_eq!(chosen, []);
    }

    #[test]
    fn nobody_is_chosen_of_who_only_breathes_and_nobody_stays_who_has_left() {
        let mut speaker = Speaker::default();
        assert_eq!(follow(&mut speaker, &[(5_000, &[("ada", -50.0), ("bob", -60.0)])]), []);
        follow(&mut speaker, &[(3_000, &[("ada", -20.0), ("bob", -40.0)])]);
        let chosen = follow(&mut speaker, &[(2_000, &[("bob", -40.0)])]);
        assert_eq!(chosen.len(), 1, "quieter than the other was, and the only one: {chosen:?}");
    }
}
