//! One track of a session: its layers, of which one is taken, and when its sender is asked for key frames. Pure.

use crate::assemble::{Assembler, AssemblerCounts};
use crate::depacketize::{Depacketized, Depacketizer};
use crate::picture_size::{PictureLimits, PictureSize};
use crate::sdp::OfferedMedia;
use crate::session::RtpPacket;
use crate::simulcast::{self, Candidate, LAYER_SILENCE};
use footlight_media::codec::{Codec, Kind};
use footlight_media::time::SessionTime;
use footlight_media::track::TrackId;
use std::time::Duration;

/// Pictures that other layers have begun while one began none: then it has stopped.
const PICTURES_AHEAD: u32 = 3;
/// Nobody sends pictures more seldom than this; who pauses for longer was muted, and may come back with other layers.
const LONGEST_PICTURE: Duration = Duration::from_secs(5);
/// A key frame that was asked for is asked for again after this, then after twice, four times, ... up to the last.
const FIRST_PLI_REPEAT: Duration = Duration::from_millis(500);
/// Encoders that ignore requests (FFmpeg) are asked at this interval.
const LAST_PLI_REPEAT: Duration = Duration::from_secs(2);
/// A subscriber's wish is passed on at most this often: each key frame costs the sender's bitrate.
const PLI_THROTTLE: Duration = Duration::from_millis(300);

/// What one track has counted since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrackStats {
    /// Which.
    pub track: TrackId,
    /// Its codec.
    pub codec: Codec,
    /// Packets of the track, retransmissions included.
    pub packets: u64,
    /// Payload bytes of those packets.
    pub bytes: u64,
    /// Retransmissions among those packets.
    pub retransmissions: u64,
    /// Packets of an SSRC that is not the track's.
    pub foreign_packets: u64,
    /// Sequence numbers that were asked for again.
    pub nacked: u64,
    /// Key frame requests sent.
    pub plis: u64,
    /// Frames, holes and losses.
    pub assembler: AssemblerCounts,
    /// RFC 3550 interarrival jitter.
    pub jitter: Duration,
    /// How long a missing packet is waited for at present.
    pub wait: Duration,
    /// The size of the last key frame.
    pub size: Option<PictureSize>,
    /// When that came.
    pub last_key_frame: Option<SessionTime>,
    /// Nothing can be shown before a key frame comes.
    pub waits_for_key_frame: bool,
    /// The layer that is taken, where there are several.
    pub layer: Option<usize>,
    /// The layers that are sent: bit 0 is the first.
    pub sent_layers: u32,
    /// Packets of all layers that never came, and those that came twice, as `packets` are of all.
    pub lost_packets: u64,
    /// See there.
    pub double_packets: u64,
    /// When the last packet came.
    pub last_packet: Option<SessionTime>,
}

impl TrackStats {
    /// Of a track that has sent nothing yet.
    pub fn new(track: TrackId, codec: Codec) -> Self {
        Self {
            track,
            codec,
            packets: 0,
            bytes: 0,
            retransmissions: 0,
            foreign_packets: 0,
            nacked: 0,
            plis: 0,
            assembler: AssemblerCounts::default(),
            jitter: Duration::ZERO,
            wait: Duration::ZERO,
            size: None,
            last_key_frame: None,
            waits_for_key_frame: false,
            layer: None,
            sent_layers: 0,
            lost_packets: 0,
            double_packets: 0,
            last_packet: None,
        }
    }
}

/// The only encoding of a track, or one simulcast layer. All are put together, as a layer's size is read from its frames and none is known beforehand; only
/// of the one that is taken, and the one that is to be, is anything asked for again.
pub(crate) struct Layer {
    pub(crate) ssrc: Option<u32>,
    /// Of its retransmissions, where they have said whose they are.
    rtx_ssrc: Option<u32>,
    /// Its slot in the peer's clocks.
    pub(crate) clock: usize,
    pub(crate) assembler: Assembler,
    pub(crate) pli: PliState,
    size: Option<PictureSize>,
    pub(crate) last_packet: Option<SessionTime>,
    sending: Sending,
    /// Whether it is, as of the last choice.
    is_sent: bool,
    /// What of its assembler's counts has been looked at.
    counted: AssemblerCounts,
}

