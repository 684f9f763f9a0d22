//! When a frame is to be shown or heard: from RTP timestamps to the session clock.
//!
//! Each track has an **offset**, session time minus media time. It is anchored at arrival: the least delayed packet of
//! the last two seconds says what it should be. Sender reports (RFC 3550 section 6.4.1) relate the clocks of one
//! peer's tracks to each other, so that once two tracks have them, both offsets follow one common anchor and lips
//! stay with voices. Only the difference between reports is believed, never the date in them: FFmpeg's lies more than
//! a second in the future, equally for all tracks.
//!
//! An offset moves towards where it should be by at most 1 % of the media time that passes, which nobody hears or
//! sees; a difference of more than 300 ms is jumped over, because a wrong picture for 30 s is worse than a jump.

use footlight_media::time::{SessionTime, Timescale};
use std::collections::VecDeque;

/// The share of passing media time by which an offset may move: 1 %.
const SLEW_DIVISOR: i64 = 100;
/// A larger difference is jumped over.
const SNAP_US: i64 = 300_000;
/// A timestamp that runs this far ahead of or behind the arrivals is a new clock, at once.
const JUMP_US: i64 = 10_000_000;
/// The anchor is the least delayed packet of this long: longer than a key frame's burst or a lost second try.
const WINDOW_US: i64 = 2_000_000;
/// The window is kept as this many minima, so that a packet costs no search.
const WINDOW_BUCKETS: i64 = 10;
/// Of a report that differs from those before by less than a jump, a quarter is believed: Chromium's are good to 40 ms.
const REPORT_WEIGHT: i64 = 4;
/// Two tracks of one peer whose reports place them further apart than this, compared with their arrivals, have clocks
/// that have nothing to do with each other; their reports are then ignored.
const MAX_CREDIBLE_US: i64 = 2_000_000;

/// A sender report, as far as it counts here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// 32 bits of seconds since 1900 and 32 of their fraction.
    pub ntp: u64,
    /// The same instant on the track's clock.
    pub rtp: u32,
}

/// The clock of one track.
#[derive(Debug, Clone)]
struct TrackClock {
    timescale: Timescale,
    unwrapped: Option<Unwrapped>,
    window: ArrivalWindow,
    /// Microseconds of the sender's NTP clock minus media time.
    ntp_offset_us: Option<i64>,
    offset_us: Option<i64>,
    /// Media time up to which the offset has been moved.
    slewed_to_us: i64,
}

#[derive(Debug, Clone, Copy)]
struct Unwrapped {
    last_rtp: u32,
    last_ticks: i64,
    last_arrival_us: i64,
}

/// The clocks of one peer's tracks, by their slot.
#[derive(Debug, Clone, Default)]
pub struct PeerSync {
    tracks: Vec<TrackClock>,
}

impl PeerSync {
    /// Another track; its slot is the number of tracks before it.
    pub fn add_track(&mut self, timescale: Timescale) {
        self.tracks.push(TrackClock {
            timescale,
            unwrapped: None,
            window: ArrivalWindow::default(),
            ntp_offset_us: None,
            offset_us: None,
            slewed_to_us: 0,
        });
    }

    /// Forgets a track's clock: its sender began anew.
    pub fn reset_track(&mut self, slot: usize) {
        if let Some(track) = self.tracks.get_mut(slot) {
            track.restart();
        }
    }

    /// A packet of a track arrived. Gives its media time in microseconds. Retransmissions say nothing about the
    /// network's delay and do not move the anchor.
    pub fn on_packet(&mut self, slot: usize, rtp: u32, arrival: SessionTime, recovered: bool) -> i64 {
        let Some(track) = self.tracks.get_mut(slot) else { return 0 };
        let arrival_us = arrival.as_micros();
        let mut ticks = track.ticks(rtp);
        if let Some(last) = track.unwrapped {
            let media_step = track.micros(ticks.saturating_sub(last.last_ticks));
            let arrival_step = arrival_us.saturating_sub(last.last_arrival_us);
            if media_step.saturating_sub(arrival_step).saturating_abs() > JUMP_US {
                track.restart();
                ticks = track.ticks(rtp);
            }
        }
        let media_us = track.micros(ticks);
        if !recovered {
            // Only forward, so that an overtaken packet does not look like a step back.
            if track.unwrapped.is_none_or(|last| ticks >= last.last_ticks) {
                track.unwrapped = Some(Unwrapped { last_rtp: rtp, last_ticks: ticks, last_arrival_us: arrival_us });
            }
            track.window.push(arrival_us, arrival_us.saturating_sub(media_us));
        }
        media_us
    }

