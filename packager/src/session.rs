//! The pure core of one live stream: takes what the encoders made, answers with what is to be published.
//!
//! It has quinn's shape: [`Session::handle`] takes an input, then [`Session::poll_output`] is called until it answers `None`. It has no deadline
//! of its own: what drives it is the canvas's tick. Parts of one number are published together in all renditions, but a
//! rendition that is late by more than a part does not hold the others.

use crate::cmaf::{self, TrackHeader};
use crate::gzip::Gzip;
use crate::ladder::Ladder;
use crate::objects::{Batch, Change, Multivariant, Stream};
use crate::playlist::{self, PartPlace, Rendition};
use crate::segmenter::{Cut, Finished, Segmenter, Unit};
use crate::stages::TickStamps;
use crate::timeline::{SLATE_SEGMENTS, Timeline};
use bytes::Bytes;
use footlight_media::time::SessionTime;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Finished parts of a rendition that wait for the other renditions. One may wait; when a second is finished the others are late by more than a part.
const PARTS_THAT_WAIT: usize = 1;

/// Which rendition: rungs first, then audio, in the ladder's order.
pub type Lane = usize;

/// What happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// A rendition's encoder is open.
    Opened {
        /// Which rendition.
        lane: Lane,
        /// For its init segment.
        header: TrackHeader,
    },
    /// A rendition's next unit: encoded, or left out.
    Unit {
        /// Which rendition.
        lane: Lane,
        /// The unit.
        unit: Unit,
        /// What the tick went through, for video.
        stamps: Option<TickStamps>,
    },
    /// What the programme looks like, as JPEG.
    Poster(Bytes),
    /// A rendition's encoder has been drained: no unit follows.
    Drained {
        /// Which rendition.
        lane: Lane,
    },
}

/// What to do.
#[derive(Debug)]
pub enum Output {
    /// Publish these, in this order.
    Publish(Batch),
    /// Everything is published that ever will be; these objects may go when the ended playlist has been up long enough.
    Ended {
        /// Their paths.
        leftovers: Vec<String>,
    },
}

/// What a packager that takes over needs. Kept at the origin as a private object, replaced with each batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// The same for the whole stream.
    pub timeline: Timeline,
    renditions: Vec<Rendition>,
}

impl Resume {
    /// Reads a record back; `None` where it is not one of this stream's. Whoever took the packager that wrote it over wrote what they liked, so it is
    /// held to what a packager can have got to.
    pub fn read(bytes: &[u8], stream: &Stream, ladder: &Ladder) -> Option<Self> {
        let resume: Self = postcard::from_bytes(bytes).ok()?;
        let empty = renditions(ladder, stream.window());
        let sound = resume.timeline.is_sound(ladder.fps)
            && resume.renditions.len() == empty.len()
            && resume.renditions.iter().zip(&empty).all(|(rendition, empty)| rendition.continues(empty));
        sound.then_some(resume)
    }
}

/// The ladder's renditions, with nothing in them.
fn renditions(ladder: &Ladder, window: usize) -> Vec<Rendition> {
    let video = Cut::video(ladder.fps);
    let rungs = ladder.rungs.iter().map(|r| Rendition::new(&r.name, video, ladder, window));
    let audio = ladder.audio.iter().map(|a| Rendition::new(&a.name, Cut::audio(), ladder, window));
    rungs.chain(audio).collect()
}

struct LaneState {
    rendition: Rendition,
    segmenter: Segmenter,
    header: Option<TrackHeader>,
    waiting: VecDeque<Waiting>,
    drained: bool,
    /// Stamps of the ticks of the part that is being filled.
    stamps: Vec<TickStamps>,
    /// Segments up to this one have been deleted.
    deleted_segment: u64,
    /// Segments whose parts have been deleted, up to this one.
    deleted_parts: u64,
}

impl LaneState {
    /// Number of the oldest part that waits.
    fn front(&self) -> Option<u64> {
        self.waiting.front().map(|w| w.finished.part.number)
    }
}

struct Waiting {
    finished: Finished,
    stamps: Vec<TickStamps>,
    complete: SessionTime,
}

/// The state of one live stream.
pub struct Session {
    stream: Stream,
    ladder: Ladder,
    timeline: Timeline,
    lanes: Vec<LaneState>,
    outputs: VecDeque<Output>,
    /// Playlists are out: three segments stand in all renditions.
    announced: bool,
    ended: bool,
    /// Changes that the next batch begins with.
    before: Vec<Change>,
    gzip: Gzip,
}

