//! One subscriber of a room: what it is sent, and what is dropped when it does not keep up. Ingest never waits.

use footlight_media::codec::{Codec, Kind};
use footlight_media::frame::EncodedFrame;
use footlight_media::track::{TrackEvent, TrackId};
use std::collections::{HashMap, VecDeque};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// Events that may wait for one subscriber: a second of four peers (4 x 80 frames).
pub const SUBSCRIBER_QUEUE: usize = 320;
/// Places that only [`TrackEvent::Added`] and [`TrackEvent::Removed`] may take.
const RESERVED: usize = 32;
/// Tracks that come and go while a subscriber takes nothing; one that misses more is cut off.
const MAX_BACKLOG: usize = 256;

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It is in the queue, or will be as soon as there is room.
    Sent,
    /// The frame was dropped: the subscriber is behind.
    Dropped,
    /// The frame was dropped, and there is room: a key frame of this track would let the subscriber go on.
    KeyFrameWanted(TrackId),
    /// The subscriber is gone, or hopelessly behind.
    Gone,
}

/// How a track continues after frames were left out.
#[derive(Debug, Clone, Copy)]
struct Behind {
    kind: Kind,
    /// The subscriber has had frames of this track before.
    discontinuity: bool,
}

/// The sending side of one subscription.
pub struct Subscriber {
    queue: mpsc::Sender<TrackEvent>,
    /// Tracks that begin again: video at a key frame.
    behind: HashMap<TrackId, Behind>,
    kinds: HashMap<TrackId, Kind>,
    /// Comings and goings that found the queue full; frames are dropped until they are through.
    backlog: VecDeque<TrackEvent>,
}

impl Subscriber {
    /// A subscriber that has heard of nothing yet.
    pub fn new() -> (Self, mpsc::Receiver<TrackEvent>) {
        let (queue, events) = mpsc::channel(SUBSCRIBER_QUEUE);
        (Self { queue, behind: HashMap::new(), kinds: HashMap::new(), backlog: VecDeque::new() }, events)
    }

    /// Whether nobody takes what it is sent any more.
    pub fn is_gone(&self) -> bool {
        self.queue.is_closed()
    }

    /// Hands over one event of the room.
    pub fn deliver(&mut self, event: &TrackEvent) -> Delivery {
        match event {
            TrackEvent::Frame(frame) => self.frame(frame),
            TrackEvent::Added { track, codec, .. } => {
                self.kinds.insert(*track, Codec::kind(*codec));
                self.lifecycle(event.clone())
            }
            TrackEvent::Removed { track, .. } => {
                self.kinds.remove(track);
                self.behind.remove(track);
                self.lifecycle(event.clone())
            }
        }
    }

    /// Tells of a track that began before the subscription: its picture starts at the next key frame.
    pub fn introduce(&mut self, event: &TrackEvent) -> Delivery {
        if let TrackEvent::Added { track, codec, .. } = event {
            self.behind.insert(*track, Behind { kind: codec.kind(), discontinuity: false });
        }
        self.deliver(event)
    }

    fn lifecycle(&mut self, event: TrackEvent) -> Delivery {
        self.backlog.push_back(event);
        self.flush()
    }

    fn flush(&mut self) -> Delivery {
        while let Some(event) = self.backlog.pop_front() {
            match self.queue.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.backlog.push_front(event);
                    return if self.backlog.len() > MAX_BACKLOG { Delivery::Gone } else { Delivery::Sent };
                }
                Err(TrySendError::Closed(_)) => return Delivery::Gone,
            }
        }
        Delivery::Sent
    }

    fn frame(&mut self, frame: &EncodedFrame) -> Delivery {
        if self.flush() == Delivery::Gone || self.is_gone() {
            return Delivery::Gone;
        }
        let kind = self.kinds.get(&frame.track).copied().unwrap_or(Kind::Video);
        if !self.backlog.is_empty() || self.queue.capacity() <= RESERVED {
            self.behind.insert(frame.track, Behind { kind, discontinuity: true });
            return Delivery::Dropped;
        }
        let behind = self.behind.get(&frame.track).copied();
        if behind.is_some_and(|behind| behind.kind == Kind::Video) && !frame.key {
            return Delivery::KeyFrameWanted(frame.track);
        }
        self.behind.remove(&frame.track);
        let mut frame = frame.clone();
        frame.discontinuity |= behind.is_some_and(|behind| behind.discontinuity);
        match self.queue.try_send(TrackEvent::Frame(frame)) {
            Ok(()) => Delivery::Sent,
            Err(_) => Delivery::Gone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use footlight_media::frame::IngestStamps;
    use footlight_media::time::SessionTime;
    use footlight_media::track::PeerKey;

    const VIDEO: TrackId = TrackId(1);

    fn added() -> TrackEvent {
        TrackEvent::Added { track: VIDEO, from: PeerKey("p".into()).into(), codec: Codec::Vp8 }
    }

    fn frame(key: bool) -> TrackEvent {
        TrackEvent::Frame(EncodedFrame {
            track: VIDEO,
            time: SessionTime::ZERO,
            key,
            discontinuity: false,
            data: Bytes::from_static(b"x"),
            stamps: IngestStamps::default(),
        })
    }

    #[test]
    fn who_falls_behind_goes_on_at_a_key_frame_that_says_so() {
        let (mut subscriber, mut events) = Subscriber::new();
        assert_eq!(subscriber.deliver(&added()), Delivery::Sent);
        for _ in 0..SUBSCRIBER_QUEUE - RESERVED - 1 {
            assert_eq!(subscriber.deliver(&frame(false)), Delivery::Sent);
        }
        assert_eq!(subscriber.deliver(&frame(true)), Delivery::Dropped);
        while events.try_recv().is_ok() {}
        assert_eq!(subscriber.deliver(&frame(false)), Delivery::KeyFrameWanted(VIDEO));
        assert_eq!(subscriber.deliver(&frame(true)), Delivery::Sent);
        let Ok(TrackEvent::Frame(first)) = events.try_recv() else { panic!("a frame") };
        assert!(first.key && first.discontinuity);
        assert_eq!(subscriber.deliver(&frame(false)), Delivery::Sent);
    }

    #[test]
    fn comings_and_goings_are_never_lost() {
        let (mut subscriber, mut events) = Subscriber::new();
        for _ in 0..SUBSCRIBER_QUEUE + 10 {
            assert_eq!(subscriber.deliver(&added()), Delivery::Sent);
        }
        let mut received = 0;
        while events.try_recv().is_ok() {
            received += 1;
        }
        assert_eq!(subscriber.deliver(&frame(true)), Delivery::Sent);
        while events.try_recv().is_ok() {
            received += 1;
        }
        assert_eq!(received, SUBSCRIBER_QUEUE + 11);
    }

    #[test]
    fn a_late_subscriber_begins_at_a_key_frame_without_a_break() {
        let (mut subscriber, mut events) = Subscriber::new();
        subscriber.introduce(&added());
        assert_eq!(subscriber.deliver(&frame(false)), Delivery::KeyFrameWanted(VIDEO));
        assert_eq!(subscriber.deliver(&frame(true)), Delivery::Sent);
        let _ = events.try_recv();
        let Ok(TrackEvent::Frame(first)) = events.try_recv() else { panic!("a frame") };
        assert!(!first.discontinuity);
    }

    #[test]
    fn a_subscriber_that_left_is_noticed() {
        let (mut subscriber, events) = Subscriber::new();
        drop(events);
        assert_eq!(subscriber.deliver(&frame(true)), Delivery::Gone);
        assert_eq!(subscriber.deliver(&added()), Delivery::Gone);
    }
}
