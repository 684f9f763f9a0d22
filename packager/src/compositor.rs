//! Which picture of which peer is shown where at a tick. Pure: pictures are whatever `P` is, and time is the tick's.
//!
//! Each source has a short queue of decoded pictures by time. At a tick it shows the newest one that is due; where none has come it goes on
//! showing the last. A peer has one tile, and keeps its place among the others for as long as it has a picture.

use crate::layout::{self, Rect, Size};
use footlight_media::time::SessionTime;
use footlight_media::track::{PeerKey, TrackId};
use std::collections::VecDeque;

/// Decoded pictures that wait for their tick, for each source: a quarter of a second at 30 fps. The oldest goes when another comes.
pub const QUEUE_PICTURES: usize = 8;

/// A source's picture with the time at which it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timed<P> {
    /// On the session clock.
    pub time: SessionTime,
    /// The picture.
    pub picture: P,
    /// Counts the pictures of all sources, so that a canvas knows what it already holds.
    pub serial: u64,
}

#[derive(Debug)]
struct Source<P> {
    track: TrackId,
    peer: PeerKey,
    queue: VecDeque<Timed<P>>,
    shown: Option<Timed<P>>,
}

/// The sources of one programme.
#[derive(Debug)]
pub struct Compositor<P> {
    canvas: Size,
    /// In the order in which their peers came.
    sources: Vec<Source<P>>,
    next_serial: u64,
    dropped: u64,
}

/// One tile of a tick.
#[derive(Debug, PartialEq, Eq)]
pub struct Tile<'a, P> {
    /// Its place on the canvas.
    pub rect: Rect,
    /// Whose it is.
    pub track: TrackId,
    /// What is shown.
    pub shown: &'a Timed<P>,
}

impl<P> Compositor<P> {
    /// No sources yet.
    pub const fn new(canvas: Size) -> Self {
        Self { canvas, sources: Vec::new(), next_serial: 0, dropped: 0 }
    }

    /// A peer's picture begins. A second picture of the same peer takes the place of the first once it has something to show.
    pub fn add(&mut self, track: TrackId, peer: PeerKey) {
        self.sources.push(Source { track, peer, queue: VecDeque::new(), shown: None });
    }

    /// A track is over; its tile goes.
    pub fn remove(&mut self, track: TrackId) {
        self.sources.retain(|s| s.track != track);
    }

    /// A decoded picture. Pictures of one source come in order of time; one that does not replaces what is newer, because time was moved back by
    /// a sender's report.
    pub fn push(&mut self, track: TrackId, time: SessionTime, picture: P) {
        let serial = self.next_serial;
        let Some(source) = self.sources.iter_mut().find(|s| s.track == track) else { return };
        self.next_serial += 1;
        while source.queue.back().is_some_and(|newer| newer.time >= time) {
            source.queue.pop_back();
        }
        if source.queue.len() == QUEUE_PICTURES {
            source.queue.pop_front();
            self.dropped += 1;
        }
        source.queue.push_back(Timed { time, picture, serial });
    }

    /// Pictures that no tick showed because too many waited.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// What the tick of moment `time` shows, row by row.
    pub fn tick(&mut self, time: SessionTime) -> Vec<Tile<'_, P>> {
        for source in &mut self.sources {
            while source.queue.front().is_some_and(|next| next.time <= time) {
                source.shown = source.queue.pop_front();
            }
        }
        // A peer's newest track with a picture is its tile: on a take-over the old picture stands until the new one has come.
        let visible: Vec<&Source<P>> = self
            .sources
            .iter()
            .enumerate()
            .filter(|(i, s)| {
                s.shown.is_some() && !self.sources[i + 1..].iter().any(|l| l.peer == s.peer && l.shown.is_some())
            })
            .map(|(_, s)| s)
            .take(layout::MAX_TILES)
            .collect();
        let rects = layout::grid(self.canvas, visible.len());
        rects
            .into_iter()
            .zip(visible)
            .filter_map(|(rect, s)| s.shown.as_ref().map(|shown| Tile { rect, track: s.track, shown }))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: TrackId = TrackId(1);
    const B: TrackId = TrackId(2);

    fn at(ms: i64) -> SessionTime {
        SessionTime::from_micros(ms * 1_000)
    }

    fn two_peers() -> Compositor<&'static str> {
        let mut compositor = Compositor::new(Size { width: 1280, height: 720 });
        compositor.add(A, PeerKey("a".into()));
        compositor.add(B, PeerKey("b".into()));
        compositor
    }

    fn shown(compositor: &mut Compositor<&'static str>, ms: i64) -> Vec<&'static str> {
        compositor.tick(at(ms)).iter().map(|t| t.shown.picture).collect()
    }

    #[test]
    fn a_tick_shows_the_newest_due_picture_and_repeats_it() {
        let mut compositor = two_peers();
        assert_eq!(shown(&mut compositor, 0), [""; 0], "the slate");
        compositor.push(A, at(10), "a1");
        compositor.push(A, at(43), "a2");
        compositor.push(A, at(76), "a3");
        assert_eq!(shown(&mut compositor, 50), ["a2"]);
        assert_eq!(shown(&mut compositor, 75), ["a2"]);
        assert_eq!(shown(&mut compositor, 76), ["a3"]);
        assert_eq!(shown(&mut compositor, 9_000), ["a3"]);
    }

    #[test]
    fn a_peer_without_a_picture_has_no_tile() {
        let mut compositor = two_peers();
        compositor.push(B, at(0), "b1");
        assert_eq!(compositor.tick(at(1))[0].rect.size, Size { width: 1280, height: 720 });
        compositor.push(A, at(2), "a1");
        assert_eq!(shown(&mut compositor, 3), ["a1", "b1"], "in order of arrival of the peers");
        compositor.remove(A);
        assert_eq!(shown(&mut compositor, 4), ["b1"]);
    }

    #[test]
    fn on_a_take_over_the_old_picture_stands_until_the_new_one_has_come() {
        let mut compositor = two_peers();
        compositor.push(A, at(0), "a1");
        compositor.add(TrackId(3), PeerKey("a".into()));
        assert_eq!(shown(&mut compositor, 1), ["a1"]);
        compositor.push(TrackId(3), at(2), "a2");
        assert_eq!(shown(&mut compositor, 3), ["a2"]);
    }

    #[test]
    fn a_burst_costs_the_oldest_pictures_and_time_moved_back_the_newest() {
        let mut compositor = two_peers();
        for i in 0..12 {
            compositor.push(A, at(100 + i), "x");
        }
        assert_eq!(compositor.dropped(), 4);
        compositor.push(A, at(50), "back");
        assert_eq!(shown(&mut compositor, 60), ["back"]);
        assert_eq!(shown(&mut compositor, 500), ["back"]);
    }
}
