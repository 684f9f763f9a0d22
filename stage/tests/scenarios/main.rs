#![allow(unreachable_pub, missing_docs, clippy::unwrap_used)] // A scenario that cannot be set up fails there and then.
//! What must hold of a running stage, one scenario to a file, over real sockets on loopback.

#[path = "../support/mod.rs"]
mod support;

mod harness;

mod bad_input_hurts_nobody_else;
mod bad_networks_cost_few_frames;
mod both_families_reach_one_port;
mod connects_on_a_bad_network;
mod connects_over_tcp;
mod floods_do_not_hurt_who_is_on;
mod many_peers_share_one_port;
mod newest_session_takes_over;
mod our_publisher_rides_out_a_bad_network;
mod publishes_and_gets_frames;
mod sessions_end_when_they_should;
mod subscribers_join_late_and_fall_behind;
mod trickle_and_restart;
mod whip_rules;
