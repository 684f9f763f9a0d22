//! How long a packet and its answer take, measured by who only receives: reference times that the sender repeats (RFC 3611 sections 4.4 and 4.5). Pure.
//!
//! The clock is ours alone, so its zero may be anywhere: times are seconds of 65,536 parts, as the middle of an NTP timestamp.

use std::time::Duration;

/// From one reference time to the next: as often as browsers send their reports.
pub const INTERVAL: Duration = Duration::from_secs(1);
/// Longer than any network takes: what says so is no answer to what was sent.
const LONGEST: Duration = Duration::from_secs(10);
/// Parts of a second.
const PARTS: u128 = 1 << 16;

/// The NTP timestamp that a reference time has at `now`, which is counted from any zero.
pub fn reference(now: Duration) -> u64 {
    // What is below a part is left out; the seconds wrap as NTP's do.
    parts(now) << 16
}

/// What an answer that comes at `now` says: it names the middle 32 bits of the last reference time that the sender had, and how long ago that was in
/// parts of a second. `None` where that cannot be: the answer is a stranger's word.
pub fn round_trip(now: Duration, last: u32, delay: u32) -> Option<Duration> {
    if last == 0 {
        return None;
    }
    let there_and_back = (parts(now) as u32).wrapping_sub(last).wrapping_sub(delay);
    let round_trip = Duration::from_nanos(u64::from(there_and_back) * 1_000_000_000 / PARTS as u64);
    (round_trip < LONGEST).then_some(round_trip)
}

const fn parts(now: Duration) -> u64 {
    (now.as_nanos() * PARTS / 1_000_000_000) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a sender answers after `held`, on a network that takes `way` there and back.
    fn answer(sent: Duration, held: Duration, way: Duration) -> Option<Duration> {
        let last = (reference(sent) >> 16) as u32;
        round_trip(sent + held + way, last, parts(held) as u32)
    }

    #[test]
    fn what_the_sender_held_back_does_not_count() {
        let (held, way) = (Duration::from_millis(700), Duration::from_millis(40));
        // The second 65,536 is where the middle of the timestamp begins anew.
        for sent in [1, 65_535, 65_536, 1_000_000_000].map(Duration::from_secs) {
            let measured = answer(sent + Duration::from_millis(600), held, way).expect("an answer");
            assert!(measured.abs_diff(way) < Duration::from_millis(1), "{measured:?}");
        }
    }

    #[test]
    fn no_answer_is_believed_that_cannot_be() {
        let now = Duration::from_secs(100);
        assert_eq!(round_trip(now, 0, 0), None, "it has had no reference time");
        assert_eq!(round_trip(now, (reference(now) >> 16) as u32, u32::MAX / 2), None);
        assert_eq!(round_trip(now, (reference(Duration::from_secs(1)) >> 16) as u32, 0), None, "a minute");
        assert_eq!(round_trip(now, (reference(now) >> 16) as u32, 1), None, "before it was sent");
    }
}
