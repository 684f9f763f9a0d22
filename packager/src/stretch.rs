//! Makes a packet of sound a little longer or shorter, and leaves it as it is where nothing is asked: most packets, so that sixteen voices cost what their
//! decoding costs. Pure.
//!
//! Sound comes out [`DELAY`] samples later than it went in, stretched or not, so that a stretch begins and ends without a click.

use crate::decode::Pcm;

/// Samples on each side of a place between samples that are looked at: with a Hann window enough for an error of -79 dB at 3 kHz, -67 dB at 10 kHz.
const SIDE: usize = 12;
const TAPS: usize = 2 * SIDE;
/// Samples from a sample's coming in to its going out: a quarter of a millisecond.
const DELAY: usize = SIDE;
/// Places between two samples; between two places weights are interpolated.
const PLACES: usize = 256;

/// Stretches one stereo signal.
pub(crate) struct Stretcher {
    /// Of the samples around a place between two samples, the earliest first; for each of [`PLACES`] and the next sample itself.
    weights: Vec<[f32; TAPS]>,
    /// What came last, and after it what comes: left and right.
    channels: [Vec<f32>; 2],
}

impl Stretcher {
    pub(crate) fn new() -> Self {
        Self { weights: (0..=PLACES).map(weights).collect(), channels: [vec![0.0; TAPS], vec![0.0; TAPS]] }
    }

    /// Takes samples of both channels, and appends as many to `pcm`, or `stretch` more. Of nothing there is nothing to stretch.
    pub(crate) fn append(&mut self, came: &[[f32; 2]], stretch: i32, pcm: &mut Pcm) {
        let length = came.len();
        let wanted = length.saturating_add_signed(isize::try_from(stretch).unwrap_or(0));
        for (channel, out) in [&mut pcm.left, &mut pcm.right].into_iter().enumerate() {
            let samples = &mut self.channels[channel];
            samples.extend(came.iter().map(|both| both[channel]));
            let first = TAPS - DELAY;
            if wanted == length || length == 0 {
                out.extend_from_slice(&samples[first..first + length]);
            } else {
                let step = length as f64 / wanted as f64;
                out.extend((0..wanted).map(|n| between(samples, &self.weights, first as f64 + n as f64 * step)));
            }
            samples.drain(..length);
        }
    }
}

/// The sample at `place`, of which as many are known on each side as it takes.
fn between(samples: &[f32], weights: &[[f32; TAPS]], place: f64) -> f32 {
    let fine = place.fract() * PLACES as f64;
    let (row, share) = (fine as usize, fine.fract() as f32);
    // The earliest is `SIDE - 1` before the sample before the place.
    let from = place as usize + 1 - SIDE;
    let around = &samples[from..from + TAPS];
    let sum = |weights: &[f32; TAPS]| around.iter().zip(weights).map(|(sample, weight)| sample * weight).sum::<f32>();
    sum(&weights[row]) * (1.0 - share) + sum(&weights[row + 1]) * share
}

/// A sine over its argument, in a Hann window, which together weigh as much as one sample.
fn weights(place: usize) -> [f32; TAPS] {
    let place = place as f64 / PLACES as f64;
    let raw: [f64; TAPS] = std::array::from_fn(|tap| {
        let from = tap as f64 - (SIDE - 1) as f64 - place;
        let window = (std::f64::consts::FRAC_PI_2 * from / SIDE as f64).cos();
        sinc(from) * window * window
    });
    let sum: f64 = raw.iter().sum();
    raw.map(|weight| (weight / sum) as f32)
}

fn sinc(x: f64) -> f64 {
    let x = std::f64::consts::PI * x;
    if x.abs() < 1e-9 { 1.0 } else { x.sin() / x }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: usize = 960;

    fn tone(hz: f64, at: f64) -> f32 {
        (0.5 * (std::f64::consts::TAU * hz * at / 48_000.0).sin()) as f32
    }

    /// Packets of a tone through one stretcher, each stretched by what is said for it.
    fn stretched(hz: f64, stretches: &[i32]) -> Vec<f32> {
        let (mut stretcher, mut out) = (Stretcher::new(), Pcm::default());
        for (number, stretch) in stretches.iter().enumerate() {
            let sample = |n| tone(hz, (number * PACKET + n) as f64);
            let packet: Vec<[f32; 2]> = (0..PACKET).map(|n| [sample(n), -sample(n)]).collect();
            stretcher.append(&packet, *stretch, &mut out);
        }
        assert!(out.left.iter().zip(&out.right).all(|(left, right)| *left == -right));
        out.left
    }

    #[test]
    fn what_is_not_stretched_comes_out_as_it_came() {
        let out = stretched(997.0, &[0; 4]);
        assert_eq!(out.len(), 4 * PACKET);
        assert_eq!(out[..DELAY], [0.0; DELAY]);
        assert!(out[DELAY..].iter().enumerate().all(|(n, sample)| *sample == tone(997.0, n as f64)));
    }

    /// Against the tone itself, read at the places that the stretches mean; so no click, and nothing lost of what is high.
    #[test]
    fn what_is_stretched_is_the_same_sound_without_a_click() {
        for (hz, worst) in [(440.0, -90.0), (3_000.0, -75.0), (10_000.0, -65.0), (16_000.0, -55.0)] {
            for stretches in [[0, 12, 12, 0, 0], [0, -12, -12, 0, 0], [24, 24, 1, -1, -24]] {
                let out = stretched(hz, &stretches);
                let mut expected = Vec::new();
                for (number, stretch) in stretches.iter().enumerate() {
                    let wanted = PACKET.saturating_add_signed(*stretch as isize);
                    let step = PACKET as f64 / wanted as f64;
                    let begin = (number * PACKET) as f64 - DELAY as f64;
                    expected.extend((0..wanted).map(|n| begin + n as f64 * step));
                }
                assert_eq!(out.len(), expected.len());
                // The first packet begins out of nothing.
                let errors = out.iter().zip(&expected).skip(4 * TAPS).map(|(got, at)| (got - tone(hz, *at)).abs());
                let decibels = 20.0 * (errors.fold(0.0, f32::max) / 0.5).log10();
                assert!(decibels < worst, "{hz} Hz, {stretches:?}: {decibels} dB");
            }
        }
    }

    #[test]
    fn whatever_is_asked_there_are_samples_for_it() {
        let (mut stretcher, mut out) = (Stretcher::new(), Pcm::default());
        for (length, stretch) in [(0, 0), (0, 5), (1, 1), (1, -1), (120, 3), (5_760, -144), (3, -7), (2, 40)] {
            let before = out.left.len();
            stretcher.append(&vec![[0.25; 2]; length], stretch, &mut out);
            let wanted = if length == 0 { 0 } else { length.saturating_add_signed(stretch as isize) };
            assert_eq!(out.left.len() - before, wanted, "{length} {stretch}");
        }
        assert!(out.left.iter().all(|sample| (-0.1..0.3).contains(sample)));
    }
}
