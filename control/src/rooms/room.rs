//! Rooms: what a caller may ask of one, and what comes of it.

use super::date::Timestamp;
use super::template::DEFAULT_TEMPLATE_ID;
use super::{Invalid, id};
use rand::RngCore;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Seconds. 100ms's bounds.
const MAX_DURATION_SECONDS: std::ops::RangeInclusive<u64> = 120..=43_200;
/// Peers of an ordinary room, and of one with `large_room`.
const MAX_SIZE: u64 = 2500;
const MAX_LARGE_SIZE: u64 = 20_000;
const REGIONS: [&str; 4] = ["auto", "eu", "in", "us"];
const UPLOAD_TYPES: [&str; 4] = ["s3", "gs", "oss", "azure"];
const MAX_DESCRIPTION_BYTES: usize = 4096;

/// A room.
#[derive(Debug, Clone, PartialEq)]
pub struct Room {
    /// 24 hex digits, or what the caller chose.
    pub id: String,
    /// Unique, whatever the case.
    pub name: String,
    /// A disabled room lets nobody in; what goes on in it goes on.
    pub enabled: bool,
    /// Where its roles come from.
    pub template_id: String,
    /// The rest.
    pub settings: Settings,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What a room keeps for those who set it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Shown to people.
    #[serde(default)]
    pub description: String,
    /// Where its recordings go; absent is inherited from the template.
    #[serde(default)]
    pub recording_info: Option<Value>,
    /// `auto` where the caller has no wish. One installation is in one place.
    #[serde(default)]
    pub region: Option<String>,
    /// Peers at one time.
    #[serde(default)]
    pub size: Option<u64>,
    /// Allows a `size` beyond 2500.
    #[serde(default)]
    pub large_room: bool,
    /// Of a session, in seconds.
    #[serde(default)]
    pub max_duration_seconds: Option<u64>,
    /// Ids of polls.
    #[serde(default)]
    pub polls: Option<Value>,
    /// `{url, headers}`.
    #[serde(default)]
    pub webhook: Option<Value>,
}

/// What a caller asks for; what is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RoomRequest {
    /// Chosen by the caller: our addition to 100ms's API. Of a new room only.
    pub id: Option<String>,
    /// See [`Room`].
    pub name: Option<String>,
    /// See [`Room`].
    pub enabled: Option<bool>,
    /// See [`Room`].
    pub template_id: Option<String>,
    /// See [`Settings`].
    pub description: Option<String>,
    /// See [`Settings`].
    pub recording_info: Option<Value>,
    /// See [`Settings`].
    pub region: Option<String>,
    /// See [`Settings`].
    pub size: Option<u64>,
    /// See [`Settings`].
    pub large_room: Option<bool>,
    /// See [`Settings`].
    pub max_duration_seconds: Option<u64>,
    /// See [`Settings`].
    pub polls: Option<Value>,
    /// See [`Settings`].
    pub webhook: Option<Value>,
}

/// What `POST /v2/rooms` comes to. `same_id` and `same_name` are the rooms that there are by [`RoomRequest::id`] and
/// [`RoomRequest::looked_up_name`]: creating what exists updates it.
pub fn upsert(
    same_id: Option<&Room>,
    same_name: Option<&Room>,
    request: &RoomRequest,
    now: Timestamp,
    random: &mut impl RngCore,
) -> Result<Room, Invalid> {
    if let Some(room) = same_id {
        return update(room, same_name, request, now);
    }
    if let Some(chosen) = &request.id {
        id::check_id(chosen)?;
    }
    match (same_name, &request.name, &request.id) {
        (Some(room), Some(_), None) => update(room, None, request, now),
        (Some(room), Some(name), Some(_)) => Err(taken(name, room)),
        (Some(_), None, _) => changed(new(None, request, now, random), request, now),
        (None, _, chosen) => changed(new(chosen.as_deref(), request, now, random), request, now),
    }
}

/// What `POST /v2/rooms/<id>` comes to.
pub fn update(room: &Room, same_name: Option<&Room>, request: &RoomRequest, now: Timestamp) -> Result<Room, Invalid> {
    if let Some(other) = request.id.as_ref().filter(|other| **other != room.id) {
        return Err(Invalid(format!("id: {} is not this room's; an id cannot be changed", id::quoted(other))));
    }
    match (&request.name, same_name) {
        (Some(name), Some(other)) if other.id != room.id => Err(taken(name, other)),
        _ => changed(room.clone(), request, now),
    }
}

fn taken(name: &str, room: &Room) -> Invalid {
    Invalid(format!("name: {} is the name of room {}; choose another, or that room's id", id::quoted(name), room.id))
}

