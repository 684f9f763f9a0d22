//! Templates: the roles that a room has, what each may do, and what its live streams encode. Roles are those of 100ms's live-streaming preset, in
//! every template.

use super::ladder::destinations;
use super::{Invalid, id};
use crate::fields::Fields;
use rand::RngCore;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The id of the default template, the same in every installation: "footlight" in ASCII, and a number.
pub const DEFAULT_TEMPLATE_ID: &str = "666f6f746c69676874000001";

/// 100ms's bound of a name is not said; this is that of its rooms' descriptions of one line.
const MOST_NAME_CHARS: usize = 100;

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
    /// As they were given. Of `hlsDestinations` the `layers` and `videoFrameRate` say what is encoded.
    #[schema(value_type = Object)]
    pub destinations: Map<String, Value>,
}

/// What a template may be made or replaced with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TemplateRequest {
    /// Unlike any other, whatever the case.
    pub name: Option<String>,
    /// In 100ms's shape.
    pub destinations: Map<String, Value>,
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

impl TemplateRequest {
    /// Reads a body.
    pub fn parse(mut fields: Fields) -> Result<Self, Invalid> {
        if fields.has("roles") {
            let text = "roles: cannot be given; every template has those of the template live-streaming; leave it out";
            return Err(Invalid(text.to_owned()));
        }
        let name = fields.text("name")?;
        if let Some(name) = &name {
            check_name(name)?;
        }
        let given = match fields.object("destinations")? {
            Some(Value::Object(given)) => given,
            _ => Map::new(),
        };
        destinations(&given)?;
        Ok(Self { name, destinations: given })
    }
}

fn check_name(name: &str) -> Result<(), Invalid> {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || " -._:".contains(letter);
    if (1..=MOST_NAME_CHARS).contains(&name.len()) && name.chars().all(legal) {
        return Ok(());
    }
    let text =
        format!("name: {} is no name; give 1 to {MOST_NAME_CHARS} of a-z, A-Z, 0-9, space and -._:", id::quoted(name));
    Err(Invalid(text))
}

impl Template {
    /// A template, with the roles that all have.
    pub fn new(id: String, name: String, destinations: Map<String, Value>) -> Self {
        Self { id, name, roles: roles(), destinations }
    }

    /// What a request for a new one comes to, where `same_name` has its name already: 100ms replaces that one.
    pub fn upsert(
        same_name: Option<Self>,
        request: TemplateRequest,
        random: &mut impl RngCore,
    ) -> Result<Self, Invalid> {
        let name = request.name.ok_or_else(|| Invalid("name: missing; give a string".to_owned()))?;
        let id = same_name.map_or_else(|| id::generate(random), |template| template.id);
        Ok(Self::new(id, name, request.destinations))
    }

    /// What a request to replace it comes to, where `same_name` has the name that is wanted.
    pub fn replaced(self, same_name: Option<&Self>, request: TemplateRequest) -> Result<Self, Invalid> {
        if let Some(other) = same_name.filter(|other| other.id != self.id) {
            let name = id::quoted(&other.name);
            return Err(Invalid(format!("name: {name} is that of template {}; give another", other.id)));
        }
        Ok(Self::new(self.id, request.name.unwrap_or(self.name), request.destinations))
    }
}

/// The roles of every template, by name.
pub fn roles() -> BTreeMap<String, Role> {
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
    roles.into_iter().map(|role| (role.name.clone(), role)).collect()
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
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[test]
    fn who_may_publish_and_who_may_go_live() {
        let roles = roles();
        let check = |role: &str, publish: bool, go_live: bool| {
            let role = &roles[role];
            assert_eq!((role.may_publish(), role.permissions.hls_streaming), (publish, go_live), "{}", role.name);
        };
        check("broadcaster", true, true);
        check("co-broadcaster", true, true);
        check("viewer-on-stage", true, false);
        check("viewer-realtime", false, false);
        check("viewer-near-realtime", false, false);
        assert_eq!(roles.len(), 5);
    }

    #[test]
    fn every_role_subscribes_to_roles_that_exist() {
        let roles = roles();
        for role in roles.values() {
            for other in &role.subscribe_params.subscribe_to_roles {
                assert!(roles[other].may_publish(), "{} subscribes to {other}", role.name);
            }
        }
    }

    #[test]
    fn a_template_is_replaced_by_one_of_its_name_and_takes_no_other_s() {
        let mut random = StdRng::seed_from_u64(1);
        let request =
            |name: Option<&str>| TemplateRequest { name: name.map(str::to_owned), ..TemplateRequest::default() };
        let one = Template::upsert(None, request(Some("one")), &mut random).unwrap();
        let again = Template::upsert(Some(one.clone()), request(Some("One")), &mut random).unwrap();
        assert_eq!((&again.id, again.name.as_str()), (&one.id, "One"));
        let two = Template::upsert(None, request(Some("two")), &mut random).unwrap();
        assert_ne!(two.id, one.id);
        let refused = two.clone().replaced(Some(&one), request(Some("one"))).unwrap_err();
        assert_eq!(refused.0, format!("name: \"one\" is that of template {}; give another", one.id));
        assert_eq!(two.clone().replaced(None, request(None)).unwrap(), two);
        assert_eq!(Template::upsert(None, request(None), &mut random).unwrap_err().0, "name: missing; give a string");
    }

    #[test]
    fn what_is_no_template_is_refused_by_name() {
        let check = |body: &str, want: &str| {
            let refused = TemplateRequest::parse(Fields::parse(body.as_bytes()).unwrap()).unwrap_err();
            assert!(refused.0.starts_with(want), "{}", refused.0);
        };
        check(r#"{"name": "a/b"}"#, "name: \"a/b\" is no name");
        check(r#"{"name": "a", "roles": {}}"#, "roles: cannot be given");
        check(r#"{"name": "a", "destinations": []}"#, "destinations: […] is a list; give an object");
        check(
            r#"{"destinations": {"hlsDestinations": {"a": {"layers": 1}}}}"#,
            "destinations.hlsDestinations.a.layers: 1 is",
        );
    }
}
