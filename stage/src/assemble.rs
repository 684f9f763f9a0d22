//! From packets that are lost, doubled and out of order to whole frames in order.
//!
//! A ring of 1,024 packets holds what has arrived and not left. A frame is a run of packets with one timestamp,
//! closed by the marker bit or by the next timestamp; it leaves as soon as it is whole and all before it have left.
//! What is missing from video is asked for ([`Assembler::poll_missing`]). A hole is waited for as long as
//! [`Jitter::wait`] says; then audio goes on behind it, and video goes on at the next key frame, for which the session
//! asks until one is there.

use crate::depacketize::{DepacketizeError, Depacketized, Depacketizer, KeyStart, key_start};
use crate::jitter::Jitter;
use bytes::Bytes;
use footlight_media::codec::{Codec, Kind};
use footlight_media::time::SessionTime;
use std::collections::BTreeMap;
use std::time::Duration;

/// Packets that are held: 1.2 MB of 1,200 bytes, a second and a half at 6 Mbit/s.
pub const RING_PACKETS: usize = 1_024;
/// The longest payload that is taken. A path's MTU is 1,500; RFC 4571 framing over TCP could carry 65,535.
pub const MAX_PAYLOAD_BYTES: usize = 4_096;
/// Before the first frame has left, packets that were overtaken by the first to arrive are still taken.
const OVERTAKEN_AT_START: i64 = 64;
/// Packets that are asked for before the first to arrive, where that is not the begin of a key frame: one in twenty senders loses its first packet on a
/// network that loses one in twenty, and a new key frame takes it far longer than a retransmission. Parameter sets are three packets at most.
const PRESUMED_AT_START: i64 = 3;

/// A packet that was asked for so often does not exist any more.
const MAX_ASKS: u32 = 10;
/// Only the newest so many packets are asked for: a hole of more is an outage, after which a key frame is cheaper.
const ASK_BACK: i64 = 256;

/// One packet, as far as assembling goes.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp.
    pub timestamp: u32,
    /// RTP marker bit.
    pub marker: bool,
    /// RTP payload without padding.
    pub payload: Bytes,
}

/// A frame that has left.
#[derive(Debug, Clone)]
pub struct Assembled {
    /// Its bytes.
    pub frame: Depacketized,
    /// RTP timestamp.
    pub timestamp: u32,
    /// Frames are missing before it.
    pub discontinuity: bool,
    /// Arrival of its first packet to arrive.
    pub first_packet: SessionTime,
    /// Arrival of the packet that made it whole.
    pub last_packet: SessionTime,
}

/// What has been counted since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AssemblerCounts {
    /// Frames that left.
    pub assembled: u64,
    /// Key frames among them (video only).
    pub key_frames: u64,
    /// Times that a hole was given up.
    pub holes_abandoned: u64,
    /// Packets that were never filled in when their hole was given up.
    pub packets_lost: u64,
    /// Packets that came after their place had been passed, or twice.
    pub packets_late_or_double: u64,
    /// Whole frames that could not be used: garbage, or a picture of a refused size.
    pub frames_refused: u64,
}

impl AssemblerCounts {
    /// Adds what another's have grown by between `earlier` and `later`.
    pub fn add(&mut self, later: &Self, earlier: &Self) {
        self.assembled += later.assembled - earlier.assembled;
        self.key_frames += later.key_frames - earlier.key_frames;
        self.holes_abandoned += later.holes_abandoned - earlier.holes_abandoned;
        self.packets_lost += later.packets_lost - earlier.packets_lost;
        self.packets_late_or_double += later.packets_late_or_double - earlier.packets_late_or_double;
        self.frames_refused += later.frames_refused - earlier.frames_refused;
    }
}

/// A packet that was overtaken.
struct Missing {
    /// When the first later packet came.
    since: SessionTime,
    asks: u32,
    last_ask: Option<SessionTime>,
}

