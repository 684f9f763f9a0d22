//! Pre-encoded pictures to publish, made by the ffmpeg command line, so that no sender's encoder takes part.

use crate::support::media::Clip;

/// `seconds` of H.264 of one grey, which tells publishers apart, at 30 fps with a key frame each second.
pub fn grey(luma: u8, width: u32, height: u32, seconds: u32) -> Clip {
    encode(&format!("color=c=0x{luma:02x}{luma:02x}{luma:02x}:s={width}x{height}:r=30:d={seconds}"), 200)
}

/// Something that moves, at `kbps`.
pub fn moving(width: u32, height: u32, kbps: u32, seconds: u32) -> Clip {
    encode(&format!("testsrc2=s={width}x{height}:r=30:d={seconds}"), kbps)
}

fn encode(source: &str, kbps: u32) -> Clip {
    let output = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p", "-c:v", "libx264"])
        .args([
            "-preset",
            "superfast",
            "-profile:v",
            "baseline",
            "-bf",
            "0",
            "-g",
            "30",
            "-x264-params",
            "scenecut=0:aud=1:repeat-headers=1",
        ])
        .args(["-b:v", &format!("{kbps}k"), "-maxrate", &format!("{kbps}k"), "-bufsize", &format!("{kbps}k")])
        .args(["-f", "h264", "-"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Clip::from_annexb(&output.stdout, 30)
}

/// Asks a decoder that is compiled for tests to crash: an SEI (ITU-T H.264 D.1.7) with the failpoint's UUID before the frame.
pub fn with_crash(mut clip: Clip, frame: usize) -> Clip {
    let mut sei = vec![0, 0, 0, 1, 0x06, 5, 16];
    sei.extend(b"footlight-crash!");
    sei.push(0x80);
    sei.extend(std::mem::take(&mut clip.frames[frame].data));
    clip.frames[frame].data = sei;
    clip
}