/// Whether a layer is sent, by its own pictures and by those that the others have begun meanwhile: at one picture a second none is sent for long, and none
/// has stopped.
#[derive(Debug, Clone, Default)]
struct Sending {
    last: Option<SessionTime>,
    /// Since when it has been sent without a pause.
    since: SessionTime,
    /// Pictures that it has begun.
    pictures: u32,
    timestamp: Option<u32>,
    /// Those of each layer when it last sent something.
    others: Vec<u32>,
}

/// When the next key frame request is due.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PliState {
    last: Option<SessionTime>,
    /// From the last request to the next; doubles with each that was not answered.
    repeat: Duration,
    /// Somebody waits for one that the throttle holds back.
    wanted: bool,
}

impl PliState {
    const NEW: Self = Self { last: None, repeat: Self::NONE, wanted: false };

    const NONE: Duration = Duration::ZERO;

    /// One was asked for.
    pub(crate) fn sent(&mut self, now: SessionTime) {
        self.repeat = (2 * self.repeat).clamp(FIRST_PLI_REPEAT, LAST_PLI_REPEAT);
        self.last = Some(now);
        self.wanted = false;
    }

    /// What was asked for has come, or something else is asked for.
    fn answered(&mut self) {
        self.wanted = false;
        self.repeat = Self::NONE;
    }
}

impl Layer {
    fn new(media: &OfferedMedia, limits: PictureLimits, clock: usize) -> Self {
        Self {
            ssrc: media.ssrc,
            rtx_ssrc: None,
            clock,
            assembler: Assembler::new(media.codec, depacketizer(media, limits)),
            pli: PliState::NEW,
            size: None,
            last_packet: None,
            sending: Sending::default(),
            is_sent: false,
            counted: AssemblerCounts::default(),
        }
    }
}

impl Sending {
    /// Whether it goes on: its last picture is not long ago, or the others have not gone on without it.
    fn goes_on(&self, all: &[u32], now: SessionTime) -> bool {
        let ahead = || all.iter().zip(&self.others).map(|(pictures, then)| pictures - then).max();
        let within = |pause| self.last.is_some_and(|last| now < last + pause);
        within(LAYER_SILENCE) || within(LONGEST_PICTURE) && ahead().is_some_and(|ahead| ahead < PICTURES_AHEAD)
    }

    fn candidate(&self, size: Option<PictureSize>, all: &[u32], now: SessionTime) -> Candidate {
        let sent_us = now.micros_since(self.since).max(0).unsigned_abs();
        Candidate { size, sent_for: self.goes_on(all, now).then(|| Duration::from_micros(sent_us)) }
    }
}

/// One track of a session.
pub(crate) struct Track {
    pub(crate) id: TrackId,
    pub(crate) media: OfferedMedia,
    pub(crate) layers: Vec<Layer>,
    /// The layer that is taken; `None` before the first key frame of a simulcast.
    current: Option<usize>,
    /// The layer that is to be taken with its next key frame.
    target: Option<usize>,
    /// Nothing of the layer that is taken can be shown before its next key frame, or that is to be feared, as of the last choice.
    stranded: bool,
    /// As large as it is shown, where that was said.
    pub(crate) shown: Option<PictureSize>,
    pub(crate) added: bool,
    pub(crate) refusals_told: u32,
    last_time: Option<SessionTime>,
    /// What is counted of all layers; of their assemblers, while they are taken.
    pub(crate) stats: TrackStats,
}

impl Track {
    /// Its layers' clocks have the slots from `first_clock` on.
    pub(crate) fn new(id: TrackId, media: OfferedMedia, limits: PictureLimits, first_clock: usize) -> Self {
        let count = media.simulcast.as_ref().map_or(1, |simulcast| simulcast.rids.len());
        let layers = (0..count).map(|number| Layer::new(&media, limits, first_clock + number)).collect();
        let only = (count == 1).then_some(0);
        let stats = TrackStats::new(id, media.codec);
        Self {
            id,
            media,
            layers,
            current: only,
            target: only,
            stranded: false,
            shown: None,
            added: false,
            refusals_told: 0,
            last_time: None,
            stats,
        }
    }

    /// Forgets what has come.
    pub(crate) fn begin_anew(&mut self, limits: PictureLimits) {
        for layer in &mut self.layers {
            layer.assembler.begin_anew(depacketizer(&self.media, limits));
            layer.pli = PliState::NEW;
        }
        if self.layers.len() > 1 {
            (self.current, self.target) = (None, None);
        }
    }

