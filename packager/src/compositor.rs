//! Which picture of which peer is shown where at a tick. Pure: pictures are whatever `P` is, and time is the tick's.
//!
//! Each source has a short queue of decoded pictures by time. At a tick it shows the newest one that is due; where none has come it goes on
//! showing the last. Each of a peer's things has one tile. People stand in the order of their seats, so that who returns has the old place.

use crate::layout::{Layout, MAX_TILES, Rect, Scaling, Size};
use crate::timeline::Timeline;
use footlight_media::time::SessionTime;
use footlight_media::track::{Contributor, PeerKey, Source as From, TrackId};
use std::collections::VecDeque;

/// Room for pictures that are further ahead of their tick than the playout delay: a sender whose reports have just moved its time.
const AHEAD_PICTURES: u64 = 8;

/// For so long the last picture of who was taken over from stands at most: ICE, DTLS and the first key frame of who takes over take about a second, and two
/// on a bad network. Who never comes is gone then.
const SUCCESSION_SECONDS: u64 = 3;

/// A source's picture with the time at which it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timed<P> {
    /// On the session clock.
    pub time: SessionTime,
    /// The picture.
    pub picture: P,
    /// The first tick that may show it.
    pub tick: u64,
    /// Counts the pictures of all sources, so that a canvas knows what it already holds.
    pub serial: u64,
}

#[derive(Debug)]
struct Source<P> {
    track: TrackId,
    from: Contributor,
    queue: VecDeque<Timed<P>>,
    shown: Option<Timed<P>>,
    /// Its track is over, and what it showed last stands until its successor shows something, before this tick.
    until: Option<u64>,
}

/// The sources of one programme.
#[derive(Debug)]
pub struct Compositor<P> {
    canvas: Size,
    layout: Layout,
    /// Who spoke last, but for whoever is pinned: they interpret.
    speaker: Option<PeerKey>,
    timeline: Timeline,
    /// In the order in which they began.
    sources: Vec<Source<P>>,
    /// The tick after the last one that was asked for.
    next_tick: u64,
    /// Pictures that may wait for their tick, for each source: one for each tick of the playout delay, and [`AHEAD_PICTURES`].
    room: usize,
    next_serial: u64,
    unshown: u64,
}

/// One tile of a tick.
#[derive(Debug, PartialEq, Eq)]
pub struct Tile<'a, P> {
    /// Its place on the canvas. Later tiles lie over earlier ones.
    pub rect: Rect,
    /// How the picture is put into it.
    pub scaling: Scaling,
    /// Whose it is.
    pub track: TrackId,
    /// What stands under it.
    pub name: Option<&'a str>,
    /// What is shown.
    pub shown: &'a Timed<P>,
}

impl<P> Source<P> {
    /// Cameras in the order of seats, then screens in the order in which they began: the last one is the newest, which is what a layout makes large.
    const fn order(&self) -> (From, u64) {
        match self.from.source {
            From::Regular => (From::Regular, self.from.seat.0),
            From::Screen => (From::Screen, self.track.0),
        }
    }
}

impl<P> Compositor<P> {
    /// No sources yet.
    pub fn new(canvas: Size, layout: Layout, timeline: Timeline) -> Self {
        let room = usize::try_from(timeline.ticks_of_delay() + AHEAD_PICTURES).unwrap_or(usize::MAX);
        Self {
            canvas,
            layout,
            speaker: None,
            timeline,
            sources: Vec::new(),
            next_tick: 0,
            room,
            next_serial: 0,
            unshown: 0,
        }
    }

    /// Another layout, from the next tick on.
    pub fn arrange(&mut self, layout: Layout) {
        self.layout = layout;
    }

    /// The layout.
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Somebody else speaks now.
    pub fn speaks(&mut self, peer: PeerKey) {
        if self.layout.pinned.as_ref() != Some(&peer) {
            self.speaker = Some(peer);
        }
    }

