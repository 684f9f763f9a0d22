//! Playlist text (RFC 8216bis), and for each rendition the record of what stands in its playlist. Pure: a playlist is a function of that
//! record, the date of the stream's zero and where the other renditions are.
//!
//! What must never change in a stream (TARGETDURATION, PART-TARGET, hold-backs) are constants of `ladder`, or the ladder's. Only the edits that
//! RFC 8216bis section 6.2.1 allows can be expressed: parts and segments are added at the end, segments leave at the front.

use crate::ladder::{self, HOLD_BACK, Ladder, PARTS_HELD_BACK, PARTS_PER_SEGMENT, SEGMENT_SECONDS};
use crate::segmenter::{Cut, Part};
use footlight_media::time::WallTime;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

/// EXT-X-PART tags stand for segments that end within this many target durations of the live edge (RFC 8216bis section 4.4.4.9).
const PARTS_LISTED_TARGET_DURATIONS: u32 = 3;
/// CAN-SKIP-UNTIL: six target durations, the least that is allowed (RFC 8216bis section 4.4.3.8).
const SKIP_UNTIL_SECONDS: u32 = 6 * SEGMENT_SECONDS;
/// Segments in a playlist where nothing else is asked: 30 s.
pub const DEFAULT_WINDOW_SEGMENTS: usize = 15;
/// Fewest segments that a playlist keeps: below, players that join late or stall find nothing to play.
pub const LEAST_WINDOW_SEGMENTS: usize = 8;
/// Init segments of a stream: one for each life of its packager. A stream that needs as many cannot be watched.
const MOST_INITS: u32 = 10_000;
/// Segments of a stream: two hundred years of them.
const MOST_SEGMENTS: u64 = 1 << 32;
/// Units of a segment: 2 s of pictures at 60 fps are 120, of sound 94 frames.
const MOST_SEGMENT_UNITS: u64 = 120;

/// Where a rendition is: the segment being made and how many of its parts are out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version {
    /// Media sequence number of the segment being made.
    pub msn: u64,
    /// Its parts that are out.
    pub parts: u32,
}

/// One part as its playlist lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct PartLine {
    units: u64,
    independent: bool,
}

/// One segment as its playlist lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SegmentLine {
    first_unit: u64,
    parts: Vec<PartLine>,
    /// EXT-X-DISCONTINUITY stands before it.
    discontinuity: bool,
    /// Which init segment it needs.
    init: u32,
}

impl SegmentLine {
    fn units(&self) -> u64 {
        self.parts.iter().map(|p| p.units).sum()
    }

    /// Whether it can have been appended to part by part.
    fn is_sound(&self) -> bool {
        let parts = 1..=PARTS_PER_SEGMENT as usize;
        let units = |part: &PartLine| part.units <= MOST_SEGMENT_UNITS;
        parts.contains(&self.parts.len())
            && self.parts.iter().all(units)
            && self.first_unit <= MOST_SEGMENTS * MOST_SEGMENT_UNITS
    }
}

/// What stands in one rendition's media playlist. Serialisable, because a packager that takes over continues it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendition {
    name: String,
    cut: Cut,
    part_target: Duration,
    window: usize,
    /// EXT-X-MEDIA-SEQUENCE: number of `segments[0]`. The first ever is 1: a player that takes 0 for "none" would not block.
    first_msn: u64,
    /// EXT-X-DISCONTINUITY-SEQUENCE.
    discontinuity_sequence: u64,
    segments: VecDeque<SegmentLine>,
    /// The segment being made, once its first part is out.
    open: Option<SegmentLine>,
    /// Number of the init segment of what comes next.
    init: u32,
    /// The next segment begins after a gap.
    broken: bool,
    ended: bool,
}

