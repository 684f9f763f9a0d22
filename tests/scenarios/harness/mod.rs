//! What the scenarios share.

pub mod clips;
pub mod packaging;
pub mod playback;
pub mod server;