struct Held {
    number: i64,
    arrived: SessionTime,
    packet: Arrival,
}

/// What the frame at the head is waiting for.
enum Head {
    /// The frame's packets, by first and last number.
    Whole(i64, i64),
    /// A packet that is known to be missing since then.
    Hole(SessionTime),
    /// Packets that need not have been sent yet.
    Unfinished,
}

/// The assembler of one track.
pub struct Assembler {
    codec: Codec,
    depacketizer: Depacketizer,
    jitter: Jitter,
    ring: Box<[Option<Held>]>,
    /// By number, below `highest`: what is still waited for, and what was given up lately (a late one says that the
    /// wait was too short). Never more than the ring has places.
    missing: BTreeMap<i64, Missing>,
    /// Number of the first packet that has not left, counted beyond 16 bits.
    next: i64,
    /// Number of the newest packet. Below `next` when the ring holds nothing.
    highest: i64,
    started: bool,
    /// A frame has left, or a hole was given up: nothing before `next` is taken any more.
    moving: bool,
    /// Where the earliest key frame in the ring may begin.
    key_candidate: Option<i64>,
    /// What left last ended a frame just before `next`.
    at_boundary: bool,
    waiting_for_key: bool,
    discontinuity: bool,
    /// Whether what is missing is worth asking for.
    asks: bool,
    /// The sequence number that would confirm that the sender began anew (RFC 3550 appendix A.1).
    restart_probe: Option<u16>,
    last_refusal: Option<DepacketizeError>,
    counts: AssemblerCounts,
}

impl Assembler {
    /// Video begins by waiting for a key frame.
    pub fn new(codec: Codec, depacketizer: Depacketizer) -> Self {
        Self {
            codec,
            depacketizer,
            jitter: Jitter::new(codec.kind()),
            ring: (0..RING_PACKETS).map(|_| None).collect(),
            missing: BTreeMap::new(),
            next: 0,
            highest: -1,
            started: false,
            moving: false,
            key_candidate: None,
            at_boundary: false,
            waiting_for_key: codec.kind() == Kind::Video,
            discontinuity: false,
            asks: codec.kind() == Kind::Video,
            restart_probe: None,
            last_refusal: None,
            counts: AssemblerCounts::default(),
        }
    }

    /// Forgets what has arrived: the sender begins anew, or the frames' receiver does. What was counted and learned of the network stays.
    pub fn begin_anew(&mut self, depacketizer: Depacketizer) {
        let jitter = self.jitter.clone();
        *self = Self { jitter, counts: self.counts, asks: self.asks, ..Self::new(self.codec, depacketizer) };
    }

    /// Whether what is missing of a picture is asked for; it is at the start. Sound is not worth it.
    pub fn ask(&mut self, asks: bool) {
        self.asks = asks && self.codec.kind() == Kind::Video;
    }

    /// Whether nothing can leave before a key frame: then the sender must be asked for one.
    pub fn waiting_for_key(&self) -> bool {
        self.waiting_for_key
    }

    /// Whether what is missing may well never come: half of the time is over for which it is waited.
    pub fn held_up(&self, now: SessionTime) -> bool {
        matches!(self.head(), Head::Hole(since) if micros_between(since, now) >= self.jitter.wait() / 2)
    }

    /// What has been counted.
    pub fn counts(&self) -> AssemblerCounts {
        self.counts
    }

    /// Why the last refused frame was refused; taken once.
    pub fn take_refusal(&mut self) -> Option<DepacketizeError> {
        self.last_refusal.take()
    }

    /// The wait of this track.
    pub fn jitter(&mut self) -> &mut Jitter {
        &mut self.jitter
    }

