//! What the kernel says of processes.

use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::path::Path;
use std::time::{Duration, Instant};

/// Ticks a second of /proc/PID/stat: USER_HZ, the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// A process and its children.
pub fn family(pid: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let children = threads.flat_map(|thread| {
        let children = read_to_string(thread.unwrap().path().join("children")).unwrap_or_default();
        children.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<u32>>()
    });
    std::iter::once(pid).chain(children).collect()
}

/// User and system time of some processes over a while, in cores.
pub async fn cores(pids: &[u32], over: Duration) -> f64 {
    let total = || pids.iter().map(|pid| cpu_seconds(*pid)).sum::<f64>();
    let (before, began) = (total(), Instant::now());
    tokio::time::sleep(over).await;
    (total() - before) / began.elapsed().as_secs_f64()
}

fn cpu_seconds(pid: u32) -> f64 {
    let stat = read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name may hold spaces; after its bracket utime and stime are fields 11 and 12, counted from 0.
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / TICKS_PER_SECOND
}

/// How many threads there are of each name, whatever their numbers.
pub fn threads(pid: u32) -> BTreeMap<String, usize> {
    counted(&format!("/proc/{pid}/task"), |thread| read_to_string(thread.join("comm")).ok())
}

/// How many open file descriptors there are of each kind, or of each file.
pub fn descriptors(pid: u32) -> BTreeMap<String, usize> {
    counted(&format!("/proc/{pid}/fd"), |link| Some(std::fs::read_link(link).ok()?.display().to_string()))
}

/// Entries of a folder by name. What goes while it is looked at has none.
fn counted(folder: &str, name: impl Fn(&Path) -> Option<String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for name in std::fs::read_dir(folder).unwrap().filter_map(|entry| name(&entry.unwrap().path())) {
        *counts.entry(name.trim().replace(|c: char| c.is_ascii_digit(), "")).or_default() += 1;
    }
    counts
}

/// Resident memory, in MB.
pub fn rss_mb(pid: u32) -> f64 {
    let status = read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).expect("the process has not ended");
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}
