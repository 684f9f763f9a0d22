#![allow(unreachable_pub, missing_docs, clippy::unwrap_used)] // A scenario that cannot be set up fails there and then.
//! What must hold of a running stage, one scenario to a file, over real sockets on loopback.

#[path = "../support/mod.rs"]
mod support;

mod harness;

mod publishes_and_gets_frames;
