#![allow(clippy::disallowed_types)] // IO: starts threads, and hears from another.
//! Which pictures are decoded: those that can be seen, and no more of them at one time than there is room for.

use super::decode::{self, Handle};
use super::picture::PictureInput;
use super::{Shared, Slot};
use crate::layout::MAX_TILES;
use footlight_media::codec::Codec;
use footlight_media::frame::EncodedFrame;
use footlight_media::time::SessionTime;
use footlight_media::track::TrackId;
use std::collections::BTreeMap;
use std::sync::mpsc::SyncSender;

/// Decoders at one time: one for each tile, and as many for those who are about to have one. Each of 720p takes some 10 MB and a thread.
const DECODERS: usize = 2 * MAX_TILES;

/// The picture tracks of a stream, and their decoders.
pub(super) struct Decoders {
    shared: Shared,
    pictures: SyncSender<PictureInput>,
    tracks: BTreeMap<TrackId, Track>,
    /// Where the compositor says which tracks cannot be seen, and what it said last, in order.
    rests: Slot<Vec<TrackId>>,
    resting: Vec<TrackId>,
    /// A decoder may have become free.
    changed: bool,
}

struct Track {
    codec: Codec,
    /// `None` where the picture cannot be seen, or [`DECODERS`] are there.
    decoder: Option<Handle>,
}

impl Decoders {
    pub(super) fn new(shared: Shared, pictures: SyncSender<PictureInput>, rests: Slot<Vec<TrackId>>) -> Self {
        Self { shared, pictures, tracks: BTreeMap::new(), rests, resting: Vec::new(), changed: false }
    }

    /// A track begins. What comes first is a key frame, which is not worth being asked for again; whether there is a tile for it is known later.
    pub(super) fn add(&mut self, track: TrackId, codec: Codec) -> std::io::Result<()> {
        let free = self.count() < DECODERS;
        let decoder = free.then(|| self.start(track, codec)).transpose()?;
        self.tracks.insert(track, Track { codec, decoder });
        Ok(())
    }

    /// Whether there was such a track.
    pub(super) fn remove(&mut self, track: TrackId) -> bool {
        let there = self.tracks.remove(&track).is_some();
        self.changed |= there;
        there
    }

    /// `false` where the frame was dropped and a key frame is needed.
    pub(super) fn push(&mut self, frame: EncodedFrame) -> bool {
        let decoder = self.tracks.get_mut(&frame.track).and_then(|track| track.decoder.as_mut());
        decoder.is_none_or(|decoder| decoder.push(frame))
    }

    /// Ends the decoders of what cannot be seen, and begins those of what can be again; answers with the tracks of the latter, which need a key frame.
    pub(super) fn settle(&mut self) -> std::io::Result<Vec<TrackId>> {
        match self.rests.take() {
            Some(resting) => self.resting = resting,
            None if !self.changed => return Ok(Vec::new()),
            None => {}
        }
        self.changed = false;
        let mut waiting = Vec::new();
        for (track, Track { codec, decoder }) in &mut self.tracks {
            match self.resting.binary_search(track) {
                Ok(_) => *decoder = None,
                Err(_) if decoder.is_none() => waiting.push((*track, *codec)),
                Err(_) => {}
            }
        }
        waiting.truncate(DECODERS.saturating_sub(self.count()));
        for (track, codec) in &waiting {
            let decoder = Some(self.start(*track, *codec)?);
            self.tracks.insert(*track, Track { codec: *codec, decoder });
        }
        Ok(waiting.into_iter().map(|(track, _)| track).collect())
    }

    /// A track whose decoder gets nothing done.
    pub(super) fn stuck(&mut self, now: SessionTime) -> Option<TrackId> {
        let stuck = |track: &mut Track| track.decoder.as_mut().is_some_and(|decoder| decoder.stuck(now));
        self.tracks.iter_mut().find_map(|(id, track)| stuck(track).then_some(*id))
    }

    fn count(&self) -> usize {
        self.tracks.values().filter(|track| track.decoder.is_some()).count()
    }

    fn start(&self, track: TrackId, codec: Codec) -> std::io::Result<Handle> {
        decode::start(self.shared.clone(), track, codec, self.pictures.clone())
    }
}