    /// Takes a packet; `recovered` says that it came as a retransmission. Afterwards [`Self::poll`] until it gives
    /// nothing.
    pub fn insert(&mut self, packet: Arrival, recovered: bool, now: SessionTime) {
        if packet.payload.len() > MAX_PAYLOAD_BYTES {
            self.counts.frames_refused += 1;
            return;
        }
        let is_first = !self.started;
        let Some(number) = self.number(packet.sequence, now) else { return };
        if is_first && key_start(self.codec, &packet.payload) != KeyStart::Certain {
            self.presume_a_begin(now);
        }
        if number > self.highest {
            for skipped in self.highest.max(self.next - 1) + 1..number {
                self.missing.insert(skipped, Missing { since: now, asks: 0, last_ask: None });
            }
            self.highest = number;
            self.make_room(number);
        } else {
            self.learn_from(number, recovered, now);
            if number < self.next || self.held(number).is_some() {
                self.counts.packets_late_or_double += 1;
                return;
            }
        }
        self.ring[index(number)] = Some(Held { number, arrived: now, packet });
        self.note_key_start(number);
        self.note_key_start(number + 1);
    }

    /// Sequence numbers to ask the sender for now (generic NACK, RFC 4585 section 6.2.1).
    pub fn poll_missing(&mut self, now: SessionTime) -> Vec<u16> {
        let (after, interval) = (self.jitter.ask_after(), self.jitter.ask_interval());
        let mut asked = Vec::new();
        if !self.asks {
            return asked;
        }
        for (number, missing) in self.missing.range_mut(self.next.max(self.highest - ASK_BACK)..) {
            if missing.due(after, interval).is_some_and(|due| due <= now) {
                missing.asks += 1;
                missing.last_ask = Some(now);
                asked.push(*number as u16);
            }
        }
        asked
    }

    /// The next frame that can leave.
    pub fn poll(&mut self, now: SessionTime) -> Option<Assembled> {
        loop {
            self.skip_padding();
            if self.waiting_for_key {
                let candidate = self.key_candidate?;
                if candidate > self.next {
                    self.at_boundary = false;
                    self.advance_to(candidate);
                }
            }
            match self.head() {
                Head::Whole(first, last) => {
                    if let Some(frame) = self.take(first, last) {
                        return Some(frame);
                    }
                }
                Head::Hole(since) if micros_between(since, now) >= self.jitter.wait() => self.abandon_hole(),
                Head::Hole(_) | Head::Unfinished => return None,
            }
        }
    }

    /// When [`Self::poll`] or [`Self::poll_missing`] may have something without a further packet.
    pub fn poll_timeout(&self) -> Option<SessionTime> {
        let gives_up = match self.head() {
            Head::Hole(since) if !self.waiting_for_key || self.key_candidate.is_some() => {
                Some(since + self.jitter.wait())
            }
            _ => None,
        };
        let (after, interval) = (self.jitter.ask_after(), self.jitter.ask_interval());
        let asked_for = self.missing.range(self.next.max(self.highest - ASK_BACK)..).filter(|_| self.asks);
        let asks = asked_for.filter_map(|(_, missing)| missing.due(after, interval));
        gives_up.into_iter().chain(asks).min()
    }

    /// Places a 16-bit sequence number on the counting line. `None` for one that is out of all bounds; the second in
    /// a row begins anew there.
    fn number(&mut self, sequence: u16, now: SessionTime) -> Option<i64> {
        if !self.started {
            self.started = true;
            self.next = i64::from(sequence);
            self.highest = self.next - 1;
            return Some(self.next);
        }
        let newest = self.highest.max(self.next - 1);
        let ahead = i64::from(sequence.wrapping_sub(newest as u16) as i16);
        let number = newest + ahead;
        if !self.moving && (self.next - OVERTAKEN_AT_START..self.next).contains(&number) {
            for overtaken in number..self.next {
                self.missing.insert(overtaken, Missing { since: now, asks: 0, last_ask: None });
            }
            self.next = number;
        }
        if ahead.unsigned_abs() < RING_PACKETS as u64 {
            self.restart_probe = None;
            return Some(number);
        }
        if self.restart_probe == Some(sequence) {
            self.restart(number);
            return Some(number);
        }
        self.restart_probe = Some(sequence.wrapping_add(1));
        None
    }

