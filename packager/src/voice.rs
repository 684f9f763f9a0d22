//! Decodes one voice with libopus: unlike FFmpeg's own decoder, which costs less, it says again what a later packet repeats of a lost one (in-band FEC,
//! RFC 6716 section 2.1.7) and goes on from what was heard where nothing does.

use crate::decode::Pcm;
use crate::ffmpeg::FfmpegError;
use crate::opus;
use crate::stretch::Stretcher;
use opusic_c::{Channels, Decoder, ErrorCode, SampleRate};

/// Samples of the longest packet: 120 ms (RFC 6716 section 2.1.4).
const LONGEST_PACKET: i64 = 5_760;
/// What is missing for longer was a pause; and what is made up for longer sounds like a robot.
const LONGEST_CONCEALMENT: i64 = LONGEST_PACKET;
/// libopus makes up multiples of 2.5 ms.
const STEP: i64 = 120;

/// Decodes the packets of one peer.
pub struct VoiceDecoder {
    decoder: Decoder,
    stretcher: Stretcher,
    /// Left and right, one after the other.
    decoded: Vec<f32>,
}

impl VoiceDecoder {
    /// A decoder into 48 kHz stereo, whatever was sent.
    pub fn new() -> Result<Self, FfmpegError> {
        let decoder = Decoder::new(Channels::Stereo, SampleRate::Hz48000)
            .map_err(|error| FfmpegError::Setup { what: "decoder libopus".into(), cause: error.message().into() })?;
        let decoded = vec![0.0; 2 * usize::try_from(LONGEST_PACKET).expect("5,760")];
        Ok(Self { decoder, stretcher: Stretcher::new(), decoded })
    }

    /// Decodes one packet, longer by `stretch` samples (shorter where negative). No sample is beyond full scale but for what a stretch puts between two.
    pub fn decode(&mut self, packet: &[u8], stretch: i32) -> Result<Pcm, FfmpegError> {
        // An empty packet would be taken for a lost one.
        let samples = opus::samples(packet).ok_or_else(|| FfmpegError::Input("no Opus packet".into()))?;
        self.run(packet, samples, stretch, false)
    }

    /// What was most likely said in the [`concealable`] samples before `next`.
    pub fn conceal(&mut self, samples: i64, next: &[u8]) -> Result<Pcm, FfmpegError> {
        // As above.
        opus::samples(next).ok_or_else(|| FfmpegError::Input("no Opus packet".into()))?;
        self.run(next, samples, 0, true)
    }

    fn run(&mut self, packet: &[u8], samples: i64, stretch: i32, fec: bool) -> Result<Pcm, FfmpegError> {
        let refused = |error: ErrorCode| FfmpegError::Input(error.message().into());
        let room = 2 * usize::try_from(samples).expect("at most 5,760");
        let got = self.decoder.decode_float_to_slice(packet, &mut self.decoded[..room], fec).map_err(refused)?;
        let mut pcm = Pcm::default();
        let decoded = &mut self.decoded[..2 * got];
        decoded.iter_mut().for_each(|sample| *sample = full_scale(*sample));
        self.stretcher.append(decoded.as_chunks::<2>().0, stretch, &mut pcm);
        Ok(pcm)
    }
}

/// How much can be made up where so many samples are missing: `None` where that is nothing, or a pause.
pub fn concealable(missing: i64) -> Option<i64> {
    let samples = missing.saturating_add(STEP / 2) / STEP * STEP;
    (STEP..=LONGEST_CONCEALMENT).contains(&samples).then_some(samples)
}

/// What Opus predicts may be much louder than anything that was sent.
const fn full_scale(sample: f32) -> f32 {
    if sample.is_nan() { 0.0 } else { sample.clamp(-1.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opusic_c::{Application, Bitrate, Encoder, InbandFec};

    const PACKET: usize = 960;

    /// Silence, then a buzz such as vocal cords make, from packet 60 on: nothing before tells of it.
    fn begins(number: usize) -> Vec<f32> {
        let level = if number >= 60 { 0.1 } else { 0.0 };
        let at = |n: usize| std::f32::consts::TAU * ((number * PACKET + n) % 320) as f32 / 320.0;
        (0..PACKET)
            .map(|n| level * (1..12_u8).map(|harmonic| (f32::from(harmonic) * at(n)).cos()).sum::<f32>())
            .collect()
    }

    fn steady(number: usize) -> Vec<f32> {
        (0..PACKET)
            .map(|n| 0.5 * (std::f32::consts::TAU * ((number * PACKET + n) % 120) as f32 / 120.0).sin())
            .collect()
    }

    fn encoded(signal: impl Fn(usize) -> Vec<f32>, fec: InbandFec) -> Vec<Vec<u8>> {
        let mut encoder = Encoder::new(Channels::Mono, SampleRate::Hz48000, Application::Voip).expect("opens");
        encoder.set_bitrate(Bitrate::Value(24_000)).expect("a bitrate");
        encoder.set_inband_fec(fec).expect("is known");
        encoder.set_packet_loss(30).expect("per cent");
        let mut encode = |number| {
            let mut out = vec![0; 1_500];
            let length = encoder.encode_float_to_slice(&signal(number), &mut out).expect("encodes");
            out.truncate(length);
            out
        };
        (0..100).map(&mut encode).collect()
    }

    /// How loud what is heard is where packet 60 should be, which is lost.
    fn loudness_of_the_lost(packets: &[Vec<u8>]) -> f32 {
        let mut decoder = VoiceDecoder::new().expect("opens");
        for packet in &packets[..60] {
            decoder.decode(packet, 0).expect("decodes");
        }
        let lost = decoder.conceal(960, &packets[61]).expect("decodes").left;
        assert_eq!(lost.len(), PACKET);
        (lost.iter().map(|sample| sample * sample).sum::<f32>() / PACKET as f32).sqrt()
    }

    #[test]
    fn what_the_next_packet_repeats_is_heard() {
        let (with, without) = (encoded(begins, InbandFec::Mode1), encoded(begins, InbandFec::Off));
        let [with, without] = [with, without].map(|packets| loudness_of_the_lost(&packets));
        assert!(with > 0.1, "{with}");
        assert!(without < 0.05, "nobody could know of it: {without}");
    }

    #[test]
    fn what_nothing_repeats_goes_on() {
        let heard = loudness_of_the_lost(&encoded(steady, InbandFec::Off));
        assert!((0.1..0.5).contains(&heard), "the tone has 0.35: {heard}");
    }

    #[test]
    fn a_pause_is_not_made_up() {
        for missing in [i64::MIN, -960, 0, 59, 5_820, 19_200, i64::MAX] {
            assert_eq!(concealable(missing), None, "{missing}");
        }
        assert_eq!([60, 958, 960, 5_819].map(concealable), [120, 960, 960, 5_760].map(Some));
    }

    #[test]
    fn what_is_no_packet_is_refused_and_what_follows_is_heard() {
        let packets = encoded(steady, InbandFec::Off);
        let mut decoder = VoiceDecoder::new().expect("opens");
        for bytes in [&[][..], &[0xff], &[0x83, 0x00], &[0xff, 0xff, 0xff]] {
            assert!(decoder.decode(bytes, 0).is_err(), "{bytes:02x?}");
        }
        let heard: usize = (0..10).map(|n| decoder.decode(&packets[n], 12).expect("decodes").left.len()).sum();
        assert_eq!(heard, 10 * (PACKET + 12));
    }
}
