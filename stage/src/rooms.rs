//! Who is in which room: the sessions that send and the subscribers that take. A room is kept while it has one of either, or had somebody not long ago whose
//! seat is kept.

use crate::fanout::{Delivery, Subscriber};
use crate::seats::Seats;
use footlight_media::time::SessionTime;
use footlight_media::track::{PeerKey, Seat, TrackEvent, TrackId};
use metrics::counter;
use std::collections::HashMap;

/// All rooms of a stage.
#[derive(Default)]
pub(crate) struct Rooms(HashMap<String, Room>);

#[derive(Default)]
struct Room {
    sessions: Vec<u64>,
    subscribers: Vec<Subscriber>,
    seats: Seats,
}

impl Rooms {
    /// The sessions of a room, oldest first.
    pub(crate) fn sessions(&self, room: &str) -> Vec<u64> {
        self.0.get(room).map(|room| room.sessions.clone()).unwrap_or_default()
    }

    /// A session of `peer` is in a room from now on; answers with the peer's seat.
    pub(crate) fn join(&mut self, room: &str, session: u64, peer: &PeerKey, now: SessionTime) -> Seat {
        let room = self.0.entry(room.to_owned()).or_default();
        room.sessions.push(session);
        room.seats.take(peer, now)
    }

    /// It is in it no longer.
    pub(crate) fn leave(&mut self, room: &str, session: u64, peer: &PeerKey, now: SessionTime) {
        if let Some(left) = self.0.get_mut(room) {
            left.sessions.retain(|of_room| *of_room != session);
            left.seats.leave(peer, now);
        }
        self.prune(room, now);
    }

    /// Everything that happens in a room goes to a subscriber too from now on.
    pub(crate) fn subscribe(&mut self, room: String, subscriber: Subscriber, now: SessionTime) {
        self.prune(&room, now);
        self.0.entry(room).or_default().subscribers.push(subscriber);
    }

    /// To every subscriber of a room. Gives a track whose key frame one of them waits for.
    pub(crate) fn deliver(&mut self, room: &str, event: &TrackEvent) -> Option<TrackId> {
        let mut wanted = None;
        self.0.get_mut(room)?.subscribers.retain_mut(|subscriber| match subscriber.deliver(event) {
            Delivery::Sent => true,
            Delivery::Dropped => {
                counter!("footlight_stage_subscriber_frames_dropped_total").increment(1);
                true
            }
            Delivery::KeyFrameWanted(track) => {
                wanted = Some(track);
                true
            }
            Delivery::Gone => false,
        });
        wanted
    }

    /// Forgets subscribers that are gone, in rooms where nothing happens by which it would be noticed, and rooms where nobody has been for long.
    pub(crate) fn sweep(&mut self, now: SessionTime) {
        self.0.retain(|_, room| room.is_needed(now));
    }

    fn prune(&mut self, room: &str, now: SessionTime) {
        if self.0.get_mut(room).is_some_and(|room| !room.is_needed(now)) {
            self.0.remove(room);
        }
    }
}

impl Room {
    fn is_needed(&mut self, now: SessionTime) -> bool {
        self.subscribers.retain(|subscriber| !subscriber.is_gone());
        !(self.sessions.is_empty() && self.subscribers.is_empty() && self.seats.are_free(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seats::KEPT;

    const NOW: SessionTime = SessionTime::ZERO;

    fn ada() -> PeerKey {
        PeerKey("ada".to_owned())
    }

    fn held(rooms: &Rooms) -> Vec<(&str, usize, usize)> {
        let mut held: Vec<_> =
            rooms.0.iter().map(|(id, room)| (id.as_str(), room.sessions.len(), room.subscribers.len())).collect();
        held.sort_unstable();
        held
    }

    #[test]
    fn nobody_is_kept_who_is_gone_though_nothing_is_ever_sent() {
        let mut rooms = Rooms::default();
        for _ in 0..3 {
            let (subscriber, events) = Subscriber::new();
            rooms.subscribe("quiet".to_owned(), subscriber, NOW);
            drop(events);
        }
        assert_eq!(held(&rooms), [("quiet", 0, 1)], "each finds the one before it gone");
        let (subscriber, _events) = Subscriber::new();
        rooms.subscribe("heard".to_owned(), subscriber, NOW);
        rooms.join("sent to", 1, &ada(), NOW);
        rooms.sweep(NOW);
        assert_eq!(held(&rooms), [("heard", 0, 1), ("sent to", 1, 0)]);
        rooms.leave("sent to", 1, &ada(), NOW);
        assert_eq!(held(&rooms), [("heard", 0, 1), ("sent to", 0, 0)], "ada may return");
        rooms.sweep(NOW + KEPT);
        assert_eq!(held(&rooms), [("heard", 0, 1)]);
    }

    #[test]
    fn a_room_ends_when_its_last_session_or_subscriber_has_long_gone() {
        let mut rooms = Rooms::default();
        rooms.join("room", 1, &ada(), NOW);
        rooms.join("room", 2, &ada(), NOW);
        assert_eq!(rooms.sessions("room"), [1, 2]);
        let (subscriber, events) = Subscriber::new();
        rooms.subscribe("room".to_owned(), subscriber, NOW);
        rooms.leave("room", 1, &ada(), NOW);
        rooms.leave("room", 2, &ada(), NOW);
        assert_eq!(held(&rooms), [("room", 0, 1)]);
        drop(events);
        rooms.leave("room", 2, &ada(), NOW);
        rooms.sweep(NOW + KEPT);
        assert!(held(&rooms).is_empty());
    }
}
