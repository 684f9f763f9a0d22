//! The pure core of one peer session: packets and reports in, track events and key frame requests out.
//!
//! Call [`Session::handle_input`] with what happened, then [`Session::poll_output`] until it gives nothing, then come
//! back at [`Session::poll_timeout`] at the latest. Time is the session clock's and is always passed in.

use crate::assemble::{Arrival, Assembled};
use crate::depacketize::DepacketizeError;
use crate::picture_size::{PictureLimits, PictureSize};
use crate::sdp::OfferedMedia;
use crate::sync::{PeerSync, Report};
use crate::track::{Track, TrackStats, depacketizer};
use bytes::Bytes;
use footlight_media::codec::Kind;
use footlight_media::frame::{EncodedFrame, IngestStamps};
use footlight_media::time::{SessionTime, Timescale};
use footlight_media::track::{Contributor, TrackEvent, TrackId};
use std::collections::VecDeque;
use std::time::Duration;

/// A connection has this long from its answer to its first packet: ICE, DTLS and the user's camera prompt are over in
/// a few seconds or never.
pub const FIRST_PACKET_WAIT: Duration = Duration::from_secs(20);
/// A peer that sends nothing for this long rests: its tracks are removed, and added again with their next frames (pictures with their next key
/// frame), so that who is muted, or dead, does not stand still on stage. It is gone only when its consent is (RFC 7675), as ICE says.
pub const SILENCE_WAIT: Duration = Duration::from_secs(8);
/// An SSRC takes a track over when the one before has been silent for this long.
const SSRC_SILENCE: Duration = Duration::from_secs(2);
/// Video and audio (RFC 9725 section 4.4.2).
const MAX_TRACKS: usize = 2;
/// Refused frames of a track that are told of: a peer that sends nothing else would fill the log with thirty a second.
pub const MAX_REFUSALS_TOLD: u32 = 4;

/// One RTP packet, decrypted, retransmissions put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtpPacket {
    /// Who sends.
    pub ssrc: u32,
    /// What: see [`OfferedMedia::payload_type`].
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp in the codec's clock.
    pub timestamp: u32,
    /// Marker bit.
    pub marker: bool,
    /// It is known to be a retransmission.
    pub recovered: bool,
    /// The simulcast layer that it is of, or repairs, where it says so: a place in [`crate::simulcast::Simulcast::rids`].
    pub layer: Option<usize>,
    /// Payload without padding.
    pub payload: Bytes,
}

/// The part of an RTCP sender report that relates two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderReport {
    /// Whose.
    pub ssrc: u32,
    /// NTP timestamp.
    pub ntp: u64,
    /// The same instant as an RTP timestamp.
    pub rtp: u32,
}

/// What happens to a session.
#[derive(Debug, Clone)]
pub enum Input {
    /// The answer accepted this media section; its frames will carry `track`.
    Negotiated {
        /// The track's name for its whole life.
        track: TrackId,
        /// What was agreed.
        media: OfferedMedia,
    },
    /// A packet arrived.
    Rtp(RtpPacket),
    /// A sender report arrived.
    Report(SenderReport),
    /// Somebody cannot go on without a key frame.
    KeyFrameWanted(TrackId),
    /// A track is shown as large as this at most.
    Shown(TrackId, PictureSize),
    /// The instant that [`Session::poll_timeout`] named has come.
    Timeout,
}

/// What a session wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// For the subscribers.
    Event(TrackEvent),
    /// Send a picture loss indication to this SSRC (RFC 4585 section 6.3.1).
    Pli {
        /// The video sender.
        ssrc: u32,
    },
    /// Ask this SSRC for packets again (generic NACK, RFC 4585 section 6.2.1).
    Nack {
        /// The video sender.
        ssrc: u32,
        /// What is missing, in order.
        sequences: Vec<u16>,
    },
    /// Packets did not make a frame: for the log, and told [`MAX_REFUSALS_TOLD`] times for a track. The counts go on.
    Refused {
        /// Whose.
        track: TrackId,
        /// Why.
        why: DepacketizeError,
    },
    /// No packet came within [`FIRST_PACKET_WAIT`]: the session is over. Nothing follows.
    NeverSent,
}

/// One peer session. See the module's page.
pub struct Session {
    from: Contributor,
    limits: PictureLimits,
    started: SessionTime,
    /// When something new came last: neither padding nor what had come before.
    last_sent: Option<SessionTime>,
    /// Nothing new has come for [`SILENCE_WAIT`]. Nothing is asked of it.
    resting: bool,
    tracks: Vec<Track>,
    sync: PeerSync,
    outputs: VecDeque<Output>,
    ended: bool,
}

