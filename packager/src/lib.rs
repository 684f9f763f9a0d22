//! Frames in, objects out: decodes what peers send, composes one picture and one mix, encodes the ladder, cuts it into CMAF
//! segments and parts, and publishes them with their playlists.

mod bitstream;
mod bounded;
pub mod canvas;
pub mod clock;
pub mod cmaf;
mod coded;
pub mod compositor;
pub mod contribution;
pub mod decode;
pub mod direction;
pub mod dissolve;
pub mod driver;
pub mod encode;
#[cfg(feature = "failpoints")]
pub mod failpoint;
pub mod ffmpeg;
mod fonts;
pub mod footage;
pub mod glyphs;
pub mod gzip;
pub mod ladder;
pub mod layout;
pub mod limiter;
pub mod loudness;
pub mod mixer;
mod names;
pub mod objects;
pub mod opus;
pub mod playlist;
pub mod publish;
mod reading;
pub mod scenery;
pub mod segmenter;
pub mod session;
pub mod signal;
pub mod snapshot;
pub mod source;
pub mod speaker;
pub mod sprite;
pub mod stages;
mod stretch;
pub mod testsrc;
pub mod text;
pub mod timeline;
pub mod voice;
