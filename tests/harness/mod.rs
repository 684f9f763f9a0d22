#![allow(clippy::disallowed_methods, clippy::disallowed_types, dead_code, clippy::unwrap_used)] // IO: tests use the world; each uses a part of this.
//! What the scenarios share.

pub mod packaging;
