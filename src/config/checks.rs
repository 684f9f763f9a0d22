//! What a setting may be, beyond its type. Pure: whether files are there and addresses are free is seen when they are used.

use super::{Config, ConfigError, IceServer};
use crate::encoding;
use std::ops::RangeInclusive;

/// A second of decoded 720p is 40 MB for each source, and every millisecond of it is added to everyone's latency.
const PLAYOUT_DELAY_MS: RangeInclusive<u64> = 0..=1_000;
/// Libraries and the stacks of their threads take 500 of it, and one rung of 720p as much again.
const PACKAGER_MEMORY_MB: RangeInclusive<u64> = 1_024..=1_048_576;
/// Up to a day.
const WINDOW_SEGMENTS: RangeInclusive<u64> = 1..=43_200;
/// From a quiet film to the loudest that is broadcast.
const LOUDNESS_LUFS: RangeInclusive<f64> = -36.0..=-14.0;
/// A server that takes nobody is none.
const COUNT: RangeInclusive<u64> = 1..=1_000_000;
/// Down to what one stream's window takes.
const MEMORY_MB: RangeInclusive<u64> = 64..=16_777_216;
/// A minute, in which a client can have connected, to a month.
const TTL_SECONDS: RangeInclusive<u64> = 60..=2_592_000;

impl Config {
    /// Says what cannot work.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let ladder = self.ladder();
        ladder.check()?;
        for (n, rung) in ladder.rungs.iter().enumerate() {
            if let Some(why) = encoding::fenced(rung.codec, self.packager.isolation) {
                return Err(ConfigError::Conflict(format!("packager.rungs[{n}].codec: {}: {why}", rung.codec.name())));
            }
        }
        self.check_settings().map_err(ConfigError::Conflict)
    }

    fn check_settings(&self) -> Result<(), String> {
        let count = |n: usize| n as u64;
        in_range("packager.playout_delay_ms", self.packager.playout_delay_ms, PLAYOUT_DELAY_MS)?;
        in_range("packager.memory_mb", self.packager.memory_mb, PACKAGER_MEMORY_MB)?;
        in_range("packager.window_segments", count(self.packager.window_segments), WINDOW_SEGMENTS)?;
        if let Some(lufs) = self.packager.loudness_lufs.filter(|lufs| !LOUDNESS_LUFS.contains(lufs)) {
            let (least, most) = (LOUDNESS_LUFS.start(), LOUDNESS_LUFS.end());
            return Err(format!("packager.loudness_lufs is {lufs}; give {least} to {most}, or null"));
        }
        in_range("webrtc.max_sessions", count(self.webrtc.max_sessions), COUNT)?;
        in_range("webrtc.max_sessions_per_room", count(self.webrtc.max_sessions_per_room), COUNT)?;
        in_range("origin.memory_mb", self.origin.memory_mb, MEMORY_MB)?;
        in_range("edge.cache_mb", self.edge.cache_mb, MEMORY_MB)?;
        in_range("edge.connections", count(self.edge.connections), COUNT)?;
        in_range("edge.connections_per_address", count(self.edge.connections_per_address), COUNT)?;
        let urls = [
            ("http.public_url", &self.http.public_url),
            ("origin.url", &self.origin.url),
            ("origin.publish_url", &self.origin.publish_url),
        ];
        for (key, url) in urls.into_iter().filter(|(_, url)| !url.is_empty()) {
            is_url(key, url)?;
        }
        for origin in self.cors.origins.iter().filter(|origin| *origin != "*") {
            is_url("cors.origins", origin)?;
        }
        if self.https.certificate.as_os_str().is_empty() != self.https.key.as_os_str().is_empty() {
            return Err("https.certificate and https.key: give both or neither".to_owned());
        }
        for (n, server) in self.webrtc.ice_servers.iter().enumerate() {
            server.check(&format!("webrtc.ice_servers[{n}]"))?;
        }
        if !self.origin.publish_url.is_empty() && self.origin.publish_secret.is_empty() {
            return Err(
                "origin.publish_url is set and origin.publish_secret is not: the origin will ask for it".to_owned()
            );
        }
        check_filter(&self.log.filter)
    }
}

fn in_range(key: &str, value: u64, range: RangeInclusive<u64>) -> Result<(), String> {
    let (least, most) = (range.start(), range.end());
    if range.contains(&value) { Ok(()) } else { Err(format!("{key} is {value}; give {least} to {most}")) }
}

/// What others are sent to, or come from.
fn is_url(key: &str, text: &str) -> Result<(), String> {
    let wrong = || format!("{key} is {text:?}; give http://HOST[:PORT] or https://HOST[:PORT]");
    let url = url::Url::parse(text).map_err(|_| wrong())?;
    if ["http", "https"].contains(&url.scheme()) && url.has_host() { Ok(()) } else { Err(wrong()) }
}

/// tracing takes a misspelt level for the name of a module, and then says nothing of all others.
fn check_filter(filter: &str) -> Result<(), String> {
    let level = |word: &str| ["off", "error", "warn", "info", "debug", "trace"].contains(&word);
    let legal = |directive: &str| match directive.rsplit_once('=') {
        Some((target, word)) => !target.is_empty() && level(word),
        None => level(directive),
    };
    match filter.split(',').map(str::trim).find(|directive| !legal(directive)) {
        None => Ok(()),
        Some(wrong) => Err(format!(
            "log.filter: {wrong:?} is no level; give off, error, warn, info, debug or trace, or MODULE=LEVEL, with commas between"
        )),
    }
}

impl IceServer {
    /// What is wrong with it, said of `key`.
    fn check(&self, key: &str) -> Result<(), String> {
        // What is no printable ASCII has no place in a header; the values themselves are secrets, and not repeated.
        let printable = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let fields = [("url", &self.url), ("username", &self.username), ("credential", &self.credential)];
        for (name, text) in fields {
            if !printable(text) {
                return Err(format!("{key}.{name} goes into an HTTP header: use printable ASCII only"));
            }
        }
        if !["stun:", "stuns:", "turn:", "turns:"].iter().any(|scheme| self.url.starts_with(scheme))
            || self.url.contains(['<', '>', '"', ' '])
        {
            return Err(format!(
                "{key}.url is {:?}; give stun:HOST[:PORT], turn:HOST[:PORT] or turns:HOST[:PORT]",
                self.url
            ));
        }
        if self.username.is_empty() != self.credential.is_empty() {
            return Err(format!("{key}: give username and credential, or neither"));
        }
        if !self.secret.is_empty() && !self.username.is_empty() {
            return Err(format!("{key}: give username and credential, or secret, from which they are made; not both"));
        }
        if self.url.starts_with("turn") && self.credentials().is_none() {
            return Err(format!(
                "{key}.url is {:?}, and browsers refuse a TURN server without credentials: give username and credential, or secret",
                self.url
            ));
        }
        if !TTL_SECONDS.contains(&self.ttl_seconds) {
            let (least, most) = (TTL_SECONDS.start(), TTL_SECONDS.end());
            return Err(format!("{key}.ttl_seconds is {}; give {least} to {most}", self.ttl_seconds));
        }
        Ok(())
    }
}