    /// The layer that a packet belongs to, and the packet as it was first sent: a retransmission carries the original sequence number before the payload
    /// (RFC 4588 section 4) and is known by its payload type, so that streams whose SSRCs the offer does not declare are repaired too.
    pub(crate) fn unwrap_rtx(&mut self, packet: &RtpPacket) -> Option<(usize, RtpPacket)> {
        if self.media.payload_type == packet.payload_type {
            let number = self.layer_of(packet, |layer| layer.ssrc)?;
            return Some((number, packet.clone()));
        }
        if self.media.rtx_payload_type != Some(packet.payload_type) {
            return None;
        }
        let number = self.layer_of(packet, |layer| layer.rtx_ssrc)?;
        let layer = &mut self.layers[number];
        layer.rtx_ssrc = Some(packet.ssrc);
        // Bandwidth probes are retransmissions of nothing.
        let original = *packet.payload.first_chunk()?;
        let packet = RtpPacket {
            ssrc: layer.ssrc?,
            sequence: u16::from_be_bytes(original),
            payload: packet.payload.slice(2..),
            recovered: true,
            ..packet.clone()
        };
        Some((number, packet))
    }

    /// By what the packet says, or by an SSRC that has said it before.
    fn layer_of(&self, packet: &RtpPacket, ssrc: impl Fn(&Layer) -> Option<u32>) -> Option<usize> {
        if self.layers.len() == 1 {
            return Some(0);
        }
        let known = || self.layers.iter().position(|layer| ssrc(layer) == Some(packet.ssrc));
        packet.layer.filter(|number| *number < self.layers.len()).or_else(known)
    }

    /// Something new of layer `number` has come: neither a retransmission nor padding, which go on where it has stopped.
    pub(crate) fn sent(&mut self, number: usize, timestamp: u32, now: SessionTime) {
        if self.layers.len() == 1 {
            return;
        }
        let all: Vec<u32> = self.layers.iter().map(|layer| layer.sending.pictures).collect();
        let sending = &mut self.layers[number].sending;
        if !sending.goes_on(&all, now) {
            sending.since = now;
        }
        if sending.timestamp.replace(timestamp) != Some(timestamp) {
            sending.pictures += 1;
        }
        sending.last = Some(now);
        sending.others = all;
        sending.others[number] = sending.pictures;
    }

    /// Sees whether another layer fits better by now, and asks it for a key frame.
    pub(crate) fn choose_layer(&mut self, now: SessionTime) {
        if self.layers.len() == 1 {
            return;
        }
        let all: Vec<u32> = self.layers.iter().map(|layer| layer.sending.pictures).collect();
        let candidate = |layer: &Layer| layer.sending.candidate(layer.size, &all, now);
        let candidates: Vec<Candidate> = self.layers.iter().map(candidate).collect();
        for (layer, candidate) in self.layers.iter_mut().zip(&candidates) {
            layer.is_sent = candidate.sent_for.is_some();
        }
        let stranded = self.current.is_some_and(|current| {
            let assembler = &self.layers[current].assembler;
            assembler.waiting_for_key() || assembler.held_up(now)
        });
        if std::mem::replace(&mut self.stranded, stranded) != stranded {
            self.ask_for_what_is_taken();
        }
        let chosen = simulcast::choose(&candidates, self.current, self.shown);
        if chosen == self.target {
            return;
        }
        // Who was to be taken is no longer asked for a key frame; what the one that is taken is asked for, somebody waits for.
        if let Some(before) = self.target.filter(|before| Some(*before) != self.current) {
            self.layers[before].pli.answered();
        }
        self.target = chosen;
        if let Some(chosen) = chosen.filter(|chosen| Some(*chosen) != self.current) {
            let learned = self.current.map(|current| self.layers[current].assembler.jitter().clone());
            let layer = &mut self.layers[chosen];
            layer.pli.answered();
            layer.pli.wanted = true;
            // Nothing of it was asked for again of late, so it knows less of the way.
            learned.iter().for_each(|learned| layer.assembler.jitter().learn_from(learned));
        }
        self.ask_for_what_is_taken();
    }

    /// Or is to be; and of what is not known yet, as no large key frame would ever be whole on a network that loses packets.
    fn ask_for_what_is_taken(&mut self) {
        for number in 0..self.layers.len() {
            let taken = [self.current, self.target].contains(&Some(number)) || self.rescues(number);
            let layer = &mut self.layers[number];
            layer.assembler.ask(taken || layer.size.is_none());
        }
    }