impl Session {
    /// A new stream, from its first part.
    pub fn new(stream: Stream, ladder: Ladder, timeline: Timeline) -> Self {
        let renditions = renditions(&ladder, stream.window());
        Self::with(stream, ladder, timeline, renditions, 0)
    }

    /// Goes on with a stream whose packager was killed, from part `part`: one discontinuity, numbers that only rise. What was out of a segment is
    /// joined into a short one.
    pub fn resume(stream: Stream, ladder: Ladder, resume: Resume, part: u64) -> Self {
        let Resume { timeline, renditions } = resume;
        let mut session = Self::with(stream, ladder, timeline, renditions, part);
        for lane in &mut session.lanes {
            let name = lane.rendition.name().to_owned();
            if let Some((msn, parts)) = lane.rendition.interrupt() {
                session.before.push(session.stream.joined_segment(&name, msn, parts));
            }
        }
        session
    }

    /// Ends a stream whose packager was killed and gets no successor: what it left is listed as it is, and the playlists end. Poll the outputs.
    pub fn abandon(stream: Stream, ladder: Ladder, resume: Resume) -> Self {
        let mut session = Self::resume(stream, ladder, resume, 0);
        session.announced = session.stands();
        session.end();
        session
    }

    fn with(stream: Stream, ladder: Ladder, timeline: Timeline, renditions: Vec<Rendition>, part: u64) -> Self {
        let lanes = renditions
            .into_iter()
            .map(|rendition| LaneState {
                segmenter: Segmenter::new(rendition.cut(), part),
                deleted_segment: stream.expired_segment(&rendition),
                deleted_parts: stream.expired_parts(&rendition),
                rendition,
                header: None,
                waiting: VecDeque::new(),
                drained: false,
                stamps: Vec::new(),
            })
            .collect();
        Self {
            stream,
            ladder,
            timeline,
            lanes,
            outputs: VecDeque::new(),
            announced: false,
            ended: false,
            before: Vec::new(),
            gzip: Gzip::default(),
        }
    }

    /// The stream's timeline.
    pub const fn timeline(&self) -> Timeline {
        self.timeline
    }

    /// The unit with which a rendition's encoder begins, for a stream that begins or goes on with part `part`.
    pub fn first_unit(&self, lane: Lane, part: u64) -> u64 {
        self.lanes[lane].rendition.cut().first_unit(part)
    }

    /// Takes an input. Poll the outputs after it.
    pub fn handle(&mut self, input: Input, now: SessionTime) {
        match input {
            Input::Opened { lane, header } => {
                let name = self.lanes[lane].rendition.name().to_owned();
                let init = self.lanes[lane].rendition.init();
                self.before.push(self.stream.init(&name, init, cmaf::init_segment(&header)));
                self.lanes[lane].header = Some(header);
            }
            Input::Unit { lane, unit, stamps } => {
                let lane = &mut self.lanes[lane];
                lane.stamps.extend(stamps);
                if let Some(finished) = lane.segmenter.push(unit) {
                    let stamps = std::mem::take(&mut lane.stamps);
                    lane.waiting.push_back(Waiting { finished, stamps, complete: now });
                    self.release();
                }
            }
            Input::Poster(jpeg) => self.before.extend(self.stream.posters(&jpeg)),
            Input::Drained { lane } => {
                self.lanes[lane].drained = true;
                if self.lanes.iter().all(|l| l.drained) {
                    self.end();
                }
            }
        }
    }

    /// What to do next, if anything.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Publishes what is ready in all renditions, and what has waited for a late one long enough.
    fn release(&mut self) {
        // An init segment comes before everything that needs it.
        if self.lanes.iter().any(|l| l.header.is_none()) {
            return;
        }
        while let Some(number) = self.lanes.iter().filter_map(LaneState::front).min() {
            let everywhere = self.lanes.iter().all(|l| l.segmenter.part() > number);
            let overdue = self.lanes.iter().any(|l| l.waiting.len() > PARTS_THAT_WAIT);
            if !everywhere && !overdue {
                return;
            }
            let mut batch = Batch { changes: std::mem::take(&mut self.before), ..Batch::default() };
            let mut changed = Vec::new();
            for index in 0..self.lanes.len() {
                let lane = &mut self.lanes[index];
                if lane.front() == Some(number)
                    && let Some(waiting) = lane.waiting.pop_front()
                {
                    self.append(index, waiting, &mut batch);
                    changed.push(index);
                }
            }
            self.list(&changed, &mut batch);
            self.outputs.push_back(Output::Publish(batch));
        }
    }