    /// Packets before the first to arrive were lost, or never sent: nothing waits for them but a key frame that they begin.
    fn presume_a_begin(&mut self, now: SessionTime) {
        for presumed in self.next - PRESUMED_AT_START..self.next {
            self.missing.insert(presumed, Missing { since: now, asks: 0, last_ask: None });
        }
        self.next -= PRESUMED_AT_START;
    }

    fn restart(&mut self, number: i64) {
        self.ring.iter_mut().for_each(|place| *place = None);
        self.missing.clear();
        self.next = number;
        self.highest = number - 1;
        self.key_candidate = None;
        self.at_boundary = false;
        self.restart_probe = None;
        self.lose_continuity();
    }

    /// What the coming of a missing packet says about the network, whether it comes in time or not.
    fn learn_from(&mut self, number: i64, recovered: bool, now: SessionTime) {
        let Some(missing) = self.missing.remove(&number) else { return };
        match missing.last_ask {
            // Of several asks nobody knows which was answered (Karn's rule).
            Some(asked) if recovered && missing.asks == 1 => self.jitter.on_round_trip(micros_between(asked, now)),
            _ if !recovered => self.jitter.on_disorder(micros_between(missing.since, now)),
            _ => {}
        }
    }

    /// Packets that the ring can no longer hold are given up.
    fn make_room(&mut self, number: i64) {
        let oldest = number - RING_PACKETS as i64 + 1;
        self.missing = self.missing.split_off(&oldest);
        if self.next < oldest {
            self.counts.holes_abandoned += u64::from(!self.waiting_for_key);
            self.moving |= !self.waiting_for_key;
            self.at_boundary = false;
            self.advance_to(oldest);
            self.lose_continuity();
        }
    }

    fn lose_continuity(&mut self) {
        self.discontinuity = true;
        self.waiting_for_key = self.codec.kind() == Kind::Video;
    }

    fn note_key_start(&mut self, number: i64) {
        if self.codec.kind() == Kind::Audio || self.key_candidate.is_some_and(|earlier| earlier <= number) {
            return;
        }
        let Some(held) = self.held(number) else { return };
        let starts = match key_start(self.codec, &held.packet.payload) {
            KeyStart::Certain => true,
            KeyStart::No => false,
            KeyStart::IfFirst => match self.held(number - 1) {
                Some(before) => before.packet.marker || before.packet.timestamp != held.packet.timestamp,
                // What just left was another frame.
                None => number == self.next && self.at_boundary,
            },
        };
        if starts {
            self.key_candidate = Some(number);
        }
    }

    /// Padding packets have a place in the sequence and no part in a frame.
    fn skip_padding(&mut self) {
        while self.held(self.next).is_some_and(|held| held.packet.payload.is_empty()) {
            self.advance_to(self.next + 1);
        }
    }

    fn head(&self) -> Head {
        let mut frame_timestamp = None;
        for number in self.next..=self.highest {
            match self.held(number) {
                None => return self.missing.get(&number).map_or(Head::Unfinished, |missing| Head::Hole(missing.since)),
                Some(held) => {
                    let timestamp = held.packet.timestamp;
                    if *frame_timestamp.get_or_insert(timestamp) != timestamp {
                        return Head::Whole(self.next, number - 1);
                    }
                    if held.packet.marker || self.codec.kind() == Kind::Audio {
                        return Head::Whole(self.next, number);
                    }
                }
            }
        }
        Head::Unfinished
    }

