#![allow(clippy::disallowed_methods, missing_docs)] // IO: scenarios have a clock, a data directory and tasks.
//! What the control plane must hold, one scenario per file, through the handle and the router that a process uses.

mod harness;

mod live_streams_go_from_start_to_completed;