    /// Adds a finished part, and the segment that it completes, to its rendition and to the batch.
    fn append(&mut self, index: Lane, waiting: Waiting, batch: &mut Batch) {
        let Finished { part, segment } = waiting.finished;
        let lane = &mut self.lanes[index];
        let PartPlace { msn, index: in_segment } = lane.rendition.append(&part, segment.is_some());
        let name = lane.rendition.name();
        batch.changes.push(self.stream.part(name, msn, in_segment, part.bytes));
        if let Some(bytes) = segment {
            batch.changes.push(self.stream.segment(name, msn, bytes));
        }
        batch.stamps.extend(waiting.stamps);
        batch.complete = batch.complete.max(waiting.complete);
    }

    /// Adds the playlists of the renditions that changed, what left the window, and the record for a successor.
    fn list(&mut self, changed: &[Lane], batch: &mut Batch) {
        let first_time = !self.announced && self.stands();
        self.announced |= first_time;
        batch.announces = first_time;
        // Before the playlists: a successor must know of everything that was ever listed, or it would give a listed number to something else. What it
        // knows of and nobody was told is merely listed later.
        let renditions = self.lanes.iter().map(|l| l.rendition.clone()).collect();
        batch.changes.push(self.stream.resume(&Resume { timeline: self.timeline, renditions }));
        if self.announced {
            let all: Vec<Lane> = (0..self.lanes.len()).collect();
            for lane in if first_time { &all } else { changed } {
                batch.changes.push(self.media_playlist(*lane));
            }
        }
        if first_time {
            batch.changes.extend(self.multivariants().into_iter().flatten());
        }
        for lane in changed {
            self.expire(*lane, batch);
        }
    }

    /// Whether there is enough in every rendition for a player to begin.
    fn stands(&self) -> bool {
        self.lanes.iter().all(|l| l.rendition.whole_segments() as u64 >= SLATE_SEGMENTS)
    }

    /// For each rendition its name and the part that is being filled; `None` once its encoder has been drained.
    pub fn progress(&self) -> impl Iterator<Item = (&str, Option<u64>)> {
        self.lanes.iter().map(|l| (l.rendition.name(), (!l.drained).then(|| l.segmenter.part())))
    }

    fn media_playlist(&mut self, lane: Lane) -> Change {
        let others: Vec<(&str, PartPlace)> = self
            .lanes
            .iter()
            .enumerate()
            .filter(|(i, _)| *i != lane)
            .filter_map(|(_, l)| Some((l.rendition.name(), l.rendition.last_part()?)))
            .collect();
        let rendition = &self.lanes[lane].rendition;
        let rendered = rendition.render(self.timeline.zero_date, &others);
        self.stream.media_playlist(rendition.name(), &rendered, &mut self.gzip)
    }

    fn multivariants(&mut self) -> [[Change; 2]; 2] {
        let codecs = |name: &str| {
            let lane = self.lanes.iter().find(|l| l.rendition.name() == name);
            lane.and_then(|l| l.header.as_ref()).map(TrackHeader::codecs).unwrap_or_default()
        };
        let everything = |prefix: &str| playlist::multivariant(&self.ladder, codecs, prefix);
        let sound = |prefix: &str| playlist::listening(&self.ladder, codecs, prefix);
        [
            self.stream.multivariant(Multivariant::Everything, everything, &mut self.gzip),
            self.stream.multivariant(Multivariant::Sound, sound, &mut self.gzip),
        ]
    }

    fn expire(&mut self, lane: Lane, batch: &mut Batch) {
        let lane = &mut self.lanes[lane];
        let (segment, parts) =
            (self.stream.expired_segment(&lane.rendition), self.stream.expired_parts(&lane.rendition));
        for msn in lane.deleted_segment + 1..=segment {
            batch.changes.push(self.stream.delete_segment(lane.rendition.name(), msn));
        }
        for msn in lane.deleted_parts + 1..=parts {
            batch.changes.extend(self.stream.delete_parts(&lane.rendition, msn));
        }
        lane.deleted_segment = segment.max(lane.deleted_segment);
        lane.deleted_parts = parts.max(lane.deleted_parts);
    }

