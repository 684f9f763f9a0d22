#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)] // IO: scenarios have a clock, a data directory, tasks.
//! What the control plane must hold, one scenario per file, through the handle and the router that a process uses.

mod harness;

mod a_code_opens_one_role_of_one_room;
mod a_data_directory_is_one_process_s;
mod a_demo_gives_its_own_page_a_token;
mod a_layout_is_commanded_and_answered;
mod a_stream_s_ladder_is_chosen;
mod bad_requests_are_refused_by_name;
mod commands_that_nobody_takes_hold_nobody_up;
mod lists_are_read_to_their_end;
mod live_streams_go_from_start_to_completed;
mod only_the_right_token_opens_a_route;
mod other_origins_need_to_be_listed;
mod rooms_are_made_found_and_changed;
mod the_api_is_what_its_description_says;
mod what_makes_streams_is_asked;
