//! The edge: an RFC 9111 cache in front of an origin, with the viewers' tokens and limits.
//!
//! It knows no media. What it fetches from is a `tower::Service`: an origin in the same process, whose bodies it takes
//! by reference, or [`remote::Remote`], a pool of connections to one elsewhere. `docs/wire.md` is the contract.
//!
//! In flow order: [`serve`] takes connections within [`limits`] ([`admission`] counts them, [`activity`] judges each), [`service`] is one request's way, [`key`] names what is
//! asked for, [`playback`] who may have it, [`store`] keeps what [`freshness`] and [`cache_control`] allow (pure: they
//! take `now`), [`collapse`] makes one fetch of many requests and [`fill`] streams it to all of them, [`answer`] renders,
//! [`failure`] is every way to say no and the one place that picks a status, [`remote`] reaches an origin elsewhere.
//!
//! Deliberately absent: heuristics (nothing is kept without explicit freshness), request directives (a viewer cannot
//! make the edge fetch: RFC 9111 section 5.2.1 leaves them advisory), invalidation by method (none but GET passes).

pub mod activity;
pub mod admission;
pub mod answer;
pub mod cache_control;
pub mod collapse;
pub mod encoding;
pub mod failure;
pub mod fill;
pub mod freshness;
pub mod key;
pub mod limits;
pub mod playback;
pub mod range;
pub mod remote;
pub mod serve;
pub mod service;
pub mod store;

pub use answer::Body;
pub use limits::Limits;
pub use service::{Edge, Wiring};