    /// Publishes what still waits, closes the open segments and ends the playlists.
    fn end(&mut self) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let mut batch = Batch { changes: std::mem::take(&mut self.before), ..Batch::default() };
        for index in 0..self.lanes.len() {
            while let Some(waiting) = self.lanes[index].waiting.pop_front() {
                self.append(index, waiting, &mut batch);
            }
            let lane = &mut self.lanes[index];
            if let (Some((msn, _)), Some(bytes)) = (lane.rendition.end(), lane.segmenter.open_segment()) {
                batch.changes.push(self.stream.segment(lane.rendition.name(), msn, bytes));
            }
        }
        if self.announced {
            batch.changes.extend((0..self.lanes.len()).map(|lane| self.media_playlist(lane)));
        }
        let mut leftovers = self.stream.common_paths();
        for lane in &self.lanes {
            let (from, from_parts) = (lane.deleted_segment + 1, lane.deleted_parts + 1);
            leftovers.extend(self.stream.paths_since(&lane.rendition, from, from_parts));
        }
        self.outputs.push_back(Output::Publish(batch));
        self.outputs.push_back(Output::Ended { leftovers });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ladder::tests::one_rung;
    use crate::objects::Put;
    use crate::segmenter::AccessUnit;
    use bytes::Bytes;
    use footlight_media::time::WallTime;
    use std::collections::BTreeSet;
    use std::time::Duration;

    const VIDEO: Lane = 0;
    const AUDIO: Lane = 1;

    fn stream() -> Stream {
        Stream::new("room", "stream", 8)
    }

    fn fresh() -> Session {
        let live_at = SessionTime::from_micros(10_000_000);
        let timeline = Timeline::starting(live_at, WallTime::from_micros(0), Duration::from_millis(150), 30);
        opened(Session::new(stream(), one_rung(), timeline))
    }

    fn opened(mut session: Session) -> Session {
        let sps = Bytes::from_static(&[0x67, 0x64, 0x00, 0x1f]);
        let size = crate::layout::Size { width: 1280, height: 720 };
        let video = TrackHeader::Avc { size, sps, pps: Bytes::from_static(&[0x68]) };
        let rate = footlight_media::time::Timescale::AUDIO_48K;
        let audio = TrackHeader::Aac { config: Bytes::from_static(&[0x11, 0x90]), rate, bitrate_bps: 128_000 };
        for (lane, header) in [(VIDEO, video), (AUDIO, audio)] {
            session.handle(Input::Opened { lane, header }, SessionTime::ZERO);
        }
        session
    }

    /// Feeds a lane the units of some parts.
    fn feed(session: &mut Session, lane: Lane, parts: std::ops::Range<u64>) {
        let first = session.first_unit(lane, parts.start);
        for number in first..session.first_unit(lane, parts.end) {
            let access_unit = Some(AccessUnit { key: number % 30 == 0, data: Bytes::from_static(b"unit") });
            session.handle(Input::Unit { lane, unit: Unit { number, access_unit }, stamps: None }, SessionTime::ZERO);
        }
    }