    /// A sender report of a track.
    pub fn on_report(&mut self, slot: usize, report: Report) {
        let Some(track) = self.tracks.get_mut(slot) else { return };
        if track.unwrapped.is_none() {
            return;
        }
        let ntp_us = ((u128::from(report.ntp) * 1_000_000) >> 32) as i64;
        let media_us = track.micros(track.ticks(report.rtp));
        let offset = ntp_us.saturating_sub(media_us);
        track.ntp_offset_us = Some(match track.ntp_offset_us {
            Some(known) if offset.abs_diff(known) < SNAP_US.unsigned_abs() => known + (offset - known) / REPORT_WEIGHT,
            _ => offset,
        });
    }

    /// When the frame with this timestamp is to be shown or heard. `None` before the track's first packet.
    pub fn time(&mut self, slot: usize, rtp: u32) -> Option<SessionTime> {
        let anchor = self.common_anchor();
        let track = self.tracks.get_mut(slot)?;
        let arrival_offset = track.window.least()?;
        let target = match (anchor, track.ntp_offset_us) {
            (Some(anchor), Some(ntp_offset)) => anchor.saturating_add(ntp_offset),
            _ => arrival_offset,
        };
        let media_us = track.micros(track.ticks(rtp));
        let offset = match track.offset_us {
            Some(offset) if offset.abs_diff(target) <= SNAP_US.unsigned_abs() => {
                let most = (media_us - track.slewed_to_us).max(0) / SLEW_DIVISOR;
                offset + (target - offset).clamp(-most, most)
            }
            _ => target,
        };
        track.offset_us = Some(offset);
        track.slewed_to_us = track.slewed_to_us.max(media_us);
        Some(SessionTime::from_micros(media_us.saturating_add(offset)))
    }

    /// Session time minus the sender's NTP time, as the most delayed of the tracks with reports shows it: then no
    /// track's frames arrive after their time. `None` where reports say nothing or nothing credible.
    fn common_anchor(&self) -> Option<i64> {
        let mut anchors = self
            .tracks
            .iter()
            .filter_map(|track| Some(track.window.least()?.saturating_sub(track.ntp_offset_us?)));
        let first = anchors.next()?;
        let (least, most) = anchors.fold((first, first), |(least, most), anchor| (least.min(anchor), most.max(anchor)));
        (most.saturating_sub(least) <= MAX_CREDIBLE_US).then_some(most)
    }
}

impl TrackClock {
    /// The timestamp on a line without wraps: the nearest to the last one.
    fn ticks(&self, rtp: u32) -> i64 {
        match self.unwrapped {
            None => i64::from(rtp),
            Some(last) => last.last_ticks.saturating_add(i64::from(rtp.wrapping_sub(last.last_rtp) as i32)),
        }
    }

    fn micros(&self, ticks: i64) -> i64 {
        SessionTime::from_ticks(ticks, self.timescale).as_micros()
    }

    fn restart(&mut self) {
        self.unwrapped = None;
        self.window = ArrivalWindow::default();
        self.ntp_offset_us = None;
        self.offset_us = None;
        self.slewed_to_us = 0;
    }
}

/// The minimum of the last [`WINDOW_US`], kept as minima of tenths.
#[derive(Debug, Clone, Default)]
struct ArrivalWindow {
    /// Tenth of the window since the clock's zero, and the least offset seen in it; oldest first.
    minima: VecDeque<(i64, i64)>,
}

impl ArrivalWindow {
    fn push(&mut self, arrival_us: i64, offset_us: i64) {
        let tenth = arrival_us.div_euclid(WINDOW_US / WINDOW_BUCKETS);
        match self.minima.back_mut() {
            Some((last, least)) if *last >= tenth => *least = offset_us.min(*least),
            _ => self.minima.push_back((tenth, offset_us)),
        }
        while self.minima.front().is_some_and(|(first, _)| tenth - first >= WINDOW_BUCKETS) {
            self.minima.pop_front();
        }
    }

    fn least(&self) -> Option<i64> {
        self.minima.iter().map(|(_, least)| *least).min()
    }
}
