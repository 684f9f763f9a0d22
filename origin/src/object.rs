//! What a PUT says of its object, read from its headers once.

use crate::bodies::Bodies;
use crate::live::{Counts, Live, Version};
use crate::path::ObjectPath;
use crate::refusal::Refusal;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use std::str::FromStr;
use std::time::Duration;

/// Paths that one playlist may promise: a part and a map are what a preload hint can name, so this is far above use.
pub const MAX_PROMISES: usize = 64;
/// Segments whose part counts one playlist may carry: three target durations keep their parts, a window far fewer than this.
pub const MAX_PART_COUNTS: usize = 4096;
/// Seconds that a target duration may be. A blocking request waits for three, and every hop's timeout has to allow it.
pub const MAX_TARGET_DURATION_S: u64 = 60;

/// A whole object as it is kept.
#[derive(Debug, Clone)]
pub struct Object {
    /// Given to viewers unchanged.
    pub content_type: HeaderValue,
    /// Given to viewers unchanged.
    pub cache_control: HeaderValue,
    /// Who may have it: kept for the edge.
    pub access: Access,
    /// Not on the viewers' listener.
    pub private: bool,
    /// Its representations.
    pub bodies: Bodies,
    /// What makes it a live playlist.
    pub live: Option<Live>,
}

/// `Playback-Access`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Who holds a viewer token.
    Token,
}

/// The header's name, as it travels to the edge.
pub const PLAYBACK_ACCESS: HeaderName = HeaderName::from_static("playback-access");

const VISIBILITY: &str = "Footlight-Visibility";
const VERSION: &str = "Footlight-Version";
const PART_COUNTS: &str = "Footlight-Part-Counts";
const PART_TARGET: &str = "Footlight-Part-Target";
const TARGET_DURATION: &str = "Footlight-Target-Duration";
const EXACT: &str = "Footlight-Cache-Control-Exact";
const PROMISES: &str = "Footlight-Promises";
const BODIES: &str = "Footlight-Bodies";
const ENDED: &str = "Footlight-Ended";
const KNOWN: [&str; 9] =
    [VISIBILITY, VERSION, PART_COUNTS, PART_TARGET, TARGET_DURATION, EXACT, PROMISES, BODIES, ENDED];
/// Those that mean nothing without a version.
const LIVE_ONLY: [&str; 6] = [PART_COUNTS, PART_TARGET, TARGET_DURATION, EXACT, PROMISES, ENDED];

impl Object {
    /// Reads the headers of a PUT.
    pub fn parse(headers: &HeaderMap, body: Bytes) -> Result<Self, Refusal> {
        for name in headers.keys().filter(|name| name.as_str().starts_with("footlight-")) {
            if !KNOWN.iter().any(|known| known.eq_ignore_ascii_case(name.as_str())) {
                return Err(Refusal::UnknownHeader(name.to_string()));
            }
        }
        if headers.contains_key(header::CONTENT_ENCODING) {
            let problem = "is not taken on a PUT; send the gzip form as full.gzip in Footlight-Bodies".into();
            return Err(Refusal::Header { name: "Content-Encoding", problem });
        }
        let cache_control = required(headers, "Cache-Control")?.clone();
        let access = match text(headers, "Playback-Access")? {
            None | Some("public") => Access::Public,
            Some("token") => Access::Token,
            Some(other) => return Err(wrong("Playback-Access", other, "public or token")),
        };
        let private = match text(headers, VISIBILITY)? {
            None => false,
            Some("private") => true,
            Some(other) => return Err(wrong(VISIBILITY, other, "private, or absent")),
        };
        let bodies = match text(headers, BODIES)? {
            None => Bodies::whole(body),
            Some(list) => Bodies::parse(list, body)
                .map_err(|error| Refusal::Header { name: BODIES, problem: error.to_string() })?,
        };
        let live = live(headers, &cache_control)?;
        Ok(Self {
            content_type: required(headers, "Content-Type")?.clone(),
            cache_control,
            access,
            private,
            bodies,
            live,
        })
    }
}

