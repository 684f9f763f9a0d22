#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: the compositor's thread waits for its ticks.
//! The compositor's thread: draws the canvas at each tick and hands it to the rungs.

use super::intake::{Came, Intake};
use super::rung::{Rung, ToRung};
use super::shots::{self, Shot};
use super::slot::Slot;
use super::{Shared, Signals, ThreadEvent};
use crate::canvas::{Canvas, Painter};
use crate::compositor::{Compositor, Tile};
use crate::dissolve::Dissolve;
use crate::ffmpeg::{FfmpegError, Picture};
use crate::ladder::{Ladder, PARTS_PER_SEGMENT};
use crate::layout::{self, Layout, Scaling, Size};
use crate::scenery::Scenery;
use crate::segmenter::Cut;
use crate::signal::{Glance, PictureSignal, Subject};
use crate::stages::FrameStamps;
use crate::timeline::SLATE_SEGMENTS;
use footlight_media::track::{Contributor, PeerKey, TrackId};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Inputs that wait for a tick: 16 sources at 60 fps and a compositor that is four ticks late.
const INPUTS: usize = 128;

/// From one poster to the next: people who look at a list of rooms see what goes on there.
const POSTER_SECONDS: u64 = 10;

pub(super) enum PictureInput {
    Added { track: TrackId, from: Contributor },
    Picture { stamps: FrameStamps, picture: Picture },
    Removed { track: TrackId, succeeded: bool },
    Shoot { number: u64, peer: Option<PeerKey> },
}

/// Who is to be seen where, and who speaks.
pub(super) struct Wanted {
    pub(super) layout: Slot<Layout>,
    pub(super) scenery: Slot<Scenery>,
    pub(super) speaker: Slot<PeerKey>,
    /// Where it is said what there is to see.
    pub(super) seen: Slot<Signals>,
    /// Where it is said whose pictures are not to be decoded.
    pub(super) resting: Slot<Vec<TrackId>>,
}

pub(super) fn start(
    shared: Shared,
    ladder: &Ladder,
    wanted: Wanted,
    part: u64,
    rungs: Vec<Rung>,
) -> std::io::Result<SyncSender<PictureInput>> {
    let (inputs, queue) = sync_channel(INPUTS);
    let (ladder, shots) = (ladder.clone(), shots::start(shared.clone())?);
    std::thread::Builder::new().name("compositor".into()).spawn(move || {
        let events = shared.events.clone();
        if let Err(error) = Ticker::new(shared, &ladder, wanted, part, (rungs, shots)).run(&queue) {
            let _nobody_listens_after_the_end = events.blocking_send(ThreadEvent::Failed(error));
        }
    })?;
    Ok(inputs)
}

struct Ticker {
    shared: Shared,
    compositor: Compositor<(Arc<Picture>, FrameStamps)>,
    wanted: Wanted,
    painter: Painter,
    scenery: Scenery,
    dissolve: Dissolve,
    rungs: Vec<Rung>,
    tick: u64,
    cut: Cut,
    /// Ticks before this one are the slate: not waited for.
    live_from: u64,
    /// The newest frame that was drawn, by its picture's serial number: stamps are reported once.
    reported: Option<u64>,
    /// The sizes of tiles, as they were told.
    told: HashMap<TrackId, Size>,
    last: Option<Arc<Canvas>>,
    /// Tracks that cannot be seen, in order, as it was told.
    resting: Vec<TrackId>,
    /// What there is to see of each track, and of the programme.
    signals: HashMap<TrackId, PictureSignal>,
    programme: PictureSignal,
    shots: SyncSender<Shot>,
    /// What the last poster showed, and the tick of the next.
    poster: (Option<Arc<Canvas>>, u64),
}

impl Ticker {
    fn new(
        shared: Shared,
        ladder: &Ladder,
        wanted: Wanted,
        part: u64,
        (rungs, shots): (Vec<Rung>, SyncSender<Shot>),
    ) -> Self {
        let cut = Cut::video(ladder.fps);
        let programme = PictureSignal::new(shared.clock.now());
        let compositor = Compositor::new(ladder.canvas, Layout::default(), shared.timeline);
        Self {
            shared,
            compositor,
            wanted,
            painter: Painter::new(ladder.canvas),
            scenery: Scenery::default(),
            dissolve: Dissolve::default(),
            rungs,
            tick: cut.first_unit(part),
            cut,
            live_from: if part == 0 { cut.first_unit(SLATE_SEGMENTS * u64::from(PARTS_PER_SEGMENT)) } else { 0 },
            reported: None,
            told: HashMap::new(),
            last: None,
            resting: Vec::new(),
            signals: HashMap::new(),
            programme,
            shots,
            poster: (None, 0),
        }
    }

