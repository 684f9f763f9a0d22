//! The process: configuration, wiring, the child process of a live stream, the commands. It alone knows all crates.
//!
//! [`commands`] parse and call; [`config`] is what an operator may set; [`wire`] decides who is handed what; [`live`] runs
//! one task per live stream, which [`worker`] puts into a child process behind [`sandbox`]; [`web`] serves the pages;
//! [`http`](mod@http) is the one HTTP server; [`metrics`] is the admin listener.

pub mod commands;
pub mod config;
pub mod http;
pub mod live;
pub mod metrics;
pub mod sandbox;
pub mod tls;
pub mod web;
pub mod wire;
pub mod worker;
