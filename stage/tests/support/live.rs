//! A camera and a microphone that run whether or not anybody sees and hears them, so that those of several peers are in step.

use super::media::Clip;
use super::{Client, Packet, Setup};
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::media::{MediaKind, Simulcast, SimulcastLayer};

/// Packets of sound in a second, of 20 ms each.
const PACKETS_PER_SECOND: u64 = 50;
/// Clock rates of their RTP timestamps.
const PICTURE_RATE: u64 = 90_000;
const SOUND_RATE: u64 = 48_000;

/// Pictures and sound, encoded beforehand in pieces of a second. What is sent at an instant depends on how long ago they began and on nothing else: not on
/// when the peer joined, and not on key frames that are asked for, as there is one each second.
#[derive(Debug, Clone)]
pub struct Live {
    /// The picture in each of its sizes, by RID; who sends one size has none. Each second begins with a key frame. Empty: no picture.
    pub layers: Vec<(Option<&'static str>, Arc<Clip>)>,
    /// Opus packets; `None`: no sound.
    pub sound: Option<Arc<Vec<Arc<[u8]>>>>,
    /// Which of their seconds are sent, one after the other, and again from the first one on.
    pub order: Vec<usize>,
    /// When the first picture was taken.
    pub began: Instant,
}

/// How far a client has come with what it sends.
pub(super) struct Sending {
    live: Live,
    pictures: Option<u64>,
    packets: Option<u64>,
    /// The next RTP sequence number of each layer, and that of the sound.
    sequences: Vec<u64>,
    sound_sequence: u64,
}

impl Live {
    /// Where the picture or packet `number` is in its clip, of which so many make a second.
    fn at(&self, number: u64, per_second: u64) -> usize {
        let second = (number / per_second) as usize % self.order.len();
        self.order[second] * per_second as usize + (number % per_second) as usize
    }

    /// When it is due.
    fn due(&self, number: u64, per_second: u64) -> Instant {
        self.began + Duration::from_nanos(number * 1_000_000_000 / per_second)
    }

    /// The first picture or packet of the next second.
    fn next_second(&self, now: Instant, per_second: u64) -> u64 {
        (now.saturating_duration_since(self.began).as_secs() + 1) * per_second
    }

    fn pictures_per_second(&self) -> u64 {
        self.layers.first().map_or(1, |(_, clip)| clip.frames_per_second.into())
    }
}

impl Client {
    /// Over UDP, to send this: with its layers, if it has several.
    pub async fn for_live(live: &Live) -> Self {
        let video = live.layers.first().map(|(_, clip)| clip.codec);
        let setup = Setup { video: video.into_iter().collect(), audio: live.sound.is_some() };
        let mut simulcast = Simulcast::new();
        let rids = live.layers.iter().filter_map(|(rid, _)| *rid);
        rids.for_each(|rid| simulcast.add_send_layer(SimulcastLayer::new(rid)));
        Self::bound(&setup, (live.layers.len() > 1).then_some(simulcast), "127.0.0.1:0", None).await
    }

    /// Sends what a camera and a microphone give, from the first whole second on in which it is connected.
    pub fn go_live(&mut self, live: Live) {
        let sequences = vec![1; live.layers.len()];
        self.live = Some(Sending { live, pictures: None, packets: None, sequences, sound_sequence: 1 });
    }

    pub(super) fn send_due_live(&mut self, now: Instant) {
        if !self.seen.connected {
            return;
        }
        let Some(mut sending) = self.live.take() else { return };
        let fps = sending.live.pictures_per_second();
        let mut picture = *sending.pictures.get_or_insert_with(|| sending.live.next_second(now, fps));
        while !sending.live.layers.is_empty() && sending.live.due(picture, fps) <= now {
            self.send_picture(&mut sending, picture, fps);
            self.seen.video_frames += 1;
            picture += 1;
        }
        sending.pictures = Some(picture);
        let first = || sending.live.next_second(now, PACKETS_PER_SECOND);
        let mut packet = sending.packets.unwrap_or_else(first);
        while let Some(sound) = &sending.live.sound
            && sending.live.due(packet, PACKETS_PER_SECOND) <= now
        {
            let payload = Arc::clone(&sound[sending.live.at(packet, PACKETS_PER_SECOND)]);
            let timestamp = (packet * SOUND_RATE / PACKETS_PER_SECOND) as u32;
            let sequence = sending.sound_sequence;
            let due = sending.live.due(packet, PACKETS_PER_SECOND);
            self.write(MediaKind::Audio, Packet { sequence, timestamp, marker: sequence == 1, payload }, due);
            sending.sound_sequence += 1;
            self.seen.audio_frames += 1;
            packet += 1;
        }
        sending.packets = Some(packet);
        self.live = Some(sending);
    }

    /// One picture in all its sizes.
    fn send_picture(&mut self, sending: &mut Sending, number: u64, fps: u64) {
        let timestamp = (number * PICTURE_RATE / fps) as u32;
        let due = sending.live.due(number, fps);
        for ((rid, clip), sequence) in sending.live.layers.iter().zip(&mut sending.sequences) {
            let frame = &clip.frames[sending.live.at(number, fps)];
            self.write_frame(*rid, (clip.codec, frame), timestamp, sequence, due);
        }
    }

    /// When the next picture or packet is due.
    pub(super) fn next_live(&self) -> Option<Instant> {
        let Sending { live, pictures, packets, .. } = self.live.as_ref()?;
        let picture = pictures.filter(|_| !live.layers.is_empty()).map(|n| live.due(n, live.pictures_per_second()));
        let packet = packets.filter(|_| live.sound.is_some()).map(|n| live.due(n, PACKETS_PER_SECOND));
        [picture, packet].into_iter().flatten().min()
    }
}