fn live(headers: &HeaderMap, cache_control: &HeaderValue) -> Result<Option<Live>, Refusal> {
    let Some(version) = text(headers, VERSION)? else {
        return match LIVE_ONLY.into_iter().find(|name| headers.contains_key(*name)) {
            Some(name) => Err(Refusal::Header { name, problem: format!("means nothing without {VERSION}") }),
            None => Ok(None),
        };
    };
    let version: Version = version.parse().map_err(|()| wrong(VERSION, version, "<msn>.<parts>, as 13.2"))?;
    let counts = match text(headers, PART_COUNTS)? {
        None => Counts::default(),
        Some(list) => Counts::parse(list, version, MAX_PART_COUNTS).ok_or_else(|| {
            wrong(PART_COUNTS, list, "<msn>:<parts> joined by commas, rising, in accord with the version")
        })?,
    };
    let part_target = match text(headers, PART_TARGET)? {
        None => None,
        Some(seconds) => {
            Some(decimal_seconds(seconds).ok_or_else(|| wrong(PART_TARGET, seconds, "seconds above 0, as 0.342"))?)
        }
    };
    let target_duration = required_text(headers, TARGET_DURATION)?;
    let target_duration = target_duration
        .parse()
        .ok()
        .filter(|s| (1..=MAX_TARGET_DURATION_S).contains(s))
        .map(Duration::from_secs)
        .ok_or_else(|| wrong(TARGET_DURATION, target_duration, "whole seconds from 1 to 60"))?;
    let ended = match text(headers, ENDED)? {
        None => false,
        Some("1") => true,
        Some(other) => return Err(wrong(ENDED, other, "1, or absent")),
    };
    let promises = match text(headers, PROMISES)? {
        Some(list) if !ended => promises(list)?,
        _ => Vec::new(),
    };
    let exact = one(headers, EXACT)?.unwrap_or(cache_control).clone();
    Ok(Some(Live { version, counts, part_target, target_duration, exact, promises, ended }))
}

fn promises(list: &str) -> Result<Vec<ObjectPath>, Refusal> {
    let mut paths = Vec::new();
    for item in list.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let path = ObjectPath::parse(item).map_err(|error| wrong(PROMISES, item, &error.to_string()))?;
        if !paths.contains(&path) {
            paths.push(path);
        }
        if paths.len() > MAX_PROMISES {
            return Err(Refusal::Header { name: PROMISES, problem: format!("lists more than {MAX_PROMISES} paths") });
        }
    }
    Ok(paths)
}

/// Seconds as a plain decimal: at most a day, at least a millisecond.
fn decimal_seconds(text: &str) -> Option<Duration> {
    if !text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    let seconds = f64::from_str(text).ok().filter(|s| (0.001..=86_400.0).contains(s))?;
    Some(Duration::from_secs_f64(seconds))
}

/// The header's only value; a second one would leave open which of them counts.
fn one<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<Option<&'h HeaderValue>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let value = values.next();
    if values.next().is_some() {
        return Err(Refusal::Header { name, problem: "appears more than once; send it once".into() });
    }
    Ok(value)
}

fn text<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<Option<&'h str>, Refusal> {
    one(headers, name)?
        .map(|value| value.to_str().map(str::trim))
        .transpose()
        .map_err(|_| Refusal::Header { name, problem: "is not plain ASCII".into() })
}

fn required<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<&'h HeaderValue, Refusal> {
    one(headers, name)?
        .filter(|value| !value.is_empty())
        .ok_or_else(|| Refusal::Header { name, problem: "is missing; every PUT carries it".into() })
}

fn required_text<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<&'h str, Refusal> {
    text(headers, name)?
        .ok_or_else(|| Refusal::Header { name, problem: "is missing; every live playlist carries it".into() })
}

