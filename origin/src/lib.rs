//! The origin: objects by path, the live window, versions and promises.
//!
//! It knows no media. A publisher PUTs whole objects; the live playlists among them carry, in headers, what version
//! they are, and a GET may wait for "at least version V" or for a path that was promised. `docs/wire.md` is the contract.
//!
//! In flow order: [`path`] names objects, [`object`] and [`bodies`] read what a PUT says, [`live`] is the
//! arithmetic of versions, [`window`] holds objects, promises and waiters (pure: it takes `now` and decides), [`directives`] translates `_HLS_*`, [`answer`] renders what was decided, [`refusal`] is
//! every way to say no and the one place that picks a status, [`service`] holds the window behind two
//! `tower::Service`s, [`serve`] puts them on sockets.
//!
//! Deliberately absent: any knowledge of playlists' text, of codecs or of viewers' tokens; a cache (the edge is one).

pub mod answer;
pub mod bodies;
mod collect;
pub mod directives;
pub mod encoding;
pub mod live;
pub mod object;
pub mod path;
pub mod range;
pub mod refusal;
pub mod serve;
pub mod service;
pub mod window;

pub use answer::Body;
pub use live::Limits;
pub use service::{Origin, Publish};
