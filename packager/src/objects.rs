//! What is published, as values: paths, types, lifetimes and the headers of `docs/wire.md`. Pure; `publish.rs` sends it.

use crate::bounded::at_most;
use crate::gzip::Gzip;
use crate::ladder::{PARTS_PER_SEGMENT, SEGMENT_SECONDS};
use crate::playlist::{self, LEAST_WINDOW_SEGMENTS, Rendered, Rendition, Version};
use crate::session::Resume;
use crate::stages::TickStamps;
use bytes::Bytes;
use footlight_media::time::SessionTime;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A part's tag goes after three target durations; its object stays for three more (RFC 8216bis section 6.2.2), and one for rounding.
const PARTS_KEPT_SEGMENTS: u64 = 7;

/// A path's bounds at an origin (`docs/wire.md`).
const PATH_SEGMENTS: usize = 8;
const PATH_SEGMENT_BYTES: usize = 128;
/// A day's segments and what is being made: the longest window that can be configured.
const COUNTED_SEGMENTS: usize = 43_300;
/// Bodies that an object can have: one of each name.
const BODIES: usize = 6;

/// Names of the multivariant playlists.
const MASTER: &str = "master.m3u8";
const LISTEN: &str = "listen.m3u8";

/// What a multivariant playlist lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Multivariant {
    /// Every rung with its sound.
    Everything,
    /// The sound alone.
    Sound,
}

/// Names one live stream and its window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    room: String,
    id: String,
    window: usize,
}

/// One thing to do at the origin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// PUT.
    Put(Put),
    /// GET the parts of a segment whose packager was killed, and PUT their concatenation.
    Join {
        /// The segment, without its body.
        segment: Put,
        /// Paths of its parts, in order.
        #[serde(deserialize_with = "at_most::<{ PARTS_PER_SEGMENT as usize }, _, _>")]
        parts: Vec<String>,
    },
    /// DELETE.
    Delete(String),
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Put {
    /// Where.
    pub path: String,
    /// Content-Type.
    pub content_type: ContentType,
    /// Cache-Control.
    pub lifetime: Lifetime,
    /// Not for viewers.
    pub private: bool,
    /// What a live playlist says with it.
    pub playlist: Option<LivePlaylist>,
    /// The bodies by their names; one that is `Full` where there is but one.
    #[serde(deserialize_with = "at_most::<BODIES, _, _>")]
    pub bodies: Vec<(Body, Bytes)>,
}

/// What an object is: nothing that a browser would run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContentType {
    /// A multivariant or media playlist.
    Playlist,
    /// An init segment, a segment, a part.
    Media,
    /// A JPEG.
    Picture,
    /// What a successor goes on from.
    Record,
}

/// For how long viewers and caches may keep an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lifetime {
    /// It never changes, and is there for so long.
    Immutable {
        /// In seconds.
        seconds: u64,
    },
    /// Half a target duration (RFC 8216bis appendix B.1): a playlist that was not asked for by version.
    Playlist,
    /// Half the time to the next one: a poster.
    Poster,
    /// Not at all.
    Never,
}

/// The bodies of an object, as `docs/wire.md` names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// The object.
    Full,
    /// Likewise, compressed.
    FullGzip,
    /// A playlist for `_HLS_skip=YES`.
    Delta,
    /// Likewise, compressed.
    DeltaGzip,
    /// A playlist for `_HLS_skip=v2`.
    Delta2,
    /// Likewise, compressed.
    Delta2Gzip,
}

/// The headers of a live media playlist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LivePlaylist {
    /// Footlight-Version.
    pub version: Version,
    /// Footlight-Part-Target.
    pub part_target: Duration,
    /// Footlight-Part-Counts: for each segment listed its number and its parts.
    #[serde(deserialize_with = "at_most::<COUNTED_SEGMENTS, _, _>")]
    pub part_counts: Vec<(u64, usize)>,
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

