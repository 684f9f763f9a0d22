//! What is published, as values: paths, types, lifetimes and the headers of `docs/wire.md`. Pure; `publish.rs` sends it.

use crate::gzip::Gzip;
use crate::ladder::{PART_TARGET, SEGMENT_SECONDS};
use crate::playlist::{self, LEAST_WINDOW_SEGMENTS, Rendered, Rendition};
use crate::session::Resume;
use crate::stages::TickStamps;
use bytes::Bytes;
use footlight_media::time::SessionTime;
use serde::{Deserialize, Serialize};

const PLAYLIST: &str = "application/vnd.apple.mpegurl";
const VIDEO: &str = "video/mp4";
const RECORD: &str = "application/octet-stream";
/// All types that a stream's objects have: none that a browser would run.
pub const CONTENT_TYPES: [&str; 3] = [PLAYLIST, VIDEO, RECORD];
/// Half a target duration (RFC 8216bis appendix B.1): a playlist that was not asked for by version.
const PLAYLIST_LIFETIME: &str = "public, max-age=1";
/// Six target durations (RFC 8216bis appendix B.1): an answer for exactly the version asked.
const EXACT_LIFETIME: &str = "public, max-age=12";
/// A part's tag goes after three target durations; its object stays for three more (RFC 8216bis section 6.2.2), and one for rounding.
const PARTS_KEPT_SEGMENTS: u64 = 7;

/// Names one live stream and its window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    room: String,
    id: String,
    window: usize,
}

/// One thing to do at the origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// PUT.
    Put(Put),
    /// GET the parts of a segment whose packager was killed, and PUT their concatenation.
    Join {
        /// The segment, without its body.
        segment: Put,
        /// Paths of its parts, in order.
        parts: Vec<String>,
    },
    /// DELETE.
    Delete(String),
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// Where.
    pub path: String,
    /// Content-Type.
    pub content_type: &'static str,
    /// Cache-Control.
    pub cache_control: String,
    /// Not for viewers.
    pub private: bool,
    /// What a live playlist says with it.
    pub playlist: Option<LivePlaylist>,
    /// The bodies by the names of `docs/wire.md`; one named `full` where there is but one.
    pub bodies: Vec<(&'static str, Bytes)>,
}

/// The headers of a live media playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivePlaylist {
    /// Footlight-Version.
    pub version: String,
    /// Footlight-Part-Counts.
    pub part_counts: String,
    /// Footlight-Part-Target, seconds.
    pub part_target: &'static str,
    /// Footlight-Target-Duration, seconds.
    pub target_duration: u32,
    /// Footlight-Cache-Control-Exact.
    pub exact_cache_control: &'static str,
    /// Footlight-Promises.
    pub promise: Option<String>,
    /// Footlight-Ended.
    pub ended: bool,
}

/// Changes that belong together, in the order in which they are made.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Batch {
    /// What to do.
    pub changes: Vec<Change>,
    /// Stamps of the ticks whose parts are in it.
    pub stamps: Vec<TickStamps>,
    /// When its last part was complete.
    pub complete: SessionTime,
    /// It carries the stream's first playlists: once the origin has it, the stream can be played.
    pub announces: bool,
}

impl Stream {
    /// Names of a room and of a live stream, each `[A-Za-z0-9_-]{1,64}`; `window` segments stand in a playlist, and at least
    /// [`LEAST_WINDOW_SEGMENTS`].
    pub fn new(room: impl Into<String>, id: impl Into<String>, window: usize) -> Self {
        Self { room: room.into(), id: id.into(), window: window.max(LEAST_WINDOW_SEGMENTS) }
    }

    /// The room's id.
    pub fn room(&self) -> &str {
        &self.room
    }

    /// The live stream's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Segments in a playlist.
    pub const fn window(&self) -> usize {
        self.window
    }

    /// Whether an object is this stream's: what its packager may change, and nothing else. Its path is made of names as this module makes them.
    pub fn owns(&self, path: &str) -> bool {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let named = |name: &str| !name.is_empty() && !name.starts_with('.') && name.bytes().all(legal);
        path == self.live_path() || path.strip_prefix(&self.path("")).is_some_and(|rest| rest.split('/').all(named))
    }

