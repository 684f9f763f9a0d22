//! Brings a mix to a loudness (ITU-R BS.1770-4, EBU R 128), so slowly that nobody hears it being done. Pure.
//!
//! What counts is the mean of the last ten seconds in which somebody was heard, gated as EBU R 128 gates a programme: a pause neither raises the gain
//! nor makes the first word after it too loud.

use crate::decode::{Pcm, SAMPLE_RATE};
use crate::mixer::CHUNK_SAMPLES;
use ebur128::{EbuR128, Mode};
use std::collections::VecDeque;

/// Ten seconds of chunks.
const REMEMBERED: usize = 10 * SAMPLE_RATE as usize / CHUNK_SAMPLES;
/// Nobody is heard: a quiet room, its fans.
const GATE_LUFS: f64 = -50.0;
/// Of what is remembered only what is at most so far below its mean counts.
const RELATIVE_GATE_LU: f64 = 10.0;
/// A voice that needs more is too far from its microphone: its room would be heard.
const MOST_BOOST_DB: f64 = 15.0;
const MOST_CUT_DB: f64 = -30.0;
/// How fast the gain goes up, and down, in decibels a second.
const UP_DB: f64 = 2.0;
const DOWN_DB: f64 = 6.0;

/// Levels one stereo signal of 48 kHz, in chunks.
pub struct Leveller {
    target_lufs: f64,
    meter: EbuR128,
    /// Loudness of the last chunks in which somebody was heard, as power.
    heard: VecDeque<f64>,
    gain_db: f64,
}

impl Leveller {
    /// Brings what it is given to `target_lufs`.
    pub fn new(target_lufs: f64) -> Self {
        let meter = EbuR128::new(2, SAMPLE_RATE, Mode::M).expect("48 kHz of stereo can be measured");
        Self { target_lufs, meter, heard: VecDeque::new(), gain_db: 0.0 }
    }

    /// Levels the next chunk.
    pub fn level(&mut self, pcm: &mut Pcm) {
        self.measure(pcm);
        let before = self.gain_db;
        let (up, down) = (UP_DB * seconds(pcm), DOWN_DB * seconds(pcm));
        if let Some(loudness) = self.loudness() {
            let wanted = (self.target_lufs - loudness).clamp(MOST_CUT_DB, MOST_BOOST_DB);
            self.gain_db += (wanted - self.gain_db).clamp(-down, up);
        }
        let (from, to) = (linear(before), linear(self.gain_db));
        let step = (to - from) / pcm.left.len().max(1) as f32;
        for (n, (left, right)) in pcm.left.iter_mut().zip(&mut pcm.right).enumerate() {
            let gain = from + step * n as f32;
            *left *= gain;
            *right *= gain;
        }
    }

    fn measure(&mut self, pcm: &Pcm) {
        let measured =
            self.meter.add_frames_planar_f32(&[&pcm.left, &pcm.right]).and_then(|()| self.meter.loudness_momentary());
        let Ok(lufs) = measured else { return };
        if lufs.is_finite() && lufs > GATE_LUFS {
            self.heard.push_back(power(lufs));
            if self.heard.len() > REMEMBERED {
                self.heard.pop_front();
            }
        }
    }

    /// Of what is remembered, in LUFS.
    fn loudness(&self) -> Option<f64> {
        let mean = |powers: &mut dyn Iterator<Item = f64>| {
            let (sum, count) = powers.fold((0.0, 0_u32), |(sum, count), power| (sum + power, count + 1));
            (count > 0).then(|| sum / f64::from(count))
        };
        let gate = mean(&mut self.heard.iter().copied())? * power(-RELATIVE_GATE_LU);
        Some(10.0 * mean(&mut self.heard.iter().copied().filter(|power| *power >= gate))?.log10())
    }
}

fn seconds(pcm: &Pcm) -> f64 {
    pcm.left.len() as f64 / f64::from(SAMPLE_RATE)
}

fn power(decibels: f64) -> f64 {
    10.0_f64.powf(decibels / 10.0)
}

fn linear(decibels: f64) -> f32 {
    10.0_f64.powf(decibels / 20.0) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chunks of a tone of 1 kHz at so many LUFS: in stereo one of full scale has 0 (BS.1770-4: -3.01 in one channel).
    fn chunks(lufs: f64, seconds: usize) -> impl Iterator<Item = Pcm> {
        let level = linear(lufs);
        (0..seconds * SAMPLE_RATE as usize / CHUNK_SAMPLES).map(move |chunk| {
            let sample =
                |n: usize| level * (std::f32::consts::TAU * ((chunk * CHUNK_SAMPLES + n) % 48) as f32 / 48.0).sin();
            let left: Vec<f32> = (0..CHUNK_SAMPLES).map(sample).collect();
            Pcm { right: left.clone(), left }
        })
    }

    /// How loud the last three seconds are of what comes out.
    fn heard(leveller: &mut Leveller, chunks: impl Iterator<Item = Pcm>) -> f64 {
        let mut meter = EbuR128::new(2, SAMPLE_RATE, Mode::S).expect("48 kHz of stereo");
        for mut pcm in chunks {
            leveller.level(&mut pcm);
            meter.add_frames_planar_f32(&[&pcm.left, &pcm.right]).expect("it measures");
        }
        meter.loudness_shortterm().expect("it measures")
    }

    #[test]
    fn loud_and_quiet_come_out_alike() {
        for lufs in [-6.0, -16.0, -25.0, -30.0] {
            let out = heard(&mut Leveller::new(-16.0), chunks(lufs, 20));
            assert!((out + 16.0).abs() < 0.5, "{lufs} comes out as {out}");
        }
    }

    #[test]
    fn who_is_too_quiet_is_raised_by_so_much_and_no_more() {
        let out = heard(&mut Leveller::new(-16.0), chunks(-45.0, 20));
        assert!((out + 30.0).abs() < 0.5, "{out}");
    }

    #[test]
    fn a_pause_changes_nothing() {
        let mut leveller = Leveller::new(-16.0);
        heard(&mut leveller, chunks(-25.0, 20));
        let before = leveller.gain_db;
        heard(&mut leveller, chunks(-70.0, 30));
        assert!((leveller.gain_db - before).abs() < 0.5, "{before} became {}", leveller.gain_db);
    }

    #[test]
    fn the_gain_moves_slowly_and_without_steps() {
        let mut leveller = Leveller::new(-16.0);
        let mut last = None;
        for mut pcm in chunks(-40.0, 5) {
            let before = pcm.left.clone();
            leveller.level(&mut pcm);
            for (raw, out) in before.iter().zip(&pcm.left).filter(|(raw, _)| raw.abs() > 0.005) {
                let gain = out / raw;
                assert!((gain - last.unwrap_or(gain)).abs() < 0.001, "a step to {gain}");
                last = Some(gain);
            }
        }
        assert!((leveller.gain_db - 10.0).abs() < 0.2, "2 dB a second: {}", leveller.gain_db);
    }
}