/// A media playlist and what its publishing needs to say with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The whole playlist.
    pub full: String,
    /// The playlist for `_HLS_skip`, where anything can be skipped.
    pub delta: Option<String>,
    /// What it answers for.
    pub version: Version,
    /// PART-TARGET.
    pub part_target: Duration,
    /// For each segment listed its number and its parts, the open one last.
    pub part_counts: Vec<(u64, usize)>,
    /// The URI of the part that EXT-X-PRELOAD-HINT names.
    pub hint: Option<String>,
    /// EXT-X-ENDLIST stands in it.
    pub ended: bool,
}

/// Where a part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartPlace {
    /// The segment that it belongs to.
    pub msn: u64,
    /// Its index in that segment, from 0.
    pub index: usize,
}

impl Rendition {
    /// The empty playlist of a new stream of the ladder's; `window` as [`crate::objects::Stream::new`] raised it.
    pub fn new(name: &str, cut: Cut, ladder: &Ladder, window: usize) -> Self {
        Self {
            name: name.to_owned(),
            cut,
            part_target: ladder.part_target(),
            window,
            first_msn: 1,
            discontinuity_sequence: 0,
            segments: VecDeque::new(),
            open: None,
            init: 0,
            broken: false,
            ended: false,
        }
    }

    /// Its name, which is also its path segment.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this is what `empty` may have become: a record of it says so, and may have been written by a stranger.
    pub fn continues(&self, empty: &Self) -> bool {
        let alike = (&self.name, self.cut, self.part_target, self.window)
            == (&empty.name, empty.cut, empty.part_target, empty.window);
        let counts = [self.first_msn, self.discontinuity_sequence];
        let lines = || self.segments.iter().chain(&self.open);
        alike
            && !self.ended
            && self.init <= MOST_INITS
            && self.first_msn > 0
            && counts.iter().all(|count| *count <= MOST_SEGMENTS)
            && self.segments.len() <= self.window
            && lines().all(|segment| segment.init <= self.init && segment.is_sound())
    }

    /// How it is counted.
    pub const fn cut(&self) -> Cut {
        self.cut
    }

    /// Number of the init segment that new segments need.
    pub const fn init(&self) -> u32 {
        self.init
    }

    /// Segments that are whole and listed.
    pub fn whole_segments(&self) -> usize {
        self.segments.len()
    }

    /// Where it is.
    pub fn version(&self) -> Version {
        let msn = self.first_msn + self.segments.len() as u64;
        let parts = self.open.as_ref().map_or(0, |open| open.parts.len());
        Version { msn, parts: u32::try_from(parts).unwrap_or(u32::MAX) }
    }

    /// The newest part that is out; `None` before the first.
    pub fn last_part(&self) -> Option<PartPlace> {
        let whole = self.segments.len() as u64;
        match &self.open {
            Some(open) => Some(PartPlace { msn: self.first_msn + whole, index: open.parts.len() - 1 }),
            None => {
                self.segments.back().map(|s| PartPlace { msn: self.first_msn + whole - 1, index: s.parts.len() - 1 })
            }
        }
    }

    /// Appends a part; `whole` says that it is its segment's last.
    pub fn append(&mut self, part: &Part, whole: bool) -> PartPlace {
        let msn = self.first_msn + self.segments.len() as u64;
        let (init, broken) = (self.init, std::mem::take(&mut self.broken));
        let open = self.open.get_or_insert_with(|| SegmentLine {
            first_unit: part.first_unit,
            parts: Vec::new(),
            discontinuity: broken,
            init,
        });
        open.parts.push(PartLine { units: part.units, independent: part.independent });
        let index = open.parts.len() - 1;
        if whole {
            self.close();
        }
        PartPlace { msn, index }
    }

    /// The packager was killed and goes on: what was out of the open segment becomes a short segment, and the next begins after a
    /// discontinuity with an init segment of its own. Answers with the number and the parts of the segment to be stored whole, if any.
    pub fn interrupt(&mut self) -> Option<(u64, usize)> {
        let cut_short = self.open.as_ref().map(|open| (self.version().msn, open.parts.len()));
        self.close();
        self.init += 1;
        // A playlist that is still empty has nothing to be discontinuous with: a leading EXT-X-DISCONTINUITY leaves players stuck.
        self.broken = !self.segments.is_empty();
        cut_short
    }

