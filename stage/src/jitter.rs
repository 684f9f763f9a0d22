//! What a track's network is like: how uneven, how disorderly, how far away. From it follow when to ask for a missing
//! packet, when to ask again, and how long the packet is worth waiting for.
//!
//! Waiting is cheap (only frames behind a hole wait at all), dropping is dear (the picture stands until the next key
//! frame), so the wait leaves room for several tries.

use footlight_media::codec::Kind;
use std::time::Duration;

/// Past this a frame would be late for its place in the stream anyway.
pub const MAX_WAIT: Duration = Duration::from_millis(400);
/// Tries that the wait leaves room for. At 5 % loss each way a try fails one time in ten, and a picture in a hundred
/// thousand is then lost.
const TRIES: u32 = 5;
/// A packet that comes by itself this late or earlier need not be asked for; before any did.
const FIRST_DISORDER: Duration = Duration::from_millis(10);
/// Past this a packet is asked for even if it may still come by itself.
const MAX_DISORDER: Duration = Duration::from_millis(30);
/// A round trip, before one was measured.
const FIRST_ROUND_TRIP: Duration = Duration::from_millis(50);
/// Asking more often than this only doubles packets.
const MIN_ASK_INTERVAL: Duration = Duration::from_millis(30);
/// Audio is never asked for again, so only disorder is waited for.
const AUDIO_WAIT: std::ops::RangeInclusive<Duration> = Duration::from_millis(20)..=Duration::from_millis(120);
/// Asking and answering take a few milliseconds of everybody's timers.
const SLACK: Duration = Duration::from_millis(20);

/// Mean and mean deviation, smoothed as TCP smooths its round trip (RFC 6298 section 2).
#[derive(Debug, Clone, Copy)]
struct Smoothed {
    mean_us: i64,
    deviation_us: i64,
}

impl Smoothed {
    fn update(smoothed: &mut Option<Self>, sample: Duration) {
        let sample_us = sample.min(MAX_WAIT).as_micros() as i64;
        *smoothed = Some(match *smoothed {
            None => Self { mean_us: sample_us, deviation_us: sample_us / 2 },
            Some(Self { mean_us, deviation_us }) => {
                let error = sample_us - mean_us;
                Self { mean_us: mean_us + error / 8, deviation_us: deviation_us + (error.abs() - deviation_us) / 4 }
            }
        });
    }

    fn mean_and(self, deviations: i64) -> Duration {
        Duration::from_micros((self.mean_us + deviations * self.deviation_us).max(0).unsigned_abs())
    }
}

/// The network of one track.
#[derive(Debug, Clone)]
pub struct Jitter {
    kind: Kind,
    /// RFC 3550 section 6.4.1, in microseconds times 16.
    interarrival_us_x16: i64,
    last: Option<(i64, i64)>,
    /// How late packets come that were overtaken and came by themselves.
    disorder: Option<Smoothed>,
    /// From asking for a packet to its coming.
    round_trip: Option<Smoothed>,
}

impl Jitter {
    /// Nothing learned yet.
    pub fn new(kind: Kind) -> Self {
        Self { kind, interarrival_us_x16: 0, last: None, disorder: None, round_trip: None }
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

    /// A packet came by itself, `late` after one that was sent later.
    pub fn on_disorder(&mut self, late: Duration) {
        Smoothed::update(&mut self.disorder, late);
    }

    /// A packet came that had been asked for once, `after` that.
    pub fn on_round_trip(&mut self, after: Duration) {
        Smoothed::update(&mut self.round_trip, after);
    }

    /// Takes over what another stream on the same way has learned of it.
    pub fn learn_from(&mut self, other: &Self) {
        (self.disorder, self.round_trip) = (other.disorder, other.round_trip);
    }

    /// RFC 3550's interarrival jitter.
    pub fn interarrival(&self) -> Duration {
        Duration::from_micros((self.interarrival_us_x16 / 16).unsigned_abs())
    }

    /// How long after it was missed a packet is first asked for.
    pub fn ask_after(&self) -> Duration {
        self.disorder.map_or(FIRST_DISORDER, |disorder| disorder.mean_and(3)).min(MAX_DISORDER)
    }

    /// How long after that it is asked for again, and again.
    pub fn ask_interval(&self) -> Duration {
        self.round_trip.map_or(FIRST_ROUND_TRIP, |round_trip| round_trip.mean_and(4)).max(MIN_ASK_INTERVAL)
    }

    /// How long to wait for a missing packet, from when it was missed.
    pub fn wait(&self) -> Duration {
        match self.kind {
            Kind::Video => (self.ask_after() + TRIES * self.ask_interval() + SLACK).min(MAX_WAIT),
            Kind::Audio => {
                let disorder = self.disorder.map_or(FIRST_DISORDER, |disorder| disorder.mean_and(4));
                (disorder + 2 * self.interarrival()).clamp(*AUDIO_WAIT.start(), *AUDIO_WAIT.end())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_follow_what_the_network_shows() {
        let check = |kind, late_ms: &[u64], trips_ms: &[u64], want_ms: [u128; 3]| {
            let mut jitter = Jitter::new(kind);
            late_ms.iter().for_each(|ms| jitter.on_disorder(Duration::from_millis(*ms)));
            trips_ms.iter().for_each(|ms| jitter.on_round_trip(Duration::from_millis(*ms)));
            let got = [jitter.ask_after(), jitter.ask_interval(), jitter.wait()].map(|wait| wait.as_millis());
            assert_eq!(got, want_ms, "{kind:?} after {late_ms:?} and {trips_ms:?}");
        };
        check(Kind::Video, &[], &[], [10, 50, 280]);
        check(Kind::Video, &[2; 40], &[1; 40], [2, 30, 172]);
        check(Kind::Video, &[], &[100; 40], [10, 100, 400]);
        check(Kind::Video, &[90; 40], &[60_000; 40], [30, 400, 400]);
        check(Kind::Audio, &[], &[], [10, 50, 20]);
        check(Kind::Audio, &[60; 40], &[], [30, 50, 60]);
        check(Kind::Audio, &[400; 40], &[], [30, 50, 120]);
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