    fn run(mut self, inputs: &Receiver<PictureInput>) -> Result<(), FfmpegError> {
        let meter = self.shared.counters.meter("compose");
        while !self.shared.stops_before(self.cut.part_of(self.tick)) {
            if self.tick >= self.live_from && !self.wait(inputs) {
                return Ok(());
            }
            self.draw()?;
            if self.cut.begins_part(self.tick) {
                self.tell_signals();
                self.hang_poster();
            }
            self.tick += 1;
            meter.read();
        }
        Ok(())
    }

    /// Takes inputs until the tick is due; `false` where nobody can send any more.
    fn wait(&mut self, inputs: &Receiver<PictureInput>) -> bool {
        let due = self.shared.timeline.due(self.tick);
        let mut intake = Intake::new(inputs, INPUTS);
        loop {
            let left = due.micros_since(self.shared.clock.now());
            let left = Duration::from_micros(u64::try_from(left).unwrap_or(0));
            match intake.next(left) {
                Came::Input(input) => self.take(input),
                Came::Due => return true,
                Came::Over => return false,
            }
        }
    }

    fn take(&mut self, input: PictureInput) {
        match input {
            PictureInput::Added { track, from } => {
                self.signals.insert(track, PictureSignal::new(self.shared.clock.now()));
                self.compositor.add(track, from);
            }
            PictureInput::Removed { track, succeeded } => {
                self.signals.remove(&track);
                if succeeded {
                    self.compositor.hand_over(track);
                } else {
                    self.compositor.remove(track);
                }
            }
            PictureInput::Picture { stamps, picture } => {
                if let Some(signal) = self.signals.get_mut(&stamps.track) {
                    signal.see(glance(&picture), stamps.decoded);
                }
                self.compositor.push(stamps.track, stamps.time, (Arc::new(picture), stamps));
            }
            PictureInput::Shoot { number, peer } => self.shoot(number, peer.as_ref()),
        }
    }

    /// Hands over what somebody wants to see. Where too many do, this one is not answered.
    fn shoot(&self, number: u64, peer: Option<&PeerKey>) {
        let of = match peer {
            Some(peer) => match self.compositor.picture_of(peer) {
                Some((picture, _)) => shots::Subject::Peer(Arc::clone(picture)),
                None => shots::Subject::Nothing,
            },
            None => match &self.last {
                Some(last) => shots::Subject::Programme(Arc::clone(last)),
                None => shots::Subject::Nothing,
            },
        };
        let _too_many_ask = self.shots.try_send(Shot::Asked { number, of });
    }

    /// From time to time what the programme shows becomes its poster, where that has changed.
    fn hang_poster(&mut self) {
        let (hung, next) = &mut self.poster;
        if self.tick < *next.max(&mut self.live_from) {
            return;
        }
        if let Some(last) = &self.last
            && hung.as_ref().is_none_or(|hung| !Arc::ptr_eq(hung, last))
            && self.shots.try_send(Shot::Poster(Arc::clone(last))).is_ok()
        {
            *hung = Some(Arc::clone(last));
        }
        *next = self.tick + POSTER_SECONDS * u64::from(self.shared.timeline.fps);
    }

    /// Looks at the programme, and says what there is to see of all.
    fn tell_signals(&mut self) {
        let now = self.shared.clock.now();
        if let Some(last) = &self.last {
            self.programme.see(glance(&last.picture), now);
        }
        // Of who is not decoded nothing is known.
        let known = self.signals.iter().filter(|(track, _)| self.resting.binary_search(track).is_err());
        let tracks = known.map(|(track, signal)| (Subject::Track(*track), signal.signal(now)));
        self.wanted.seen.set(tracks.chain([(Subject::Picture, self.programme.signal(now))]).collect());
    }