    /// The stream is over: EXT-X-ENDLIST, after whatever is out of the open segment. Answers like [`Rendition::interrupt`].
    pub fn end(&mut self) -> Option<(u64, usize)> {
        let cut_short = self.open.as_ref().map(|open| (self.version().msn, open.parts.len()));
        self.close();
        self.ended = true;
        cut_short
    }

    /// Parts of segment `msn` that may have been published. Of a segment that a killed packager left, more than are listed: the last one may not
    /// have been written down.
    pub fn published_parts(&self, msn: u64) -> usize {
        let all = PARTS_PER_SEGMENT as usize;
        let Some(index) = msn.checked_sub(self.first_msn).and_then(|index| usize::try_from(index).ok()) else {
            return all;
        };
        let mut lines = self.segments.iter().chain(&self.open).skip(index);
        let listed = lines.next().map_or(0, |segment| segment.parts.len());
        let torn = lines.next().map_or(self.broken, |next| next.discontinuity);
        if torn { all } else { listed }
    }

    /// The first unit after everything listed.
    pub fn next_unit(&self) -> u64 {
        let last = self.open.as_ref().or_else(|| self.segments.back());
        last.map_or(0, |s| s.first_unit + s.units())
    }

    fn close(&mut self) {
        self.segments.extend(self.open.take());
        while self.segments.len() > self.window {
            // The tag that counts is the one before the segment that is now first: it has left the playlist's inside.
            self.segments.pop_front();
            self.first_msn += 1;
            if self.segments.front().is_some_and(|s| s.discontinuity) {
                self.discontinuity_sequence += 1;
                self.segments[0].discontinuity = false;
            }
        }
    }

    /// The playlist's text. `zero` is the date of unit 0's nominal time; `others` are the other renditions with where they are.
    pub fn render(&self, zero: WallTime, others: &[(&str, PartPlace)]) -> Rendered {
        let skipped = if self.ended { 0 } else { self.skippable() };
        let version = self.version();
        let msns = self.first_msn..;
        let part_counts = msns.zip(self.segments.iter().chain(&self.open).map(|s| s.parts.len())).collect();
        let hint = (!self.ended).then(|| part_uri(version.msn, version.parts as usize));
        Rendered {
            full: self.text(zero, others, 0, hint.as_deref()),
            delta: (skipped > 0).then(|| self.text(zero, others, skipped, hint.as_deref())),
            version,
            part_target: self.part_target,
            part_counts,
            hint,
            ended: self.ended,
        }
    }

    /// How many segments end before the skip boundary.
    fn skippable(&self) -> usize {
        let boundary = f64::from(SKIP_UNTIL_SECONDS);
        let mut after = self.open.as_ref().map_or(0.0, |open| self.cut.seconds(open.units()));
        let kept = self.segments.iter().rev().take_while(|segment| {
            let within = after < boundary;
            after += self.cut.seconds(segment.units());
            within
        });
        self.segments.len() - kept.count()
    }

