//! A token bucket without a lock: the generic cell rate algorithm (ITU-T I.371) on one atomic.

use footlight_media::time::SessionTime;
use std::hash::{BuildHasher, Hash, RandomState};
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

/// Buckets of a [`RateLimits`]: 24 KB, and of fifty names that are busy at once about one pair shares one (50 x 49 / 2 / 1,024).
const BUCKETS: usize = 1_024;

/// A limit for each name. Names share a fixed number of buckets by a hash that nobody outside can foresee, so that any number of names
/// takes the same memory and none needs cleaning up; two that share one are limited together.
#[derive(Debug)]
pub struct RateLimits {
    buckets: Vec<RateLimit>,
    hash: RandomState,
}

impl RateLimits {
    /// So many events a second and at once for each name.
    pub fn new(per_second: u32, burst: u32) -> Self {
        let buckets = (0..BUCKETS).map(|_| RateLimit::new(per_second, burst)).collect();
        Self { buckets, hash: RandomState::new() }
    }

    /// The limit of `name`.
    pub fn of(&self, name: impl Hash) -> &RateLimit {
        let bucket = self.hash.hash_one(name) % BUCKETS as u64;
        &self.buckets[usize::try_from(bucket).expect("below BUCKETS")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_does_not_use_up_another_s() {
        let limits = RateLimits::new(1, 1);
        let now = SessionTime::ZERO;
        assert_eq!(limits.of("loud").admit(now), Ok(()));
        assert!(limits.of("loud").admit(now).is_err());
        // A name in a hundred may share the loud one's bucket, and not one in ten.
        let admitted = (0..100).filter(|n| limits.of(n).admit(now).is_ok()).count();
        assert!(admitted > 90, "{admitted}");
    }

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