impl Session {
    /// A session of `from` that was answered at `now`.
    pub fn new(from: Contributor, limits: PictureLimits, now: SessionTime) -> Self {
        Self {
            from,
            limits,
            started: now,
            last_sent: None,
            resting: false,
            tracks: Vec::new(),
            sync: PeerSync::default(),
            outputs: VecDeque::new(),
            ended: false,
        }
    }

    /// Takes what happened at `now`. Afterwards [`Self::poll_output`] until it gives nothing.
    pub fn handle_input(&mut self, input: Input, now: SessionTime) {
        if self.ended {
            return;
        }
        match input {
            Input::Negotiated { track, media } => self.negotiated(track, media),
            Input::Rtp(packet) => self.rtp(packet, now),
            Input::Report(report) => {
                let mut layers = self.tracks.iter().flat_map(|track| &track.layers);
                if let Some(layer) = layers.find(|layer| layer.ssrc == Some(report.ssrc)) {
                    self.sync.on_report(layer.clock, Report { ntp: report.ntp, rtp: report.rtp });
                }
            }
            Input::KeyFrameWanted(id) => {
                if let Some(track) = self.tracks.iter_mut().find(|track| track.id == id) {
                    track.want_key_frame();
                }
            }
            Input::Shown(id, size) => {
                if let Some(track) = self.tracks.iter_mut().find(|track| track.id == id) {
                    track.shown = Some(size);
                }
            }
            Input::Timeout => {}
        }
        for slot in 0..self.tracks.len() {
            self.tracks[slot].choose_layer(now);
            for number in 0..self.tracks[slot].layers.len() {
                self.release_frames(slot, number, now);
                self.tell_refusal(slot, number);
                self.ask_for_missing(slot, number, now);
                self.request_key_frame(slot, number, now);
            }
        }
        if self.silence_deadline().is_some_and(|deadline| now >= deadline) {
            self.rest_or_end();
        }
    }

