//! One RTP stream that is sent: its sequence numbers, timestamps and sender reports (RFC 3550). Pure: randomness and `now` are arguments.
//!
//! A timestamp is the frame's time on the session clock, not a sum of durations, so it neither drifts nor depends on when a frame is sent. A
//! sender report names the same clock: a receiver that maps both tracks through their reports has them in sync however long either was encoded.

use footlight_media::time::{SessionTime, Timescale, WallTime};
use std::time::Duration;

/// Between two sender reports of a stream. RFC 3550 section 6.2 asks for 5 s or less for small groups; a receiver cannot place the second track
/// exactly before its first report, so they are more frequent.
pub const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Seconds from 1900-01-01, where NTP counts from, to 1970-01-01 (RFC 3550 section 4).
const NTP_TO_UNIX_SECONDS: u64 = 2_208_988_800;

/// What must not be guessable of a stream (RFC 3550 sections 5.1 and 9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Its synchronisation source.
    pub ssrc: u32,
    /// Sequence number of its first packet.
    pub sequence: u16,
    /// RTP timestamp of the session clock's zero.
    pub timestamp: u32,
}

/// The date of the session clock's zero: sender reports are dated, and both tracks of a peer must agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZeroDate(pub WallTime);

impl ZeroDate {
    /// A point on the session clock as an NTP timestamp: seconds since 1900 in the upper 32 bits, their fraction in the lower.
    pub fn ntp(self, at: SessionTime) -> u64 {
        let micros = self.0.as_micros().saturating_add(at.as_micros()).max(0).unsigned_abs();
        let (seconds, rest) = (micros / 1_000_000 + NTP_TO_UNIX_SECONDS, micros % 1_000_000);
        // The seconds wrap in 2036 (RFC 3550 section 4); receivers compare differences.
        (seconds << 32) | ((rest << 32) / 1_000_000)
    }
}

/// What a sender report says (RFC 3550 section 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// The moment of the report.
    pub ntp: u64,
    /// The same moment in the stream's own ticks.
    pub rtp: u32,
    /// Packets sent so far, modulo 2^32.
    pub packets: u32,
    /// Their payloads' bytes, modulo 2^32.
    pub octets: u32,
}

/// One stream.
#[derive(Debug, Clone)]
pub struct Outgoing {
    origin: Origin,
    timescale: Timescale,
    sequence: u16,
    packets: u32,
    octets: u32,
    next_report: Option<SessionTime>,
}

impl Outgoing {
    /// A stream that has sent nothing.
    pub const fn new(origin: Origin, timescale: Timescale) -> Self {
        Self { origin, timescale, sequence: origin.sequence, packets: 0, octets: 0, next_report: None }
    }

    /// The stream's SSRC.
    pub const fn ssrc(&self) -> u32 {
        self.origin.ssrc
    }

    /// The RTP timestamp of a frame; wraps as RTP's does.
    pub fn timestamp(&self, time: SessionTime) -> u32 {
        // The low 32 bits are the timestamp: RFC 3550 section 5.1.
        let ticks = time.to_ticks(self.timescale).rem_euclid(1 << 32);
        self.origin.timestamp.wrapping_add(u32::try_from(ticks).expect("below 2^32"))
    }

    /// Counts a packet with `payload_bytes` and gives it its sequence number.
    pub fn next_packet(&mut self, payload_bytes: usize) -> u16 {
        let sequence = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(u32::try_from(payload_bytes).unwrap_or(u32::MAX));
        sequence
    }

    /// A report, where one is due: the first with the first packets, then one each [`REPORT_INTERVAL`].
    pub fn report(&mut self, now: SessionTime, zero: ZeroDate) -> Option<Report> {
        if self.packets == 0 || self.next_report.is_some_and(|due| now < due) {
            return None;
        }
        self.next_report = Some(now + REPORT_INTERVAL);
        Some(Report { ntp: zero.ntp(now), rtp: self.timestamp(now), packets: self.packets, octets: self.octets })
    }
}

