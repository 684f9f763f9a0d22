//! How long a missing packet is worth waiting for.
//!
//! Waiting is cheap (a frame that is late by less than the packager's own wait costs nothing), dropping is dear (the
//! picture stands until the next key frame), so the wait covers nearly every recovery that this network has shown.

use footlight_media::codec::Kind;
use std::time::Duration;

/// Past this a frame would be late for its place in the stream anyway.
pub const MAX_WAIT: Duration = Duration::from_millis(400);
/// Reordering alone takes this much on a good network.
const MIN_WAIT_VIDEO: Duration = Duration::from_millis(80);
/// Audio is never asked for again, so only reordering is waited for.
const MIN_WAIT_AUDIO: Duration = Duration::from_millis(20);
/// Before anything was recovered: a request each 30 ms and a round trip of 100 ms leave room for three tries.
const FIRST_WAIT_VIDEO: Duration = Duration::from_millis(200);
/// Before anything was reordered.
const FIRST_WAIT_AUDIO: Duration = Duration::from_millis(60);
/// A retransmission may be lost too: two more rounds of requests at 30 ms.
const SPARE_ROUNDS: Duration = Duration::from_millis(60);

/// The wait of one track, learned from the holes that were filled.
#[derive(Debug, Clone)]
pub struct Jitter {
    kind: Kind,
    /// RFC 3550 section 6.4.1, in microseconds times 16.
    interarrival_us_x16: i64,
    last: Option<(i64, i64)>,
    /// Mean and mean deviation of the time from noticing a hole to its filling, in microseconds, smoothed as TCP
    /// smooths its round trip (RFC 6298 section 2). `None` before the first.
    recovery: Option<(i64, i64)>,
}

impl Jitter {
    /// Nothing learned yet.
    pub fn new(kind: Kind) -> Self {
        Self { kind, interarrival_us_x16: 0, last: None, recovery: None }
    }

    /// A packet arrived in order: `arrival_us` on the session clock, `media_us` on the sender's.
    pub fn on_packet(&mut self, arrival_us: i64, media_us: i64) {
        if let Some((last_arrival, last_media)) = self.last {
            let difference = arrival_us
                .saturating_sub(last_arrival)
                .saturating_sub(media_us.saturating_sub(last_media))
                .saturating_abs()
                .min(MAX_WAIT.as_micros() as i64);
            self.interarrival_us_x16 += difference - self.interarrival_us_x16 / 16;
        }
        self.last = Some((arrival_us, media_us));
    }

    /// A hole was filled `waited` after it was noticed, in time or too late.
    pub fn on_recovered(&mut self, waited: Duration) {
        let sample = waited.min(MAX_WAIT).as_micros() as i64;
        self.recovery = Some(match self.recovery {
            None => (sample, sample / 2),
            Some((mean, deviation)) => {
                let error = sample - mean;
                (mean + error / 8, deviation + (error.abs() - deviation) / 4)
            }
        });
    }

    /// RFC 3550's interarrival jitter.
    pub fn interarrival(&self) -> Duration {
        Duration::from_micros((self.interarrival_us_x16 / 16).unsigned_abs())
    }

    /// How long to wait for a missing packet, from when it was noticed.
    pub fn wait(&self) -> Duration {
        let (first, least, spare) = match self.kind {
            Kind::Video => (FIRST_WAIT_VIDEO, MIN_WAIT_VIDEO, SPARE_ROUNDS),
            Kind::Audio => (FIRST_WAIT_AUDIO, MIN_WAIT_AUDIO, Duration::ZERO),
        };
        let learned = match self.recovery {
            None => first,
            Some((mean, deviation)) => Duration::from_micros((mean + 4 * deviation).unsigned_abs()) + spare,
        };
        (learned + 2 * self.interarrival()).clamp(least, MAX_WAIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_follows_what_the_network_shows() {
        let check = |kind, recoveries_ms: &[u64], want_ms: std::ops::RangeInclusive<u128>| {
            let mut jitter = Jitter::new(kind);
            for &ms in recoveries_ms {
                jitter.on_recovered(Duration::from_millis(ms));
            }
            let wait = jitter.wait().as_millis();
            assert!(want_ms.contains(&wait), "{kind:?} after {recoveries_ms:?}: {wait} ms");
        };
        check(Kind::Video, &[], 200..=200);
        check(Kind::Audio, &[], 60..=60);
        check(Kind::Video, &[30; 40], 90..=100);
        check(Kind::Video, &[5; 40], 80..=80);
        check(Kind::Video, &[2_000; 10], 400..=400);
        check(Kind::Video, &[30, 60, 35, 90, 30, 62, 33, 31, 95, 40], 150..=260);
        check(Kind::Audio, &[5; 40], 20..=20);
    }

    #[test]
    fn even_arrivals_have_no_jitter_and_uneven_ones_do() {
        let mut even = Jitter::new(Kind::Video);
        let mut uneven = Jitter::new(Kind::Video);
        for frame in 0..200 {
            even.on_packet(frame * 33_333 + 5_000_000, frame * 33_333);
            uneven.on_packet(frame * 33_333 + (frame % 2) * 20_000, frame * 33_333);
        }
        assert_eq!(even.interarrival(), Duration::ZERO);
        assert!((18_000..=20_000).contains(&uneven.interarrival().as_micros()), "{:?}", uneven.interarrival());
    }

    #[test]
    fn clocks_that_jump_saturate() {
        let mut jitter = Jitter::new(Kind::Video);
        jitter.on_packet(i64::MIN, i64::MAX);
        jitter.on_packet(i64::MAX, i64::MIN);
        assert!(jitter.wait() <= MAX_WAIT);
    }
}
