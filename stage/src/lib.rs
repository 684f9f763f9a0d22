//! WebRTC in: from a WHIP offer to encoded frames on the session clock. Stage knows no pixels.
//!
//! In flow order: [`whip`] takes offers, which [`sdp`] checks, and [`query`] reads what is said beside them; [`peer`](mod@peer) answers them over the one port of
//! [`mux`](mod@mux), from whose sockets each gets a [`port`](mod@port) of its own, which keeps repeats of its [`hello`] from it; [`reports`](mod@reports) taps packets and sender reports; [`session`] is the pure core of one
//! peer: it has [`assemble`] make frames of packets, with [`depacketize`] and [`sps`] reading what is in them and
//! [`jitter`] saying when to ask again and how long to wait, and [`sync`] place them on the session clock. [`driver`] is the handle to the [`owner`](mod@owner)
//! of all sessions, which hands frames to the subscribers of their [`rooms`](mod@rooms) through [`fanout`].
//!
//! The other way round, [`client`] publishes to a WHIP server: [`answer`] and [`link`] read what the server said and [`outgoing`] numbers, times and reports
//! what is sent.
//!
//! Only `peer`, `mux`, `port`, `reports` and `client` name the `webrtc` and `rtc` crates (and `driver` picks their crypto
//! provider). Only they, `driver`, `owner` and `whip` do IO.

pub mod config;
pub mod driver;
pub mod ice_servers;
pub mod query;
pub mod whip;

pub mod sdp;
mod seats;
pub mod session;

pub mod assemble;
pub mod depacketize;
pub mod fanout;
pub mod hello;
pub mod jitter;
pub mod picture_size;
pub mod rate;
pub mod round_trip;
pub mod simulcast;
pub mod sps;
pub mod stun;
pub mod sync;
pub mod track;

pub mod answer;
pub mod client;
pub mod link;
pub mod outgoing;

mod bits;
mod mux;
mod owner;
mod peer;
mod port;
mod problem;
mod reports;
mod rooms;
