//! What a connection is about, and until when it may go on so: pure, it takes `now`.

use crate::limits::Limits;
use std::time::{Duration, Instant};

/// What is known of one connection.
#[derive(Debug)]
pub struct Activity {
    /// Requests whose answers are not sent to their end.
    open: usize,
    /// When a byte last moved, either way.
    moved: Instant,
    /// When a byte last went to the peer, or a request began or ended. What the peer sends meanwhile does not count: it could
    /// take nothing for ever and send a byte now and then.
    served: Instant,
    /// The peer takes no bytes. An answer that is in one piece is off our hands long before it is sent: it is no open
    /// request any more, and must not stand still for longer than one.
    blocked: bool,
    /// Since when the head of an HTTP/1.1 request is coming.
    head_since: Option<Instant>,
    /// Requests of HTTP/2 that were given up, less those completed: on HTTP/1.1 nothing can be given up but the connection.
    resets: usize,
    http2: bool,
    began: bool,
}

/// Why a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Verdict {
    /// No request for too long.
    #[error("no request came in time")]
    Idle,
    /// The head of a request for too long.
    #[error("a request's head did not come in time")]
    SlowHead,
    /// A request is open, and no byte moves.
    #[error("no byte has moved in time")]
    Stalled,
    /// Too many requests were given up.
    #[error("too many requests were given up before their answers")]
    Resets,
}

impl Activity {
    /// A connection that was opened at `now`.
    pub fn new(now: Instant) -> Self {
        Self {
            open: 0,
            moved: now,
            served: now,
            blocked: false,
            head_since: None,
            resets: 0,
            http2: false,
            began: false,
        }
    }

    /// Bytes came from the peer.
    pub fn read(&mut self, bytes: &[u8], now: Instant) {
        if !self.began {
            self.began = true;
            // The connection preface of RFC 9113 section 3.4; no method begins so.
            self.http2 = bytes.starts_with(b"PRI");
        }
        self.moved = now;
        // On HTTP/2 bytes without a request are pings and window updates; slow heads end by the idle bound there.
        if self.open == 0 && !self.http2 {
            self.head_since.get_or_insert(now);
        }
    }

    /// Bytes went to the peer.
    pub fn wrote(&mut self, now: Instant) {
        self.moved = now;
        self.served = now;
        self.blocked = false;
    }

    /// Bytes are to go to the peer, who takes none.
    pub fn blocked(&mut self) {
        self.blocked = true;
    }

    /// The head of a request is here.
    pub fn request(&mut self, now: Instant) {
        self.open += 1;
        self.moved = now;
        self.served = now;
        self.head_since = None;
    }

    /// An answer has been sent to its end, or given up before.
    pub fn answered(&mut self, completed: bool, now: Instant) {
        self.open = self.open.saturating_sub(1);
        match completed {
            true => self.resets = self.resets.saturating_sub(1),
            false => self.resets += usize::from(self.http2),
        }
        self.moved = now;
        self.served = now;
    }

    /// Closed now, and why; or until when nothing is to be done unless something happens.
    pub fn verdict(&self, limits: &Limits, now: Instant) -> Result<Instant, Verdict> {
        if self.resets > limits.h2_resets {
            return Err(Verdict::Resets);
        }
        let (since, bound, verdict): (Instant, Duration, Verdict) = match self.head_since {
            _ if self.open > 0 || self.blocked => (self.served, limits.stall_time, Verdict::Stalled),
            Some(since) => (since, limits.header_time, Verdict::SlowHead),
            None => (self.moved, limits.idle_time, Verdict::Idle),
        };
        let until = since + bound;
        if now >= until { Err(verdict) } else { Ok(until) }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
mod tests {
    use super::*;

    enum Do {
        Read(&'static [u8]),
        Wrote,
        Blocked,
        Request,
        Answered,
        GivenUp,
    }
    use Do::{Answered, Blocked, GivenUp, Read, Request, Wrote};

    /// What happens at which second, and when and why the connection is closed.
    fn check(events: &[(u64, Do)], expected: (u64, Verdict)) {
        let limits = Limits {
            idle_time: Duration::from_secs(60),
            header_time: Duration::from_secs(10),
            stall_time: Duration::from_secs(30),
            h2_resets: 2,
            ..Limits::default()
        };
        let start = Instant::now();
        let mut activity = Activity::new(start);
        let mut events = events.iter().peekable();
        for second in 0..1000 {
            let now = start + Duration::from_secs(second);
            while let Some((_, event)) = events.next_if(|(at, _)| *at == second) {
                match event {
                    Read(bytes) => activity.read(bytes, now),
                    Wrote => activity.wrote(now),
                    Blocked => activity.blocked(),
                    Request => activity.request(now),
                    Answered => activity.answered(true, now),
                    GivenUp => activity.answered(false, now),
                }
            }
            if let Err(verdict) = activity.verdict(&limits, now) {
                assert_eq!((second, verdict), expected);
                return;
            }
        }
        panic!("it was never closed");
    }

    #[test]
    fn a_connection_is_closed_for_what_it_does_not_do() {
        check(&[], (60, Verdict::Idle));
        check(&[(5, Read(b"G")), (9, Read(b"E"))], (15, Verdict::SlowHead));
        check(&[(5, Read(b"GET /")), (5, Request), (6, Answered)], (66, Verdict::Idle));
        check(&[(5, Read(b"GET /")), (5, Request)], (35, Verdict::Stalled));
        check(&[(5, Read(b"GET /")), (5, Request), (30, Read(b"x"))], (35, Verdict::Stalled));
        check(&[(5, Read(b"GET /")), (5, Request), (30, Wrote)], (60, Verdict::Stalled));
        check(&[(5, Read(b"GET /")), (5, Request), (6, Answered), (20, Read(b"G"))], (30, Verdict::SlowHead));
        check(&[(5, Read(b"GET /")), (5, Request), (6, Answered), (6, Blocked)], (36, Verdict::Stalled));
        check(&[(5, Read(b"PRI * HTTP/2.0")), (50, Read(b"ping"))], (110, Verdict::Idle));
    }

    #[test]
    fn a_rapid_reset_ends_the_connection_and_a_change_of_mind_does_not() {
        const H2: Do = Read(b"PRI * HTTP/2.0");
        check(&[(1, H2), (1, GivenUp), (1, GivenUp), (1, GivenUp)], (1, Verdict::Resets));
        check(&[(1, H2), (1, GivenUp), (1, GivenUp), (1, Answered), (1, GivenUp)], (61, Verdict::Idle));
        // There is no reset on HTTP/1.1: a body that was dropped was sent, or its connection is gone.
        check(&[(1, Read(b"G")), (1, Request), (1, GivenUp), (1, GivenUp), (1, GivenUp)], (61, Verdict::Idle));
    }
}