    /// Whether a layer is to stand in for the one that is taken, which waits for a key frame or will: any smaller one, whose key frame comes through where a large
    /// one does not. On a network that has become narrow the large one may never come, and nothing says so for a while.
    fn rescues(&self, number: usize) -> bool {
        let area = |number: usize| self.layers[number].size.map(|size| u64::from(size.width) * u64::from(size.height));
        let smaller = |current| area(number).zip(area(current)).is_some_and(|(own, taken)| own < taken);
        self.stranded && self.layers[number].is_sent && self.current.is_some_and(smaller)
    }

    /// Whether the layer that is taken is not sent any more.
    fn is_stopped(&self) -> bool {
        self.current.is_some_and(|current| !self.layers[current].is_sent)
    }

    /// Whether a frame of layer `number` goes out; it then is the layer that is taken.
    pub(crate) fn takes(&mut self, number: usize, frame: &Depacketized, now: SessionTime) -> bool {
        let layer = &mut self.layers[number];
        if frame.key {
            layer.pli.answered();
        }
        // VP9 may change it in between.
        let known = layer.size.is_some();
        layer.size = frame.size.or(layer.size);
        if !known && layer.size.is_some() && self.layers.len() > 1 {
            self.ask_for_what_is_taken();
        }
        let wanted = self.current.is_none() || self.target == Some(number) || self.rescues(number);
        let switches = self.current != Some(number) && wanted;
        if frame.key && switches {
            (self.current, self.target) = (Some(number), Some(number));
            self.stranded = false;
            self.ask_for_what_is_taken();
        }
        let (taken, layer) = (self.current == Some(number), &mut self.layers[number]);
        let counts = layer.assembler.counts();
        if taken {
            self.stats.assembler.add(&counts, &layer.counted);
            self.stats.size = layer.size;
            if frame.key {
                self.stats.last_key_frame = Some(now);
            }
        }
        layer.counted = counts;
        taken
    }

    /// A layer's clock is another sender's clock: what was shown stays shown.
    pub(crate) fn after_the_last(&mut self, time: SessionTime) -> SessionTime {
        let time = self.last_time.map_or(time, |last| time.max(last + Duration::from_micros(1)));
        self.last_time = Some(time);
        time
    }

    /// Somebody cannot go on without a key frame of the layer that is taken.
    pub(crate) fn want_key_frame(&mut self) {
        if let Some(current) = self.current {
            self.layers[current].pli.wanted = self.media.codec.kind() == Kind::Video;
        }
    }

    /// When a key frame of a layer is to be asked for; `None` while none is missed, and before it was sent.
    pub(crate) fn pli_due(&self, number: usize) -> Option<SessionTime> {
        let layer = &self.layers[number];
        let first = layer.last_packet?;
        let (taken, wanted) = (self.current == Some(number), self.target == Some(number));
        let stuck = match (taken, wanted) {
            // Its key frame is what the track waits for.
            (false, true) => true,
            (true, _) => layer.assembler.waiting_for_key(),
            // Or its size would never be known.
            (false, false) => {
                layer.assembler.waiting_for_key() && layer.size.is_none() && layer.is_sent || self.rescues(number)
            }
        };
        match layer.pli.last {
            None if stuck || layer.pli.wanted => Some(first),
            Some(last) if layer.pli.wanted => Some(last + PLI_THROTTLE),
            // Meanwhile a picture stands still.
            Some(last) if stuck && (self.rescues(number) || !taken && self.is_stopped()) => Some(last + PLI_THROTTLE),
            Some(last) if stuck => Some(last + layer.pli.repeat.max(PLI_THROTTLE)),
            _ => None,
        }
    }

    pub(crate) fn pli_deadlines(&self) -> impl Iterator<Item = SessionTime> {
        (0..self.layers.len()).filter_map(|number| self.pli_due(number))
    }

    fn waits_for_key_frame(&self) -> bool {
        self.media.codec.kind() == Kind::Video
            && self.current.is_none_or(|current| self.layers[current].assembler.waiting_for_key())
    }

