//! A token bucket without a lock: the generic cell rate algorithm (ITU-T I.371) on one atomic.

use footlight_media::time::SessionTime;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// So many events a second in the long run, and so many at once above that.
#[derive(Debug)]
pub struct RateLimit {
    /// Microseconds that one event costs.
    cost_us: i64,
    /// Microseconds by which the bucket may be ahead.
    burst_us: i64,
    /// When the bucket would be empty, in microseconds of the session clock.
    full_until_us: AtomicI64,
}

impl RateLimit {
    /// Zero a second admits nothing beyond the burst.
    pub fn new(per_second: u32, burst: u32) -> Self {
        let cost_us = 1_000_000_i64.checked_div(i64::from(per_second)).unwrap_or(i64::from(u32::MAX) * 1_000);
        let burst_us = cost_us.saturating_mul(i64::from(burst.max(1)));
        Self { cost_us, burst_us, full_until_us: AtomicI64::new(i64::MIN) }
    }

    /// Takes one event at `now`, or says after how long to come back.
    pub fn admit(&self, now: SessionTime) -> Result<(), Duration> {
        let now_us = now.as_micros();
        let taken = self.full_until_us.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_until_us| {
            let next = full_until_us.max(now_us).saturating_add(self.cost_us);
            (next.saturating_sub(now_us) <= self.burst_us).then_some(next)
        });
        match taken {
            Ok(_) => Ok(()),
            Err(full_until_us) => {
                let wait_us = full_until_us.saturating_add(self.cost_us).saturating_sub(now_us) - self.burst_us;
                Err(Duration::from_micros(wait_us.max(1).unsigned_abs()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let limit = RateLimit::new(10, 3);
        let at = |ms: i64| SessionTime::from_micros(ms * 1_000);
        for _ in 0..3 {
            assert_eq!(limit.admit(at(0)), Ok(()));
        }
        assert_eq!(limit.admit(at(0)), Err(Duration::from_millis(100)));
        assert_eq!(limit.admit(at(100)), Ok(()));
        assert_eq!(limit.admit(at(150)), Err(Duration::from_millis(50)));
        let admitted = (0..1_000).filter(|ms| limit.admit(at(1_000 + ms)).is_ok()).count();
        assert_eq!(admitted, 12);
    }
}