fn wrong(name: &'static str, value: &str, right: &str) -> Refusal {
    const SHOWN_CHARS: usize = 64;
    let shown: String = value.chars().take(SHOWN_CHARS).collect();
    Refusal::Header { name, problem: format!("is {shown:?}; it must be {right}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(extra: &[(&'static str, &'static str)], expected: Result<(), &'static str>) {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("text/plain"));
        headers.insert("cache-control", HeaderValue::from_static("max-age=1"));
        for (name, value) in extra {
            if value.is_empty() {
                headers.remove(*name);
            } else {
                headers.append(*name, HeaderValue::from_static(value));
            }
        }
        let named = match Object::parse(&headers, Bytes::from_static(b"ab")) {
            Ok(_) => Ok(()),
            Err(Refusal::Header { name, .. }) => Err(name.to_owned()),
            Err(other) => Err(other.to_string()),
        };
        assert_eq!(named, expected.map_err(str::to_owned), "{extra:?}");
    }

    #[test]
    fn a_put_is_taken_or_refused_by_the_name_of_the_header_at_fault() {
        const V: (&str, &str) = ("footlight-version", "13.2");
        const T: (&str, &str) = ("footlight-target-duration", "2");
        check(&[], Ok(()));
        check(&[("content-type", "")], Err("Content-Type"));
        check(&[("cache-control", "")], Err("Cache-Control"));
        check(&[("cache-control", "max-age=2")], Err("Cache-Control"));
        check(&[("content-encoding", "gzip")], Err("Content-Encoding"));
        check(&[("playback-access", "token")], Ok(()));
        check(&[("playback-access", "nobody")], Err("Playback-Access"));
        check(&[("footlight-visibility", "private")], Ok(()));
        check(&[("footlight-visibility", "public")], Err("Footlight-Visibility"));
        check(&[("footlight-bodies", "full=1,full.gzip=1")], Ok(()));
        check(&[("footlight-bodies", "full=1")], Err("Footlight-Bodies"));
        check(&[("footlight-color", "red")], Err("the header footlight-color is not known; see docs/wire.md"));
        check(&[V, T], Ok(()));
        check(&[V], Err("Footlight-Target-Duration"));
        check(&[T], Err("Footlight-Target-Duration"));
        check(&[("footlight-version", "13"), T], Err("Footlight-Version"));
        check(&[("footlight-version", "+13.1"), T], Err("Footlight-Version"));
        check(&[V, ("footlight-target-duration", "0")], Err("Footlight-Target-Duration"));
        check(&[V, ("footlight-target-duration", "61")], Err("Footlight-Target-Duration"));
        check(&[V, ("footlight-target-duration", "2.5")], Err("Footlight-Target-Duration"));
        check(&[V, T, ("footlight-part-target", "0.342")], Ok(()));
        check(&[V, T, ("footlight-part-target", "0")], Err("Footlight-Part-Target"));
        check(&[V, T, ("footlight-part-target", "-1")], Err("Footlight-Part-Target"));
        check(&[V, T, ("footlight-part-target", "inf")], Err("Footlight-Part-Target"));
        check(&[V, T, ("footlight-part-counts", "11:6,12:6,13:2")], Ok(()));
        check(&[V, T, ("footlight-part-counts", "11:6,12:6")], Ok(()));
        check(&[V, T, ("footlight-part-counts", "12:6,11:6")], Err("Footlight-Part-Counts"));
        check(&[V, T, ("footlight-part-counts", "13:3")], Err("Footlight-Part-Counts"));
        check(&[V, T, ("footlight-part-counts", "14:1")], Err("Footlight-Part-Counts"));
        check(&[V, T, ("footlight-part-counts", "x")], Err("Footlight-Part-Counts"));
        check(&[V, T, ("footlight-promises", "/a/b/c/d.m4s,/a/b/c/e.m4s")], Ok(()));
        check(&[V, T, ("footlight-promises", "d.m4s")], Err("Footlight-Promises"));
        check(&[V, T, ("footlight-ended", "1")], Ok(()));
        check(&[V, T, ("footlight-ended", "0")], Err("Footlight-Ended"));
        check(&[("footlight-ended", "1")], Err("Footlight-Ended"));
        check(&[V, T, ("footlight-cache-control-exact", "max-age=12")], Ok(()));
    }

    #[test]
    fn an_ended_playlist_promises_nothing() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", "text/plain"),
            ("cache-control", "max-age=1"),
            ("footlight-version", "13.0"),
            ("footlight-target-duration", "2"),
            ("footlight-promises", "/a/b/c/d"),
            ("footlight-ended", "1"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let object = Object::parse(&headers, Bytes::new()).expect("it is well formed");
        assert!(object.live.expect("it has a version").promises.is_empty());
    }
}
