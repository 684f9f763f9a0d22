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
//!
//! The anchor that a peer's tracks share moves likewise, and waits while one of them is still on its way to it: lips
//! and voices meet first, and then move together. Were each track to follow the anchor's target by itself, one that
//! jumped and one that did not would be apart by up to 300 ms for half a minute.

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

/// A track whose offset is so near the anchor's is there.
const THERE_US: i64 = 2_000;

/// Session time minus the sender's NTP time, as all tracks with reports follow it.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    us: i64,
    /// NTP time up to which it has been moved.
    slewed_to_us: i64,
    /// How many tracks had reports when it was set: another one may move it at once, and each track goes there by itself.
    members: usize,
}

/// The clock of one track.
#[derive(Debug, Clone)]
struct TrackClock {
    timescale: Timescale,
    unwrapped: Option<Unwrapped>,
    /// A report that came before the first packet, as FFmpeg's first does, and its second five seconds later.
    early_report: Option<Report>,
    window: ArrivalWindow,
    /// Microseconds of the sender's NTP clock minus media time.
    ntp_offset_us: Option<i64>,
    offset_us: Option<i64>,
    /// Media time up to which the offset has been moved.
    slewed_to_us: i64,
    /// The latest time given out: a jump back is played as a standstill, because what was shown stays shown.
    last_time_us: i64,
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
    anchor: Option<Anchor>,
}

