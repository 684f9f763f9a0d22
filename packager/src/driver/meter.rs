#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: counters that the media threads share.
//! What the media threads count.

use super::Report;
use crate::clock::thread_cpu_us;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

/// Counters since the start; each is written by one kind of thread.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) ticks: AtomicU64,
    pub(super) late_ticks: AtomicU64,
    pub(super) repeated_by_rungs: AtomicU64,
    pub(super) dropped_frames: AtomicU64,
    pub(super) undecodable_frames: AtomicU64,
    pub(super) decoded_frames: AtomicU64,
    pub(super) unshown_pictures: AtomicU64,
    pub(super) late_samples: AtomicU64,
    /// By the rungs' names. Locked when a rung begins and when a report is read.
    skipped: Mutex<Vec<(String, Arc<AtomicU64>)>>,
    /// By the threads' name. Locked when a thread begins and when a report is read, never by a frame.
    cpu: Mutex<BTreeMap<String, Cpu>>,
}

/// CPU time of the threads of one name, in microseconds.
#[derive(Default)]
struct Cpu {
    ended_us: u64,
    running: Vec<Arc<AtomicU64>>,
}

/// The CPU time of one thread. Dropped at the thread's end.
pub(super) struct Meter(Arc<AtomicU64>);

impl Counters {
    /// A meter for a thread that begins. Threads of one name are added up.
    pub(super) fn meter(&self, name: &str) -> Meter {
        let cpu_us = Arc::new(AtomicU64::new(0));
        let mut cpu = self.cpu.lock().unwrap_or_else(PoisonError::into_inner);
        cpu.entry(name.to_owned()).or_default().running.push(Arc::clone(&cpu_us));
        Meter(cpu_us)
    }

    /// What a rung that begins counts the ticks with that it leaves out.
    pub(super) fn skipped_by(&self, rung: &str) -> Arc<AtomicU64> {
        let skipped = Arc::new(AtomicU64::new(0));
        let mut rungs = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        rungs.push((rung.to_owned(), Arc::clone(&skipped)));
        skipped
    }

    pub(super) fn report(&self) -> Report {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut cpu_us = Vec::new();
        for (name, Cpu { ended_us, running }) in self.cpu.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            running.retain(|us| {
                // Nobody else holds the meter of a thread that has ended.
                let runs = Arc::strong_count(us) > 1;
                *ended_us += if runs { 0 } else { read(us) };
                runs
            });
            cpu_us.push((name.clone(), *ended_us + running.iter().map(|us| read(us)).sum::<u64>()));
        }
        let skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        Report {
            cpu_us,
            ticks: read(&self.ticks),
            late_ticks: read(&self.late_ticks),
            skipped_by_rungs: skipped.iter().map(|(rung, count)| (rung.clone(), read(count))).collect(),
            repeated_by_rungs: read(&self.repeated_by_rungs),
            dropped_frames: read(&self.dropped_frames),
            undecodable_frames: read(&self.undecodable_frames),
            decoded_frames: read(&self.decoded_frames),
            unshown_pictures: read(&self.unshown_pictures),
            late_samples: read(&self.late_samples),
            ..Report::default()
        }
    }
}

impl Meter {
    /// Writes down what the calling thread has used so far.
    pub(super) fn read(&self) {
        self.0.store(thread_cpu_us(), Ordering::Relaxed);
    }
}
