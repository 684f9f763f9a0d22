#![allow(clippy::disallowed_methods)] // IO: reads the monotonic clock and the wall clock.
//! The session clock: CLOCK_MONOTONIC counted from a zero that the serving process chose, so that its child processes read the same.

use footlight_media::time::{SessionTime, WallTime};
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

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

    /// The date of its zero, as the wall clock tells it at this moment. Read once for what must never jump: a wall clock may be set.
    pub fn zero_date(self) -> WallTime {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = WallTime::from_micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX));
        now.offset_micros(-self.now().as_micros())
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