    fn text(&self, zero: WallTime, others: &[(&str, PartPlace)], skipped: usize, hint: Option<&str>) -> String {
        let mut text = String::with_capacity(4096);
        self.head(&mut text, skipped);
        let parts_from = self.parts_listed_from();
        // A delta names the init segment again, although the client has the EXT-X-MAP of what was skipped (RFC 8216bis section 6.3.7): Shaka Player (5.2.12)
        // forgets it, and decodes what comes first after a change of rung by the init segment of the rung before.
        let mut init = None;
        let listed = self.segments.iter().chain(&self.open).zip(self.first_msn..).skip(skipped);
        for (segment, msn) in listed {
            let closed = msn < self.first_msn + self.segments.len() as u64;
            if segment.discontinuity {
                text.push_str("#EXT-X-DISCONTINUITY\n");
            }
            if init != Some(segment.init) {
                line(&mut text, format_args!("#EXT-X-MAP:URI=\"{}\"", init_uri(segment.init)));
            }
            init = Some(segment.init);
            let date = zero.offset_micros(self.cut.micros_from_start(segment.first_unit));
            line(&mut text, format_args!("#EXT-X-PROGRAM-DATE-TIME:{}", date.rfc3339_millis()));
            if msn >= parts_from && !self.ended {
                for (index, part) in segment.parts.iter().enumerate() {
                    let independent = if part.independent { ",INDEPENDENT=YES" } else { "" };
                    let (seconds, uri) = (self.cut.seconds(part.units), part_uri(msn, index));
                    line(&mut text, format_args!("#EXT-X-PART:DURATION={seconds:.6},URI=\"{uri}\"{independent}"));
                }
            }
            if closed {
                line(&mut text, format_args!("#EXTINF:{:.6},", self.cut.seconds(segment.units())));
                line(&mut text, format_args!("{}", segment_uri(msn)));
            }
        }
        if let Some(hint) = hint {
            line(&mut text, format_args!("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{hint}\""));
        }
        if self.ended {
            text.push_str("#EXT-X-ENDLIST\n");
        } else {
            others.iter().for_each(|(name, last)| rendition_report(&mut text, name, *last));
        }
        text
    }

    fn head(&self, text: &mut String, skipped: usize) {
        text.push_str("#EXTM3U\n#EXT-X-VERSION:9\n");
        line(text, format_args!("#EXT-X-TARGETDURATION:{SEGMENT_SECONDS}"));
        let (target, held_back) = (seconds(self.part_target), seconds(self.part_target * PARTS_HELD_BACK));
        line(
            text,
            format_args!(
                "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={SKIP_UNTIL_SECONDS}.0,\
                 HOLD-BACK={HOLD_BACK},PART-HOLD-BACK={held_back}"
            ),
        );
        line(text, format_args!("#EXT-X-PART-INF:PART-TARGET={target}"));
        line(text, format_args!("#EXT-X-MEDIA-SEQUENCE:{}", self.first_msn));
        line(text, format_args!("#EXT-X-DISCONTINUITY-SEQUENCE:{}", self.discontinuity_sequence));
        text.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
        if skipped > 0 {
            line(text, format_args!("#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}"));
        }
    }

    /// The first segment whose parts are listed.
    fn parts_listed_from(&self) -> u64 {
        let listed = f64::from(PARTS_LISTED_TARGET_DURATIONS * SEGMENT_SECONDS);
        let mut after = self.open.as_ref().map_or(0.0, |open| self.cut.seconds(open.units()));
        let mut from = self.first_msn + self.segments.len() as u64;
        for segment in self.segments.iter().rev() {
            after += self.cut.seconds(segment.units());
            if after > listed + f64::EPSILON {
                break;
            }
            from -= 1;
        }
        from
    }
}

/// `s12.m4s`.
pub fn segment_uri(msn: u64) -> String {
    format!("s{msn}.m4s")
}

/// `s12.3.m4s`.
pub fn part_uri(msn: u64, index: usize) -> String {
    format!("s{msn}.{index}.m4s")
}

/// `init0.mp4`.
pub fn init_uri(init: u32) -> String {
    format!("init{init}.mp4")
}

/// What players call the sound, in their menus. The same in each group, whatever its bitrate: groups are encodings of the same members (RFC 8216bis section
/// 4.4.6.1.1), and a player that finds no member of that name in the group of the rung that it changes to is left without sound.
const SOUND: &str = "audio";