    /// What has been counted.
    pub(crate) fn stats(&mut self) -> TrackStats {
        let number = self.current.or(self.target).unwrap_or(0);
        let layer = &mut self.layers[number];
        let counts = layer.assembler.counts();
        self.stats.assembler.add(&counts, &layer.counted);
        layer.counted = counts;
        let (jitter, wait) = (layer.assembler.jitter().interarrival(), layer.assembler.jitter().wait());
        // Of whatever layer, that is a fault.
        let of_all = |count: fn(&AssemblerCounts) -> u64| -> u64 {
            self.layers.iter().map(|layer| count(&layer.assembler.counts())).sum()
        };
        let frames_refused = of_all(|counts| counts.frames_refused);
        let assembler = AssemblerCounts { frames_refused, ..self.stats.assembler };
        let several = self.layers.len() > 1;
        let sent = self.layers.iter().enumerate().filter(|(_, layer)| several && layer.is_sent);
        TrackStats {
            jitter,
            wait,
            assembler,
            lost_packets: of_all(|counts| counts.packets_lost),
            double_packets: of_all(|counts| counts.packets_late_or_double),
            waits_for_key_frame: self.waits_for_key_frame(),
            layer: self.current.filter(|_| several),
            sent_layers: sent.fold(0, |sent, (number, _)| sent | 1 << number),
            ..self.stats
        }
    }
}