    /// What is published, as short lines: the method and the end of the path, playlists with their version.
    fn published(session: &mut Session) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(output) = session.poll_output() {
            match output {
                Output::Publish(batch) => lines.extend(batch.changes.iter().map(describe)),
                Output::Ended { leftovers } => lines.push(format!("ended with {} leftovers", leftovers.len())),
            }
        }
        lines
    }

    fn describe(change: &Change) -> String {
        let short = |path: &str| path.trim_start_matches("/hls/room/stream/").to_owned();
        match change {
            Change::Put(Put { path, playlist: Some(live), .. }) => {
                format!(
                    "list {} {}.{}{}",
                    short(path),
                    live.version.msn,
                    live.version.parts,
                    if live.ended { " ended" } else { "" }
                )
            }
            Change::Put(put) => format!("put {}", short(&put.path)),
            Change::Join { segment, parts } => format!("join {} of {}", short(&segment.path), parts.len()),
            Change::Delete(path) => format!("delete {}", short(path)),
        }
    }

    /// The newest record for a successor.
    fn record(session: &mut Session) -> Resume {
        let mut record = None;
        while let Some(output) = session.poll_output() {
            let Output::Publish(batch) = output else { continue };
            for change in batch.changes {
                if let Change::Put(put) = change
                    && put.path.ends_with("/resume")
                {
                    record = Resume::read(&put.bodies[0].1, &stream(), &one_rung());
                }
            }
        }
        record.expect("kept with each batch")
    }

    #[test]
    fn playlists_stand_when_three_segments_do_in_all_renditions() {
        let mut session = fresh();
        feed(&mut session, VIDEO, 0..18);
        feed(&mut session, AUDIO, 0..17);
        let before = published(&mut session);
        assert!(!before.iter().any(|l| l.starts_with("list")), "{before:?}");
        assert_eq!(before[..2], ["put 720p/init0.mp4", "put audio/init0.mp4"]);
        feed(&mut session, AUDIO, 17..18);
        let at_last = published(&mut session);
        let want = [
            "put 720p/s3.5.m4s",
            "put 720p/s3.m4s",
            "put audio/s3.5.m4s",
            "put audio/s3.m4s",
            "put resume",
            "list 720p/media.m3u8 4.0",
            "list audio/media.m3u8 4.0",
            "put master.m3u8",
            "put /live/room/master.m3u8",
            "put listen.m3u8",
            "put /live/room/listen.m3u8",
        ];
        assert_eq!(at_last, want);
    }

    #[test]
    fn a_part_is_published_in_all_renditions_at_once() {
        let mut session = fresh();
        for lane in [VIDEO, AUDIO] {
            feed(&mut session, lane, 0..18);
        }
        published(&mut session);
        feed(&mut session, VIDEO, 18..19);
        assert_eq!(published(&mut session), [""; 0], "audio's part has not come yet");
        feed(&mut session, AUDIO, 18..19);
        let want = [
            "put 720p/s4.0.m4s",
            "put audio/s4.0.m4s",
            "put resume",
            "list 720p/media.m3u8 4.1",
            "list audio/media.m3u8 4.1",
        ];
        assert_eq!(published(&mut session), want);
    }

    #[test]
    fn a_rung_that_is_late_by_more_than_a_part_holds_nobody() {
        let mut session = fresh();
        for lane in [VIDEO, AUDIO] {
            feed(&mut session, lane, 0..18);
        }
        published(&mut session);
        feed(&mut session, AUDIO, 18..20);
        let want = ["put audio/s4.0.m4s", "put resume", "list audio/media.m3u8 4.1"];
        assert_eq!(published(&mut session), want);
        feed(&mut session, VIDEO, 18..20);
        let caught_up = published(&mut session);
        assert!(caught_up.contains(&"list 720p/media.m3u8 4.1".to_owned()), "{caught_up:?}");
    }

    #[test]
    fn what_leaves_the_window_is_deleted_when_no_playlist_can_name_it() {
        let mut session = fresh();
        let mut lines = Vec::new();
        for part in 0..6 * 30 {
            for lane in [VIDEO, AUDIO] {
                feed(&mut session, lane, part..part + 1);
            }
            lines.extend(published(&mut session));
        }
        let deleted = |what: &str| lines.iter().filter(|l| l.starts_with(&format!("delete {what}"))).count();
        // Segment 31 is being made: 23 to 30 are listed, 15 to 22 were a window ago, so 1 to 14 are gone.
        assert_eq!(deleted("720p/s14.m4s") + deleted("720p/s15.m4s"), 1, "{lines:?}");
        assert_eq!(deleted("720p/s24.0.m4s") + deleted("720p/s25.0.m4s"), 1);
    }

    #[test]
    fn a_successor_joins_what_was_out_and_goes_on_after_one_discontinuity() {
        let mut session = fresh();
        for lane in [VIDEO, AUDIO] {
            feed(&mut session, lane, 0..21);
        }
        let record = record(&mut session);
        let mut successor = opened(Session::resume(stream(), one_rung(), record, 23));
        for lane in [VIDEO, AUDIO] {
            feed(&mut successor, lane, 23..24);
        }
        let want = [
            "join 720p/s4.m4s of 3",
            "join audio/s4.m4s of 3",
            "put 720p/init1.mp4",
            "put audio/init1.mp4",
            "put 720p/s5.0.m4s",
            "put 720p/s5.m4s",
            "put audio/s5.0.m4s",
            "put audio/s5.m4s",
            "put resume",
            "list 720p/media.m3u8 6.0",
            "list audio/media.m3u8 6.0",
            "put master.m3u8",
            "put /live/room/master.m3u8",
            "put listen.m3u8",
            "put /live/room/listen.m3u8",
        ];
        assert_eq!(published(&mut successor), want);
    }

    #[test]
    fn the_end_closes_what_is_open_and_says_what_is_left() {
        let mut session = fresh();
        for lane in [VIDEO, AUDIO] {
            feed(&mut session, lane, 0..20);
        }
        published(&mut session);
        session.handle(Input::Drained { lane: VIDEO }, SessionTime::ZERO);
        assert_eq!(published(&mut session), [""; 0]);
        session.handle(Input::Drained { lane: AUDIO }, SessionTime::ZERO);
        let lines = published(&mut session);
        let want = [
            "put 720p/s4.m4s",
            "put audio/s4.m4s",
            "list 720p/media.m3u8 5.0 ended",
            "list audio/media.m3u8 5.0 ended",
        ];
        assert_eq!(lines[..4], want);
        assert!(lines[4].starts_with("ended with"), "{lines:?}");
    }

    #[test]
    fn what_is_left_is_what_was_published_and_not_deleted() {
        let check = |parts: u64| {
            let mut session = fresh();
            session.handle(Input::Poster(Bytes::from_static(b"jpeg")), SessionTime::ZERO);
            for lane in [VIDEO, AUDIO] {
                feed(&mut session, lane, 0..parts);
                session.handle(Input::Drained { lane }, SessionTime::ZERO);
            }
            let (mut there, mut left) = (BTreeSet::new(), Vec::new());
            while let Some(output) = session.poll_output() {
                match output {
                    Output::Publish(batch) => batch.changes.into_iter().for_each(|change| match change {
                        Change::Put(put) => {
                            there.insert(put.path);
                        }
                        Change::Delete(path) => assert!(there.remove(&path), "{path} is not there"),
                        Change::Join { .. } => panic!("nobody was killed"),
                    }),
                    Output::Ended { leftovers } => left = leftovers,
                }
            }
            left.sort();
            assert_eq!(left, there.into_iter().collect::<Vec<_>>(), "after {parts} parts");
        };
        for parts in [18, 20, 23, 24, 6 * 30, 6 * 30 + 1] {
            check(parts);
        }
    }

    #[test]
    fn a_stream_without_a_successor_is_ended_as_its_packager_left_it() {
        let mut session = fresh();
        for lane in [VIDEO, AUDIO] {
            feed(&mut session, lane, 0..20);
        }
        let mut abandoned = Session::abandon(stream(), one_rung(), record(&mut session));
        let lines = published(&mut abandoned);
        let want = [
            "join 720p/s4.m4s of 2",
            "join audio/s4.m4s of 2",
            "list 720p/media.m3u8 5.0 ended",
            "list audio/media.m3u8 5.0 ended",
        ];
        assert_eq!(lines[..4], want);
        assert!(lines[4].starts_with("ended with") && !lines[4].contains(" 0 "), "{lines:?}");
    }

    /// Whether a record is read back after `change`.
    fn is_read(record: &Resume, change: impl FnOnce(&mut Resume)) -> bool {
        let mut record = record.clone();
        change(&mut record);
        let bytes = postcard::to_stdvec(&record).expect("plain data");
        Resume::read(&bytes, &stream(), &one_rung()).is_some()
    }

    #[test]
    fn a_record_that_no_packager_of_the_stream_can_have_written_is_none() {
        let mut session = fresh();
        feed(&mut session, VIDEO, 0..20);
        feed(&mut session, AUDIO, 0..20);
        let record = record(&mut session);
        assert!(is_read(&record, |_| ()));
        assert!(!is_read(&record, |r| r.timeline.fps = 0));
        assert!(!is_read(&record, |r| r.timeline.zero = SessionTime::from_micros(i64::MIN)));
        assert!(!is_read(&record, |r| r.timeline.delay = Duration::MAX));
        assert!(!is_read(&record, |r| drop(r.renditions.pop())));
        assert!(!is_read(&record, |r| r.renditions.swap(0, 1)));
        assert!(!is_read(&record, |r| r.renditions[0] = Rendition::new("../x", Cut::video(30), &one_rung(), 8)));
        assert!(
            !is_read(&record, |r| r.renditions[0] = Rendition::new("720p", Cut::video(30), &one_rung(), usize::MAX))
        );
        let bytes = postcard::to_stdvec(&record).expect("plain data");
        for cut in 0..bytes.len() {
            assert_eq!(Resume::read(&bytes[..cut], &stream(), &one_rung()), None, "{cut} bytes of {}", bytes.len());
        }
    }
}
