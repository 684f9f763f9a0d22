#![allow(clippy::unwrap_used)]
//! No segment takes more than its variant's BANDWIDTH says (RFC 8216bis section 4.4.6.2), also where a picture that has stood for long begins to move all at once.

use footlight_packager::encode::VideoEncoder;
use footlight_packager::ffmpeg::{Picture, whole};
use footlight_packager::ladder::{
    AudioRendition, Rung, SEGMENT_SECONDS, VideoCodec, peak_bandwidth_bps, peak_sound_bps,
};
use footlight_packager::layout::Size;

const FPS: u32 = 30;
/// Ticks of a picture that stands, of which those after the first second are not encoded but repeated; and of pictures that move.
const STILL: u32 = 60;
const MOVING: u32 = 150;

/// A picture of much detail that is elsewhere in each, and grain.
fn moving(size: Size, number: u32) -> Picture {
    let mut seed = number.wrapping_mul(2_654_435_761) | 1;
    let mut grain = move || {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        (seed % 48) as u8
    };
    let mut rows = Picture::black(size);
    let noise: Vec<u8> = (0..size.width * size.height).map(|_| grain()).collect();
    rows.paint(whole(size), |plane, x, y| {
        let at = (y * size.width as usize + x) % noise.len();
        let edge = ((x + 7 * number as usize) / 24 + y / 18).is_multiple_of(2);
        if plane == 0 { 60 + noise[at] + if edge { 90 } else { 0 } } else { 110 + noise[at] / 2 }
    });
    rows
}

#[test]
fn no_segment_takes_more_than_its_variant_says() {
    footlight_packager::ffmpeg::quiet();
    let audio = AudioRendition { name: "audio".into(), bitrate_bps: 48_000 };
    for codec in [VideoCodec::Libx264, VideoCodec::Libx265, VideoCodec::LibaomAv1] {
        for (width, height, bitrate_bps) in [(416, 234, 110_000), (848, 480, 1_200_000)] {
            let size = Size { width, height };
            let (name, preset) = (format!("{height}p"), "superfast".into());
            let rung = Rung { name, size, bitrate_bps, codec, preset, audio: "audio".into() };
            let mut encoder = VideoEncoder::new(&rung, FPS).unwrap();
            let still = Picture::black(size);
            let mut segments = vec![0_u64; ((STILL + MOVING) / (FPS * SEGMENT_SECONDS)) as usize + 1];
            for tick in (0..STILL + MOVING).filter(|tick| !(FPS..STILL).contains(tick)) {
                let moved = (tick >= STILL).then(|| moving(size, tick));
                let picture = moved.as_ref().unwrap_or(&still);
                let unit = encoder.encode(picture, tick.into(), tick % FPS == 0).unwrap();
                segments[(tick / (FPS * SEGMENT_SECONDS)) as usize] += unit.data.len() as u64 * 8;
            }
            let rates: Vec<u64> = segments.iter().map(|bits| bits / u64::from(SEGMENT_SECONDS)).collect();
            let most = peak_bandwidth_bps(&rung, &audio) - peak_sound_bps(&audio);
            println!("{} {height}p: {rates:?} of {most}", codec.name());
            assert!(rates.iter().all(|rate| *rate <= most), "{} {height}p: {rates:?} of {most}", codec.name());
        }
    }
}
