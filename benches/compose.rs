#![allow(clippy::disallowed_methods, clippy::unwrap_used, dead_code, unreachable_pub)] // IO: runs processes, and reads what the kernel says of them.
//! What composing costs: CPU time of footlight's core and of the ffmpeg command line at the same work, alternately in one run. Then with layers that match
//! their tiles, which a command line does not have, and a stage with nobody on it. See `benches/README.md`.

#[path = "compose/core.rs"]
mod core;
#[path = "../tests/scenarios/harness/mod.rs"]
mod harness;
#[path = "compose/inputs.rs"]
mod inputs;
#[path = "compose/peer.rs"]
mod peer;
#[path = "../stage/tests/support/mod.rs"]
mod support;

use harness::server::{PATIENCE, Server};
use harness::usage;
use inputs::{FPS, Inputs, ffmpeg};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PAIRS: usize = 5;
/// Length of the inputs.
const SECONDS: u32 = 20;
/// For how long an empty stage is watched, after it has settled.
const IDLE: Duration = Duration::from_secs(30);
const SETTLE: Duration = Duration::from_secs(10);
/// How far the two sides' rates may be apart, as a share.
const ALIKE: f64 = 0.03;
/// Rungs that are encoded: 720p, 480p and 360p.
const RUNGS: usize = 3;

/// What one run took.
#[derive(Debug, Clone, Copy)]
struct Cost {
    cpu: f64,
    wall: f64,
    rss_mb: f64,
}

/// Ratios of our CPU time to the other's, and what else was seen.
struct Compared {
    default: f64,
    threads1: f64,
    realtime_x: f64,
    ssim_delta: f64,
    rss_mb: f64,
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    if let (Some("core"), Some(folder), Some(count), Some(rungs), Some(out)) =
        (arguments.next().as_deref(), arguments.next(), arguments.next(), arguments.next(), arguments.next())
    {
        return core::run(Path::new(&folder), count.parse().unwrap(), rungs.parse().unwrap(), Path::new(&out));
    }
    let root = tempfile::tempdir().unwrap();
    println!(
        "{:>7} {:>6} {:>9} {:>9} {:>9} {:>8} {:>8} {:>9}",
        "inputs", "rungs", "ours, s/s", "ffmpeg", "threads 1", "ratio", "ratio 1", "real time"
    );
    let mut of_four = None;
    for count in [1, 4, 9, 16] {
        let inputs = Inputs::make(root.path(), count, (1280, 720), 1_500, SECONDS);
        let compared = compare(&inputs, RUNGS, root.path());
        of_four = if count == 4 { Some(compared) } else { of_four };
    }
    let four = Inputs::make(root.path(), 4, (1280, 720), 1_500, SECONDS);
    for rungs in [1, 2, 4] {
        compare(&four, rungs, root.path());
    }
    let layers = Inputs::make(root.path(), 4, (640, 360), 500, SECONDS);
    let layered = layered(&layers, &four, root.path());
    let idle = idle().await;
    let of_four = of_four.unwrap();
    println!("layers that match their tiles: {layered:.3} of ffmpeg's CPU; an empty stage: {idle:.4} cores");
    println!(
        "{{\"cpu_ratio_default\": {:.3}, \"cpu_ratio_threads1\": {:.3}, \"cpu_ratio_layers\": {layered:.3}, \"realtime_x\": {:.2}, \"ssim_delta\": {:.4}, \"idle_core\": {idle:.4}, \"rss_mb\": {:.0}}}",
        of_four.default, of_four.threads1, of_four.realtime_x, of_four.ssim_delta, of_four.rss_mb
    );
}

fn compare(inputs: &Inputs, rungs: usize, root: &Path) -> Compared {
    let out = root.join("out");
    let mut costs: [Vec<Cost>; 3] = Default::default();
    for pair in 0..PAIRS {
        // Each side is as often the first.
        for side in (0..3).map(|side| (side + pair) % 3) {
            costs[side].push(match side {
                0 => ours(inputs, rungs, &out),
                1 => theirs(inputs, rungs, None, &out),
                _ => theirs(inputs, rungs, Some(1), &out),
            });
        }
    }
    let [own, default, one] = costs;
    let ratio = |others: &[Cost]| median(own.iter().zip(others).map(|(own, other)| own.cpu / other.cpu));
    let per_second = |costs: &[Cost]| median(costs.iter().map(|cost| cost.cpu / f64::from(SECONDS)));
    let realtime_x = median(own.iter().map(|cost| f64::from(SECONDS) / cost.wall));
    let [made, others] = qualities(inputs, &out.join("theirs"));
    assert!((made.kbps / others.kbps - 1.0).abs() < ALIKE, "{made:?}, {others:?}");
    let compared = Compared {
        default: ratio(&default),
        threads1: ratio(&one),
        realtime_x,
        ssim_delta: made.ssim - others.ssim,
        rss_mb: median(own.iter().map(|cost| cost.rss_mb)),
    };
    println!(
        "{:>7} {rungs:>6} {:>9.3} {:>9.3} {:>9.3} {:>8.3} {:>8.3} {realtime_x:>8.2}x   SSIM {:.4} and {:.4} at {:.0} and {:.0} kbit/s, {:.0} MB",
        inputs.count,
        per_second(&own),
        per_second(&default),
        per_second(&one),
        compared.default,
        compared.threads1,
        made.ssim,
        others.ssim,
        made.kbps,
        others.kbps,
        compared.rss_mb
    );
    compared
}

