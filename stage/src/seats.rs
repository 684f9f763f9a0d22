//! In which order the people of a room came, so that who returns has the old place in the picture. Pure.

use footlight_media::time::SessionTime;
use footlight_media::track::{PeerKey, Seat};
use std::time::Duration;

/// People of a room whose seats are kept, those who are there included; of more, whoever has been away longest loses theirs. A user id has 128 bytes at most,
/// so this is some 200 KB.
pub(crate) const MAX_SEATS: usize = 1_024;
/// When nobody has been in a room for so long, whoever comes is a new party: nobody who reconnects takes that long.
pub(crate) const KEPT: Duration = Duration::from_secs(600);

/// The seats of one room.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    /// In no order.
    taken: Vec<Taken>,
    next: u64,
}

#[derive(Debug)]
struct Taken {
    peer: PeerKey,
    seat: Seat,
    /// Sessions that its owner has: none while they are away.
    sessions: usize,
    /// When they were last there, where they are away.
    left: SessionTime,
}

impl Seats {
    /// A session of `peer` begins; answers with the peer's seat.
    pub(crate) fn take(&mut self, peer: &PeerKey, now: SessionTime) -> Seat {
        if self.are_free(now) {
            *self = Self::default();
        }
        if let Some(taken) = self.taken.iter_mut().find(|taken| taken.peer == *peer) {
            taken.sessions += 1;
            return taken.seat;
        }
        if self.taken.len() >= MAX_SEATS {
            let away = self.taken.iter().enumerate().filter(|(_, taken)| taken.sessions == 0);
            if let Some((longest, _)) = away.min_by_key(|(_, taken)| taken.left) {
                self.taken.swap_remove(longest);
            }
        }
        let seat = Seat(self.next);
        self.next += 1;
        self.taken.push(Taken { peer: peer.clone(), seat, sessions: 1, left: now });
        seat
    }

    /// A session of `peer` is over.
    pub(crate) fn leave(&mut self, peer: &PeerKey, now: SessionTime) {
        if let Some(taken) = self.taken.iter_mut().find(|taken| taken.peer == *peer) {
            taken.sessions = taken.sessions.saturating_sub(1);
            taken.left = now;
        }
    }

    /// Whether nobody is there whose seat is kept: nobody has been for [`KEPT`].
    pub(crate) fn are_free(&self, now: SessionTime) -> bool {
        self.taken.iter().all(|taken| taken.sessions == 0 && now >= taken.left + KEPT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SessionTime {
        SessionTime::ZERO + Duration::from_secs(seconds)
    }

    fn peer(name: impl std::fmt::Display) -> PeerKey {
        PeerKey(name.to_string())
    }

    #[test]
    fn who_returns_has_the_old_seat() {
        let mut seats = Seats::default();
        let [ada, bob, cy] = ["ada", "bob", "cy"].map(peer);
        assert_eq!([&ada, &bob, &cy].map(|peer| seats.take(peer, at(0))), [0, 1, 2].map(Seat));
        assert_eq!(seats.take(&ada, at(1)), Seat(0), "a screen beside a camera");
        seats.leave(&ada, at(2));
        seats.leave(&ada, at(3));
        assert_eq!(seats.take(&peer("dora"), at(4)), Seat(3));
        assert_eq!(seats.take(&ada, at(3_000)), Seat(0), "others were there all the while");
    }

    #[test]
    fn a_room_in_which_nobody_has_been_for_long_is_begun_anew() {
        let mut seats = Seats::default();
        let [ada, bob] = ["ada", "bob"].map(peer);
        seats.take(&ada, at(0));
        seats.take(&bob, at(0));
        seats.leave(&ada, at(10));
        seats.leave(&bob, at(20));
        assert!(!seats.are_free(at(619)));
        assert_eq!(seats.take(&bob, at(619)), Seat(1));
        seats.leave(&bob, at(620));
        assert!(seats.are_free(at(1_220)));
        assert_eq!(seats.take(&bob, at(1_220)), Seat(0));
    }

    #[test]
    fn of_too_many_the_one_who_has_been_away_longest_is_forgotten() {
        let mut seats = Seats::default();
        let stays = peer("stays");
        seats.take(&stays, at(0));
        for number in 0..MAX_SEATS as u64 - 1 {
            seats.take(&peer(number), at(number));
            seats.leave(&peer(number), at(number));
        }
        let last = seats.take(&peer("one more"), at(1_500));
        assert_eq!((last, seats.taken.len()), (Seat(MAX_SEATS as u64), MAX_SEATS));
        assert_eq!(seats.take(&peer(1), at(1_500)), Seat(2), "who was away for less");
        assert_eq!(seats.take(&stays, at(1_500)), Seat(0));
        assert_eq!(seats.take(&peer(0), at(1_500)), Seat(MAX_SEATS as u64 + 1), "who was away longest");
    }
}
