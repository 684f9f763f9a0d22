//! The plain words that stage and packager share: time, codecs, tracks, encoded frames, and the closed enums that
//! cross boundary 1 (stage to packager, over a channel or a Unix socket).
//!
//! Everything here is a value: serialisable, comparable, without IO, without a clock and without a third-party media
//! type. In flow order: [`time`] is what a frame is stamped with, [`codec`] and [`track`] say what it belongs to,
//! [`frame`] is the frame itself and what it went through.

pub mod codec;
pub mod frame;
pub mod time;
pub mod track;