/// Ours with layers as large as their tiles, against ffmpeg with what senders send where there are no layers.
fn layered(layers: &Inputs, whole: &Inputs, root: &Path) -> f64 {
    let out = root.join("out");
    median((0..PAIRS).map(|_| ours(layers, RUNGS, &out).cpu / theirs(whole, RUNGS, None, &out).cpu))
}

fn ours(inputs: &Inputs, rungs: usize, out: &Path) -> Cost {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("core").arg(&inputs.folder).args([inputs.count.to_string(), rungs.to_string()]);
    cost(command.arg(empty(&out.join("ours"))))
}

/// The folder, with nothing in it.
fn empty(folder: &Path) -> &Path {
    let _first_time = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder).unwrap();
    folder
}

fn theirs(inputs: &Inputs, rungs: usize, threads: Option<u32>, out: &Path) -> Cost {
    cost(&mut peer::command(inputs, rungs, threads, empty(&out.join("theirs"))))
}

/// Runs a process to its end and asks the kernel what it took.
#[allow(clippy::zombie_processes)] // It is waited for, by who tells that, too.
fn cost(command: &mut Command) -> Cost {
    let began = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let (mut status, mut usage) = (0, std::mem::MaybeUninit::<libc::rusage>::zeroed());
    let pid = i32::try_from(child.id()).unwrap();
    // SAFETY: both are valid for writes, and the child is ours and not waited for elsewhere.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) };
    assert!(waited == pid && status == 0, "{command:?} ended with {status}");
    // SAFETY: wait4 has filled it.
    let usage = unsafe { usage.assume_init() };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Cost {
        cpu: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        wall: began.elapsed().as_secs_f64(),
        rss_mb: usage.ru_maxrss as f64 / 1_024.0,
    }
}

/// Of one side's first rung.
#[derive(Debug, Clone, Copy)]
struct Quality {
    /// Against the composed inputs.
    ssim: f64,
    kbps: f64,
}

/// Ours, and ffmpeg's.
fn qualities(inputs: &Inputs, theirs: &Path) -> [Quality; 2] {
    let own = inputs.folder.join("ours.mp4");
    let segments = std::fs::read_dir(theirs).unwrap().map(Result::unwrap);
    let first_rung = segments.filter(|file| file.file_name().to_str().unwrap().starts_with("r0-"));
    let sizes = [std::fs::metadata(&own).unwrap().len(), first_rung.map(|file| file.metadata().unwrap().len()).sum()];
    let of = |made: &Path, bytes: u64| Quality {
        ssim: ssim(inputs, made),
        kbps: bytes as f64 * 8.0 / 1_000.0 / f64::from(SECONDS),
    };
    [of(&own, sizes[0]), of(&theirs.join("r0.m3u8"), sizes[1])]
}

/// How near what was made is to the composed inputs, picture by picture.
fn ssim(inputs: &Inputs, made: &Path) -> f64 {
    let canvas = core::ladder(1).canvas;
    let said = ffmpeg(|command| {
        command.args(["-v", "info", "-nostats"]);
        for number in 0..inputs.count {
            command.arg("-i").arg(inputs.file(number));
        }
        // Pictures are numbered in one unit of time for both, or all of one side would be compared with the first of the other.
        let numbered = format!("settb=1/{FPS},setpts=N");
        let graph = format!(
            "{}{numbered}[a];[{}:v]{numbered}[b];[b][a]ssim=shortest=1",
            peer::composed(inputs, canvas),
            inputs.count
        );
        command.arg("-i").arg(made).args(["-filter_complex", &graph, "-an", "-f", "null", "-"]);
    });
    let line =
        said.lines().rfind(|line| line.contains("SSIM") && line.contains("All:")).unwrap_or_else(|| panic!("{said}"));
    let all = line.split("All:").nth(1).unwrap().split_whitespace().next().unwrap();
    all.parse().unwrap()
}

/// Cores that a live stream takes with nobody on its stage.
async fn idle() -> f64 {
    let config = "http: {listen: '127.0.0.1:0'}\nhttps: {listen: ''}\nadmin: {listen: '127.0.0.1:0'}\nwebrtc: {listen: '127.0.0.1:0'}\n";
    let server = Server::start(&["serve"], config).await;
    tokio::time::timeout(PATIENCE, server.go_live("room")).await.unwrap();
    tokio::time::sleep(SETTLE).await;
    let cores = usage::cores(&usage::family(server.pid()), IDLE).await;
    server.end().await;
    cores
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
