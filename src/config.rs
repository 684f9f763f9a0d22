#![allow(clippy::disallowed_methods)] // IO: reads the configuration file and the environment, once, for main.
//! What an operator may set: one struct per section of `footlight.yaml`, unknown keys refused with the nearest known one.
//!
//! Precedence: defaults, the file, the environment (`FOOTLIGHT_HTTP_LISTEN`), the command's flags. The defaults are those of `footlight.yaml` at the
//! root of the repository, which is compiled in: the file that documents them is the file that sets them.

mod checks;

use crate::live::Isolation;
use footlight_packager::ladder::{AudioRendition, Ladder, LadderError, Rung, VideoCodec};
use footlight_packager::layout::Size;
use footlight_stage::ice_servers::IceCredentials;
use serde::{Deserialize, Serialize};
use serde_yaml_ng::{Mapping, Value};
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `footlight.yaml` as released: every setting with its default.
pub const DEFAULTS: &str = include_str!("../footlight.yaml");

const ENVIRONMENT_PREFIX: &str = "FOOTLIGHT_";
/// What `footlight publish --token` is where it is not given.
pub const TOKEN_VARIABLE: &str = "FOOTLIGHT_TOKEN";

/// Everything that can be set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // each is documented in footlight.yaml
pub struct Config {
    pub data_dir: PathBuf,
    pub http: HttpConfig,
    pub https: HttpsConfig,
    pub admin: AdminConfig,
    pub webrtc: WebrtcConfig,
    pub packager: PackagerConfig,
    pub origin: OriginConfig,
    pub edge: EdgeConfig,
    pub cors: CorsConfig,
    pub log: LogConfig,
    /// No setting: a demo decides it.
    #[serde(skip)]
    pub open_to_this_machine: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct HttpConfig {
    pub listen: SocketAddr,
    pub public_url: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct HttpsConfig {
    pub listen: Optional<SocketAddr>,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct AdminConfig {
    pub listen: SocketAddr,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct WebrtcConfig {
    pub listen: SocketAddr,
    pub announce: Vec<IpAddr>,
    pub ice_servers: Vec<IceServer>,
    pub max_sessions: usize,
    pub max_sessions_per_room: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct IceServer {
    pub url: String,
    #[serde(default)]
    pub username: String,
    #[serde(default)]
    pub credential: String,
    #[serde(default)]
    pub secret: String,
    #[serde(default = "default_ttl_seconds")]
    pub ttl_seconds: u64,
}

/// For how long a client may begin to use a TURN server by credentials that were made for it: a day on stage.
fn default_ttl_seconds() -> u64 {
    86_400
}

impl IceServer {
    /// What stage is handed.
    pub fn credentials(&self) -> Option<IceCredentials> {
        if !self.secret.is_empty() {
            let ttl = Duration::from_secs(self.ttl_seconds);
            return Some(IceCredentials::Secret { secret: self.secret.clone(), ttl });
        }
        let (username, password) = (self.username.clone(), self.credential.clone());
        (!username.is_empty()).then_some(IceCredentials::Fixed { username, password })
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct PackagerConfig {
    pub isolation: Isolation,
    pub memory_mb: u64,
    pub playout_delay_ms: u64,
    pub window_segments: usize,
    pub canvas: CanvasConfig,
    pub fps: u32,
    pub rungs: Vec<RungConfig>,
    pub audio: Vec<AudioConfig>,
    pub loudness_lufs: Option<f64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct CanvasConfig {
    pub width: u32,
    pub height: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct RungConfig {
    pub name: String,
    pub width: u32,
    pub height: u32,
    pub bitrate_kbps: u32,
    #[serde(default)]
    pub codec: VideoCodec,
    pub preset: String,
    pub audio: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct AudioConfig {
    pub name: String,
    pub bitrate_kbps: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct OriginConfig {
    pub url: String,
    pub publish: SocketAddr,
    pub publish_url: String,
    pub publish_secret: String,
    pub memory_mb: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct EdgeConfig {
    pub cache_mb: u64,
    pub connections: usize,
    pub connections_per_address: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct CorsConfig {
    pub origins: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct LogConfig {
    pub filter: String,
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum LogFormat {
    Text,
    Json,
}

/// A value that an empty string turns off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Optional<T>(pub Option<T>);

impl<T: std::fmt::Display> Serialize for Optional<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.as_ref().map(T::to_string).unwrap_or_default())
    }
}

impl<'de, T: std::str::FromStr<Err: std::fmt::Display>> Deserialize<'de> for Optional<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(Self(None));
        }
        text.parse().map(|value| Self(Some(value))).map_err(|e| serde::de::Error::custom(format!("{text:?}: {e}")))
    }
}

/// Why there is no configuration. The operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {cause}; give an existing file with --config, or leave it out", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        cause: std::io::Error,
    },
    /// The file is no YAML.
    #[error("{origin}: {cause}")]
    Syntax {
        /// The file or variable.
        origin: String,
        /// The parser's words, with line and column.
        cause: serde_yaml_ng::Error,
    },
    /// A key that does not exist.
    #[error("{origin}: unknown key {key:?}{}", nearest.as_ref().map(|n| format!("; did you mean {n:?}?")).unwrap_or_default())]
    Unknown {
        /// The file or variable.
        origin: String,
        /// The key, with its sections.
        key: String,
        /// The key that it resembles most.
        nearest: Option<String>,
    },
    /// A variable of ours that is no text.
    #[error("environment: {variable} is not UTF-8; unset it, or set it again as text")]
    NotText {
        /// The variable, as far as it is text.
        variable: String,
    },
    /// A value of the wrong kind.
    #[error("{origin}: {key}: {cause}{}", if key.ends_with("listen") || key.ends_with("publish") { "; give ADDRESS:PORT with an IP address, such as 127.0.0.1:8080" } else { "; footlight.yaml says what it takes" })]
    Value {
        /// The file or variable.
        origin: String,
        /// The key, with its sections.
        key: String,
        /// The value's own words.
        cause: serde_yaml_ng::Error,
    },
    /// A ladder that cannot be encoded.
    #[error("packager.{key}: {0}", key = ladder_key(.0))]
    Ladder(#[from] LadderError),
    /// What does not go together, or is beyond a bound, in what was read from somewhere.
    #[error("{origin}: {cause}")]
    Refused {
        /// The file, or the environment.
        origin: String,
        /// What it is.
        cause: Box<Self>,
    },
    /// The data directory is something else.
    #[error("data_dir {}: this is a file; give a directory, or the name of one that is to be made (data_dir, --data-dir)", path.display())]
    NotADirectory {
        /// What was given.
        path: PathBuf,
    },
    /// Two settings that do not go together.
    #[error("{0}")]
    Conflict(String),
}

/// The setting that a ladder's error is about.
const fn ladder_key(error: &LadderError) -> &'static str {
    match error {
        LadderError::FrameRate(_) => "fps",
        LadderError::Canvas { .. } => "canvas",
        _ => "rungs",
    }
}

impl Config {
    /// The configuration of this process: defaults, the file if any, the environment.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let text = file.map(|path| {
            std::fs::read_to_string(path).map_err(|cause| ConfigError::Read { path: path.to_owned(), cause })
        });
        let text = text.transpose()?;
        let name = file.map(|path| path.display().to_string()).unwrap_or_default();
        let environment = own_variables(std::env::vars_os())?;
        Self::merge(text.as_deref().map(|text| (name.as_str(), text)), environment.into_iter())
    }

    /// Merges the layers. Pure.
    pub fn merge(
        file: Option<(&str, &str)>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut merged = parse("footlight.yaml", DEFAULTS)?;
        let mut by_file = None;
        if let Some((name, text)) = file {
            let over = parse(name, text)?;
            overlay(name, "", &mut merged, over)?;
            // Read by itself, so that what is wrong is known to be this layer's. What goes with what is known only when all have been read.
            by_file = typed(name, &merged)?.check().err().map(|error| (name, error.to_string()));
        }
        for (variable, text) in environment {
            set_from_environment(&mut merged, &variable, &text)?;
            typed(&variable, &merged)?;
        }
        let config = typed("footlight.yaml", &merged)?;
        match config.check() {
            Ok(()) => Ok(config),
            Err(cause) => {
                let file = by_file.filter(|(_, said)| *said == cause.to_string()).map(|(name, _)| name);
                let origin = file.unwrap_or("environment").to_owned();
                Err(ConfigError::Refused { origin, cause: Box::new(cause) })
            }
        }
    }

    /// Refuses a data directory that is a file. Whoever needs it first would say so of a file that it has in it.
    pub fn check_data_dir(&self) -> Result<(), ConfigError> {
        let path = &self.data_dir;
        if path.is_file() { Err(ConfigError::NotADirectory { path: path.clone() }) } else { Ok(()) }
    }

    /// What every live stream encodes.
    pub fn ladder(&self) -> Ladder {
        let packager = &self.packager;
        let kilo = |kbps: u32| kbps.saturating_mul(1_000);
        Ladder {
            canvas: Size { width: packager.canvas.width, height: packager.canvas.height },
            fps: packager.fps,
            rungs: packager
                .rungs
                .iter()
                .map(|r| Rung {
                    name: r.name.clone(),
                    size: Size { width: r.width, height: r.height },
                    bitrate_bps: kilo(r.bitrate_kbps),
                    codec: r.codec,
                    preset: r.preset.clone(),
                    audio: r.audio.clone(),
                })
                .collect(),
            audio: packager
                .audio
                .iter()
                .map(|a| AudioRendition { name: a.name.clone(), bitrate_bps: kilo(a.bitrate_kbps) })
                .collect(),
        }
    }

    /// As YAML, for `footlight config print`; secrets are left out.
    pub fn print(&self) -> String {
        let mut shown = self.clone();
        if !shown.origin.publish_secret.is_empty() {
            shown.origin.publish_secret = "(set)".to_owned();
        }
        let servers = shown.webrtc.ice_servers.iter_mut();
        for secret in servers.flat_map(|server| [&mut server.credential, &mut server.secret]) {
            if !secret.is_empty() {
                *secret = "(set)".to_owned();
            }
        }
        serde_yaml_ng::to_string(&shown).expect("plain data always serialises")
    }
}

/// Those of the environment that are settings of ours. What others keep there need not be text.
fn own_variables(all: impl Iterator<Item = (OsString, OsString)>) -> Result<Vec<(String, String)>, ConfigError> {
    all.filter(|(variable, _)| is_setting(variable.as_encoded_bytes()))
        .map(|(variable, value)| match (variable.to_str(), value.to_str()) {
            (Some(variable), Some(value)) => Ok((variable.to_owned(), value.to_owned())),
            _ => Err(ConfigError::NotText { variable: variable.to_string_lossy().into_owned() }),
        })
        .collect()
}

/// The layers so far, where `origin` was the last.
fn typed(origin: &str, merged: &Mapping) -> Result<Config, ConfigError> {
    serde_path_to_error::deserialize(Value::Mapping(merged.clone())).map_err(|error| ConfigError::Value {
        origin: origin.to_owned(),
        key: error.path().to_string(),
        cause: error.into_inner(),
    })
}

fn parse(origin: &str, text: &str) -> Result<Mapping, ConfigError> {
    let syntax = |cause| ConfigError::Syntax { origin: origin.to_owned(), cause };
    // A file with nothing but comments is an empty one.
    let value: Option<Mapping> = serde_yaml_ng::from_str(text).map_err(syntax)?;
    Ok(value.unwrap_or_default())
}

/// Lays `over` upon `base`, section by section; lists are replaced whole.
fn overlay(origin: &str, path: &str, base: &mut Mapping, over: Mapping) -> Result<(), ConfigError> {
    for (key, value) in over {
        let name = key.as_str().map(str::to_owned).unwrap_or_else(|| format!("{key:?}"));
        let full = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let known: Vec<String> = base.keys().filter_map(Value::as_str).map(str::to_owned).collect();
        let Some(slot) = base.get_mut(&key) else {
            let nearest = nearest(&name, known.iter().map(String::as_str));
            return Err(ConfigError::Unknown { origin: origin.to_owned(), key: full, nearest });
        };
        match (slot, value) {
            (Value::Mapping(slot), Value::Mapping(value)) => overlay(origin, &full, slot, value)?,
            // An empty section changes nothing.
            (Value::Mapping(_), Value::Null) => {}
            (slot, value) => *slot = value,
        }
    }
    Ok(())
}

/// Whether a variable means the configuration. `footlight publish` takes its token from the environment, and who exports it there runs other commands too.
fn is_setting(variable: &[u8]) -> bool {
    variable.starts_with(ENVIRONMENT_PREFIX.as_bytes()) && variable != TOKEN_VARIABLE.as_bytes()
}

/// `FOOTLIGHT_HTTP_LISTEN` sets `http.listen`. The value is read as YAML, so that lists can be given.
fn set_from_environment(merged: &mut Mapping, variable: &str, text: &str) -> Result<(), ConfigError> {
    let wanted = variable.trim_start_matches(ENVIRONMENT_PREFIX).to_lowercase();
    let mut names = Vec::new();
    for (key, value) in merged.iter_mut() {
        let section = key.as_str().unwrap_or_default().to_owned();
        match value {
            Value::Mapping(inner) => {
                for (key, slot) in inner.iter_mut() {
                    let name = format!("{section}_{}", key.as_str().unwrap_or_default());
                    if name == wanted {
                        return assign(slot, variable, text);
                    }
                    names.push(name);
                }
            }
            slot if section == wanted => return assign(slot, variable, text),
            _ => names.push(section),
        }
    }
    let nearest = nearest(&wanted, names.iter().map(String::as_str));
    let nearest = nearest.map(|name| format!("{ENVIRONMENT_PREFIX}{}", name.to_uppercase()));
    Err(ConfigError::Unknown { origin: "environment".to_owned(), key: variable.to_owned(), nearest })
}

fn assign(slot: &mut Value, variable: &str, text: &str) -> Result<(), ConfigError> {
    // Text stays text: an address or a secret of digits is no number.
    if slot.is_string() {
        *slot = Value::String(text.to_owned());
        return Ok(());
    }
    let syntax = |cause| ConfigError::Syntax { origin: variable.to_owned(), cause };
    *slot = serde_yaml_ng::from_str(text).map_err(syntax)?;
    Ok(())
}

/// The name that needs the fewest changes, where that is at most half of it.
fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    names
        .map(|name| (strsim::damerau_levenshtein(wanted, name), name))
        .filter(|(distance, name)| *distance <= name.len().max(wanted.len()) / 2)
        .min()
        .map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    fn with(file: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Config::merge(Some(("my.yaml", file)), environment).map_err(|e| e.to_string())
    }

    #[test]
    fn the_released_file_is_the_default() {
        let config = with("", &[]).expect("the defaults are valid");
        assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.ladder().rungs[0].bitrate_bps, 2_500_000);
        assert_eq!(config.packager.isolation, Isolation::Process);
    }

    #[test]
    fn the_environment_wins_over_the_file_and_both_over_the_default() {
        let file = "http: {listen: '127.0.0.1:1'}\npackager: {fps: 24}";
        let config =
            with(file, &[("FOOTLIGHT_HTTP_LISTEN", "127.0.0.1:2"), ("FOOTLIGHT_WEBRTC_ANNOUNCE", "[192.0.2.1]")]);
        let config = config.expect("valid");
        assert_eq!(config.http.listen.port(), 2);
        assert_eq!(config.packager.fps, 24);
        assert_eq!(config.webrtc.announce, ["192.0.2.1".parse::<IpAddr>().expect("an address")]);
        assert_eq!(
            with("", &[("FOOTLIGHT_ORIGIN_PUBLISH_SECRET", "0123")]).expect("valid").origin.publish_secret,
            "0123"
        );
    }

    #[test]
    fn a_variable_that_is_no_text_is_refused_only_where_it_is_ours() {
        let no_text = || OsString::from_vec(vec![b'x', 0xff]);
        let mixed = |prefix: &str| OsString::from_vec([prefix.as_bytes(), &[0xff]].concat());
        let own = |all: Vec<(OsString, OsString)>| own_variables(all.into_iter()).map_err(|e| e.to_string());
        let others = vec![("PATH".into(), no_text()), (mixed("HOME"), "x".into())];
        assert_eq!(own(others), Ok(Vec::new()));
        let ours = vec![("FOOTLIGHT_HTTP_LISTEN".into(), "x".into())];
        assert_eq!(own(ours), Ok(vec![("FOOTLIGHT_HTTP_LISTEN".to_owned(), "x".to_owned())]));
        for ours in [("FOOTLIGHT_LOG_FILTER".into(), no_text()), (mixed("FOOTLIGHT_LOG_FILTER"), "x".into())] {
            assert!(own(vec![ours]).expect_err("is refused").contains("FOOTLIGHT_LOG_FILTER"));
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_cure() {
        let check = |file: &str, environment: &[(&str, &str)], want: &str| {
            let said = with(file, environment).expect_err("is wrong");
            assert!(said.contains(want), "{said}");
        };
        check("htp: {}", &[], "my.yaml: unknown key \"htp\"; did you mean \"http\"?");
        check("http: {lisen: x}", &[], "unknown key \"http.lisen\"; did you mean \"listen\"?");
        check(
            "http: {listen: 'localhost:1'}",
            &[],
            "my.yaml: http.listen: invalid socket address syntax; give ADDRESS:PORT",
        );
        check("", &[("FOOTLIGHT_HTTP_LISTEN", "abc")], "FOOTLIGHT_HTTP_LISTEN: http.listen: invalid");
        check("", &[("FOOTLIGHT_PACKAGER_FPS", "abc")], "FOOTLIGHT_PACKAGER_FPS: packager.fps: invalid type: string");
        check("packager: {fps: 'thirty'}", &[], "my.yaml: packager.fps: invalid type: string \"thirty\"");
        check("webrtc: {announce: [foo]}", &[], "my.yaml: webrtc.announce[0]: invalid IP address");
        check("packager: {rungs: [{name: a}]}", &[], "my.yaml: packager.rungs[0]: missing field `width`");
        check("packager: {rungs: [{widht: 1}]}", &[], "packager.rungs[0].widht: unknown field `widht`");
        check("packager: {memory_mb: 10}", &[], "packager.memory_mb is 10; give 1024 to");
        check("packager: {window_segments: 100000000}", &[], "packager.window_segments is 100000000; give 1 to 43200");
        check("packager: {loudness_lufs: 16}", &[], "packager.loudness_lufs is 16; give -36 to -14, or null");
        check("packager: {loudness_lufs: .nan}", &[], "packager.loudness_lufs is NaN; give -36 to -14, or null");
        check("webrtc: {max_sessions: 0}", &[], "webrtc.max_sessions is 0; give 1");
        check("webrtc: {max_sessions_per_room: 0}", &[], "webrtc.max_sessions_per_room is 0; give 1");
        check("http: {public_url: example.org}", &[], "http.public_url is \"example.org\"; give http://HOST");
        check("http: {public_url: 'ftp://x'}", &[], "http.public_url is \"ftp://x\"; give http://HOST");
        check("cors: {origins: [example.com]}", &[], "cors.origins is \"example.com\"; give http://HOST");
        check("log: {filter: inof}", &[], "log.filter: \"inof\" is no level");
        check("log: {filter: 'info,,=='}", &[], "log.filter: \"\" is no level");
        check("packager: {fps: 29}", &[], "my.yaml: packager.fps: 29 frames a second");
        check("packager: {rungs: []}", &[], "my.yaml: packager.rungs: 0 rungs: give 1 to 8");
        check("packager: {canvas: {width: 641, height: 360}}", &[], "my.yaml: packager.canvas: canvas 641x360: both");
        check("packager: {fps: 30}", &[("FOOTLIGHT_PACKAGER_FPS", "29")], "environment: packager.fps: 29 frames");
        check(
            "packager: {rungs: [{name: a, width: 640, height: 360, bitrate_kbps: 700, preset: superfast, codec: h264_nvenc, audio: audio}]}",
            &[],
            "packager.rungs[0].codec: h264_nvenc: it opens devices, which a fenced child process may not",
        );
        check("packager: {isolation: none}", &[], "packager.isolation: unknown variant `none`");
        check("", &[("FOOTLIGHT_HTTP_LISTN", "x")], "did you mean \"FOOTLIGHT_HTTP_LISTEN\"?");
        check("https: {key: k.pem}", &[], "https.certificate and https.key");
        check("a: [", &[], "my.yaml: ");
    }

    #[test]
    fn ice_servers_are_told_to_clients_or_refused_by_key() {
        let check = |server: &str, want: Result<Option<IceCredentials>, &str>| {
            let read = with(&format!("webrtc: {{ice_servers: [{{url: 'stun:s'}}, {{{server}}}]}}"), &[]);
            match (read, want) {
                (Ok(config), Ok(want)) => assert_eq!(config.webrtc.ice_servers[1].credentials(), want, "{server}"),
                (Err(said), Err(want)) => {
                    assert!(said.contains("webrtc.ice_servers[1]") && said.contains(want), "{server}: {said}");
                    assert!(!said.contains("hush"), "{said}");
                }
                (read, want) => panic!("{server}: {read:?}, not {want:?}"),
            }
        };
        let fixed = IceCredentials::Fixed { username: "u".into(), password: "a\"b".into() };
        check("url: 'turn:t:3478?transport=udp', username: u, credential: 'a\"b'", Ok(Some(fixed)));
        let secret = |ttl| Some(IceCredentials::Secret { secret: "s".into(), ttl: Duration::from_secs(ttl) });
        check("url: 'turns:t', secret: s", Ok(secret(86_400)));
        check("url: 'turns:t', secret: s, ttl_seconds: 60", Ok(secret(60)));
        check("url: 'turn:t', username: u, credential: \"hush\\u0007\"", Err("credential goes into an HTTP header"));
        check("url: 'turn:t', username: \"ü\", credential: hush", Err("username goes into an HTTP header"));
        check("url: 'turn:t', username: u", Err("username and credential, or neither"));
        check("url: 'turn:t', username: u, credential: hush, secret: hush", Err("not both"));
        check("url: 'turn:t', secret: hush, ttl_seconds: 1", Err("ttl_seconds is 1; give 60 to 2592000"));
        check("url: 'turn:t'", Err("url is \"turn:t\", and browsers refuse a TURN server without credentials"));
        check("url: 'turns:t:5349'", Err("give username and credential, or secret"));
        check("url: 'http://t'", Err("url is"));
        check("url: 'turn:a>b'", Err("url is"));
    }

    #[test]
    fn secrets_are_not_printed() {
        let config = with("origin: {publish_secret: hush}", &[]).expect("valid");
        assert!(!config.print().contains("hush"));
        for server in ["username: u, credential: hush", "secret: hush"] {
            let config = with(&format!("webrtc: {{ice_servers: [{{url: 'turn:t', {server}}}]}}"), &[]).expect("valid");
            assert!(!config.print().contains("hush"), "{server}");
        }
    }
}
