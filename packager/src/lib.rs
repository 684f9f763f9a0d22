//! Frames in, objects out: decodes what peers send, composes one picture and one mix, encodes the ladder, cuts it into CMAF
//! segments and parts, and publishes them with their playlists.

pub mod cmaf;
pub mod compositor;
pub mod decode;
pub mod encode;
pub mod ffmpeg;
pub mod ladder;
pub mod layout;
pub mod mixer;
pub mod playlist;
pub mod segmenter;
pub mod timeline;
