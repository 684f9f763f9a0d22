//! Cuts one rendition into segments and parts, by counting alone: ticks of the canvas for video, AAC frames for audio. Nothing that a
//! peer sends or omits moves a cut.
//!
//! A rendition is a row of *units* of equal length (a canvas tick, an AAC frame), numbered from the stream's start. Part `p` of the stream
//! begins at unit `cut.first_unit(p)`, and every [`PARTS_PER_SEGMENT`] parts make a segment, so that all renditions have the same
//! part and segment numbers and boundaries within one audio frame of each other.

use crate::cmaf::{self, DECODE_TIME_BASE_SECONDS, Sample};
use crate::ladder::PARTS_PER_SEGMENT;
use bytes::{Bytes, BytesMut};
use footlight_media::time::Timescale;
use serde::{Deserialize, Serialize};

/// Samples of an AAC-LC frame, and the encoder's delay: what is heard at a frame's time lies one frame earlier in the mix.
pub const AAC_FRAME_SAMPLES: u32 = 1024;

/// How a rendition is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    timescale: Timescale,
    /// Ticks of the timescale that one unit lasts.
    unit: u32,
    /// Units of six parts, times two, because AAC has 93.75 frames in two seconds: kept as a fraction `units_num / units_den` per part.
    units_num: u64,
    units_den: u64,
    /// Presentation of unit 0 relative to the stream's zero, in ticks: one AAC frame of priming.
    lead: i64,
}

impl Cut {
    /// Video of `fps` frames a second, which divides 90,000 (see `Ladder::check`): part p begins at frame floor(p x fps / 3).
    pub fn video(fps: u32) -> Self {
        Self { timescale: Timescale::VIDEO, unit: 90_000 / fps, units_num: u64::from(fps), units_den: 3, lead: 0 }
    }

    /// AAC-LC at 48 kHz: part p begins at frame floor(p x 16,000 / 1,024), never inside a frame.
    pub fn audio() -> Self {
        Self {
            timescale: Timescale::AUDIO_48K,
            unit: AAC_FRAME_SAMPLES,
            units_num: 16_000,
            units_den: u64::from(AAC_FRAME_SAMPLES),
            lead: -i64::from(AAC_FRAME_SAMPLES),
        }
    }

    /// The unit with which part `part` of the stream begins.
    pub const fn first_unit(self, part: u64) -> u64 {
        part.saturating_mul(self.units_num) / self.units_den
    }

    /// The part that `unit` is of.
    pub const fn part_of(self, unit: u64) -> u64 {
        (unit.saturating_add(1).saturating_mul(self.units_den) - 1) / self.units_num
    }

    /// Whether a part begins with `unit`.
    pub const fn begins_part(self, unit: u64) -> bool {
        self.first_unit(self.part_of(unit)) == unit
    }

    /// Ticks that `units` last.
    pub fn ticks(self, units: u64) -> u64 {
        units * u64::from(self.unit)
    }

    /// Seconds that `units` last.
    #[allow(clippy::cast_precision_loss)] // exact below 2^53 ticks, three thousand years
    pub fn seconds(self, units: u64) -> f64 {
        self.ticks(units) as f64 / f64::from(self.timescale.ticks_per_second())
    }

    /// Microseconds from the stream's zero to the presentation of `unit`, rounded down. Negative for the first audio frame.
    pub fn micros_from_start(self, unit: u64) -> i64 {
        let ticks = i64::try_from(self.ticks(unit)).unwrap_or(i64::MAX).saturating_add(self.lead);
        footlight_media::time::SessionTime::from_ticks(ticks, self.timescale).as_micros()
    }

    /// tfdt of `unit`: the base of ten seconds, its place, and the priming.
    pub fn decode_time(self, unit: u64) -> u64 {
        let base = DECODE_TIME_BASE_SECONDS * u64::from(self.timescale.ticks_per_second());
        (base + self.ticks(unit)).saturating_add_signed(self.lead)
    }
}

/// A finished part: one CMAF chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its number in the stream, the same in all renditions.
    pub number: u64,
    /// First unit.
    pub first_unit: u64,
    /// How many units.
    pub units: u64,
    /// Whether it begins with a key frame (INDEPENDENT=YES). Every audio part does.
    pub independent: bool,
    /// moof and mdat.
    pub bytes: Bytes,
}

/// What [`Segmenter::push`] finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The part.
    pub part: Part,
    /// The bytes of the whole segment, where the part was its last.
    pub segment: Option<Bytes>,
}

/// One unit of a rendition.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Its number since the stream's start.
    pub number: u64,
    /// `None` where a late rung left it out: the sample before it lasts longer.
    pub access_unit: Option<AccessUnit>,
}

/// The bytes of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessUnit {
    /// Whether a decoder can begin here.
    pub key: bool,
    /// As in [`Sample::data`].
    pub data: Bytes,
}

/// Turns units into parts and segments. Units come in order, each once.
#[derive(Debug)]
pub struct Segmenter {
    cut: Cut,
    /// Number of the part that is being filled.
    part: u64,
    /// mfhd's number of the next chunk.
    sequence: u32,
    samples: Vec<Sample>,
    /// Finished parts of the open segment.
    segment: BytesMut,
}

impl Segmenter {
    /// Begins at the first unit of part `part`, which need not be the first of a segment: after a restart the rest of the segment is one of its
    /// own.
    pub fn new(cut: Cut, part: u64) -> Self {
        Self { cut, part, sequence: 1, samples: Vec::new(), segment: BytesMut::new() }
    }

