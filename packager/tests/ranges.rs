#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // IO: FFmpeg's command makes the pictures.
//! Samples of full range, from 0 to 255, become limited ones, from 16 to 235, whatever the codec says of them and however.

use footlight_media::codec::Codec;
use footlight_media::time::SessionTime;
use footlight_packager::decode::VideoDecoder;
use footlight_packager::ffmpeg::{Picture, Scaler, whole};
use footlight_packager::layout::Size;
use footlight_packager::snapshot;
use std::process::Command;

const SIZE: Size = Size { width: 64, height: 64 };

/// A picture of one grey, `luma` in full range, as a decoder gives it.
fn decoded(codec: Codec, encoder: &str, luma: u8) -> Picture {
    let source = format!("color=black:s=64x64,format=yuvj420p,geq=lum={luma}:cb=128:cr=128");
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-f", "lavfi", "-i", &source, "-frames:v", "1", "-pix_fmt", "yuvj420p"]);
    command.args(["-color_range", "pc", "-c:v", encoder, "-b:v", "1M"]);
    command.args(if codec == Codec::H264 { ["-bf", "0"] } else { ["-lag-in-frames", "0"] });
    let container = if codec == Codec::H264 { "h264" } else { "ivf" };
    let output = command.args(["-strict", "-2", "-f", container, "-"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // IVF's headers: 32 bytes of the file, 12 of the frame.
    let frame = if codec == Codec::H264 { &output.stdout[..] } else { &output.stdout[44..] };
    VideoDecoder::new(codec).unwrap().decode(frame, SessionTime::ZERO).unwrap().unwrap().1
}

#[test]
fn full_range_becomes_limited() {
    for (codec, encoder) in [(Codec::H264, "libx264"), (Codec::Vp9, "libvpx-vp9"), (Codec::Av1, "libaom-av1")] {
        for (full, limited) in [(0, 16), (128, 126), (255, 235)] {
            let picture = decoded(codec, encoder, full);
            let mut drawn = Picture::black(SIZE);
            Scaler::default().draw(&picture, &mut drawn, whole(SIZE)).unwrap();
            let (luma, stride) = drawn.plane(0);
            let got = luma[32 * stride + 32];
            assert!(got.abs_diff(limited) <= 2, "{codec:?}: {full} became {got}, not {limited}");
            let jpeg = snapshot::jpeg(&picture).unwrap();
            let shot = image::load_from_memory(&jpeg).unwrap().to_rgb8().get_pixel(32, 32).0;
            assert!(shot.iter().all(|byte| byte.abs_diff(full) <= 4), "{codec:?}: {full} is {shot:?} in a snapshot");
        }
    }
}
