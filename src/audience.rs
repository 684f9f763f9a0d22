#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // IO: a lock that requests share, and the clock.
//! How many watch: about as many as addresses and browsers have asked for a stream's playlists lately. Nobody is followed: only sketches of hashes are
//! kept, for a minute.

use cardinality_estimator::CardinalityEstimator;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Who has asked within this is watching: players ask each two seconds, and those that are paused soon ask no more.
pub const WINDOW: Duration = Duration::from_secs(60);
/// Parts of that time, of which the oldest is forgotten whole.
const SLICES: u64 = 6;
const SLICE: Duration = Duration::from_secs(WINDOW.as_secs() / SLICES);
/// Streams whose viewers are counted; a sketch takes 3 KB at most (2^12 registers of 6 bits, 1.6 % off).
const STREAMS: usize = 4_096;

/// A viewer: who has the same address and the same browser is the same one. Their hash, made where no lock is held.
#[derive(Debug, Clone, Copy, Hash)]
pub struct Viewer(u64);

impl Viewer {
    /// Of an address and what a User-Agent header says.
    pub fn of(address: IpAddr, agent: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        (address, agent).hash(&mut hasher);
        Self(hasher.finish())
    }
}

type Sketch = CardinalityEstimator<Viewer>;

/// Counts. Cheap to clone.
#[derive(Clone)]
pub struct Audience {
    began: Instant,
    counts: Arc<Mutex<Counts>>,
}

impl Default for Audience {
    fn default() -> Self {
        Self { began: Instant::now(), counts: Arc::default() }
    }
}

impl Audience {
    /// Somebody was given a playlist.
    pub fn note(&self, path: &str, viewer: Viewer) {
        if let Some(key) = key(path) {
            self.counts().note(key, viewer, self.began.elapsed());
        }
    }

    /// How many have asked for a stream within [`WINDOW`], by its own path or by its room's.
    pub fn count(&self, room: &str, stream: &str) -> u64 {
        let keys = [format!("/hls/{room}/{stream}/"), format!("/live/{room}/")];
        self.counts().count(&keys, self.began.elapsed())
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        // Whoever panicked with it left whole sketches.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a path's viewers are counted by: the folder of a stream, or of a room's static playlist. `None` where it is no playlist: who watches asks for those.
pub(crate) fn key(path: &str) -> Option<&str> {
    let folders = match path.split('/').nth(1)? {
        "hls" => 4,
        "live" => 3,
        _ => return None,
    };
    let end = path.match_indices('/').nth(folders - 1).map(|(at, _)| at + 1)?;
    path.ends_with(".m3u8").then(|| &path[..end])
}

/// Sketches by key and by slice of time.
#[derive(Default)]
struct Counts(HashMap<String, HashMap<u64, Sketch>>);

impl Counts {
    fn note(&mut self, key: &str, viewer: Viewer, since: Duration) {
        let slice = since.as_secs() / SLICE.as_secs();
        if !self.0.contains_key(key) {
            self.forget(slice);
            if self.0.len() >= STREAMS {
                return;
            }
            self.0.insert(key.to_owned(), HashMap::new());
        }
        let Some(slices) = self.0.get_mut(key) else { return };
        if !slices.contains_key(&slice) {
            slices.retain(|of, _| is_recent(*of, slice));
        }
        slices.entry(slice).or_default().insert(&viewer);
    }

    fn count(&self, keys: &[String], since: Duration) -> u64 {
        let slice = since.as_secs() / SLICE.as_secs();
        let sketches = keys.iter().filter_map(|key| self.0.get(key)).flatten();
        let mut all = Sketch::default();
        sketches.filter(|(of, _)| is_recent(**of, slice)).for_each(|(_, sketch)| all.merge(sketch));
        all.estimate() as u64
    }

    fn forget(&mut self, now: u64) {
        self.0.retain(|_, slices| slices.keys().any(|of| is_recent(*of, now)));
    }
}

const fn is_recent(slice: u64, now: u64) -> bool {
    now < slice + SLICES
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn viewer(number: u32) -> Viewer {
        Viewer::of(Ipv4Addr::from_bits(number).into(), b"browser")
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn who_asks_for_playlists_of_a_stream_watches_it() {
        let check = |path: &str, want: Option<&str>| assert_eq!(key(path), want, "{path}");
        check("/hls/room/stream/720p/media.m3u8", Some("/hls/room/stream/"));
        check("/hls/room/stream/master.m3u8", Some("/hls/room/stream/"));
        check("/live/room/master.m3u8", Some("/live/room/"));
        check("/hls/room/stream/720p/s1.m4s", None);
        check("/hls/room.m3u8", None);
        check("/live/room.m3u8", None);
        check("/vod/room/x/master.m3u8", None);
        check("", None);
    }

    #[test]
    fn viewers_are_counted_once_and_for_a_minute() {
        let mut counts = Counts::default();
        let keys = ["/hls/room/stream/".to_owned(), "/live/room/".to_owned()];
        for _ in 0..3 {
            (0..5).for_each(|number| counts.note(&keys[0], viewer(number), seconds(5)));
        }
        counts.note(&keys[1], viewer(4), seconds(15));
        counts.note(&keys[1], viewer(5), seconds(15));
        counts.note("/hls/room/another/", viewer(9), seconds(15));
        assert_eq!(counts.count(&keys, seconds(20)), 6);
        assert_eq!(counts.count(&keys, seconds(59)), 6);
        assert_eq!(counts.count(&keys, seconds(61)), 2, "five have gone");
        assert_eq!(counts.count(&keys, seconds(200)), 0);
    }

    #[test]
    fn many_viewers_are_counted_within_a_few_per_cent_and_many_paths_take_no_more_room() {
        let mut counts = Counts::default();
        let keys = ["/hls/room/stream/".to_owned()];
        (0..100_000).for_each(|number| counts.note(&keys[0], viewer(number), seconds(u64::from(number) / 2_000)));
        let count = counts.count(&keys, seconds(50));
        assert!((95_000..105_000).contains(&count), "{count}");
        for number in 0..2 * STREAMS {
            counts.note(&format!("/hls/room/{number}/"), viewer(1), seconds(50));
        }
        assert_eq!(counts.0.len(), STREAMS);
        counts.note("/hls/room/new/", viewer(1), seconds(150));
        assert_eq!(counts.0.len(), 1, "what nobody watches any more is forgotten");
    }
}