    /// Number of the part that is being filled: all before it are finished.
    pub const fn part(&self) -> u64 {
        self.part
    }

    /// The finished parts of a segment that will not be completed; `None` where none is open.
    pub fn open_segment(&mut self) -> Option<Bytes> {
        (!self.segment.is_empty()).then(|| self.segment.split().freeze())
    }

    /// Takes the next unit; answers with the part that it completed. A part of which the encoder left out every unit but the first is one
    /// long sample; one with no sample at all cannot be (boundary ticks are never dropped), and would be skipped.
    pub fn push(&mut self, unit: Unit) -> Option<Finished> {
        let end = self.cut.first_unit(self.part + 1);
        match (unit.access_unit, self.samples.last_mut()) {
            (Some(AccessUnit { key, data }), _) => {
                self.samples.push(Sample { duration: self.cut.unit, key, data });
            }
            (None, Some(last)) => last.duration += self.cut.unit,
            (None, None) => {}
        }
        if unit.number + 1 < end {
            return None;
        }
        let number = self.part;
        self.part += 1;
        let samples = std::mem::take(&mut self.samples);
        let independent = samples.first()?.key;
        let first_unit = self.cut.first_unit(number);
        let bytes = cmaf::chunk(self.sequence, self.cut.decode_time(first_unit), &samples);
        self.sequence += 1;
        self.segment.extend_from_slice(&bytes);
        let last_of_segment = self.part.is_multiple_of(u64::from(PARTS_PER_SEGMENT));
        Some(Finished {
            part: Part { number, first_unit, units: end - first_unit, independent, bytes },
            segment: last_of_segment.then(|| self.segment.split().freeze()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(cut: Cut, from_part: u64, units: std::ops::Range<u64>, skipped: &[u64]) -> Vec<Finished> {
        let mut segmenter = Segmenter::new(cut, from_part);
        units
            .filter_map(|number| {
                let data = Bytes::from(vec![u8::try_from(number % 251).expect("below 251")]);
                let access_unit = (!skipped.contains(&number)).then_some(AccessUnit { key: number % 30 == 0, data });
                segmenter.push(Unit { number, access_unit })
            })
            .collect()
    }

    #[test]
    fn video_is_cut_each_ten_ticks_and_each_sixty() {
        let parts = run(Cut::video(30), 0, 0..120, &[]);
        assert_eq!(parts.len(), 12);
        assert!(parts.iter().all(|f| f.part.units == 10));
        let whole: Vec<_> = parts.iter().filter(|f| f.segment.is_some()).map(|f| f.part.number).collect();
        assert_eq!(whole, [5, 11]);
        let independent: Vec<_> = parts.iter().filter(|f| f.part.independent).map(|f| f.part.number).collect();
        assert_eq!(independent, [0, 3, 6, 9], "a key frame a second");
    }

    #[test]
    fn audio_is_cut_between_frames_and_no_part_is_longer_than_the_target() {
        let cut = Cut::audio();
        let parts = run(cut, 0, 0..375, &[]); // 8 s: where the pattern of four segments repeats
        let units: Vec<u64> = parts.iter().map(|f| f.part.units).collect();
        assert!(units.iter().all(|u| [15, 16].contains(u)), "{units:?}");
        let segments: Vec<u64> = units.chunks(6).map(|s| s.iter().sum()).collect();
        assert_eq!(segments, [93, 94, 94, 94]);
        assert!(cut.seconds(16) < 0.342 && cut.seconds(15) >= 0.342 * 0.85);
    }

    #[test]
    fn a_segment_is_the_concatenation_of_its_parts() {
        let parts = run(Cut::video(30), 0, 0..60, &[]);
        let joined: Vec<u8> = parts.iter().flat_map(|f| f.part.bytes.to_vec()).collect();
        assert_eq!(parts[5].segment.as_deref(), Some(&joined[..]));
    }

    #[test]
    fn a_tick_left_out_lengthens_the_sample_before_it_and_moves_no_cut() {
        use mp4_atom::{Decode, Moof};
        let parts = run(Cut::video(30), 0, 0..20, &[4, 5, 9]);
        let moof = Moof::decode(&mut &parts[0].part.bytes[..]).expect("a chunk");
        let durations: Vec<_> = moof.traf[0].trun[0].samples.iter().map(|e| e.duration.expect("given")).collect();
        assert_eq!(durations, [3000, 3000, 3000, 9000, 3000, 3000, 6000]);
        assert_eq!(parts[1].part.first_unit, 10);
    }

    #[test]
    fn after_a_restart_the_rest_of_the_segment_is_one_of_its_own() {
        let parts = run(Cut::video(30), 4, 40..120, &[]);
        let segments: Vec<_> = parts.iter().filter(|f| f.segment.is_some()).map(|f| f.part.number).collect();
        assert_eq!(segments, [5, 11]);
        assert_eq!(parts[0].part.first_unit, 40);
    }

    #[test]
    fn decode_times_have_the_base_and_the_priming() {
        assert_eq!(Cut::video(30).decode_time(0), 900_000);
        assert_eq!(Cut::audio().decode_time(0), 480_000 - 1_024);
        assert_eq!(Cut::audio().micros_from_start(0), -21_334, "rounded down");
        assert_eq!(Cut::video(30).micros_from_start(60), 2_000_000);
    }
}