    fn take(&mut self, first: i64, last: i64) -> Option<Assembled> {
        let held: Vec<&Held> = (first..=last).filter_map(|number| self.held(number)).collect();
        let timestamp = held.first()?.packet.timestamp;
        let first_packet = held.iter().map(|held| held.arrived).min()?;
        let last_packet = held.iter().map(|held| held.arrived).max()?;
        let payloads: Vec<Bytes> =
            held.iter().map(|held| held.packet.payload.clone()).filter(|payload| !payload.is_empty()).collect();
        self.at_boundary = true;
        self.advance_to(last + 1);
        let frame = match self.depacketizer.frame(payloads.iter().map(|payload| &payload[..])) {
            Ok(frame) if frame.key || !self.waiting_for_key => frame,
            Ok(_) => return None,
            // Parameter sets or an SEI on their own are no picture, and no fault.
            Err(DepacketizeError::Empty) => return None,
            Err(error) => {
                self.counts.frames_refused += 1;
                self.last_refusal = Some(error);
                self.lose_continuity();
                return None;
            }
        };
        self.moving = true;
        self.counts.assembled += 1;
        self.counts.key_frames += u64::from(frame.key && self.codec.kind() == Kind::Video);
        self.waiting_for_key = false;
        let discontinuity = std::mem::take(&mut self.discontinuity);
        Some(Assembled { frame, timestamp, discontinuity, first_packet, last_packet })
    }

    /// The hole at the head is given up: audio goes on behind it, video at the next key frame.
    fn abandon_hole(&mut self) {
        self.moving = true;
        self.counts.holes_abandoned += 1;
        let mut number = self.next;
        // Over what is left of the frame that the hole broke, and over the hole.
        while self.held(number).is_some() {
            number += 1;
        }
        while number <= self.highest && self.held(number).is_none() {
            self.counts.packets_lost += 1;
            number += 1;
        }
        self.at_boundary = false;
        self.advance_to(number);
        self.lose_continuity();
    }

    fn advance_to(&mut self, number: i64) {
        for passed in self.next..number.min(self.highest + 1) {
            if self.held(passed).is_some() {
                self.ring[index(passed)] = None;
            }
        }
        self.next = number;
        if self.key_candidate.is_some_and(|candidate| candidate < number) {
            self.key_candidate = None;
            self.find_key_candidate();
        }
    }

    fn find_key_candidate(&mut self) {
        for number in self.next..=self.highest {
            if self.key_candidate.is_some() {
                return;
            }
            self.note_key_start(number);
        }
    }

    fn held(&self, number: i64) -> Option<&Held> {
        self.ring[index(number)].as_ref().filter(|held| held.number == number)
    }
}

impl Missing {
    fn due(&self, after: Duration, interval: Duration) -> Option<SessionTime> {
        match self.last_ask {
            None => Some(self.since + after),
            Some(last) if self.asks < MAX_ASKS => Some(last + interval),
            Some(_) => None,
        }
    }
}

fn index(number: i64) -> usize {
    number.rem_euclid(RING_PACKETS as i64) as usize
}