impl PeerSync {
    /// Another track; its slot is the number of tracks before it.
    pub fn add_track(&mut self, timescale: Timescale) {
        self.tracks.push(TrackClock {
            timescale,
            unwrapped: None,
            early_report: None,
            window: ArrivalWindow::default(),
            ntp_offset_us: None,
            offset_us: None,
            slewed_to_us: 0,
            last_time_us: i64::MIN,
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
            if let Some(report) = track.early_report.take() {
                self.on_report(slot, report);
            }
        }
        media_us
    }

    /// A sender report of a track.
    pub fn on_report(&mut self, slot: usize, report: Report) {
        let Some(track) = self.tracks.get_mut(slot) else { return };
        if track.unwrapped.is_none() {
            track.early_report = Some(report);
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

    /// When the frame with this timestamp is to be shown or heard: later than every frame of the track before it.
    /// `None` before the track's first packet. To be asked in the order in which frames leave.
    pub fn time(&mut self, slot: usize, rtp: u32) -> Option<SessionTime> {
        let track = self.tracks.get(slot)?;
        let arrival_offset = track.window.least()?;
        let media_us = track.micros(track.ticks(rtp));
        let target = match track.ntp_offset_us {
            Some(ntp_offset) => {
                let anchor = self.move_anchor(media_us.saturating_add(ntp_offset));
                anchor.map_or(arrival_offset, |anchor| anchor.saturating_add(ntp_offset))
            }
            None => arrival_offset,
        };
        let track = self.tracks.get_mut(slot)?;
        let offset = match track.offset_us {
            Some(offset) if offset.abs_diff(target) <= SNAP_US.unsigned_abs() => {
                let most = media_us.saturating_sub(track.slewed_to_us).max(0) / SLEW_DIVISOR;
                offset + (target - offset).clamp(-most, most)
            }
            _ => target,
        };
        track.offset_us = Some(offset);
        track.slewed_to_us = track.slewed_to_us.max(media_us);
        track.last_time_us = media_us.saturating_add(offset).max(track.last_time_us.saturating_add(1));
        Some(SessionTime::from_micros(track.last_time_us))
    }

    /// Brings the anchor to the sender's time `ntp_us`. Answers with it.
    fn move_anchor(&mut self, ntp_us: i64) -> Option<i64> {
        let Some(target) = self.common_anchor() else {
            self.anchor = None;
            return None;
        };
        let members = self.tracks.iter().filter(|track| track.ntp_offset_us.is_some()).count();
        let same = self.anchor.filter(|known| known.members == members);
        let known = same.filter(|known| known.us.abs_diff(target) <= SNAP_US.unsigned_abs());
        if same.is_some() && known.is_none() {
            // All of them jump with the anchor: one that just stayed below the limit would take half a minute to follow.
            self.tracks.iter_mut().filter(|t| t.ntp_offset_us.is_some()).for_each(|t| t.offset_us = None);
        }
        let anchor = match known {
            Some(known) => {
                let passed = ntp_us.saturating_sub(known.slewed_to_us).max(0);
                let all_there = self.tracks.iter().all(|track| track.is_there(known.us, ntp_us));
                let most = if all_there { passed / SLEW_DIVISOR } else { 0 };
                let us = known.us + (target - known.us).clamp(-most, most);
                Anchor { us, slewed_to_us: known.slewed_to_us.max(ntp_us), members }
            }
            None => Anchor { us: target, slewed_to_us: ntp_us, members },
        };
        self.anchor = Some(anchor);
        Some(anchor.us)
    }

    /// Session time minus the sender's NTP time, as the most delayed of the tracks with reports shows it: then no
    /// track's frames arrive after their time. `None` where reports say nothing or nothing credible.
    fn common_anchor(&self) -> Option<i64> {
        // What a track's packets said of the network before it stopped is no longer so: a simulcast layer that the network had no room for.
        let newest = self.tracks.iter().filter_map(|track| track.window.newest()).max()?;
        let current =
            self.tracks.iter().filter(|track| track.window.newest().is_some_and(|of| newest - of < WINDOW_BUCKETS));
        let mut anchors = current.filter_map(|track| Some(track.window.least()?.saturating_sub(track.ntp_offset_us?)));
        let first = anchors.next()?;
        let (least, most) = anchors.fold((first, first), |(least, most), anchor| (least.min(anchor), most.max(anchor)));
        (most.saturating_sub(least) <= MAX_CREDIBLE_US).then_some(most)
    }
}

impl TrackClock {
    /// Whether nothing is left of this track's way to the anchor. One that sends nothing, as a muted one, is not waited for.
    fn is_there(&self, anchor_us: i64, ntp_us: i64) -> bool {
        let (Some(offset), Some(ntp_offset)) = (self.offset_us, self.ntp_offset_us) else { return true };
        let silent_us = ntp_us.saturating_sub(self.slewed_to_us.saturating_add(ntp_offset));
        silent_us > WINDOW_US || offset.abs_diff(anchor_us.saturating_add(ntp_offset)) <= THERE_US.unsigned_abs()
    }

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
        self.early_report = None;
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

    /// The tenth in which the last packet came.
    fn newest(&self) -> Option<i64> {
        self.minima.back().map(|(tenth, _)| *tenth)
    }

    fn least(&self) -> Option<i64> {
        self.minima.iter().map(|(_, least)| *least).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AUDIO: usize = 0;
    const VIDEO: usize = 1;

    fn peer() -> PeerSync {
        let mut sync = PeerSync::default();
        sync.add_track(Timescale::AUDIO_48K);
        sync.add_track(Timescale::VIDEO);
        sync
    }

    fn at(us: i64) -> SessionTime {
        SessionTime::from_micros(us)
    }

    /// A sender whose tracks were captured together: what one instant is on each of its clocks.
    struct Sender {
        audio_rtp: u32,
        video_rtp: u32,
        ntp_lie_us: i64,
    }

    impl Sender {
        fn audio(&self, us: i64) -> u32 {
            self.audio_rtp.wrapping_add((us * 48 / 1_000) as u32)
        }

        fn video(&self, us: i64) -> u32 {
            self.video_rtp.wrapping_add((us * 90 / 1_000) as u32)
        }

        fn ntp(&self, us: i64) -> u64 {
            let us = 3_900_000_000_000_000 + (us + self.ntp_lie_us) as u128;
            ((us << 32) / 1_000_000) as u64
        }
    }

    /// Plays `seconds`; video arrives `video_delay_us` after capture and audio at 5 ms. Reports go out each second
    /// from `first_audio_report_s` on. Gives for each second how far apart the same captured instant comes out.
    fn lip_offsets(sender: &Sender, video_delay_us: i64, first_audio_report_s: i64, seconds: i64) -> Vec<i64> {
        let mut sync = peer();
        let (mut audio_shift, mut video_shift) = (0, 0);
        let mut offsets = Vec::new();
        for ms in 0..seconds * 1_000 {
            let us = ms * 1_000;
            let captured = us - video_delay_us;
            if ms % 20 == 0 {
                sync.on_packet(AUDIO, sender.audio(us - 5_000), at(us), false);
                let time = sync.time(AUDIO, sender.audio(us - 5_000)).unwrap();
                audio_shift = time.micros_since(at(us - 5_000));
            }
            if ms % 33 == 0 {
                sync.on_packet(VIDEO, sender.video(captured), at(us), false);
                video_shift = sync.time(VIDEO, sender.video(captured)).unwrap().micros_since(at(captured));
            }
            if ms % 1_000 == 500 {
                sync.on_report(VIDEO, Report { ntp: sender.ntp(us), rtp: sender.video(us) });
                if ms / 1_000 >= first_audio_report_s {
                    sync.on_report(AUDIO, Report { ntp: sender.ntp(us), rtp: sender.audio(us) });
                }
            }
            if ms % 1_000 == 999 {
                offsets.push(video_shift - audio_shift);
            }
        }
        offsets
    }

    #[test]
    fn lips_follow_the_reports_within_ten_seconds() {
        let sender = Sender { audio_rtp: 7, video_rtp: u32::MAX - 5_000, ntp_lie_us: 0 };
        let offsets = lip_offsets(&sender, 85_000, 1, 12);
        assert!(offsets[0] > 75_000, "arrival is all that is known at first: {offsets:?}");
        assert!(offsets[9..].iter().all(|offset| offset.abs() < 5_000), "{offsets:?}");
    }

    /// How far apart lips and voices are at worst once a sender that connects with a backlog, as FFmpeg does, has sent it at twice the pace, and its
    /// arrivals have left the window.
    fn worst_after_backlog(backlog_us: i64) -> i64 {
        let sender = Sender { audio_rtp: 7, video_rtp: 9, ntp_lie_us: 1_150_000 };
        let mut sync = peer();
        // Its reports come before its packets.
        for (slot, rtp) in [(AUDIO, sender.audio(0)), (VIDEO, sender.video(0))] {
            sync.on_report(slot, Report { ntp: sender.ntp(0), rtp });
            sync.on_packet(slot, rtp, at(backlog_us), false);
        }
        let (mut audio_shift, mut worst) = (0, 0_i64);
        for ms in 0..20_000_i64 {
            let captured = ms * 1_000;
            let arrival = (backlog_us + captured / 2).max(captured + 5_000);
            if ms % 20 == 0 {
                sync.on_packet(AUDIO, sender.audio(captured), at(arrival), false);
                audio_shift = sync.time(AUDIO, sender.audio(captured)).unwrap().micros_since(at(captured));
            }
            if ms % 33 == 7 {
                sync.on_packet(VIDEO, sender.video(captured), at(arrival), false);
                let shift = sync.time(VIDEO, sender.video(captured)).unwrap().micros_since(at(captured));
                worst =
                    if captured > 2 * backlog_us + WINDOW_US { worst.max((shift - audio_shift).abs()) } else { worst };
            }
        }
        worst
    }

    #[test]
    fn lips_are_together_after_a_backlog_whatever_it_was() {
        let worst = (0..40).map(|n| worst_after_backlog(700_000 + 25_000 * n)).max().unwrap();
        assert!(worst < 5_000, "{worst} us apart");
    }

    #[test]
    fn a_first_audio_report_after_five_seconds_is_slewed_to() {
        let sender = Sender { audio_rtp: 7, video_rtp: 9, ntp_lie_us: 0 };
        let offsets = lip_offsets(&sender, 85_000, 5, 14);
        assert!(offsets[9].abs() < 45_000, "ten seconds after joining: {offsets:?}");
        assert!(offsets[13].abs() < 5_000, "{offsets:?}");
        let steps = offsets.windows(2).map(|pair| (pair[1] - pair[0]).abs());
        assert!(steps.max().unwrap() <= 21_000, "1 % on each side: {offsets:?}");
    }

    #[test]
    fn a_date_in_the_future_that_is_the_same_for_both_does_no_harm() {
        let sender = Sender { audio_rtp: 1_000, video_rtp: 2_000, ntp_lie_us: 1_150_000 };
        let offsets = lip_offsets(&sender, 40_000, 1, 10);
        assert!(offsets[9].abs() < 5_000, "{offsets:?}");
        let mut sync = peer();
        for frame in 0..150 {
            let us = frame * 20_000;
            sync.on_packet(AUDIO, sender.audio(us), at(us + 5_000), false);
            sync.on_report(AUDIO, Report { ntp: sender.ntp(us), rtp: sender.audio(us) });
            let time = sync.time(AUDIO, sender.audio(us)).unwrap();
            assert!(time.micros_since(at(us + 5_000)).abs() <= 20, "frame {frame}");
        }
    }

    #[test]
    fn reports_without_sense_are_not_followed() {
        let mut sync = peer();
        let sender = Sender { audio_rtp: 0, video_rtp: 0, ntp_lie_us: 0 };
        for frame in 0..100 {
            let us = frame * 20_000;
            sync.on_packet(AUDIO, sender.audio(us), at(us), false);
            sync.on_packet(VIDEO, sender.video(us), at(us), false);
            sync.on_report(AUDIO, Report { ntp: sender.ntp(us), rtp: sender.audio(us) });
            sync.on_report(VIDEO, Report { ntp: sender.ntp(us + 60_000_000), rtp: sender.video(us) });
            assert!(sync.time(VIDEO, sender.video(us)).unwrap().micros_since(at(us)).abs() < 1_000);
        }
    }

    #[test]
    fn differences_are_slewed_up_to_300_ms_and_jumped_beyond() {
        let check = |step_us: i64, want_first_us: std::ops::RangeInclusive<i64>| {
            let mut sync = peer();
            let mut first_after = None;
            for frame in 0..400_i64 {
                let us = frame * 20_000;
                // The sender's clock falls behind at once: what comes out is to follow the arrivals.
                let lag = if frame >= 100 { step_us } else { 0 };
                sync.on_packet(AUDIO, (us * 48 / 1_000) as u32, at(us + lag), false);
                let time = sync.time(AUDIO, (us * 48 / 1_000) as u32).unwrap();
                let moved = time.micros_since(at(us));
                // Two seconds later the window holds only what came after the step.
                if frame == 201 {
                    first_after = Some(moved);
                }
                if frame == 399 && step_us <= SNAP_US {
                    assert!((moved - step_us).abs() < 300_000, "{moved}");
                }
            }
            assert!(want_first_us.contains(&first_after.unwrap()), "{step_us}: {first_after:?}");
        };
        check(100_000, 0..=5_000);
        check(400_000, 400_000..=400_100);
    }

    #[test]
    fn a_timestamp_jump_of_hours_is_a_new_clock_at_once() {
        for hours in [-3_i64, 5] {
            let mut sync = peer();
            for frame in 0..100_i64 {
                let us = frame * 33_333;
                let jump = if frame >= 50 { hours * 3_600 * 90_000 } else { 0 };
                let rtp = (us * 90 / 1_000 + jump) as u32;
                sync.on_packet(VIDEO, rtp, at(us), false);
                let time = sync.time(VIDEO, rtp).unwrap();
                assert!(time.micros_since(at(us)).abs() < 1_000, "frame {frame} of {hours} h");
            }
        }
    }

    #[test]
    fn timestamps_wrap_unseen() {
        let mut sync = peer();
        let mut last = None;
        for frame in 0..200_i64 {
            let us = frame * 33_333;
            let rtp = (u32::MAX - 90_000).wrapping_add((us * 90 / 1_000) as u32);
            sync.on_packet(VIDEO, rtp, at(us), false);
            let time = sync.time(VIDEO, rtp).unwrap();
            assert!(last.is_none_or(|last| time.micros_since(last) > 33_000), "frame {frame}");
            last = Some(time);
        }
    }

    #[test]
    fn late_and_repeated_packets_do_not_move_the_anchor() {
        let mut sync = peer();
        for frame in 0..300_i64 {
            let us = frame * 33_333;
            let rtp = (us * 90 / 1_000) as u32;
            let jitter = (frame * 7_919) % 20_000;
            sync.on_packet(VIDEO, rtp, at(us + jitter), false);
            sync.on_packet(VIDEO, rtp.wrapping_sub(9_000), at(us + jitter + 5), true);
            let time = sync.time(VIDEO, rtp).unwrap();
            assert!((-20..=20_000).contains(&time.micros_since(at(us))), "frame {frame}");
        }
    }

    /// A simulcast layer that was sent while the network was slow, and stopped, does not hold the others back for ever.
    #[test]
    fn a_track_that_stopped_says_nothing_of_the_network_any_more() {
        const LAYER: usize = 2;
        let sender = Sender { audio_rtp: 7, video_rtp: 9, ntp_lie_us: 0 };
        let mut sync = peer();
        sync.add_track(Timescale::VIDEO);
        let mut late = 0;
        for ms in 0..40_000 {
            let us = ms * 1_000;
            // For three seconds everything is late by 250 ms.
            let delay = if (2_000..5_000).contains(&ms) { 250_000 } else { 0 };
            let captured = us - delay;
            if ms % 20 == 0 {
                sync.on_packet(AUDIO, sender.audio(captured), at(us), false);
                late = sync.time(AUDIO, sender.audio(captured)).unwrap().micros_since(at(captured));
            }
            if ms % 33 == 0 {
                sync.on_packet(VIDEO, sender.video(captured), at(us), false);
                sync.time(VIDEO, sender.video(captured));
            }
            if ms % 33 == 0 && ms < 5_000 {
                sync.on_packet(LAYER, sender.video(captured), at(us), false);
            }
            if ms % 1_000 == 0 {
                for (slot, rtp) in [(AUDIO, sender.audio(us)), (VIDEO, sender.video(us)), (LAYER, sender.video(us))] {
                    sync.on_report(slot, Report { ntp: sender.ntp(us), rtp });
                }
            }
        }
        assert!(late < 20_000, "sound is {late} us late");
    }

    proptest! {
        #[test]
        fn any_clock_is_survived(
            steps in proptest::collection::vec((any::<u32>(), any::<u64>(), any::<i64>(), 0usize..3), 0..100),
        ) {
            let mut sync = peer();
            for (rtp, ntp, arrival, slot) in steps {
                sync.on_packet(slot, rtp, at(arrival), arrival % 2 == 0);
                sync.on_report(slot, Report { ntp, rtp });
                let _ = sync.time(slot, rtp);
            }
        }
    }
}
