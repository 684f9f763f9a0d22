#![allow(clippy::disallowed_methods)] // IO: reads the monotonic clock.
//! The session clock: CLOCK_MONOTONIC counted from a zero that the serving process chose, so that its child processes read the same.

use footlight_media::time::SessionTime;
use serde::{Deserialize, Serialize};

/// Reads the session clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionClock {
    /// CLOCK_MONOTONIC at the session's zero, in microseconds.
    zero_us: i64,
}

impl SessionClock {
    /// A clock whose zero is now.
    pub fn starting_now() -> Self {
        Self { zero_us: monotonic_us() }
    }

    /// Now, on the session clock.
    pub fn now(self) -> SessionTime {
        SessionTime::from_micros(monotonic_us() - self.zero_us)
    }
}

/// CPU time of the calling thread in microseconds.
pub fn thread_cpu_us() -> u64 {
    u64::try_from(read(libc::CLOCK_THREAD_CPUTIME_ID)).unwrap_or(0)
}

fn monotonic_us() -> i64 {
    read(libc::CLOCK_MONOTONIC)
}

fn read(clock: libc::clockid_t) -> i64 {
    let mut at = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes one timespec that lives on the stack; these clocks always exist on Linux.
    unsafe { libc::clock_gettime(clock, &raw mut at) };
    at.tv_sec * 1_000_000 + at.tv_nsec / 1_000
}