fn new(free_name: Option<&str>, request: &RoomRequest, now: Timestamp, random: &mut impl RngCore) -> Room {
    Room {
        id: request.id.clone().unwrap_or_else(|| id::generate(random)),
        name: free_name.map_or_else(|| id::uuid(random), str::to_owned),
        enabled: true,
        template_id: DEFAULT_TEMPLATE_ID.to_owned(),
        settings: Settings::default(),
        created_at: now,
        updated_at: now,
    }
}

fn changed(mut room: Room, request: &RoomRequest, now: Timestamp) -> Result<Room, Invalid> {
    let request = request.clone();
    let settings = &mut room.settings;
    set(&mut room.name, request.name);
    set(&mut room.enabled, request.enabled);
    set(&mut room.template_id, request.template_id);
    set(&mut settings.description, request.description);
    set(&mut settings.large_room, request.large_room);
    settings.recording_info = request.recording_info.or(settings.recording_info.take());
    settings.region = request.region.or(settings.region.take());
    settings.size = request.size.or(settings.size);
    settings.max_duration_seconds = request.max_duration_seconds.or(settings.max_duration_seconds);
    settings.polls = request.polls.or(settings.polls.take());
    settings.webhook = request.webhook.or(settings.webhook.take());
    room.updated_at = now;
    check(&room)?;
    Ok(room)
}

fn set<T>(field: &mut T, wish: Option<T>) {
    if let Some(value) = wish {
        *field = value;
    }
}

/// Where 100ms's words are known, they are used: clients may look for them.
fn check(room: &Room) -> Result<(), Invalid> {
    id::check_name(&room.name)?;
    let settings = &room.settings;
    let refuse = |text: String| Err(Invalid(text));
    if settings.description.len() > MAX_DESCRIPTION_BYTES {
        return refuse(format!("description: longer than {MAX_DESCRIPTION_BYTES} bytes; shorten it"));
    }
    if let Some(region) = settings.region.as_ref().filter(|region| !REGIONS.contains(&region.as_str())) {
        return refuse(format!("region not supported: {}; use one of {}", id::quoted(region), REGIONS.join(", ")));
    }
    if let Some(seconds) = settings.max_duration_seconds.filter(|s| !MAX_DURATION_SECONDS.contains(s)) {
        let (least, most) = (MAX_DURATION_SECONDS.start(), MAX_DURATION_SECONDS.end());
        return refuse(format!("max_duration_seconds: {seconds}; use {least} to {most}"));
    }
    match settings.size {
        Some(size) if size > MAX_LARGE_SIZE => refuse("room size greater than 20000".to_owned()),
        Some(size) if size > MAX_SIZE && !settings.large_room => {
            refuse("room size greater than 2500, set large_room flag as true".to_owned())
        }
        _ => settings.recording_info.as_ref().map_or(Ok(()), check_recording),
    }?;
    settings.webhook.as_ref().map_or(Ok(()), check_webhook)
}

fn check_recording(info: &Value) -> Result<(), Invalid> {
    let Some(upload) = info.get("upload_info").filter(|upload| !upload.is_null()) else {
        return Ok(());
    };
    let text = |key: &str| upload.get(key).and_then(Value::as_str).unwrap_or_default();
    if !UPLOAD_TYPES.contains(&text("type")) {
        let kind = id::quoted(text("type"));
        let types = UPLOAD_TYPES.join(", ");
        return Err(Invalid(format!(
            "Invalid upload configuration: recording_info.upload_info.type is {kind}; use one of {types}"
        )));
    }
    if text("location").is_empty() {
        return Err(Invalid(
            "Bucket location is missing: give recording_info.upload_info.location, the bucket's name".to_owned(),
        ));
    }
    Ok(())
}

fn check_webhook(webhook: &Value) -> Result<(), Invalid> {
    let url = webhook.get("url").and_then(Value::as_str).unwrap_or_default();
    if url.starts_with("https://") || url.starts_with("http://") {
        return Ok(());
    }
    Err(Invalid(format!("webhook.url: {} is not a URL; give one with http:// or https://", id::quoted(url))))
}