    /// Segments and parts are there to be fetched for twice the window, in seconds.
    const fn lifetime_seconds(&self) -> u64 {
        2 * self.window as u64 * SEGMENT_SECONDS as u64
    }

    fn path(&self, rest: &str) -> String {
        format!("/hls/{}/{}/{rest}", self.room, self.id)
    }

    /// The record for a successor.
    pub fn resume_path(&self) -> String {
        self.path("resume")
    }

    /// The room's static playback path.
    pub fn live_path(&self) -> String {
        format!("/live/{}/master.m3u8", self.room)
    }

    fn media_object(&self, path: String, body: Bytes) -> Put {
        Put {
            path,
            content_type: VIDEO,
            cache_control: format!("public, max-age={}, immutable", self.lifetime_seconds()),
            private: false,
            playlist: None,
            bodies: vec![("full", body)],
        }
    }

    /// An init segment.
    pub fn init(&self, rendition: &str, init: u32, body: Bytes) -> Change {
        let path = self.path(&format!("{rendition}/{}", playlist::init_uri(init)));
        Change::Put(self.media_object(path, body))
    }

    /// A part.
    pub fn part(&self, rendition: &str, msn: u64, index: usize, body: Bytes) -> Change {
        Change::Put(self.media_object(self.part_path(rendition, msn, index), body))
    }

    fn part_path(&self, rendition: &str, msn: u64, index: usize) -> String {
        self.path(&format!("{rendition}/{}", playlist::part_uri(msn, index)))
    }

    fn segment_path(&self, rendition: &str, msn: u64) -> String {
        self.path(&format!("{rendition}/{}", playlist::segment_uri(msn)))
    }

    /// A whole segment.
    pub fn segment(&self, rendition: &str, msn: u64, body: Bytes) -> Change {
        Change::Put(self.media_object(self.segment_path(rendition, msn), body))
    }

    /// A segment made of the parts that a killed packager left.
    pub fn joined_segment(&self, rendition: &str, msn: u64, parts: usize) -> Change {
        Change::Join {
            segment: self.media_object(self.segment_path(rendition, msn), Bytes::new()),
            parts: (0..parts).map(|index| self.part_path(rendition, msn, index)).collect(),
        }
    }

    /// A media playlist with its bodies, each compressed once.
    pub fn media_playlist(&self, rendition: &str, rendered: &Rendered, gzip: &mut Gzip) -> Change {
        let [full, compressed] = text_bodies(&rendered.full, gzip);
        let mut bodies = vec![("full", full), ("full.gzip", compressed)];
        if let Some(delta) = &rendered.delta {
            let [delta, compressed] = text_bodies(delta, gzip);
            bodies.extend([("delta", delta.clone()), ("delta.gzip", compressed.clone())]);
            // No DATERANGE is ever skipped, so a v2 delta reads the same.
            bodies.extend([("delta2", delta), ("delta2.gzip", compressed)]);
        }
        let counts: Vec<String> = rendered.part_counts.iter().map(|(msn, parts)| format!("{msn}:{parts}")).collect();
        Change::Put(Put {
            path: self.path(&format!("{rendition}/media.m3u8")),
            content_type: PLAYLIST,
            cache_control: PLAYLIST_LIFETIME.to_owned(),
            private: false,
            playlist: Some(LivePlaylist {
                version: format!("{}.{}", rendered.version.msn, rendered.version.parts),
                part_counts: counts.join(","),
                part_target: PART_TARGET,
                target_duration: SEGMENT_SECONDS,
                exact_cache_control: EXACT_LIFETIME,
                promise: rendered.hint.as_ref().map(|hint| self.path(&format!("{rendition}/{hint}"))),
                ended: rendered.ended,
            }),
            bodies,
        })
    }

