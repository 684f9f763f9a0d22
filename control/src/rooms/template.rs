//! Templates: the roles that a room has, and what each may do. There is one, built in; its roles are those of 100ms's
//! live-streaming preset.

use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The id of the default template, the same in every installation: "footlight" in ASCII, and a number.
pub const DEFAULT_TEMPLATE_ID: &str = "666f6f746c69676874000001";

/// Roles and their rights. Names are 100ms's, and so is the camel case.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    /// 24 hex digits.
    pub id: String,
    /// Shown to people.
    pub name: String,
    /// By name.
    pub roles: BTreeMap<String, Role>,
}

/// What a peer may do.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Role {
    /// Its key in the template.
    pub name: String,
    /// What it may send.
    pub publish_params: PublishParams,
    /// What it hears and sees.
    pub subscribe_params: SubscribeParams,
    /// What it may do to the room and to others.
    pub permissions: Permissions,
    /// 1 (first) to 5.
    pub priority: u8,
    /// Peers of this role at one time; 0 is no limit.
    pub max_peer_count: i32,
}

/// What a role may send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PublishParams {
    /// Of `audio`, `video`, `screen`; a role with none may not publish.
    pub allowed: Vec<Source>,
    /// How audio is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<AudioParams>,
    /// How a camera is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video: Option<VideoParams>,
    /// How a screen is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub screen: Option<VideoParams>,
}

/// What can be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A microphone.
    Audio,
    /// A camera.
    Video,
    /// A shared screen, with its sound.
    Screen,
}

/// How audio is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AudioParams {
    /// kbit/s.
    pub bit_rate: u32,
    /// `opus`.
    pub codec: String,
}

/// How a picture is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VideoParams {
    /// kbit/s.
    pub bit_rate: u32,
    /// A client's wish; the answer to its offer decides.
    pub codec: String,
    /// Frames per second.
    pub frame_rate: u32,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// What a role hears and sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscribeParams {
    /// Roles whose tracks it gets.
    pub subscribe_to_roles: Vec<String>,
    /// kbit/s, over all tracks.
    pub max_subs_bit_rate: u32,
}

/// What a role may do to the room and to others.
// 100ms's flags, each granted by itself.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Permissions {
    /// End the session for everybody.
    pub end_room: bool,
    /// Remove others.
    pub remove_others: bool,
    /// Mute others.
    pub mute: bool,
    /// Ask others to unmute.
    pub unmute: bool,
    /// Change others' roles.
    pub change_role: bool,
    /// Send the room's state to those who have not joined.
    pub send_room_state: bool,
    /// Answer polls.
    pub poll_read: bool,
    /// Make polls.
    pub poll_write: bool,
    /// Record.
    pub browser_recording: bool,
    /// Send the room elsewhere by RTMP.
    pub rtmp_streaming: bool,
    /// Start and stop the live stream.
    pub hls_streaming: bool,
}

impl Role {
    /// Whether it may send anything.
    pub fn may_publish(&self) -> bool {
        !self.publish_params.allowed.is_empty()
    }
}

/// The built-in template.
pub fn default_template() -> Template {
    let host = Permissions {
        end_room: true,
        remove_others: true,
        mute: true,
        unmute: true,
        change_role: true,
        send_room_state: true,
        poll_read: true,
        poll_write: true,
        browser_recording: true,
        rtmp_streaming: true,
        hls_streaming: true,
    };
    let guest = Permissions { poll_read: true, ..Permissions::default() };
    let roles = [
        role("broadcaster", true, &ON_STAGE, host, 1),
        role("co-broadcaster", true, &ON_STAGE, host, 2),
        role("viewer-on-stage", true, &ON_STAGE, guest, 3),
        role("viewer-realtime", false, &ON_STAGE, guest, 4),
        // Watches the HLS stream, so it is sent no tracks.
        role("viewer-near-realtime", false, &[], guest, 5),
    ];
    Template {
        id: DEFAULT_TEMPLATE_ID.to_owned(),
        name: "live-streaming".to_owned(),
        roles: roles.into_iter().map(|role| (role.name.clone(), role)).collect(),
    }
}

const ON_STAGE: [&str; 3] = ["broadcaster", "co-broadcaster", "viewer-on-stage"];

fn role(name: &str, publishes: bool, subscribes_to: &[&str], permissions: Permissions, priority: u8) -> Role {
    let publish_params = if publishes {
        let picture = |bit_rate, frame_rate| VideoParams {
            bit_rate,
            codec: "h264".to_owned(),
            frame_rate,
            width: 1280,
            height: 720,
        };
        PublishParams {
            allowed: vec![Source::Audio, Source::Video, Source::Screen],
            audio: Some(AudioParams { bit_rate: 64, codec: "opus".to_owned() }),
            video: Some(picture(1500, 30)),
            screen: Some(picture(1500, 15)),
        }
    } else {
        PublishParams { allowed: Vec::new(), audio: None, video: None, screen: None }
    };
    let subscribe_params = SubscribeParams {
        subscribe_to_roles: subscribes_to.iter().map(|&role| role.to_owned()).collect(),
        max_subs_bit_rate: 3200,
    };
    Role { name: name.to_owned(), publish_params, subscribe_params, permissions, priority, max_peer_count: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_publish_and_who_may_go_live() {
        let template = default_template();
        let check = |role: &str, publish: bool, go_live: bool| {
            let role = &template.roles[role];
            assert_eq!((role.may_publish(), role.permissions.hls_streaming), (publish, go_live), "{}", role.name);
        };
        check("broadcaster", true, true);
        check("co-broadcaster", true, true);
        check("viewer-on-stage", true, false);
        check("viewer-realtime", false, false);
        check("viewer-near-realtime", false, false);
        assert_eq!(template.roles.len(), 5);
    }

    #[test]
    fn every_role_subscribes_to_roles_that_exist() {
        let template = default_template();
        for role in template.roles.values() {
            for other in &role.subscribe_params.subscribe_to_roles {
                assert!(template.roles[other].may_publish(), "{} subscribes to {other}", role.name);
            }
        }
    }
}