impl RoomRequest {
    /// The name under which [`upsert`] wants to know a room: a new room with a chosen id is named by it where that is free.
    pub fn looked_up_name(&self) -> Option<&str> {
        self.name.as_deref().or(self.id.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use serde_json::json;

    const NOW: Timestamp = Timestamp(1_000);
    const LATER: Timestamp = Timestamp(2_000);

    fn named(name: &str) -> RoomRequest {
        RoomRequest { name: Some(name.to_owned()), ..RoomRequest::default() }
    }

    fn chosen(id: &str) -> RoomRequest {
        RoomRequest { id: Some(id.to_owned()), ..RoomRequest::default() }
    }

    fn make(request: &RoomRequest) -> Result<Room, Invalid> {
        upsert(None, None, request, NOW, &mut StdRng::seed_from_u64(1))
    }

    #[test]
    fn a_room_without_wishes_gets_an_id_a_name_and_the_default_template() {
        let room = make(&RoomRequest::default()).unwrap();
        assert_eq!((room.id.len(), room.name.len(), room.enabled), (24, 36, true));
        assert_eq!(room.template_id, DEFAULT_TEMPLATE_ID);
        assert_eq!((room.created_at, room.updated_at), (NOW, NOW));
    }

    #[test]
    fn creating_what_exists_updates_it() {
        let mut random = StdRng::seed_from_u64(1);
        let first = make(&named("standup")).unwrap();
        let again = RoomRequest { description: Some("daily".into()), ..named("Standup") };
        let updated = upsert(None, Some(&first), &again, LATER, &mut random).unwrap();
        assert_eq!((&updated.id, updated.created_at, updated.updated_at), (&first.id, NOW, LATER));
        assert_eq!((updated.name.as_str(), updated.settings.description.as_str()), ("Standup", "daily"));

        let by_id = make(&chosen("demo")).unwrap();
        assert_eq!((by_id.id.as_str(), by_id.name.as_str()), ("demo", "demo"));
        let renamed = RoomRequest { name: Some("show".into()), ..chosen("demo") };
        let renamed = upsert(Some(&by_id), None, &renamed, LATER, &mut random).unwrap();
        assert_eq!((renamed.id.as_str(), renamed.name.as_str()), ("demo", "show"));
    }

    #[test]
    fn a_name_belongs_to_one_room() {
        let mut random = StdRng::seed_from_u64(1);
        let other = make(&named("demo")).unwrap();
        let both = RoomRequest { id: Some("a".into()), ..named("demo") };
        let error = upsert(None, Some(&other), &both, NOW, &mut random).unwrap_err();
        assert!(error.0.contains(&other.id), "{error}");
        let room = make(&chosen("a")).unwrap();
        assert!(update(&room, Some(&other), &named("demo"), LATER).is_err());
        assert!(update(&other, Some(&other), &named("demo"), LATER).is_ok());
        // An id whose text is another room's name is no conflict: nobody asked for that name.
        let third = upsert(None, Some(&other), &chosen("demo"), NOW, &mut random).unwrap();
        assert_eq!((third.id.as_str(), third.name.len()), ("demo", 36));
    }

    #[test]
    fn an_update_changes_what_it_names_and_nothing_else() {
        let room = make(&RoomRequest { size: Some(7), ..named("a") }).unwrap();
        let disabled = update(&room, None, &RoomRequest { enabled: Some(false), ..RoomRequest::default() }, LATER);
        assert_eq!(disabled.unwrap(), Room { enabled: false, updated_at: LATER, ..room.clone() });
        assert!(update(&room, None, &chosen("another"), LATER).unwrap_err().0.contains("cannot be changed"));
    }

    #[test]
    fn values_out_of_bounds_are_refused_by_name() {
        let check = |request: RoomRequest, want: &str| {
            let error = make(&request).unwrap_err();
            assert!(error.0.contains(want), "{error}");
        };
        let any = RoomRequest::default;
        check(chosen("a/b"), "id: \"a/b\"");
        check(named("a b"), "name: \"a b\"");
        check(RoomRequest { size: Some(20_001), large_room: Some(true), ..any() }, "room size greater than 20000");
        check(RoomRequest { size: Some(2501), ..any() }, "set large_room flag as true");
        check(RoomRequest { max_duration_seconds: Some(119), ..any() }, "max_duration_seconds: 119; use 120 to 43200");
        check(RoomRequest { max_duration_seconds: Some(43_201), ..any() }, "max_duration_seconds: 43201");
        check(RoomRequest { region: Some("mars".into()), ..any() }, "region not supported: \"mars\"");
        check(RoomRequest { description: Some("x".repeat(5000)), ..any() }, "description");
        check(RoomRequest { webhook: Some(json!({"url": "ftp://x"})), ..any() }, "webhook.url: \"ftp://x\"");
        let upload = |upload: Value| Some(json!({"enabled": true, "upload_info": upload}));
        check(RoomRequest { recording_info: upload(json!({"type": "s3"})), ..any() }, "Bucket location is missing");
        let unknown = upload(json!({"type": "tape", "location": "b"}));
        check(RoomRequest { recording_info: unknown, ..any() }, "Invalid upload configuration");
        let large = RoomRequest { size: Some(20_000), large_room: Some(true), ..any() };
        assert_eq!(make(&large).unwrap().settings.size, Some(20_000));
    }
}
