//! Keeps a mix below a true peak (ITU-R BS.1770-4, annex 2), without a click: the gain goes down before a peak comes and slowly up again behind it. Pure.
//!
//! Samples come out [`DELAY`] later than they went in, because a peak must be seen before its first sample goes out.

use crate::decode::Pcm;
use std::collections::VecDeque;

/// What is encoded comes back with higher peaks than it went in, and is to stay below -1 dBTP. Measured on sixteen voices that shout: up to 2.9 dB higher
/// at 128 kbit/s, hence -4.5 dB, and 4.0 dB at 48 kbit/s, hence -6 dB.
const CEILING: f32 = 0.596;
const LOW_CEILING: f32 = 0.501;
/// Stereo below this has the low ceiling.
const LOW_BITRATE_BPS: u32 = 96_000;
/// 1.25 ms in which the gain comes down.
const FALL: usize = 60;
/// Samples from a sample's coming in to its going out: the fall, and the filter in which its peak may show last.
pub const DELAY: usize = FALL + TAPS;
/// For how long a peak holds the gain down: until each sample that made it is out.
const HOLD: usize = DELAY + 1;
/// How much of the gain comes back in each sample after a peak: 200 ms to come back by two thirds.
const RELEASE: f32 = 1.0 / 9_600.0;

const TAPS: usize = 12;
/// Interpolation to four times the rate, a filter for each phase (ITU-R BS.1770-4, annex 2, table of FIR coefficients); the other two are these,
/// backwards.
const PHASES: [[f32; TAPS]; 2] = [
    [
        0.001_708_984_4,
        0.010_986_328,
        -0.019_653_32,
        0.033_203_125,
        -0.059_448_242,
        0.137_329_1,
        0.972_167_97,
        -0.102_294_92,
        0.047_607_422,
        -0.026_611_328,
        0.014_892_578,
        -0.008_300_781,
    ],
    [
        -0.029_174_805,
        0.029_296_875,
        -0.051_757_813,
        0.089_111_33,
        -0.166_503_9,
        0.465_087_9,
        0.779_785_16,
        -0.200_317_38,
        0.101_562_5,
        -0.058_227_54,
        0.033_081_055,
        -0.018_920_898,
    ],
];

/// A channel's last samples, the newest last.
type History = [f32; TAPS];

/// Limits one stereo signal.
#[derive(Debug)]
pub struct Limiter {
    ceiling: f32,
    histories: [History; 2],
    /// What has come in and not gone out.
    delayed: VecDeque<[f32; 2]>,
    /// Samples so far.
    count: u64,
    /// Gains that peaks ask for, with their sample: each lower than those before it.
    held: VecDeque<(u64, f32)>,
    /// The gain as it comes back up.
    released: f32,
    /// The last gains, and their sum: their mean is what is applied.
    falling: VecDeque<f32>,
    sum: f64,
}

impl Limiter {
    /// For what is then encoded at `bitrate_bps`.
    pub fn new(bitrate_bps: u32) -> Self {
        Self {
            ceiling: if bitrate_bps < LOW_BITRATE_BPS { LOW_CEILING } else { CEILING },
            histories: [[0.0; TAPS]; 2],
            delayed: VecDeque::from(vec![[0.0; 2]; DELAY]),
            count: 0,
            held: VecDeque::new(),
            released: 1.0,
            falling: VecDeque::from(vec![1.0; FALL]),
            sum: FALL as f64,
        }
    }

    /// Puts what comes out in the place of what went in.
    pub fn limit(&mut self, pcm: &mut Pcm) {
        for (left, right) in pcm.left.iter_mut().zip(&mut pcm.right) {
            let gain = self.gain([*left, *right]);
            self.delayed.push_back([*left, *right]);
            let [out_left, out_right] = self.delayed.pop_front().unwrap_or_default();
            (*left, *right) = (out_left * gain, out_right * gain);
        }
    }

    /// The gain of the sample that goes out as this one comes in.
    fn gain(&mut self, sample: [f32; 2]) -> f32 {
        let mut peak = self.ceiling;
        for (history, sample) in self.histories.iter_mut().zip(sample) {
            history.rotate_left(1);
            history[TAPS - 1] = sample;
            peak = peak.max(true_peak(history, self.ceiling));
        }
        let wanted = self.ceiling / peak;
        self.count += 1;
        while self.held.back().is_some_and(|(_, gain)| *gain >= wanted) {
            self.held.pop_back();
        }
        self.held.push_back((self.count, wanted));
        while self.held.front().is_some_and(|(of, _)| of + HOLD as u64 <= self.count) {
            self.held.pop_front();
        }
        let least = self.held.front().map_or(1.0, |(_, gain)| *gain);
        self.released = (self.released + (1.0 - self.released) * RELEASE).min(least);
        // A mean of gains, none of which is above what the peak asks for by the time that it goes out.
        self.sum += f64::from(self.released) - f64::from(self.falling.pop_front().unwrap_or(1.0));
        self.falling.push_back(self.released);
        (self.sum / FALL as f64) as f32
    }
}