/// The round trip that a reception report tells (RFC 3550 section 6.4.1): now, less when our report left, less how long it lay there. `last_report`
/// is the middle 32 bits of that report's NTP time and `delay` is in 1/65,536 s. None before a report came round, or where the numbers are nonsense.
pub fn round_trip(now_ntp: u64, last_report: u32, delay: u32) -> Option<Duration> {
    /// Beyond this it is no round trip but a wrong clock.
    const LONGEST: Duration = Duration::from_secs(60);
    if last_report == 0 {
        return None;
    }
    let middle = u32::try_from((now_ntp >> 16) & 0xffff_ffff).expect("masked");
    let units = middle.wrapping_sub(last_report).wrapping_sub(delay);
    let trip = Duration::from_micros(u64::from(units) * 1_000_000 / 65_536);
    (trip <= LONGEST).then_some(trip)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ORIGIN: Origin = Origin { ssrc: 7, sequence: 65_535, timestamp: u32::MAX - 89_999 };

    #[test]
    fn timestamps_are_the_session_clock_in_the_streams_ticks_and_wrap() {
        let stream = Outgoing::new(ORIGIN, Timescale::VIDEO);
        assert_eq!(stream.timestamp(SessionTime::ZERO), u32::MAX - 89_999);
        assert_eq!(stream.timestamp(SessionTime::from_micros(1_000_000)), 0);
        assert_eq!(stream.timestamp(SessionTime::from_micros(1_033_333)), 2_999);
        assert_eq!(stream.timestamp(SessionTime::from_micros(-1)), u32::MAX - 90_000);
    }

    #[test]
    fn a_report_comes_with_the_first_packet_then_each_second_and_counts_what_was_sent() {
        let mut stream = Outgoing::new(ORIGIN, Timescale::AUDIO_48K);
        let zero = ZeroDate(WallTime::from_micros(0));
        assert_eq!(stream.report(SessionTime::ZERO, zero), None, "nothing was sent");
        assert_eq!((stream.next_packet(100), stream.next_packet(20)), (65_535, 0));
        let first = stream.report(SessionTime::from_micros(500_000), zero).expect("due");
        assert_eq!((first.packets, first.octets), (2, 120));
        assert_eq!(first.ntp, (2_208_988_800 << 32) | 0x8000_0000);
        assert_eq!(first.rtp, ORIGIN.timestamp.wrapping_add(24_000));
        assert_eq!(stream.report(SessionTime::from_micros(1_499_999), zero), None);
        assert!(stream.report(SessionTime::from_micros(1_500_000), zero).is_some());
    }

    #[test]
    fn a_round_trip_is_what_is_left_of_the_way_there_and_back() {
        let zero = ZeroDate(WallTime::from_micros(1_800_000_000_000_000));
        let (sent, now) = (SessionTime::from_micros(1_000_000), SessionTime::from_micros(1_350_000));
        let last = u32::try_from((zero.ntp(sent) >> 16) & 0xffff_ffff).expect("masked");
        // 300 of the 350 ms lay at the receiver.
        let trip = round_trip(zero.ntp(now), last, 65_536 * 3 / 10).expect("a report came round");
        assert!(trip.abs_diff(Duration::from_millis(50)) < Duration::from_micros(100), "{trip:?}");
        assert_eq!(round_trip(zero.ntp(now), 0, 0), None);
        assert_eq!(round_trip(zero.ntp(now), last, u32::MAX / 2), None, "a delay longer than the absence");
    }

    proptest! {
        #[test]
        fn tracks_with_their_own_origins_meet_through_their_reports(
            video in any::<u32>(), audio in any::<u32>(), at in 0_i64..10_i64.pow(13), event in 0_i64..10_i64.pow(7),
        ) {
            // A receiver places an event of each track by the distance to that track's report.
            let zero = ZeroDate(WallTime::from_micros(1_800_000_000_000_000));
            let (now, event) = (SessionTime::from_micros(at), SessionTime::from_micros(at + event));
            let place = |timestamp, timescale: Timescale| {
                let mut stream = Outgoing::new(Origin { timestamp, ..ORIGIN }, timescale);
                stream.next_packet(1);
                let report = stream.report(now, zero).expect("due");
                let ticks = f64::from(stream.timestamp(event).wrapping_sub(report.rtp));
                ticks / f64::from(timescale.ticks_per_second())
            };
            prop_assert!((place(video, Timescale::VIDEO) - place(audio, Timescale::AUDIO_48K)).abs() < 1e-4);
        }
    }
}