    /// A peer's picture begins. A second picture of the same of their things takes the place of the first once it has something to show.
    pub fn add(&mut self, track: TrackId, from: Contributor) {
        self.sources.push(Source { track, from, queue: VecDeque::new(), shown: None, until: None });
    }

    /// A track is over; its tile goes.
    pub fn remove(&mut self, track: TrackId) {
        self.sources.retain(|s| s.track != track);
    }

    /// A track is over, and another of the same thing of the same peer is to come: its tile stays until that has something to show, for
    /// [`SUCCESSION_SECONDS`] at most.
    pub fn hand_over(&mut self, track: TrackId) {
        let until = self.next_tick + SUCCESSION_SECONDS * u64::from(self.timeline.fps);
        if let Some(source) = self.sources.iter_mut().find(|s| s.track == track) {
            source.until = Some(until);
        }
    }

    /// A decoded picture. Pictures of one source come in order of time; one that does not replaces what is newer, because time was moved back by
    /// a sender's report. Of those that the same tick would show only the newest is kept, so that a sender of 60 fps needs no more room than one of 30.
    pub fn push(&mut self, track: TrackId, time: SessionTime, picture: P) {
        let serial = self.next_serial;
        let tick = self.timeline.tick_nearest(time);
        let Some(source) = self.sources.iter_mut().find(|s| s.track == track) else { return };
        self.next_serial += 1;
        while source.queue.back().is_some_and(|other| other.time >= time || other.tick == tick) {
            source.queue.pop_back();
            self.unshown += 1;
        }
        // Those that wait are due sooner: were they to go, a sender that is too far ahead would never be seen.
        if source.queue.len() >= self.room {
            self.unshown += 1;
            return;
        }
        source.queue.push_back(Timed { time, picture, tick, serial });
    }

    /// Pictures that no tick showed: another came for the same tick, or too many waited.
    pub const fn unshown(&self) -> u64 {
        self.unshown
    }

    /// The tracks that have a picture, whether it is seen or not. Those that are over are not among them, though their last one may still be seen.
    pub fn tracks(&self) -> impl Iterator<Item = TrackId> {
        let there = |source: &&Source<P>| source.shown.is_some() && source.until.is_none();
        self.sources.iter().filter(there).map(|source| source.track)
    }

    /// The tracks that cannot be seen, because as many others as there are tiles have a picture and come before them; what they have shown is forgotten. Whoever
    /// has no picture holds nobody up. First come those whom the layout puts somewhere, then cameras by seat.
    ///
    /// It is the same for all arrangements: whoever is among the first has a picture at once where another arrangement, or their speaking, makes them large.
    pub fn rest(&mut self) -> Vec<TrackId> {
        if self.sources.len() <= MAX_TILES {
            return Vec::new();
        }
        let newest_screen = self.sources.iter().filter(|s| s.from.source == From::Screen).map(|s| s.track).max();
        let mut order: Vec<usize> = (0..self.sources.len()).collect();
        order.sort_by_key(|index| {
            let source = &self.sources[*index];
            let peer = Some(&source.from.peer);
            let speaks = self.layout.follows_speaker && self.speaker.as_ref() == peer;
            let named = [&self.layout.pinned, &self.layout.focus].into_iter().any(|named| named.as_ref() == peer);
            (!(speaks || named || newest_screen == Some(source.track)), source.order())
        });
        let (mut seen, mut resting) = (0, Vec::new());
        for index in order {
            let source = &mut self.sources[index];
            if seen == MAX_TILES {
                source.queue.clear();
                source.shown = None;
                resting.push(source.track);
            }
            seen += usize::from(source.shown.is_some());
        }
        resting.sort_unstable();
        resting
    }