/// The multivariant playlist. `codecs` answers with the CODECS string of a rendition; `prefix` leads from the playlist's folder to the stream's
/// (`""` in it). One variant a rung; audio is encoded once and shared by them.
pub fn multivariant(ladder: &Ladder, codecs: impl Fn(&str) -> String, prefix: &str) -> String {
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    for audio in &ladder.audio {
        let name = &audio.name;
        line(
            &mut text,
            format_args!(
                "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{name}\",NAME=\"{SOUND}\",LANGUAGE=\"und\",DEFAULT=YES,\
                 AUTOSELECT=YES,CHANNELS=\"2\",URI=\"{prefix}{name}/media.m3u8\""
            ),
        );
    }
    for rung in &ladder.rungs {
        let Some(audio) = ladder.audio.iter().find(|a| a.name == rung.audio) else { continue };
        line(
            &mut text,
            format_args!(
                "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={},CODECS=\"{},{}\",RESOLUTION={}x{},\
                 FRAME-RATE={}.000,AUDIO=\"{}\",CLOSED-CAPTIONS=NONE",
                ladder::peak_bandwidth_bps(rung, audio),
                ladder::average_bandwidth_bps(rung, audio),
                codecs(&rung.name),
                codecs(&audio.name),
                rung.size.width,
                rung.size.height,
                ladder.fps,
                audio.name,
            ),
        );
        line(&mut text, format_args!("{prefix}{}/media.m3u8", rung.name));
    }
    text
}

/// As attributes and headers have it: seconds with three decimals.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.3}", duration.as_secs_f64())
}

/// The multivariant playlist of the sound alone, for who listens with the screen off: one variant a rendition, best first.
pub fn listening(ladder: &Ladder, codecs: impl Fn(&str) -> String, prefix: &str) -> String {
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    for audio in &ladder.audio {
        let (name, average) = (&audio.name, audio.bitrate_bps);
        let (peak, codecs) = (ladder::peak_sound_bps(audio), codecs(name));
        line(
            &mut text,
            format_args!("#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},CODECS=\"{codecs}\""),
        );
        line(&mut text, format_args!("{prefix}{name}/media.m3u8"));
    }
    text
}

