#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, dead_code, unreachable_pub)] // IO: whole servers, clients, files.
//! What a user of footlight relies on, one scenario a file, each named by what must hold. The binary is run as an operator runs it; `harness` does
//! what an application, a broadcaster and a viewer do with it.

mod harness;
#[path = "../../stage/tests/support/mod.rs"]
mod support;

mod a_browser_on_a_bad_network_loses_few_frames;
mod a_browser_uses_the_ice_servers;
mod a_camera_in_a_browser_plays_in_a_browser;
mod a_clean_end_ends_its_streams;
mod a_crash_of_one_decoder_costs_its_stream_a_second;
mod a_flood_of_offers_hurts_no_other_room;
mod a_full_disk_costs_only_what_is_new;
mod a_layout_changes_on_air;
mod a_mix_changes_on_air;
mod a_packager_that_hangs_is_replaced;
mod a_peer_may_send_sound_or_picture_alone;
mod a_slate_plays_before_anyone_publishes;
mod a_stream_is_encoded_as_its_start_asks;
mod an_ended_stream_stays_ended;
mod an_origin_that_does_not_answer_is_waited_for;
mod commands_say_what_is_wrong;
mod directors_share_a_desk;
mod lip_sync_holds;
mod pictures_of_any_size_and_nonsense_hurt_nobody;
mod pictures_that_cannot_be_seen_are_not_decoded;
mod players_change_rungs_without_a_gap;
mod publish_puts_a_file_and_a_test_picture_on_stage;
mod publishers_come_and_go;
mod simulcast_layers_fit_their_tiles;
mod simulcast_survives_a_bad_network;
mod sixteen_people_stay_in_step;
mod the_default_ladder_keeps_its_word;
mod the_demo_is_live_with_people_on_stage;
mod the_mix_is_as_loud_as_it_should_be;
mod the_operator_sees_what_is_live;
mod the_pages_are_for_everybody;
mod the_studio_page_is_a_director_s_desk;
mod the_studio_page_keeps_its_word;
mod the_watch_page_has_controls;
mod the_watch_page_offers_other_screens;
mod the_watch_page_plays_the_room_s_next_stream;
mod the_watch_page_plays_the_sound_alone;
mod the_watch_page_says_that_it_cannot_play;
mod viewers_cannot_publish;
mod what_is_around_the_people_changes_on_air;
mod what_is_published_is_what_is_played;
mod who_is_on_stage_is_known;
mod whoever_comes_and_goes_leaves_nothing_behind;
mod whoever_speaks_is_shown;
