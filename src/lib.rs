//! The process: configuration, wiring, the child process of a live stream, the commands. It alone knows all crates.
//!
//! [`commands`] parse and call; [`config`] is what an operator may set; [`wire`] decides who is handed what; [`live`] runs
//! one task per live stream, [`packaging`] its packager, which [`worker`] puts into a child process behind [`sandbox`]; [`web`] serves the pages;
//! [`http`](mod@http) is the one HTTP server; [`metrics`] is the admin listener. The other way round, [`publishing`] sends a source's frames to a WHIP
//! server: [`whip`] decides about its answers and [`whip_http`] asks it.

pub mod audience;
pub mod commands;
pub mod config;
pub mod desk;
mod encoding;
pub mod health;
pub mod http;
mod lag;
pub mod listeners;
pub mod live;
pub mod metrics;
pub mod packaging;
pub mod publishing;
pub mod sandbox;
mod snapshots;
mod socket;
mod stream;
pub mod tls;
pub mod web;
pub mod whip;
pub mod whip_http;
pub mod wire;
mod words;
pub mod worker;