fn rendition_report(text: &mut String, name: &str, last: PartPlace) {
    let PartPlace { msn, index } = last;
    line(text, format_args!("#EXT-X-RENDITION-REPORT:URI=\"../{name}/media.m3u8\",LAST-MSN={msn},LAST-PART={index}"));
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    writeln!(text, "{content}").expect("a String takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ladder::tests::one_rung;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn part(cut: Cut, number: u64) -> Part {
        let first_unit = cut.first_unit(number);
        let units = cut.first_unit(number + 1) - first_unit;
        Part { number, first_unit, units, independent: number.is_multiple_of(3), bytes: Bytes::new() }
    }

    fn filled(parts: std::ops::Range<u64>) -> Rendition {
        let cut = Cut::video(30);
        let mut rendition = Rendition::new("720p", cut, &one_rung(), 8);
        for number in parts {
            rendition.append(&part(cut, number), number % 6 == 5);
        }
        rendition
    }

    #[test]
    fn a_young_playlist_reads_as_the_standard_wants() {
        let rendered = filled(0..14).render(WallTime::from_micros(0), &[("audio", PartPlace { msn: 2, index: 5 })]);
        let want = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n\
            #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0,HOLD-BACK=6.000,PART-HOLD-BACK=1.026\n\
            #EXT-X-PART-INF:PART-TARGET=0.342\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n\
            #EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"init0.mp4\"\n\
            #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00.000Z\n";
        assert!(rendered.full.starts_with(want), "{}", rendered.full);
        let tail = "#EXTINF:2.000000,\ns2.m4s\n#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:04.000Z\n\
            #EXT-X-PART:DURATION=0.333333,URI=\"s3.0.m4s\",INDEPENDENT=YES\n#EXT-X-PART:DURATION=0.333333,URI=\"s3.1.m4s\"\n\
            #EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"s3.2.m4s\"\n\
            #EXT-X-RENDITION-REPORT:URI=\"../audio/media.m3u8\",LAST-MSN=2,LAST-PART=5\n";
        assert!(rendered.full.ends_with(tail), "{}", rendered.full);
        assert_eq!(rendered.version, Version { msn: 3, parts: 2 });
        assert_eq!(rendered.part_counts, [(1, 6), (2, 6), (3, 2)]);
        assert_eq!(rendered.delta, None, "nothing lies before the skip boundary");
    }

    #[test]
    fn parts_are_listed_for_three_target_durations_and_a_delta_skips_what_is_older_than_six() {
        let rendered = filled(0..60).render(WallTime::from_micros(0), &[]);
        assert!(rendered.full.contains("#EXT-X-MEDIA-SEQUENCE:3\n"));
        assert!(rendered.full.contains("s8.0.m4s") && !rendered.full.contains("s7.0.m4s"), "{}", rendered.full);
        let delta = rendered.delta.expect("16 s are listed");
        assert!(delta.contains("#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n"), "{delta}");
        assert!(delta.contains("\ns5.m4s") && !delta.contains("\ns4.m4s"));
        assert!(delta.contains("=2\n#EXT-X-MAP:URI=\"init0.mp4\"\n"), "also for who forgets it: {delta}");
    }

    #[test]
    fn a_restart_makes_one_discontinuity_and_the_sequence_counts_it_when_it_leaves() {
        let mut rendition = filled(0..15);
        assert_eq!(rendition.interrupt(), Some((3, 3)));
        let cut = rendition.cut();
        for number in 16..24 {
            rendition.append(&part(cut, number), number % 6 == 5);
        }
        let text = rendition.render(WallTime::from_micros(0), &[]).full;
        let want = "s3.m4s\n#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"init1.mp4\"\n\
            #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:05.333Z\n";
        assert!(text.contains(want), "{text}");
        assert!(text.contains("#EXTINF:1.000000,\ns3.m4s"), "{text}");
        for number in 24..72 {
            rendition.append(&part(cut, number), number % 6 == 5);
        }
        let text = rendition.render(WallTime::from_micros(0), &[]).full;
        assert!(
            text.contains("#EXT-X-DISCONTINUITY-SEQUENCE:1\n") && !text.contains("#EXT-X-DISCONTINUITY\n"),
            "{text}"
        );
    }

    #[test]
    fn a_delta_that_begins_at_a_discontinuity_names_its_init_segment() {
        let mut rendition = filled(0..15);
        rendition.interrupt();
        let cut = rendition.cut();
        let mut seen = 0;
        for number in 16..72 {
            rendition.append(&part(cut, number), number % 6 == 5);
            let delta = rendition.render(WallTime::from_micros(0), &[]).delta.unwrap_or_default();
            if delta.contains("#EXT-X-DISCONTINUITY\n") {
                assert!(delta.contains("#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"init1.mp4\"\n"), "{delta}");
                seen += 1;
            }
        }
        assert!(seen > 6, "also when what comes before it is skipped");
    }

    #[test]
    fn what_a_killed_packager_may_have_published_is_counted_and_what_nobody_did_is_not() {
        let mut rendition = filled(0..15);
        let counts = |rendition: &Rendition| [2, 3, 4].map(|msn| rendition.published_parts(msn));
        assert_eq!(counts(&rendition), [6, 3, 0]);
        let mut ended = rendition.clone();
        ended.end();
        assert_eq!(counts(&ended), [6, 3, 0]);
        rendition.interrupt();
        assert_eq!(counts(&rendition)[..2], [6, 6], "one more than is written down");
        rendition.append(&part(rendition.cut(), 16), false);
        assert_eq!(counts(&rendition), [6, 6, 1]);
    }

    #[test]
    fn an_ended_playlist_lists_segments_alone() {
        let mut rendition = filled(0..15);
        assert_eq!(rendition.end(), Some((3, 3)));
        let rendered = rendition.render(WallTime::from_micros(0), &[("audio", PartPlace { msn: 2, index: 5 })]);
        assert!(rendered.full.ends_with("#EXTINF:1.000000,\ns3.m4s\n#EXT-X-ENDLIST\n"), "{}", rendered.full);
        assert!(!rendered.full.contains("EXT-X-PART:") && !rendered.full.contains("PRELOAD-HINT"));
        assert!(rendered.ended && rendered.hint.is_none());
    }

    #[test]
    fn an_independent_parser_reads_the_multivariant_playlist() {
        let codecs = |name: &str| if name == "audio" { "mp4a.40.2".to_owned() } else { "avc1.640020".to_owned() };
        let text = multivariant(&one_rung(), codecs, "../../hls/r/s/");
        let (_, playlist) = m3u8_rs::parse_master_playlist(text.as_bytes()).expect("parses");
        let variant = &playlist.variants[0];
        assert_eq!(variant.uri, "../../hls/r/s/720p/media.m3u8");
        assert_eq!(variant.codecs.as_deref(), Some("avc1.640020,mp4a.40.2"));
        assert_eq!((variant.bandwidth, variant.average_bandwidth), (3_597_500, Some(2_628_000)));
        assert_eq!(variant.frame_rate, Some(30.0));
        assert_eq!(playlist.alternatives[0].uri.as_deref(), Some("../../hls/r/s/audio/media.m3u8"));
    }

    #[test]
    fn an_independent_parser_reads_the_playlist_of_the_sound_alone() {
        let text = listening(&one_rung(), |_| "mp4a.40.2".to_owned(), "../../hls/r/s/");
        let (_, playlist) = m3u8_rs::parse_master_playlist(text.as_bytes()).expect("parses");
        let [variant] = &playlist.variants[..] else { panic!("{text}") };
        assert_eq!((variant.uri.as_str(), variant.bandwidth), ("../../hls/r/s/audio/media.m3u8", 160_000));
        assert_eq!((variant.codecs.as_deref(), variant.resolution), (Some("mp4a.40.2"), None));
    }

    #[test]
    fn groups_of_sound_have_the_same_member() {
        let mut ladder = one_rung();
        ladder.audio.push(ladder::AudioRendition { name: "low".into(), bitrate_bps: 48_000 });
        let text = multivariant(&ladder, |_| String::new(), "");
        let media = text.lines().filter(|line| line.starts_with("#EXT-X-MEDIA:"));
        let members: Vec<String> = media
            .zip(["audio", "low"])
            .map(|(line, name)| line.replace(&format!("GROUP-ID=\"{name}\""), "").replace(&format!("\"{name}/"), "\"/"))
            .collect();
        assert!(members.len() == 2 && members[0] == members[1], "{text}");
    }

    proptest! {
        /// RFC 8216bis section 6.2.1: between two versions only what may change changes.
        #[test]
        fn numbers_never_go_back_and_uris_keep_their_numbers(
            steps in proptest::collection::vec(0u8..20, 1..200), audio in any::<bool>(),
        ) {
            let cut = if audio { Cut::audio() } else { Cut::video(30) };
            let mut rendition = Rendition::new("x", cut, &one_rung(), 8);
            let (mut number, mut before) = (0, rendition.version());
            let mut counted = 0;
            for step in steps {
                if step == 0 {
                    rendition.interrupt();
                    number += 1;
                } else {
                    rendition.append(&part(cut, number), number % 6 == 5);
                    number += 1;
                }
                prop_assert!(rendition.version() >= before);
                before = rendition.version();
                let text = rendition.render(WallTime::from_micros(0), &[]).full;
                let dsn: u64 = text.lines().find_map(|l| l.strip_prefix("#EXT-X-DISCONTINUITY-SEQUENCE:")).expect("always there").parse().expect("a number");
                let inside = text.lines().filter(|l| *l == "#EXT-X-DISCONTINUITY").count() as u64;
                prop_assert!(dsn + inside >= counted, "discontinuities are counted for ever");
                counted = dsn + inside;
                let first: u64 = text.lines().find_map(|l| l.strip_prefix("#EXT-X-MEDIA-SEQUENCE:")).expect("always there").parse().expect("a number");
                for (uri, msn) in text.lines().filter(|l| !l.starts_with('#')).zip(first..) {
                    prop_assert_eq!(uri, segment_uri(msn));
                }
            }
        }
    }
}
