//! The other side: the ffmpeg command line at the same work. The same tiles, the same x264 settings, the same cuts.

use super::core::ladder;
use super::inputs::{FPS, Inputs};
use footlight_media::track::{Contributor, PeerKey};
use footlight_packager::layout::{Layout, Size};
use std::path::Path;
use std::process::Command;

const X264: &str =
    "scenecut=0:bframes=0:rc-lookahead=0:sync-lookahead=0:mbtree=0:sliced-threads=0:open-gop=0:force-cfr=1";

/// ffmpeg with so many rungs, writing into `out`. `threads` of each encoder; `None`: as many as it likes.
pub fn command(inputs: &Inputs, rungs: usize, threads: Option<u32>, out: &Path) -> Command {
    let ladder = ladder(rungs);
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-y", "-nostdin"]);
    for number in 0..inputs.count {
        command.arg("-i").arg(inputs.file(number));
    }
    let scaled: String = (0..rungs).map(|rung| scale(rung, ladder.rungs[rung].size, ladder.canvas)).collect();
    let split: String = (0..rungs).map(|rung| format!("[c{rung}]")).collect();
    let sounds: String = (0..inputs.count).map(|number| format!("[{number}:a]")).collect();
    let mix = format!("{sounds}amix=inputs={}:normalize=0,alimiter=limit=0.7:level=0[mix]", inputs.count);
    let graph = format!("{}split={rungs}{split};{scaled}{mix}", composed(inputs, ladder.canvas));
    command.args(["-filter_complex", &graph]);
    for (number, rung) in ladder.rungs.iter().enumerate() {
        let (bitrate, most, buffer) =
            (rung.bitrate_bps.to_string(), rung.maxrate_bps().to_string(), rung.buffer_bits().to_string());
        command.args(["-map", &format!("[r{number}]")]);
        let option = |name: &str| format!("-{name}:v:{number}");
        command.args([&option("b"), &bitrate, &option("maxrate"), &most, &option("bufsize"), &buffer]);
    }
    command.args(["-map", "[mix]", "-c:v", "libx264", "-preset", "superfast", "-bf", "0", "-g", "30"]);
    command.args(["-forced-idr", "1", "-force_key_frames", "expr:gte(t,n_forced)", "-x264-params", X264]);
    if let Some(threads) = threads {
        command.args(["-threads:v", &threads.to_string()]);
    }
    command.args(["-c:a", "aac", "-b:a", "128k", "-ac", "2", "-f", "hls", "-hls_time", "2", "-hls_list_size", "0"]);
    command.args(["-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", "init.mp4"]);
    let streams: Vec<String> = (0..rungs).map(|rung| format!("v:{rung},name:r{rung}")).collect();
    command.args(["-var_stream_map", &format!("{} a:0,name:audio", streams.join(" "))]);
    command.args(["-hls_segment_filename"]).arg(out.join("%v-%d.m4s")).arg(out.join("%v.m3u8"));
    command
}

fn scale(rung: usize, size: Size, canvas: Size) -> String {
    let Size { width, height } = size;
    match size == canvas {
        true => format!("[c{rung}]null[r{rung}];"),
        false => format!("[c{rung}]scale={width}:{height}:flags=area[r{rung}];"),
    }
}

/// The filters that put every input into the tile that our layout gives it. What comes out has no name yet.
pub fn composed(inputs: &Inputs, canvas: Size) -> String {
    let people: Vec<Contributor> = (0..inputs.count).map(|number| PeerKey(number.to_string()).into()).collect();
    let places = Layout::default().places(canvas, &people.iter().collect::<Vec<_>>(), None);
    let Size { width, height } = canvas;
    if let [only] = &places[..] {
        let Size { width: w, height: h } = only.rect.size;
        return format!(
            "[0:v]scale={w}:{h}:flags=area,pad={width}:{height}:{}:{},fps={FPS},",
            only.rect.x, only.rect.y
        );
    }
    let tiles: String = places
        .iter()
        .map(|place| {
            let Size { width, height } = place.rect.size;
            format!("[{0}:v]scale={width}:{height}:flags=area[t{0}];", place.source)
        })
        .collect();
    let names: String = places.iter().map(|place| format!("[t{}]", place.source)).collect();
    let corners: Vec<String> = places.iter().map(|place| format!("{}_{}", place.rect.x, place.rect.y)).collect();
    format!(
        "{tiles}{names}xstack=inputs={}:layout={}:fill=black,pad={width}:{height}:0:0,fps={FPS},",
        places.len(),
        corners.join("|")
    )
}