pub(crate) fn depacketizer(media: &OfferedMedia, limits: PictureLimits) -> Depacketizer {
    Depacketizer::new(media.codec, limits, &media.fmtp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Input, Output, Session};
    use crate::simulcast::Simulcast;
    use bytes::Bytes;
    use footlight_media::frame::EncodedFrame;
    use footlight_media::track::{PeerKey, TrackEvent};
    use std::collections::HashMap;

    const TRACK: TrackId = TrackId(1);
    const SSRC: u32 = 3_000;
    const RTX_SSRC: u32 = 4_000;
    /// Layers of 320x180, 640x360 and 1280x720.
    const LAYERS: usize = 3;

    /// A sender of three layers of 30 fps, which answers key frame requests with the frame after the next.
    struct Sender {
        session: Session,
        ms: i64,
        sequence: [u16; LAYERS],
        /// Frames until a key frame.
        key_in: [Option<u8>; LAYERS],
        sending: [bool; LAYERS],
        /// From one picture to the next.
        frame_ms: i64,
        /// Whether a packet is lost: of a layer, with a sequence number, of a key frame.
        loses: fn(usize, u16, bool) -> bool,
        /// Of the key frame requests that come next, how many are lost.
        loses_requests: usize,
        asked_again: HashMap<u32, usize>,
    }

    impl Sender {
        fn new() -> Self {
            let rids = ["q", "h", "f"].map(str::to_owned).to_vec();
            let simulcast = Simulcast { rids, rid_extension: 10, repaired_rid_extension: Some(11) };
            let media = OfferedMedia {
                mid: "0".into(),
                codec: Codec::Vp8,
                payload_type: 96,
                fmtp: String::new(),
                rtx_payload_type: Some(97),
                ssrc: None,
                simulcast: Some(simulcast),
            };
            let mut session = Session::new(PeerKey("ada".into()).into(), PictureLimits::default(), SessionTime::ZERO);
            session.handle_input(Input::Negotiated { track: TRACK, media }, SessionTime::ZERO);
            Self {
                session,
                ms: 0,
                sequence: [0; LAYERS],
                key_in: [Some(0); LAYERS],
                sending: [true; LAYERS],
                frame_ms: 33,
                loses: |_, _, _| false,
                loses_requests: 0,
                asked_again: HashMap::new(),
            }
        }

        fn now(&self) -> SessionTime {
            SessionTime::from_micros(self.ms * 1_000)
        }

        /// A frame in one packet, which names its layer at the beginning alone, as browsers do. Each layer has a clock of its own.
        fn packet(&self, layer: usize, key: bool) -> RtpPacket {
            let (width, height) = ((320_u16 << layer).to_le_bytes(), (180_u16 << layer).to_le_bytes());
            let payload = match key {
                true => vec![0x10, 0x10, 0, 0, 0x9d, 1, 0x2a, width[0], width[1], height[0], height[1], layer as u8],
                false => vec![0x10, 0x11, layer as u8],
            };
            RtpPacket {
                ssrc: SSRC + layer as u32,
                payload_type: 96,
                sequence: self.sequence[layer],
                timestamp: (self.ms * 90) as u32 + 1_000_000 * layer as u32,
                marker: true,
                recovered: false,
                layer: (self.sequence[layer] < 10).then_some(layer),
                payload: Bytes::from(payload),
            }
        }

        /// Sends for so long. Answers with the frames that came out: their layers, and their milliseconds after the start of this.
        fn run(&mut self, ms: i64) -> Vec<(usize, i64, EncodedFrame)> {
            let (begin, mut frames) = (self.ms, Vec::new());
            while self.ms < begin + ms {
                for layer in
                    (0..LAYERS).filter(|layer| self.ms % self.frame_ms == 0 && self.sending[*layer]).collect::<Vec<_>>()
                {
                    let key = self.key_in[layer] == Some(0);
                    self.key_in[layer] = self.key_in[layer].and_then(|frames| frames.checked_sub(1));
                    let packet = self.packet(layer, key);
                    self.sequence[layer] += 1;
                    if !(self.loses)(layer, packet.sequence, key) {
                        self.session.handle_input(Input::Rtp(packet), self.now());
                    }
                }
                self.session.handle_input(Input::Timeout, self.now());
                while let Some(output) = self.session.poll_output() {
                    match output {
                        Output::Pli { .. } if self.loses_requests > 0 => self.loses_requests -= 1,
                        Output::Pli { ssrc } => _ = self.key_in[(ssrc - SSRC) as usize].get_or_insert(1),
                        Output::Nack { ssrc, sequences } => {
                            *self.asked_again.entry(ssrc - SSRC).or_default() += sequences.len()
                        }
                        Output::Event(TrackEvent::Frame(frame)) => {
                            frames.push((usize::from(frame.data[frame.data.len() - 1]), self.ms - begin, frame));
                        }
                        _ => {}
                    }
                }
                self.ms += 1;
            }
            frames
        }

        fn show(&mut self, width: u32, height: u32) {
            self.session.handle_input(Input::Shown(TRACK, PictureSize { width, height }), self.now());
        }
    }

    /// That frames of layer `to` follow those of layer `from`, beginning with a key frame at most `within_ms` after the start.
    fn assert_switch(frames: &[(usize, i64, EncodedFrame)], from: usize, to: usize, within_ms: i64) {
        let first = frames.iter().position(|(layer, ..)| *layer == to).expect("it switches");
        assert!(frames[..first].iter().all(|(layer, ..)| *layer == from), "only {from} before");
        assert!(frames[first..].iter().all(|(layer, ..)| *layer == to), "only {to} after");
        assert!(frames[first].2.key && frames[first].1 <= within_ms, "at {} ms", frames[first].1);
        assert!(frames.windows(2).all(|two| two[0].2.time < two[1].2.time), "time goes on");
        let gap = frames.windows(2).map(|two| two[1].1 - two[0].1).max().expect("frames");
        assert!(gap <= within_ms, "{gap} ms without a frame");
    }

    #[test]
    fn the_first_layer_that_can_be_seen_is_taken_and_the_best_one_when_it_is_steady() {
        let mut sender = Sender::new();
        sender.sending = [true, false, false];
        assert!(sender.run(500).iter().all(|(layer, ..)| *layer == 0));
        sender.sending = [true; LAYERS];
        let frames = sender.run(3_000);
        assert_switch(&frames, 0, 2, 1_200);
        assert_eq!(sender.session.stats()[0].size, Some(PictureSize { width: 1280, height: 720 }));
    }

    #[test]
    fn the_layer_that_fits_what_is_shown_is_taken_at_once() {
        let mut sender = Sender::new();
        sender.run(3_000);
        for (tile, from, to) in [((640, 360), 2, 1), ((320, 180), 1, 0), ((1280, 720), 0, 2)] {
            sender.show(tile.0, tile.1);
            assert_switch(&sender.run(1_000), from, to, 100);
        }
    }

    #[test]
    fn a_layer_that_stops_is_replaced_within_half_a_second_and_comes_back_when_it_is_steady() {
        let mut sender = Sender::new();
        sender.run(3_000);
        sender.sending[2] = false;
        assert_switch(&sender.run(2_000), 2, 1, 500);
        sender.sending = [true, false, false];
        assert_switch(&sender.run(2_000), 1, 0, 500);
        sender.sending = [true; LAYERS];
        let back = sender.run(3_000);
        let first = back.iter().find(|(layer, ..)| *layer == 2).expect("the best one comes back");
        assert!((1_000..1_300).contains(&first.1), "after {} ms", first.1);
    }

    /// As on a network that loses packets, which is when senders stop a layer.
    #[test]
    fn a_layer_that_stops_is_replaced_in_a_second_where_the_first_requests_are_lost() {
        let mut sender = Sender::new();
        sender.run(3_000);
        (sender.sending[2], sender.loses_requests) = (false, 2);
        let frames = sender.run(3_000);
        let (layer, after_ms, _) = frames.first().expect("another one stands in");
        assert!(*layer == 1 && *after_ms <= 1_100, "layer {layer} after {after_ms} ms");
    }

    /// As on an uplink that has become narrow: much of the largest layer still comes, but no key frame of it is ever whole.
    #[test]
    fn a_smaller_layer_stands_in_for_one_whose_key_frame_does_not_come() {
        let mut sender = Sender::new();
        sender.run(3_000);
        sender.loses = |layer, sequence, key| layer == 2 && (key || sequence.is_multiple_of(10));
        let frames = sender.run(3_000);
        let first = frames.iter().position(|(layer, ..)| *layer < 2).expect("another one stands in");
        assert!(frames[first].2.key && frames[first..].iter().all(|(layer, ..)| *layer < 2));
        let gap = frames.windows(2).map(|two| two[1].1 - two[0].1).max().expect("frames");
        // Half of the time for which what is missing is waited for, and two pictures.
        assert!(gap <= 300, "{gap} ms without a frame");
        sender.loses = |_, _, _| false;
        let back = sender.run(3_000);
        assert!(back.last().is_some_and(|(layer, ..)| *layer == 2), "and the best one comes back");
    }

    #[test]
    fn at_one_picture_a_second_the_best_layer_stays() {
        let mut sender = Sender::new();
        sender.run(3_000);
        for frame_ms in [500, 1_000] {
            sender.frame_ms = frame_ms;
            let frames = sender.run(10_000);
            assert!(frames.len() >= 9 && frames.iter().all(|(layer, ..)| *layer == 2), "{:?}", frames.len());
        }
        // And is replaced after three pictures of the others.
        sender.sending[2] = false;
        assert_switch(&sender.run(12_000), 2, 1, 6_000);
    }

    #[test]
    fn a_layer_whose_first_key_frame_was_lost_is_asked_for_again_until_it_is_known() {
        let mut sender = Sender::new();
        // The first packet of the largest layer, which is its key frame.
        sender.loses = |layer, sequence, _| layer == 2 && sequence == 0;
        let frames = sender.run(3_000);
        assert!(frames.iter().any(|(layer, ..)| *layer == 2), "it is taken");
    }

    #[test]
    fn only_of_the_layer_that_is_taken_packets_are_asked_for_again() {
        let mut sender = Sender::new();
        sender.run(3_000);
        sender.loses = |layer, sequence, _| layer == 0 && sequence.is_multiple_of(10);
        sender.run(2_000);
        assert_eq!(sender.asked_again.get(&0), None);
        sender.loses = |layer, sequence, _| layer == 2 && sequence.is_multiple_of(10);
        sender.run(2_000);
        assert!(sender.asked_again.contains_key(&2));
    }

    #[test]
    fn a_retransmission_is_put_back_into_the_layer_that_it_names_and_later_by_its_ssrc() {
        let mut sender = Sender::new();
        sender.run(3_000);
        for (named, ssrc_known) in [(true, true), (false, true), (false, false)] {
            let lost = sender.packet(2, false);
            sender.sequence[2] += 1;
            let assembled = sender.session.stats()[0].assembler.assembled;
            let rtx = RtpPacket {
                ssrc: RTX_SSRC + u32::from(!ssrc_known),
                payload_type: 97,
                layer: named.then_some(2),
                payload: [&lost.sequence.to_be_bytes()[..], &lost.payload].concat().into(),
                ..lost
            };
            sender.session.handle_input(Input::Rtp(rtx), sender.now());
            assert_eq!(sender.session.stats()[0].assembler.assembled - assembled, u64::from(ssrc_known));
            sender.run(1_000);
        }
    }

    #[test]
    fn who_was_muted_begins_again_with_whatever_layer_comes_first() {
        let mut sender = Sender::new();
        sender.run(3_000);
        sender.sending = [false; LAYERS];
        sender.run(10_000);
        sender.sending = [true, false, false];
        let back = sender.run(1_000);
        assert!(back[0].2.key && back[0].1 <= 100, "{} ms", back[0].1);
        assert!(back.iter().all(|(layer, ..)| *layer == 0));
    }
}