    fn take_wishes(&mut self) {
        let (layout, scenery) = (self.wanted.layout.take(), self.wanted.scenery.take());
        let dresses = layout.is_some() || scenery.is_some();
        if let Some(layout) = layout {
            self.compositor.arrange(layout);
        }
        self.scenery = scenery.unwrap_or_else(|| std::mem::take(&mut self.scenery));
        if dresses {
            self.painter.dress(self.compositor.layout(), &self.scenery);
        }
        if let Some(peer) = self.wanted.speaker.take() {
            self.compositor.speaks(peer);
        }
    }

    /// Says whose pictures are not to be decoded, where that has changed.
    fn tell_who_rests(&mut self) {
        let resting = self.compositor.rest();
        if resting == self.resting {
            return;
        }
        let now = self.shared.clock.now();
        let before = std::mem::replace(&mut self.resting, resting);
        for track in before.iter().filter(|track| self.resting.binary_search(track).is_err()) {
            // A picture that has not come for as long as nobody decoded it is not missed.
            if let Some(signal) = self.signals.get_mut(track) {
                *signal = PictureSignal::new(now);
            }
        }
        self.wanted.resting.set(self.resting.clone());
    }

    fn draw(&mut self) -> Result<(), FfmpegError> {
        let (tick, timeline, counters) = (self.tick, self.shared.timeline, &self.shared.counters);
        counters.ticks.fetch_add(1, Ordering::Relaxed);
        counters.unshown_pictures.store(self.compositor.unshown(), Ordering::Relaxed);
        let live = tick >= self.live_from;
        let late = live && self.shared.clock.now() > timeline.due(tick + 1);
        if late {
            counters.late_ticks.fetch_add(1, Ordering::Relaxed);
            // A boundary is never left out: it shows the last canvas. Another tick that is late is simply not there.
            if !self.cut.begins_part(tick) {
                return Ok(());
            }
        }
        self.take_wishes();
        self.tell_who_rests();
        // As of the tick before: who has no picture yet is about to be seen, and is not told that they are not.
        let all: Vec<TrackId> = self.compositor.tracks().collect();
        let ticks = self.compositor.layout().transition.ticks(timeline.fps);
        let tiles = self.compositor.tick(tick);
        tell_sizes(&mut self.told, &all, &tiles, &self.shared);
        let newest = tiles.iter().map(|t| (t.shown.serial, t.shown.picture.1)).max_by_key(|(serial, _)| *serial);
        let newest = newest.filter(|(serial, _)| self.reported.is_none_or(|reported| *serial > reported));
        let canvas = match &self.last {
            Some(last) if late => Arc::clone(last),
            _ => self.dissolve.show(&tiles, self.painter.paint(&tiles)?, ticks),
        };
        self.last = Some(Arc::clone(&canvas));
        self.reported = newest.map(|(serial, _)| serial).or(self.reported);
        let message = ToRung {
            tick,
            canvas,
            due: timeline.due(tick),
            drawn: self.shared.clock.now(),
            newest: newest.map(|(_, stamps)| stamps),
        };
        for rung in &self.rungs {
            // Nobody waits for the slate, so the rungs set its pace. A live tick that finds a rung's queue full is that rung's loss.
            rung.send(message.clone(), !live);
        }
        Ok(())
    }
}

/// Tells how large each track is shown, where that is new, so that a layer of its picture can be chosen for it: one that has no tile is not worth more than
/// the least. `all` are the tracks that have a picture.
fn tell_sizes(
    told: &mut HashMap<TrackId, Size>,
    all: &[TrackId],
    tiles: &[Tile<'_, (Arc<Picture>, FrameStamps)>],
    shared: &Shared,
) {
    told.retain(|track, _| all.contains(track));
    for &track in all {
        let size = tiles.iter().find(|tile| tile.track == track).map_or(LEAST, shown);
        // Where the loop is busy it is told with the next tick.
        if told.get(&track) != Some(&size) && shared.events.try_send(ThreadEvent::Shown(track, size)).is_ok() {
            told.insert(track, size);
        }
    }
}

fn glance(picture: &Picture) -> Glance {
    let (luma, stride) = picture.plane(0);
    Glance::of(luma, stride, picture.size())
}

const LEAST: Size = Size { width: 1, height: 1 };

/// How large a tile's whole picture is, what is cut off included.
fn shown(tile: &Tile<'_, (Arc<Picture>, FrameStamps)>) -> Size {
    match tile.scaling {
        Scaling::Fit => tile.rect.size,
        Scaling::Fill => layout::uncropped(tile.shown.picture.0.size(), tile.rect.size),
    }
}
