//! What the scenarios share.

pub mod browsers;
pub mod clips;
pub mod fields;
pub mod packaging;
pub mod playback;
pub mod players;
pub mod publishers;
pub mod server;
pub mod usage;