/// The largest magnitude of these samples and, where that could be above `ceiling`, of what lies between them.
fn true_peak(history: &History, ceiling: f32) -> f32 {
    let largest = history.iter().fold(0.0_f32, |largest, sample| largest.max(sample.abs()));
    // No phase makes more than 2.03 times of what it is given (the sum of its taps' magnitudes), and most of what people say is far below.
    if 2.03 * largest <= ceiling {
        return largest;
    }
    PHASES.iter().fold(largest, |largest, phase| {
        let forwards: f32 = history.iter().zip(phase).map(|(sample, tap)| sample * tap).sum();
        let backwards: f32 = history.iter().rev().zip(phase).map(|(sample, tap)| sample * tap).sum();
        largest.max(forwards.abs()).max(backwards.abs())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limited(signal: impl Iterator<Item = f32>) -> Vec<f32> {
        limited_for(128_000, signal)
    }

    fn limited_for(bitrate_bps: u32, signal: impl Iterator<Item = f32>) -> Vec<f32> {
        let left: Vec<f32> = signal.collect();
        let mut pcm = Pcm { right: left.iter().map(|sample| -sample).collect(), left };
        let mut limiter = Limiter::new(bitrate_bps);
        limiter.limit(&mut pcm);
        assert!(pcm.left.iter().zip(&pcm.right).all(|(left, right)| left == &-right), "both alike");
        pcm.left
    }

    fn highest(samples: &[f32]) -> f32 {
        samples.windows(TAPS).map(|window| true_peak(window.try_into().expect("so many"), 0.0)).fold(0.0, f32::max)
    }

    /// A tone of so many samples a period.
    fn tone(samples: usize, period: f32, level: f32, phase: f32) -> impl Iterator<Item = f32> {
        (0..samples).map(move |n| level * (std::f32::consts::TAU * (n as f32 / period) + phase).sin())
    }

    #[test]
    fn what_is_below_the_ceiling_comes_out_as_it_went_in() {
        let quiet: Vec<f32> = tone(4_800, 109.0, 0.59, 0.0).collect();
        let out = limited(quiet.iter().copied());
        assert_eq!(out[..DELAY], [0.0; DELAY]);
        assert_eq!(out[DELAY..], quiet[..quiet.len() - DELAY]);
    }

    #[test]
    fn peaks_between_samples_are_held_down_too() {
        // A quarter of the rate, sampled 45 degrees off: each sample is 3 dB below the peak between them.
        let tone: Vec<f32> = tone(4_800, 4.0, 1.0, std::f32::consts::FRAC_PI_4).collect();
        assert!(tone.iter().all(|sample| sample.abs() < 0.71) && highest(&tone) > 0.95);
        assert!(highest(&limited(tone.into_iter())) <= CEILING * 1.005);
    }

    #[test]
    fn a_low_bitrate_has_a_lower_ceiling() {
        let highest = highest(&limited_for(48_000, tone(4_800, 100.0, 1.0, 0.0)));
        assert!((LOW_CEILING * 0.95..LOW_CEILING * 1.005).contains(&highest), "{highest}");
    }

    #[test]
    fn the_gain_comes_down_without_a_click_and_back_up() {
        let loud = tone(9_600, 48.0, 0.2, 0.0).chain(tone(4_800, 48.0, 4.0, 0.0)).chain(tone(48_000, 48.0, 0.2, 0.0));
        let out = limited(loud);
        assert!(highest(&out) <= CEILING * 1.005);
        // In the millisecond before the loud part the quiet one is turned down step by step.
        let before = &out[9_600..9_600 + DELAY];
        let steepest = before.windows(2).map(|two| (two[1] - two[0]).abs()).fold(0.0, f32::max);
        assert!(steepest < 0.2 * std::f32::consts::TAU / 48.0 * 1.1, "{steepest}");
        let peak =
            |range: std::ops::Range<usize>| out[range].iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        assert!(peak(14_600..14_700) < 0.06, "still down");
        assert!(peak(62_000..62_400) > 0.19, "up again after a second");
    }

    proptest! {
        #[test]
        fn no_signal_leaves_the_ceiling(
            parts in proptest::collection::vec((1usize..300, -20.0_f32..20.0, 1.9_f32..50.0), 1..20),
        ) {
            let signal = parts.into_iter().flat_map(|(length, level, period)| tone(length, period, level, 0.3));
            let out = limited(signal);
            prop_assert!(out.iter().all(|sample| sample.abs() <= CEILING * 1.000_1), "{:?}", out.iter().fold(0.0_f32, |p, s| p.max(s.abs())));
            prop_assert!(highest(&out) <= CEILING * 1.06, "{}", highest(&out));
        }
    }
}