    /// What a peer shows just now: their camera, or a screen where they have no other picture.
    pub fn picture_of(&self, peer: &PeerKey) -> Option<&P> {
        let shown = self.sources.iter().filter(|source| source.from.peer == *peer && source.shown.is_some());
        let newest = shown.max_by_key(|source| (source.from.source == From::Regular, source.track));
        newest?.shown.as_ref().map(|shown| &shown.picture)
    }

    /// What tick `tick` shows, in the order in which it is drawn.
    pub fn tick(&mut self, tick: u64) -> Vec<Tile<'_, P>> {
        self.next_tick = tick + 1;
        self.sources.retain(|source| source.until.is_none_or(|until| tick < until));
        for source in &mut self.sources {
            while source.queue.front().is_some_and(|next| next.tick <= tick) {
                source.shown = source.queue.pop_front();
            }
        }
        // Who has been succeeded is not seen again, also where the successor leaves.
        let succeeded = |source: &Source<P>| {
            let newer = |other: &Source<P>| other.until.is_none() && other.from.is_same(&source.from);
            source.until.is_some() && self.sources.iter().any(|other| newer(other) && other.shown.is_some())
        };
        let over: Vec<TrackId> =
            self.sources.iter().filter(|source| succeeded(source)).map(|source| source.track).collect();
        self.sources.retain(|source| !over.contains(&source.track));
        // The newest track with a picture is its tile: on a take-over the old picture stands until the new one has come (see `hand_over`).
        let mut visible: Vec<&Source<P>> = self
            .sources
            .iter()
            .enumerate()
            .filter(|(i, s)| {
                s.shown.is_some() && !self.sources[i + 1..].iter().any(|l| l.from.is_same(&s.from) && l.shown.is_some())
            })
            .map(|(_, s)| s)
            .collect();
        visible.sort_by_key(|source| source.order());
        let sources: Vec<&Contributor> = visible.iter().map(|source| &source.from).collect();
        let layout = &self.layout;
        layout
            .places(self.canvas, &sources, self.speaker.as_ref())
            .into_iter()
            .filter_map(|place| {
                let source = visible[place.source];
                Some(Tile {
                    rect: place.rect,
                    scaling: place.scaling,
                    track: source.track,
                    name: layout.name(&source.from),
                    shown: source.shown.as_ref()?,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Arrangement;
    use footlight_media::time::WallTime;
    use footlight_media::track::Seat;
    use std::time::Duration;

    const A: TrackId = TrackId(1);
    const B: TrackId = TrackId(2);

    fn at(ms: i64) -> SessionTime {
        SessionTime::from_micros(ms * 1_000)
    }

    /// Ticks of 25 fps from the clock's zero on: tick `n` shows the moment of `40 n` ms.
    fn timeline(delay: Duration) -> Timeline {
        Timeline { zero: SessionTime::ZERO, zero_date: WallTime::from_micros(0), delay, fps: 25 }
    }

    fn seated(peer: &str, seat: u64) -> Contributor {
        Contributor { seat: Seat(seat), ..PeerKey(peer.into()).into() }
    }

    fn two_peers() -> Compositor<&'static str> {
        let mut compositor =
            Compositor::new(Size { width: 1280, height: 720 }, Layout::default(), timeline(Duration::from_millis(160)));
        compositor.add(A, seated("a", 0));
        compositor.add(B, seated("b", 1));
        compositor
    }

    fn shown(compositor: &mut Compositor<&'static str>, tick: u64) -> Vec<&'static str> {
        compositor.tick(tick).iter().map(|t| t.shown.picture).collect()
    }

    #[test]
    fn a_tick_shows_the_newest_due_picture_and_repeats_it() {
        let mut compositor = two_peers();
        assert_eq!(shown(&mut compositor, 0), [""; 0], "the slate");
        compositor.push(A, at(30), "a1");
        compositor.push(A, at(70), "a2");
        compositor.push(A, at(110), "a3");
        assert_eq!(shown(&mut compositor, 2), ["a2"]);
        assert_eq!(shown(&mut compositor, 2), ["a2"]);
        assert_eq!(shown(&mut compositor, 3), ["a3"]);
        assert_eq!(shown(&mut compositor, 200), ["a3"]);
        compositor.push(A, at(9_000), "exactly at a tick");
        assert_eq!(shown(&mut compositor, 224), ["a3"]);
        assert_eq!(shown(&mut compositor, 225), ["exactly at a tick"]);
    }

    #[test]
    fn a_peer_without_a_picture_has_no_tile() {
        let mut compositor = two_peers();
        compositor.push(B, at(0), "b1");
        assert_eq!(compositor.tick(1)[0].rect.size, Size { width: 1280, height: 720 });
        compositor.push(A, at(41), "a1");
        assert_eq!(shown(&mut compositor, 2), ["a1", "b1"], "in order of arrival of the peers");
        compositor.remove(A);
        assert_eq!(shown(&mut compositor, 3), ["b1"]);
    }

    #[test]
    fn another_layout_is_there_with_the_next_tick() {
        let mut compositor = two_peers();
        compositor.push(A, at(0), "a");
        compositor.push(B, at(0), "b");
        assert_eq!(shown(&mut compositor, 1), ["a", "b"]);
        let focus = Some(PeerKey("b".into()));
        compositor.arrange(Layout { arrangement: Arrangement::Sidebar, focus: focus.clone(), ..Layout::default() });
        assert_eq!(shown(&mut compositor, 2), ["b", "a"]);
        compositor.arrange(Layout { arrangement: Arrangement::Spotlight, focus, ..Layout::default() });
        assert_eq!(shown(&mut compositor, 3), ["b"]);
        compositor.remove(B);
        assert_eq!(shown(&mut compositor, 4), ["a"], "somebody is seen when who was in focus has left");
    }

    #[test]
    fn whoever_speaks_is_the_large_one_where_the_layout_follows_them() {
        let mut compositor = two_peers();
        compositor.push(A, at(0), "a");
        compositor.push(B, at(0), "b");
        let peer = |name: &str| PeerKey(name.into());
        let spotlight = Layout { arrangement: Arrangement::Spotlight, ..Layout::default() };
        compositor.arrange(Layout { follows_speaker: true, ..spotlight.clone() });
        assert_eq!(shown(&mut compositor, 1), ["a"], "nobody has spoken");
        compositor.speaks(peer("b"));
        assert_eq!(shown(&mut compositor, 2), ["b"]);
        compositor.speaks(peer("nobody with a picture"));
        assert_eq!(shown(&mut compositor, 3), ["a"]);
        compositor.speaks(peer("b"));
        compositor.arrange(spotlight.clone());
        assert_eq!(shown(&mut compositor, 4), ["a"], "this one does not follow");
        // An interpreter stays in the corner, and whoever spoke before them stays large.
        compositor.arrange(Layout { follows_speaker: true, pinned: Some(peer("a")), ..spotlight });
        compositor.speaks(peer("a"));
        assert_eq!(shown(&mut compositor, 5), ["b", "a"]);
    }

    #[test]
    fn on_a_take_over_the_old_picture_stands_until_the_new_one_has_come() {
        let mut compositor = two_peers();
        compositor.push(A, at(0), "a1");
        compositor.add(TrackId(3), seated("a", 0));
        assert_eq!(shown(&mut compositor, 1), ["a1"]);
        compositor.push(TrackId(3), at(41), "a2");
        assert_eq!(shown(&mut compositor, 2), ["a2"]);
    }

    #[test]
    fn who_was_taken_over_from_is_seen_until_the_successor_is() {
        let mut compositor = two_peers();
        compositor.push(A, at(0), "a1");
        compositor.push(B, at(0), "b1");
        // A picture that waits for its tick is shown yet.
        compositor.push(A, at(80), "a2");
        assert_eq!(shown(&mut compositor, 1), ["a1", "b1"]);
        compositor.hand_over(A);
        assert_eq!(compositor.tracks().collect::<Vec<_>>(), [B], "it is not there any more");
        assert_eq!(shown(&mut compositor, 2), ["a2", "b1"]);
        compositor.add(TrackId(3), seated("a", 0));
        assert_eq!(shown(&mut compositor, 40), ["a2", "b1"]);
        compositor.push(TrackId(3), at(1_640), "a3");
        assert_eq!(shown(&mut compositor, 41), ["a3", "b1"]);
        compositor.remove(TrackId(3));
        assert_eq!(shown(&mut compositor, 42), ["b1"], "the old one is not seen again");
    }

    #[test]
    fn a_successor_that_does_not_come_is_waited_for_for_three_seconds() {
        let mut compositor = two_peers();
        compositor.push(A, at(0), "a1");
        compositor.push(B, at(0), "b1");
        assert_eq!(shown(&mut compositor, 99), ["a1", "b1"]);
        compositor.hand_over(A);
        assert_eq!(shown(&mut compositor, 174), ["a1", "b1"]);
        assert_eq!(shown(&mut compositor, 175), ["b1"]);
        // Nor does one that has never shown anything take a place.
        compositor.add(TrackId(3), PeerKey("c".into()).into());
        compositor.hand_over(TrackId(3));
        assert_eq!(shown(&mut compositor, 176), ["b1"]);
    }

    #[test]
    fn who_returns_has_the_old_place() {
        let mut compositor = two_peers();
        let c = TrackId(3);
        compositor.add(c, seated("c", 2));
        for (track, picture) in [(A, "a"), (B, "b"), (c, "c")] {
            compositor.push(track, at(0), picture);
        }
        assert_eq!(shown(&mut compositor, 1), ["a", "b", "c"]);
        compositor.remove(A);
        assert_eq!(shown(&mut compositor, 2), ["b", "c"]);
        compositor.add(TrackId(4), seated("a", 0));
        compositor.push(TrackId(4), at(120), "a again");
        assert_eq!(shown(&mut compositor, 3), ["a again", "b", "c"]);
        // A packager that takes over hears of them in any order.
        let mut restarted = two_peers();
        restarted.remove(A);
        restarted.add(TrackId(4), seated("a", 0));
        for (track, picture) in [(B, "b"), (TrackId(4), "a")] {
            restarted.push(track, at(0), picture);
        }
        assert_eq!(shown(&mut restarted, 1), ["a", "b"]);
    }

    #[test]
    fn the_newest_screen_is_the_large_one_wherever_its_owner_sits() {
        let mut compositor = two_peers();
        let screen = |peer, seat| Contributor { source: From::Screen, ..seated(peer, seat) };
        compositor.add(TrackId(3), screen("b", 1));
        compositor.add(TrackId(4), screen("a", 0));
        for (track, picture) in [(A, "a"), (B, "b"), (TrackId(3), "b's"), (TrackId(4), "a's")] {
            compositor.push(track, at(0), picture);
        }
        assert_eq!(shown(&mut compositor, 1), ["a's", "a", "b", "b's"]);
    }

    #[test]
    fn who_comes_after_sixteen_with_a_picture_rests_until_there_is_a_tile() {
        let mut compositor =
            Compositor::new(Size { width: 1280, height: 720 }, Layout::default(), timeline(Duration::ZERO));
        let track = |number: u64| TrackId(100 + number);
        let resting = |numbers: &[u64]| numbers.iter().map(|number| track(*number)).collect::<Vec<_>>();
        for number in 0..20 {
            compositor.add(track(number), seated(&number.to_string(), number));
        }
        assert_eq!(compositor.rest(), resting(&[]), "nobody is known to have a picture");
        for number in 0..19 {
            compositor.push(track(number), at(0), "");
        }
        compositor.tick(0);
        assert_eq!(compositor.rest(), resting(&[16, 17, 18, 19]));
        assert_eq!(compositor.tracks().count(), 16, "what they showed is not kept");
        assert_eq!(compositor.tick(1).len(), 16);
        // One of the first is away: the next has time to get a picture, and so have those after them until somebody has one.
        compositor.remove(track(3));
        assert_eq!(compositor.rest(), resting(&[]));
        compositor.push(track(16), at(80), "");
        compositor.tick(2);
        assert_eq!(compositor.rest(), resting(&[17, 18, 19]));
        // Who returns is waited for, and then who stood in for them rests again.
        compositor.add(TrackId(200), seated("3", 3));
        assert_eq!(compositor.rest(), resting(&[17, 18, 19]));
        compositor.push(TrackId(200), at(120), "");
        compositor.tick(3);
        assert_eq!(compositor.rest(), resting(&[16, 17, 18, 19]));
        // Whom the layout puts somewhere is seen before others.
        let focus = Some(PeerKey("19".into()));
        compositor.arrange(Layout { focus, follows_speaker: true, ..Layout::default() });
        assert_eq!(compositor.rest(), resting(&[16, 17, 18]));
        compositor.push(track(19), at(160), "");
        compositor.speaks(PeerKey("18".into()));
        compositor.tick(4);
        assert_eq!(compositor.rest(), resting(&[15, 16, 17]));
        compositor.push(track(18), at(200), "");
        compositor.tick(5);
        assert_eq!(compositor.rest(), resting(&[14, 15, 16, 17]));
    }

    #[test]
    fn time_moved_back_costs_the_newest_pictures() {
        let mut compositor = two_peers();
        for i in 0..4 {
            compositor.push(A, at(100 + 40 * i), "x");
        }
        compositor.push(A, at(50), "back");
        assert_eq!((shown(&mut compositor, 2), compositor.unshown()), (vec!["back"], 4));
        assert_eq!(shown(&mut compositor, 50), ["back"]);
    }

    /// Four seconds of a sender's pictures, each there 20 ms after its moment, with ticks drawn when they are due; how many different ones were seen.
    fn seen(sender_fps: i64, delay_ms: i64) -> usize {
        let line = timeline(Duration::from_millis(delay_ms.unsigned_abs()));
        let mut compositor = Compositor::new(Size { width: 1280, height: 720 }, Layout::default(), line);
        compositor.add(A, PeerKey("a".into()).into());
        let mut seen = Vec::new();
        let mut next = 0;
        for tick in 0..100 {
            while at(next * 1_000 / sender_fps + 20) <= line.due(tick) {
                compositor.push(A, at(next * 1_000 / sender_fps), next);
                next += 1;
            }
            seen.extend(compositor.tick(tick).iter().map(|tile| tile.shown.picture));
        }
        seen.dedup();
        seen.len()
    }

    #[test]
    fn every_tick_shows_a_new_picture_whatever_the_delay_and_the_sender_s_rate() {
        for (sender_fps, delay_ms) in [(25, 0), (25, 150), (60, 150), (60, 200), (30, 300), (120, 1_000)] {
            let seen = seen(sender_fps, delay_ms);
            assert!(seen >= 98, "{sender_fps} fps, {delay_ms} ms: {seen} of 100 ticks showed something new");
        }
    }

    #[test]
    fn a_sender_that_is_too_far_ahead_is_still_seen() {
        let mut compositor = two_peers();
        let mut seen = Vec::new();
        for tick in 0..100_u64 {
            // 40 pictures ahead of its tick, where there is room for 12.
            let time = at(40 * (i64::try_from(tick).expect("small") + 40));
            compositor.push(A, time, "ahead");
            seen.extend(compositor.tick(tick).iter().map(|tile| tile.shown.serial));
        }
        seen.dedup();
        assert!(seen.len() >= 12 && compositor.unshown() > 0, "{seen:?}");
    }
}