fn micros_between(earlier: SessionTime, later: SessionTime) -> Duration {
    Duration::from_micros(later.micros_since(earlier).max(0).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture_size::PictureLimits;
    use proptest::prelude::*;

    /// VP8 frames of three packets each; every tenth is a key frame.
    fn packets(frames: u32) -> Vec<Arrival> {
        let mut packets = Vec::new();
        for frame in 0..frames {
            for part in 0..3_u32 {
                let payload = match (part, frame % 10) {
                    (0, 0) => vec![0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01, frame as u8],
                    (0, _) => vec![0x10, 0x11, frame as u8],
                    _ => vec![0x00, part as u8, frame as u8],
                };
                packets.push(Arrival {
                    sequence: (65_500 + frame * 3 + part) as u16,
                    timestamp: frame.wrapping_mul(3_000).wrapping_sub(9_000),
                    marker: part == 2,
                    payload: payload.into(),
                });
            }
        }
        packets
    }

    fn assembler(codec: Codec) -> Assembler {
        Assembler::new(codec, Depacketizer::new(codec, PictureLimits::default(), ""))
    }

    fn at(ms: i64) -> SessionTime {
        SessionTime::from_micros(ms * 1_000)
    }

    /// Feeds packets at the given milliseconds; gives what left, as timestamp and discontinuity.
    fn run(assembler: &mut Assembler, arrivals: impl IntoIterator<Item = (i64, Arrival)>) -> Vec<(u32, bool)> {
        let mut left = Vec::new();
        let mut now = 0;
        for (ms, packet) in arrivals {
            // A driver comes back at the deadlines in between.
            while let Some(deadline) = assembler.poll_timeout()
                && deadline < at(ms)
            {
                let before = left.len();
                let asked = assembler.poll_missing(deadline).len();
                left.extend(std::iter::from_fn(|| assembler.poll(deadline)).map(|f| (f.timestamp, f.discontinuity)));
                if left.len() == before && asked == 0 && assembler.poll_timeout() == Some(deadline) {
                    break;
                }
            }
            now = ms;
            assembler.insert(packet, false, at(ms));
            let _ = assembler.poll_missing(at(ms));
            left.extend(std::iter::from_fn(|| assembler.poll(at(ms))).map(|f| (f.timestamp, f.discontinuity)));
        }
        left.extend(std::iter::from_fn(|| assembler.poll(at(now + 1_000))).map(|f| (f.timestamp, f.discontinuity)));
        left
    }

    /// One packet each 10 ms.
    fn paced(packets: Vec<Arrival>) -> Vec<(i64, Arrival)> {
        packets.into_iter().enumerate().map(|(number, packet)| (number as i64 * 10, packet)).collect()
    }

    fn timestamps(frames: impl IntoIterator<Item = u32>) -> Vec<u32> {
        frames.into_iter().map(|frame| frame.wrapping_mul(3_000).wrapping_sub(9_000)).collect()
    }

    #[test]
    fn frames_leave_whole_and_in_order_across_every_wrap() {
        let left = run(&mut assembler(Codec::Vp8), paced(packets(60)));
        assert_eq!(left.iter().map(|(timestamp, _)| *timestamp).collect::<Vec<_>>(), timestamps(0..60));
        assert!(left.iter().all(|(_, discontinuity)| !discontinuity));
    }

    #[test]
    fn the_first_packets_of_all_are_asked_for_where_they_were_lost() {
        let mut all = packets(12);
        let (lost, mut assembler) = (all.remove(0), assembler(Codec::Vp8));
        assembler.insert(all[0].clone(), false, at(0));
        let due = assembler.poll_timeout().expect("something is asked for");
        let asked = assembler.poll_missing(due);
        assert_eq!(asked.last(), Some(&lost.sequence), "{asked:?}");
        let mut arrivals = paced(all.split_off(1));
        arrivals.insert(4, (40, lost));
        let left = run(&mut assembler, arrivals);
        assert_eq!(left.iter().map(|(timestamp, _)| *timestamp).collect::<Vec<_>>(), timestamps(0..12));
    }

    #[test]
    fn what_was_never_sent_before_the_first_packet_holds_nothing_up() {
        // Somebody's second key frame is the first that is seen of them.
        let all = packets(20).split_off(3);
        let mut assembler = assembler(Codec::Vp8);
        let mut when = Vec::new();
        for (ms, packet) in paced(all) {
            assembler.insert(packet, false, at(ms));
            when.extend(std::iter::from_fn(|| assembler.poll(at(ms))).map(|_| ms));
        }
        assert_eq!(when.first(), Some(&((9 * 3 + 2) * 10)), "with its last packet");
    }

    #[test]
    fn a_packet_that_comes_again_in_time_costs_nothing() {
        let mut arrivals = paced(packets(20));
        let (_, late) = arrivals.remove(16);
        arrivals.insert(20, (207, late));
        let left = run(&mut assembler(Codec::Vp8), arrivals);
        assert_eq!(left.iter().map(|(timestamp, _)| *timestamp).collect::<Vec<_>>(), timestamps(0..20));
        assert!(left.iter().all(|(_, discontinuity)| !discontinuity));
    }

    #[test]
    fn a_lost_packet_costs_the_frames_up_to_the_next_key_frame() {
        let mut arrivals = paced(packets(40));
        arrivals.remove(16);
        let mut assembler = assembler(Codec::Vp8);
        let left = run(&mut assembler, arrivals);
        let want = timestamps((0..5).chain(10..40));
        assert_eq!(left.iter().map(|(timestamp, _)| *timestamp).collect::<Vec<_>>(), want);
        assert_eq!(left.iter().position(|(_, discontinuity)| *discontinuity), Some(5));
        assert_eq!(assembler.counts().packets_lost, 1);
        assert_eq!(assembler.counts().holes_abandoned, 1);
    }

    #[test]
    fn the_wait_for_a_key_frame_is_visible_until_one_has_left() {
        let mut assembler = assembler(Codec::Vp8);
        assert!(assembler.waiting_for_key());
        let all = packets(21);
        let left = run(&mut assembler, paced(all[3..12].to_vec()));
        assert!(left.is_empty() && assembler.waiting_for_key());
        let left = run(&mut assembler, paced(all[12..].to_vec()));
        assert_eq!(left.first().map(|(timestamp, _)| *timestamp), timestamps([10]).first().copied());
        assert!(!assembler.waiting_for_key());
    }

    #[test]
    fn doubles_and_ghosts_change_nothing() {
        let mut arrivals = paced(packets(20));
        let doubles: Vec<_> = arrivals.iter().step_by(4).cloned().collect();
        for (number, (ms, packet)) in doubles.into_iter().enumerate() {
            arrivals.insert(number * 5 + 4, (ms + 30, packet));
        }
        let ghost = Arrival { sequence: 30_000, timestamp: 5, marker: true, payload: vec![0x10, 0x10].into() };
        arrivals.insert(7, (65, ghost));
        let mut assembler = assembler(Codec::Vp8);
        let left = run(&mut assembler, arrivals);
        assert_eq!(left.iter().map(|(timestamp, _)| *timestamp).collect::<Vec<_>>(), timestamps(0..20));
        assert_eq!(assembler.counts().packets_late_or_double, 15);
    }

    #[test]
    fn a_sender_that_begins_anew_is_followed() {
        let mut arrivals = paced(packets(10));
        let second: Vec<_> = packets(10)
            .into_iter()
            .enumerate()
            .map(|(number, packet)| {
                (300 + number as i64 * 10, Arrival { sequence: packet.sequence.wrapping_add(20_000), ..packet })
            })
            .collect();
        arrivals.extend(second);
        let left = run(&mut assembler(Codec::Vp8), arrivals);
        // Its first packet is the probe, so its first key frame is lost: a key frame is asked for.
        assert_eq!(left.len(), 10);
    }

    #[test]
    fn padding_has_a_place_but_no_part() {
        let mut all = packets(10);
        let padding = Arrival { payload: Bytes::new(), marker: false, ..all[14].clone() };
        for packet in &mut all[15..] {
            packet.sequence = packet.sequence.wrapping_add(1);
        }
        all.insert(15, Arrival { sequence: padding.sequence.wrapping_add(1), ..padding });
        let mut assembler = assembler(Codec::Vp8);
        assert_eq!(run(&mut assembler, paced(all)).len(), 10);
        assert_eq!(assembler.counts().frames_refused, 0);
    }

    #[test]
    fn what_is_missing_is_asked_for_and_asked_for_again() {
        let mut assembler = assembler(Codec::Vp8);
        let mut all = packets(3);
        assembler.insert(all.remove(0), false, at(0));
        let lost = all.remove(0);
        assembler.insert(all.remove(0), false, at(5));
        assert!(assembler.poll_missing(at(5)).is_empty(), "it may yet come by itself");
        assert_eq!(assembler.poll_timeout(), Some(at(15)));
        assert_eq!(assembler.poll_missing(at(15)), [lost.sequence]);
        assert!(assembler.poll_missing(at(15)).is_empty());
        assert_eq!(assembler.poll_timeout(), Some(at(65)));
        assert_eq!(assembler.poll_missing(at(65)), [lost.sequence]);
        assembler.insert(lost, true, at(70));
        assert!(assembler.poll_missing(at(500)).is_empty());
        assert!(assembler.poll(at(70)).is_some());
    }

    #[test]
    fn sound_goes_on_behind_a_hole() {
        let sound = |number: u16| Arrival {
            sequence: number,
            timestamp: u32::from(number) * 960,
            marker: false,
            payload: vec![number as u8].into(),
        };
        let arrivals = (0..50).filter(|number| *number != 20).map(|number| (i64::from(number) * 20, sound(number)));
        let left = run(&mut assembler(Codec::Opus), arrivals);
        assert_eq!(left.len(), 49);
        assert_eq!(left.iter().filter(|(_, discontinuity)| *discontinuity).count(), 1);
        assert_eq!(left[20], (21 * 960, true));
    }

    #[test]
    fn garbage_is_refused_and_the_next_key_frame_repairs() {
        let mut all = packets(20);
        all[6].payload = vec![0xff, 0xff].into();
        let mut assembler = assembler(Codec::Vp8);
        let left = run(&mut assembler, paced(all));
        assert_eq!(left.iter().map(|(timestamp, _)| *timestamp).collect::<Vec<_>>(), timestamps((0..2).chain(10..20)));
        assert_eq!(assembler.counts().frames_refused, 1);
        assert!(assembler.take_refusal().is_some());
    }

    proptest! {
        /// Whatever is lost, doubled and overtaken: nothing panics, frames leave in order, none twice.
        #[test]
        fn order_holds_on_any_network(
            fate in proptest::collection::vec((0u8..20, 0i64..300), 300),
            start in any::<u16>(),
        ) {
            let mut arrivals: Vec<(i64, Arrival)> = Vec::new();
            for ((number, mut packet), (luck, delay)) in packets(100).into_iter().enumerate().zip(fate) {
                packet.sequence = packet.sequence.wrapping_add(start);
                let sent = number as i64 * 10;
                match luck {
                    0 => {}
                    1 => arrivals.extend([(sent + delay, packet.clone()), (sent + delay / 2, packet)]),
                    2 | 3 => arrivals.push((sent + delay, packet)),
                    _ => arrivals.push((sent, packet)),
                }
            }
            arrivals.sort_by_key(|(ms, _)| *ms);
            let left = run(&mut assembler(Codec::Vp8), arrivals);
            for pair in left.windows(2) {
                prop_assert!(pair[1].0.wrapping_sub(pair[0].0) as i32 > 0);
            }
        }

        #[test]
        fn any_packets_are_survived(
            packets in proptest::collection::vec(
                (any::<u16>(), any::<u32>(), any::<bool>(), proptest::collection::vec(any::<u8>(), 0..20), 0i64..50),
                0..200,
            ),
        ) {
            for codec in Codec::ALL {
                let mut assembler = assembler(codec);
                let mut now = 0;
                for (sequence, timestamp, marker, payload, step) in &packets {
                    now += step;
                    let payload = payload.clone().into();
                    let packet = Arrival { sequence: *sequence, timestamp: *timestamp, marker: *marker, payload };
                    assembler.insert(packet, now % 2 == 0, at(now));
                    let _ = assembler.poll_missing(at(now));
                    while assembler.poll(at(now)).is_some() {}
                }
            }
        }
    }
}