    /// What is to be done, in order.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The latest instant for an [`Input::Timeout`]. `None` while nothing is waited for: it rests, or has ended.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<SessionTime> {
        if self.ended {
            return None;
        }
        let key_frames = self.tracks.iter().filter(|_| !self.resting).flat_map(Track::pli_deadlines);
        let frames =
            self.tracks.iter().flat_map(|track| &track.layers).filter_map(|layer| layer.assembler.poll_timeout());
        frames.chain(key_frames).chain(self.silence_deadline()).min()
    }

    /// Ends the session from outside: its tracks are removed. `successor` are the kinds of tracks that a session has which takes its place.
    pub fn end(&mut self, successor: &[Kind]) {
        if self.ended {
            return;
        }
        self.ended = true;
        for track in self.tracks.iter().filter(|track| track.added) {
            let succeeded = successor.contains(&track.media.codec.kind());
            self.outputs.push_back(Output::Event(TrackEvent::Removed { track: track.id, succeeded }));
        }
    }

    /// The tracks that have begun, as a new subscriber must hear of them.
    pub fn added_tracks(&self) -> impl Iterator<Item = TrackEvent> {
        self.tracks.iter().filter(|track| track.added && !self.ended).map(|track| TrackEvent::Added {
            track: track.id,
            from: self.from.clone(),
            codec: track.media.codec,
        })
    }

    /// The session's video track, begun or not.
    pub fn video_track(&self) -> Option<TrackId> {
        self.tracks.iter().find(|track| track.media.codec.kind() == Kind::Video).map(|track| track.id)
    }

    /// Whether the session has this track.
    pub fn has_track(&self, id: TrackId) -> bool {
        self.tracks.iter().any(|track| track.id == id)
    }

    /// What has been counted, by track.
    pub fn stats(&mut self) -> Vec<TrackStats> {
        self.tracks.iter_mut().map(Track::stats).collect()
    }

    fn negotiated(&mut self, id: TrackId, media: OfferedMedia) {
        if self.tracks.len() == MAX_TRACKS {
            return;
        }
        let timescale = match media.codec.kind() {
            Kind::Audio => Timescale::AUDIO_48K,
            Kind::Video => Timescale::VIDEO,
        };
        let first_clock = self.tracks.iter().map(|track| track.layers.len()).sum();
        let track = Track::new(id, media, self.limits, first_clock);
        track.layers.iter().for_each(|_| self.sync.add_track(timescale));
        self.tracks.push(track);
    }

    fn rtp(&mut self, packet: RtpPacket, now: SessionTime) {
        let found =
            self.tracks.iter_mut().enumerate().find_map(|(slot, track)| Some((slot, track.unwrap_rtx(&packet)?)));
        let Some((slot, (number, packet))) = found else { return };
        let new = !packet.recovered && !packet.payload.is_empty();
        if self.resting && !new {
            return;
        }
        let track = &mut self.tracks[slot];
        let layer = &mut track.layers[number];
        if layer.ssrc != Some(packet.ssrc) {
            let silent = |last: SessionTime| now >= last + SSRC_SILENCE;
            if !layer.last_packet.is_none_or(silent) {
                track.stats.foreign_packets += 1;
                return;
            }
            layer.ssrc = Some(packet.ssrc);
            if layer.last_packet.is_some() {
                layer.assembler.begin_anew(depacketizer(&track.media, self.limits));
                self.sync.reset_track(layer.clock);
            }
        }
        layer.last_packet = Some(now);
        let clock = layer.clock;
        if new {
            self.last_sent = Some(now);
            self.resting = false;
            track.sent(number, packet.timestamp, now);
        }
        track.stats.last_packet = Some(now);
        track.stats.packets += 1;
        track.stats.bytes += packet.payload.len() as u64;
        track.stats.retransmissions += u64::from(packet.recovered);
        let media_us = self.sync.on_packet(clock, packet.timestamp, now, packet.recovered);
        let layer = &mut track.layers[number];
        if !packet.recovered {
            layer.assembler.jitter().on_packet(now.as_micros(), media_us);
        }
        let RtpPacket { sequence, timestamp, marker, recovered, payload, .. } = packet;
        layer.assembler.insert(Arrival { sequence, timestamp, marker, payload }, recovered, now);
    }

    /// Frames of the layer that is taken go out; of another only its size is read. Where the layer that is wanted has its key frame, it is taken.
    fn release_frames(&mut self, slot: usize, number: usize, now: SessionTime) {
        while let Some(assembled) = self.tracks[slot].layers[number].assembler.poll(now) {
            let track = &mut self.tracks[slot];
            if !track.takes(number, &assembled.frame, now) {
                continue;
            }
            let Some(time) = self.sync.time(track.layers[number].clock, assembled.timestamp) else { continue };
            let time = track.after_the_last(time);
            if !track.added {
                track.added = true;
                self.outputs.push_back(Output::Event(TrackEvent::Added {
                    track: track.id,
                    from: self.from.clone(),
                    codec: track.media.codec,
                }));
            }
            let Assembled { frame, discontinuity, first_packet, last_packet, .. } = assembled;
            self.outputs.push_back(Output::Event(TrackEvent::Frame(EncodedFrame {
                track: track.id,
                time,
                key: frame.key,
                discontinuity,
                data: frame.data,
                stamps: IngestStamps { first_packet, last_packet, assembled: now },
            })));
        }
    }

    fn tell_refusal(&mut self, slot: usize, number: usize) {
        let track = &mut self.tracks[slot];
        if let Some(why) = track.layers[number].assembler.take_refusal()
            && track.refusals_told < MAX_REFUSALS_TOLD
        {
            track.refusals_told += 1;
            self.outputs.push_back(Output::Refused { track: track.id, why });
        }
    }

    fn ask_for_missing(&mut self, slot: usize, number: usize, now: SessionTime) {
        let track = &mut self.tracks[slot];
        let layer = &mut track.layers[number];
        let Some(ssrc) = layer.ssrc else { return };
        let sequences = layer.assembler.poll_missing(now);
        if !sequences.is_empty() {
            track.stats.nacked += sequences.len() as u64;
            self.outputs.push_back(Output::Nack { ssrc, sequences });
        }
    }

    fn request_key_frame(&mut self, slot: usize, number: usize, now: SessionTime) {
        let track = &mut self.tracks[slot];
        if track.pli_due(number).is_none_or(|due| now < due || self.resting) {
            return;
        }
        let layer = &mut track.layers[number];
        let Some(ssrc) = layer.ssrc else { return };
        layer.pli.sent(now);
        track.stats.plis += 1;
        self.outputs.push_back(Output::Pli { ssrc });
    }

    fn silence_deadline(&self) -> Option<SessionTime> {
        match self.last_sent {
            None => Some(self.started + FIRST_PACKET_WAIT),
            Some(last) => (!self.resting).then(|| last + SILENCE_WAIT),
        }
    }

    fn rest_or_end(&mut self) {
        if self.last_sent.is_none() {
            self.end(&[]);
            self.outputs.push_back(Output::NeverSent);
            return;
        }
        self.resting = true;
        for track in &mut self.tracks {
            if std::mem::take(&mut track.added) {
                self.outputs.push_back(Output::Event(TrackEvent::Removed { track: track.id, succeeded: false }));
            }
            // What it sends next is for decoders that have seen nothing of it.
            track.begin_anew(self.limits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use footlight_media::codec::Codec;
    use footlight_media::track::PeerKey;
    use proptest::prelude::*;

    const AUDIO: TrackId = TrackId(1);
    const VIDEO: TrackId = TrackId(2);

    fn media(codec: Codec) -> OfferedMedia {
        let video = codec.kind() == Kind::Video;
        OfferedMedia {
            mid: if video { "1".into() } else { "0".into() },
            codec,
            payload_type: if video { 96 } else { 111 },
            fmtp: String::new(),
            rtx_payload_type: video.then_some(97),
            ssrc: Some(if video { 2_000 } else { 1_000 }),
            simulcast: None,
        }
    }

    fn session() -> Session {
        let mut session = Session::new(PeerKey("ada".into()).into(), PictureLimits::default(), at(0));
        session.handle_input(Input::Negotiated { track: AUDIO, media: media(Codec::Opus) }, at(0));
        session.handle_input(Input::Negotiated { track: VIDEO, media: media(Codec::Vp8) }, at(0));
        session
    }

    fn at(ms: i64) -> SessionTime {
        SessionTime::from_micros(ms * 1_000)
    }

    fn video(number: u32, key: bool) -> RtpPacket {
        let payload: &[u8] = match key {
            true => &[0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01, 5],
            false => &[0x10, 0x11, 0],
        };
        RtpPacket {
            ssrc: 2_000,
            payload_type: 96,
            sequence: number as u16,
            timestamp: number.wrapping_mul(3_000),
            marker: true,
            recovered: false,
            layer: None,
            payload: Bytes::copy_from_slice(payload),
        }
    }

    fn audio(number: u32) -> RtpPacket {
        RtpPacket {
            ssrc: 1_000,
            payload_type: 111,
            timestamp: number * 960,
            payload: Bytes::from_static(b"o"),
            ..video(number, false)
        }
    }

    fn outputs(session: &mut Session) -> Vec<Output> {
        std::iter::from_fn(|| session.poll_output()).collect()
    }

    fn frames(outputs: &[Output]) -> Vec<&EncodedFrame> {
        let frame = |output| if let &Output::Event(TrackEvent::Frame(ref frame)) = output { Some(frame) } else { None };
        outputs.iter().filter_map(frame).collect()
    }

    #[test]
    fn a_track_begins_with_its_first_frame() {
        let mut session = session();
        assert_eq!(outputs(&mut session), []);
        session.handle_input(Input::Rtp(video(1, false)), at(10));
        assert_eq!(outputs(&mut session), [Output::Pli { ssrc: 2_000 }]);
        session.handle_input(Input::Rtp(video(2, true)), at(43));
        let out = outputs(&mut session);
        let Output::Event(TrackEvent::Added { track, from, codec }) = &out[0] else { panic!("{out:?}") };
        assert_eq!((*track, from.peer.0.as_str(), *codec), (VIDEO, "ada", Codec::Vp8));
        let frames = frames(&out);
        assert_eq!(frames.len(), 1);
        assert!(frames[0].key);
        assert_eq!(frames[0].stamps.first_packet, at(43));
        assert_eq!(session.added_tracks().count(), 1);
        assert_eq!(session.stats()[1].size, Some(PictureSize { width: 640, height: 360 }));
    }

    #[test]
    fn key_frames_are_asked_for_until_one_is_there() {
        let mut session = session();
        let mut asked = Vec::new();
        for number in 0..300 {
            let now = at(i64::from(number) * 33);
            let packet = video(number, number == 250);
            session.handle_input(Input::Rtp(packet), now);
            let out = outputs(&mut session);
            asked.extend(out.iter().filter(|output| matches!(output, Output::Pli { .. })).map(|_| number * 33));
        }
        assert_eq!(asked, [0, 528, 1_551, 3_564, 5_577, 7_590]);
        assert_eq!(session.stats()[1].assembler.assembled, 50);
    }

    #[test]
    fn subscribers_wishes_are_throttled() {
        let mut session = session();
        session.handle_input(Input::Rtp(video(1, true)), at(10));
        outputs(&mut session);
        let mut asked = 0;
        for ms in 0..1_000 {
            session.handle_input(Input::KeyFrameWanted(VIDEO), at(100 + ms));
            session.handle_input(Input::KeyFrameWanted(AUDIO), at(100 + ms));
            session.handle_input(Input::KeyFrameWanted(TrackId(99)), at(100 + ms));
            asked += outputs(&mut session).len();
        }
        assert_eq!(asked, 4);
    }

    #[test]
    fn foreign_ssrcs_are_ignored_until_the_own_one_is_silent() {
        let mut session = session();
        session.handle_input(Input::Rtp(video(1, true)), at(0));
        outputs(&mut session);
        for number in 0..20 {
            session.handle_input(Input::Rtp(RtpPacket { ssrc: 666, ..video(50 + number, true) }), at(10));
        }
        assert_eq!(outputs(&mut session), []);
        assert_eq!(session.stats()[1].foreign_packets, 20);
        session.handle_input(Input::Rtp(RtpPacket { ssrc: 666, ..video(7_000, true) }), at(2_500));
        assert_eq!(frames(&outputs(&mut session)).len(), 1);
        session.handle_input(Input::Rtp(RtpPacket { payload_type: 5, ..video(2, true) }), at(2_501));
        assert_eq!(outputs(&mut session), []);
    }

    #[test]
    fn a_silent_peer_leaves_the_stage_and_comes_back() {
        let mut session = session();
        session.handle_input(Input::Rtp(video(1, true)), at(1_000));
        session.handle_input(Input::Rtp(audio(1)), at(2_000));
        outputs(&mut session);
        assert_eq!(session.poll_timeout(), Some(at(2_000) + SILENCE_WAIT), "a voice keeps its picture on stage");
        session.handle_input(Input::Timeout, at(9_999));
        assert_eq!(outputs(&mut session), []);
        session.handle_input(Input::Timeout, at(10_000));
        let removed = |track| Output::Event(TrackEvent::Removed { track, succeeded: false });
        assert_eq!(outputs(&mut session), [removed(AUDIO), removed(VIDEO)]);
        assert_eq!(session.added_tracks().count(), 0);
        session.handle_input(Input::KeyFrameWanted(VIDEO), at(10_001));
        session.handle_input(Input::Timeout, at(40_000));
        assert_eq!(
            (outputs(&mut session), session.poll_timeout()),
            (vec![], None),
            "nothing is asked of who does not send"
        );
        let padding = RtpPacket { payload: Bytes::new(), ..video(899, false) };
        let again = RtpPacket { recovered: true, ..video(1, true) };
        for old in [padding, again] {
            session.handle_input(Input::Rtp(old), at(44_000));
            assert_eq!((outputs(&mut session), session.poll_timeout()), (vec![], None), "nothing new");
        }
        session.handle_input(Input::Rtp(video(900, false)), at(45_000));
        assert_eq!(outputs(&mut session), [Output::Pli { ssrc: 2_000 }]);
        session.handle_input(Input::Rtp(video(901, true)), at(45_033));
        let out = outputs(&mut session);
        assert!(matches!(out[0], Output::Event(TrackEvent::Added { track: VIDEO, .. })), "{out:?}");
        assert_eq!(frames(&out).len(), 1);
        assert!(frames(&out)[0].key);
        assert_eq!(session.stats()[1].assembler.assembled, 2, "what was counted before goes on");
    }

    #[test]
    fn who_gives_way_says_which_of_its_tracks_have_a_successor() {
        let check = |successor: &[Kind]| {
            let mut session = session();
            session.handle_input(Input::Rtp(audio(1)), at(0));
            session.handle_input(Input::Rtp(video(1, true)), at(0));
            outputs(&mut session);
            session.end(successor);
            let removed =
                |track, kind| Output::Event(TrackEvent::Removed { track, succeeded: successor.contains(&kind) });
            assert_eq!(outputs(&mut session), [removed(AUDIO, Kind::Audio), removed(VIDEO, Kind::Video)]);
        };
        check(&[]);
        check(&[Kind::Audio, Kind::Video]);
        check(&[Kind::Audio]);
    }

    #[test]
    fn who_stops_before_its_first_key_frame_is_not_asked_for_ever() {
        let mut session = session();
        session.handle_input(Input::Rtp(video(1, false)), at(0));
        let mut asked = Vec::new();
        for second in 0..600 {
            session.handle_input(Input::Timeout, at(second * 1_000));
            asked.extend(outputs(&mut session));
        }
        let (plis, nacks): (Vec<_>, Vec<_>) = asked.iter().partition(|output| matches!(output, Output::Pli { .. }));
        assert_eq!(plis.len(), 6, "up to when it is taken for silent");
        assert!(nacks.len() <= 10, "for what may have been lost before: {nacks:?}");
    }

    #[test]
    fn who_never_sends_is_let_go() {
        let mut session = session();
        let deadline = session.poll_timeout().expect("it waits for a packet");
        assert_eq!(deadline, at(0) + FIRST_PACKET_WAIT);
        session.handle_input(Input::Timeout, deadline);
        assert_eq!(outputs(&mut session), [Output::NeverSent]);
    }

    #[test]
    fn a_hole_is_waited_for_and_the_deadline_is_named() {
        let mut session = session();
        session.handle_input(Input::Rtp(video(1, true)), at(0));
        session.handle_input(Input::Rtp(video(3, false)), at(66));
        assert_eq!(frames(&outputs(&mut session)).len(), 1);
        assert_eq!(session.poll_timeout(), Some(at(76)), "first it is asked for");
        session.handle_input(Input::Timeout, at(76));
        assert_eq!(outputs(&mut session), [Output::Nack { ssrc: 2_000, sequences: vec![2] }]);
        let again = RtpPacket {
            ssrc: 9_999,
            payload_type: 97,
            sequence: 7_777,
            payload: [&[0, 2], &video(2, false).payload[..]].concat().into(),
            ..video(2, false)
        };
        session.handle_input(Input::Rtp(again), at(120));
        let out = outputs(&mut session);
        assert_eq!(frames(&out).iter().map(|frame| frame.discontinuity).collect::<Vec<_>>(), [false, false]);
        assert_eq!(session.stats()[1].retransmissions, 1);
    }

    #[test]
    fn huge_pictures_never_leave() {
        let mut session = session();
        let mut huge = video(1, true);
        huge.payload = Bytes::from_static(&[0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x00, 0x20, 0x00, 0x20, 5]);
        session.handle_input(Input::Rtp(huge), at(0));
        let out = outputs(&mut session);
        assert_eq!(frames(&out).len(), 0);
        let size = Some(PictureSize { width: 8_192, height: 8_192 });
        assert!(out.contains(&Output::Refused { track: VIDEO, why: DepacketizeError::Size(size) }), "{out:?}");
        assert_eq!(session.stats()[1].assembler.frames_refused, 1);
        session.handle_input(Input::Rtp(video(2, true)), at(33));
        assert_eq!(frames(&outputs(&mut session)).len(), 1);
    }

    #[test]
    fn refusals_are_told_of_a_few_times_and_counted_always() {
        let mut session = session();
        let mut told = 0;
        for number in 0..20_u32 {
            let mut huge = video(number, true);
            huge.payload = Bytes::from_static(&[0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x00, 0x20, 0x00, 0x20, 5]);
            session.handle_input(Input::Rtp(huge), at(i64::from(number) * 33));
            told += outputs(&mut session).iter().filter(|output| matches!(output, Output::Refused { .. })).count();
        }
        assert_eq!(told, MAX_REFUSALS_TOLD as usize);
        assert_eq!(session.stats()[1].assembler.frames_refused, 20);
    }

    proptest! {
        /// Packets of any content at any time: nothing panics, and time to come back is never in the past for ever.
        #[test]
        fn any_input_is_survived(
            inputs in proptest::collection::vec(
                (0u8..4, any::<u16>(), any::<u32>(), proptest::collection::vec(any::<u8>(), 0..30), 0i64..100_000),
                0..150,
            ),
        ) {
            let mut session = session();
            let mut now = 0;
            for (kind, sequence, timestamp, payload, step) in inputs {
                now += step;
                let when = SessionTime::from_micros(now);
                let packet = RtpPacket { sequence, timestamp, payload: payload.into(), ..video(0, false) };
                session.handle_input(match kind {
                    0 => Input::Rtp(packet),
                    1 => Input::Rtp(RtpPacket { ssrc: 1_000, payload_type: 111, ..packet }),
                    2 => Input::Report(SenderReport { ssrc: 2_000, ntp: u64::from(timestamp) << 24, rtp: timestamp }),
                    _ => Input::Timeout,
                }, when);
                while session.poll_output().is_some() {}
                prop_assert!(session.poll_timeout().is_none_or(|at| at > when || kind != 3));
            }
        }
    }
}