impl Change {
    /// What it takes in memory, in bytes.
    pub fn weight(&self) -> usize {
        let put = |put: &Put| {
            let bodies: usize = put.bodies.iter().map(|body| size_of_val(body) + body.1.len()).sum();
            let counts = put.playlist.as_ref().map_or(0, |live| size_of_val(&live.part_counts[..]));
            put.path.len() + bodies + counts
        };
        size_of::<Self>()
            + match self {
                Self::Put(object) => put(object),
                Self::Join { segment, parts } => {
                    put(segment) + parts.iter().map(|part| size_of_val(part) + part.len()).sum::<usize>()
                }
                Self::Delete(path) => path.len(),
            }
    }
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
        let named = |name: &str| {
            (1..=PATH_SEGMENT_BYTES).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(legal)
        };
        let ours = |rest: &str| rest.split('/').all(named) && path.split('/').skip(1).count() <= PATH_SEGMENTS;
        self.is_of_room(path) || path.strip_prefix(&self.path("")).is_some_and(ours)
    }

    /// Whether what a packager wants at the origin is for its own stream. `Err` says what is not: a packager that somebody has taken over speaks here.
    pub fn accepts(&self, change: &Change) -> Result<(), String> {
        let own = |path: &str| {
            if self.owns(path) {
                Ok(())
            } else {
                Err(format!(
                    "{:?}: not an object of stream {}",
                    path.chars().take(PATH_SEGMENT_BYTES).collect::<String>(),
                    self.id
                ))
            }
        };
        let put = |put: &Put| {
            own(&put.path)?;
            // What outlives the stream in caches would keep viewers from the room's next one.
            let lasting = match (put.content_type, put.lifetime) {
                (_, Lifetime::Never) => false,
                (ContentType::Playlist, Lifetime::Playlist) | (ContentType::Picture, Lifetime::Poster) => false,
                (ContentType::Media, Lifetime::Immutable { seconds }) => {
                    self.is_of_room(&put.path) || seconds > self.lifetime_seconds()
                }
                _ => true,
            };
            if lasting {
                return Err(format!("{}: a {:?} that lasts {:?}", put.path, put.content_type, put.lifetime));
            }
            put.playlist.iter().filter_map(|live| live.promise.as_deref()).try_for_each(own)
        };
        match change {
            Change::Put(object) => put(object),
            Change::Delete(path) => own(path),
            Change::Join { segment, parts } => put(segment).and_then(|()| parts.iter().try_for_each(|part| own(part))),
        }
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
        format!("/live/{}/{MASTER}", self.room)
    }

    /// The room's static playback path for the sound alone.
    pub fn listen_path(&self) -> String {
        format!("/live/{}/{LISTEN}", self.room)
    }

    /// Where the room's poster is: what pages show of a stream before it plays.
    pub fn poster_path(&self) -> String {
        format!("/live/{}/poster.jpg", self.room)
    }

    /// Whether an object is the room's, whichever its stream.
    pub fn is_of_room(&self, path: &str) -> bool {
        [self.live_path(), self.listen_path(), self.poster_path()].iter().any(|own| own == path)
    }

    /// What the programme looks like, for the stream and for its room.
    pub fn posters(&self, jpeg: &Bytes) -> [Change; 2] {
        let put = |path| Put {
            path,
            content_type: ContentType::Picture,
            lifetime: Lifetime::Poster,
            private: false,
            playlist: None,
            bodies: vec![(Body::Full, jpeg.clone())],
        };
        [put(self.path("poster.jpg")), put(self.poster_path())].map(Change::Put)
    }

    fn media_object(&self, path: String, body: Bytes) -> Put {
        Put {
            path,
            content_type: ContentType::Media,
            lifetime: Lifetime::Immutable { seconds: self.lifetime_seconds() },
            private: false,
            playlist: None,
            bodies: vec![(Body::Full, body)],
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
        let mut bodies = vec![(Body::Full, full), (Body::FullGzip, compressed)];
        if let Some(delta) = &rendered.delta {
            let [delta, compressed] = text_bodies(delta, gzip);
            bodies.extend([(Body::Delta, delta.clone()), (Body::DeltaGzip, compressed.clone())]);
            // No DATERANGE is ever skipped, so a v2 delta reads the same.
            bodies.extend([(Body::Delta2, delta), (Body::Delta2Gzip, compressed)]);
        }
        Change::Put(Put {
            path: self.path(&format!("{rendition}/media.m3u8")),
            content_type: ContentType::Playlist,
            lifetime: Lifetime::Playlist,
            private: false,
            playlist: Some(LivePlaylist {
                version: rendered.version,
                part_target: rendered.part_target,
                part_counts: rendered.part_counts.clone(),
                promise: rendered.hint.as_ref().map(|hint| self.path(&format!("{rendition}/{hint}"))),
                ended: rendered.ended,
            }),
            bodies,
        })
    }

    /// A multivariant playlist of the stream's, and the room's, which leads to the same objects.
    pub fn multivariant(&self, of: Multivariant, text: impl Fn(&str) -> String, gzip: &mut Gzip) -> [Change; 2] {
        let (name, of_room) = match of {
            Multivariant::Everything => (MASTER, self.live_path()),
            Multivariant::Sound => (LISTEN, self.listen_path()),
        };
        let mut put = |path, prefix: &str| {
            let [full, compressed] = text_bodies(&text(prefix), gzip);
            Change::Put(Put {
                path,
                content_type: ContentType::Playlist,
                lifetime: Lifetime::Playlist,
                private: false,
                playlist: None,
                bodies: vec![(Body::Full, full), (Body::FullGzip, compressed)],
            })
        };
        let from_live = format!("../../hls/{}/{}/", self.room, self.id);
        [put(self.path(name), ""), put(of_room, &from_live)]
    }

    /// The record for a successor, as an object.
    pub fn resume(&self, resume: &Resume) -> Change {
        let body = postcard::to_stdvec(resume).expect("plain data always serialises");
        Change::Put(Put {
            path: self.resume_path(),
            content_type: ContentType::Record,
            lifetime: Lifetime::Never,
            private: true,
            playlist: None,
            bodies: vec![(Body::Full, Bytes::from(body))],
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
        let own = [MASTER, LISTEN, "poster.jpg"].map(|name| self.path(name));
        let of_room = [self.live_path(), self.listen_path(), self.poster_path()];
        of_room.into_iter().chain([self.resume_path()]).chain(own).collect()
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
        check("/live/room/poster.jpg", true);
        check("/live/other/poster.jpg", false);
        check("/hls/room/stream/", false);
        check("/hls/room/stream2/master.m3u8", false);
        check("/hls/other/stream/master.m3u8", false);
        check("/live/other/master.m3u8", false);
        check("/hls/room/resume", false);
        check("/hls/room/stream/../../other/stream/master.m3u8", false);
        check("/hls/room/stream/720p//s1.m4s", false);
        check("/hls/room/stream/%2e%2e/x", false);
        check("/hls/room/stream/a b", false);
        let long = "a".repeat(PATH_SEGMENT_BYTES);
        check(&format!("/hls/room/stream/{long}"), true);
        check(&format!("/hls/room/stream/{long}a"), false);
        check("/hls/room/stream/4/5/6/7/8", true);
        check("/hls/room/stream/4/5/6/7/8/9", false);
    }

    #[test]
    fn a_packager_reaches_its_own_stream_s_objects_and_no_others() {
        let stream = Stream::new("room", "stream", 15);
        let own = || match stream.segment("720p", 1, Bytes::new()) {
            Change::Put(put) => put,
            other => panic!("{other:?}"),
        };
        let elsewhere = || Put { path: "/hls/other/stream/720p/s1.m4s".into(), ..own() };
        let promising = |path: &str| {
            let promise = Some(path.to_owned());
            let version = Version { msn: 1, parts: 0 };
            Put {
                playlist: Some(LivePlaylist {
                    version,
                    part_target: Duration::ZERO,
                    part_counts: Vec::new(),
                    promise,
                    ended: false,
                }),
                ..own()
            }
        };
        let join = |segment: Put, parts: Vec<String>| Change::Join { segment, parts };
        for good in [
            Change::Put(own()),
            Change::Put(promising(&own().path)),
            Change::Delete(own().path),
            stream.joined_segment("720p", 1, PARTS_PER_SEGMENT as usize),
        ] {
            assert_eq!(stream.accepts(&good), Ok(()), "{good:?}");
        }
        let lasting = |path: String, seconds| Put { path, lifetime: Lifetime::Immutable { seconds }, ..own() };
        for bad in [
            Change::Put(lasting(own().path, u64::MAX)),
            Change::Put(lasting(stream.live_path(), 1)),
            Change::Put(lasting(stream.poster_path(), 1)),
            Change::Put(Put { content_type: ContentType::Playlist, ..own() }),
            Change::Put(elsewhere()),
            Change::Put(promising(&elsewhere().path)),
            Change::Delete(elsewhere().path),
            join(elsewhere(), Vec::new()),
            join(own(), vec![elsewhere().path]),
        ] {
            assert!(stream.accepts(&bad).is_err(), "{bad:?}");
        }
    }
}
