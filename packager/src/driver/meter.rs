#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: counters that the media threads share.
//! What the media threads count.

use super::Report;
use crate::clock::thread_cpu_us;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

/// Counters since the start; each is written by one kind of thread.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) ticks: AtomicU64,
    pub(super) late_ticks: AtomicU64,
    pub(super) skipped_by_rungs: AtomicU64,
    pub(super) dropped_frames: AtomicU64,
    pub(super) undecodable_frames: AtomicU64,
    pub(super) decoded_frames: AtomicU64,
    pub(super) late_samples: AtomicU64,
    /// Locked to add a thread and to read a report, never by a frame.
    cpu: Mutex<Vec<(String, Arc<AtomicU64>)>>,
}

/// The CPU time of one thread.
pub(super) struct Meter(Arc<AtomicU64>);

impl Counters {
    /// A meter for a thread that begins. Threads of one name are added up.
    pub(super) fn meter(&self, name: &str) -> Meter {
        let cpu_us = Arc::new(AtomicU64::new(0));
        self.cpu.lock().unwrap_or_else(PoisonError::into_inner).push((name.to_owned(), Arc::clone(&cpu_us)));
        Meter(cpu_us)
    }

    pub(super) fn report(&self) -> Report {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut cpu_us: Vec<(String, u64)> = Vec::new();
        for (name, us) in self.cpu.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            match cpu_us.iter_mut().find(|(have, _)| have == name) {
                Some((_, sum)) => *sum += read(us),
                None => cpu_us.push((name.clone(), read(us))),
            }
        }
        Report {
            cpu_us,
            ticks: read(&self.ticks),
            late_ticks: read(&self.late_ticks),
            skipped_by_rungs: read(&self.skipped_by_rungs),
            dropped_frames: read(&self.dropped_frames),
            undecodable_frames: read(&self.undecodable_frames),
            decoded_frames: read(&self.decoded_frames),
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