    /// The stream's multivariant playlist, and the room's, which leads to the same objects.
    pub fn multivariant(&self, text: impl Fn(&str) -> String, gzip: &mut Gzip) -> [Change; 2] {
        let mut put = |path, prefix: &str| {
            let [full, compressed] = text_bodies(&text(prefix), gzip);
            Change::Put(Put {
                path,
                content_type: PLAYLIST,
                cache_control: PLAYLIST_LIFETIME.to_owned(),
                private: false,
                playlist: None,
                bodies: vec![("full", full), ("full.gzip", compressed)],
            })
        };
        let from_live = format!("../../hls/{}/{}/", self.room, self.id);
        [put(self.path("master.m3u8"), ""), put(self.live_path(), &from_live)]
    }

    /// The record for a successor, as an object.
    pub fn resume(&self, resume: &Resume) -> Change {
        let body = postcard::to_stdvec(resume).expect("plain data always serialises");
        Change::Put(Put {
            path: self.resume_path(),
            content_type: RECORD,
            cache_control: "no-store".to_owned(),
            private: true,
            playlist: None,
            bodies: vec![("full", Bytes::from(body))],
        })
    }

    /// The newest segment that may be deleted: it has been out of the playlist for as long as the playlist lasts (RFC 8216bis section 6.2.2).
    pub fn expired_segment(&self, rendition: &Rendition) -> u64 {
        (rendition.version().msn - 1).saturating_sub(2 * self.window as u64)
    }

    /// The newest segment whose parts may be deleted.
    pub fn expired_parts(&self, rendition: &Rendition) -> u64 {
        rendition.version().msn.saturating_sub(PARTS_KEPT_SEGMENTS)
    }

    /// Deletes a segment.
    pub fn delete_segment(&self, rendition: &str, msn: u64) -> Change {
        Change::Delete(self.segment_path(rendition, msn))
    }

    /// Deletes a segment's parts.
    pub fn delete_parts(&self, rendition: &Rendition, msn: u64) -> impl Iterator<Item = Change> {
        (0..rendition.published_parts(msn)).map(move |i| Change::Delete(self.part_path(rendition.name(), msn, i)))
    }

    /// Objects that are not of one rendition.
    pub fn common_paths(&self) -> Vec<String> {
        vec![self.live_path(), self.path("master.m3u8"), self.resume_path()]
    }

    /// Everything of a rendition from segment `segment` on, and parts from segment `parts` on.
    pub fn paths_since(&self, rendition: &Rendition, segment: u64, parts: u64) -> Vec<String> {
        let name = rendition.name();
        let end = rendition.version().msn;
        let inits = (0..=rendition.init()).map(|i| self.path(&format!("{name}/{}", playlist::init_uri(i))));
        // The segment at the end has parts at most.
        let segments = (segment..end).map(|msn| self.segment_path(name, msn));
        let parts = (parts..=end).flat_map(|msn| (0..rendition.published_parts(msn)).map(move |i| (msn, i)));
        let parts = parts.map(|(msn, index)| self.part_path(name, msn, index));
        std::iter::once(self.path(&format!("{name}/media.m3u8"))).chain(inits).chain(segments).chain(parts).collect()
    }
}

/// A text as it is, and compressed.
fn text_bodies(text: &str, gzip: &mut Gzip) -> [Bytes; 2] {
    [Bytes::copy_from_slice(text.as_bytes()), gzip.compress(text.as_bytes())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_owns_its_own_folder_and_the_room_s_static_playlist() {
        let stream = Stream::new("room", "stream", 15);
        let check = |path: &str, want| assert_eq!(stream.owns(path), want, "{path}");
        check("/hls/room/stream/720p/s1.m4s", true);
        check("/hls/room/stream/resume", true);
        check("/live/room/master.m3u8", true);
        check("/hls/room/stream/", false);
        check("/hls/room/stream2/master.m3u8", false);
        check("/hls/other/stream/master.m3u8", false);
        check("/live/other/master.m3u8", false);
        check("/hls/room/resume", false);
        check("/hls/room/stream/../../other/stream/master.m3u8", false);
        check("/hls/room/stream/720p//s1.m4s", false);
        check("/hls/room/stream/%2e%2e/x", false);
        check("/hls/room/stream/a b", false);
    }
}
