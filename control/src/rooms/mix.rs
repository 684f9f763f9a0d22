//! Who of a live stream is heard how loud: our addition to 100ms's API.

use super::{Invalid, id};
use crate::fields::Fields;
use serde::Serialize;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use utoipa::ToSchema;

/// Decibels. More than the upper end makes noise of whoever needs it; below the lower end nothing is heard.
const GAIN_DB: RangeInclusive<f64> = -60.0..=20.0;
/// Voices that one mix may name: more than any stage has.
const VOICES: usize = 100;

/// How loud one peer is mixed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
pub struct Fader {
    /// Decibels above what the peer sends, below it where negative: -60 to 20.
    pub gain_db: f64,
    /// Not heard at all; the peer's microphone stays as it is.
    pub muted: bool,
}

/// How loud all are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Mix {
    /// By user id. Who is not named is heard as they come.
    pub voices: BTreeMap<String, Fader>,
}

impl Mix {
    /// Reads a body; who is absent is as at a stream's start.
    pub fn parse(mut fields: Fields) -> Result<Self, Invalid> {
        fields.only(&["voices"])?;
        let Some(named) = fields.fields("voices")? else { return Ok(Self::default()) };
        let named = named.objects(|peer| id::check_user("voices", peer))?;
        if named.len() > VOICES {
            return Err(Invalid(format!("voices: {} are named, at most {VOICES}", named.len())));
        }
        let voices = named.into_iter().map(|(peer, fader)| Ok((peer, Fader::parse(fader)?)));
        Ok(Self { voices: voices.collect::<Result<_, Invalid>>()? })
    }
}

impl Fader {
    fn parse(mut fields: Fields) -> Result<Self, Invalid> {
        fields.only(&["gain_db", "muted"])?;
        let gain_db = fields.number("gain_db", GAIN_DB)?.unwrap_or_default();
        Ok(Self { gain_db, muted: fields.flag("muted")?.unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<Mix, Invalid> {
        Mix::parse(Fields::parse(body.as_bytes()).unwrap())
    }

    #[test]
    fn who_is_absent_is_heard_as_they_come() {
        assert_eq!(parse("{}"), Ok(Mix::default()));
        let mix =
            parse(r#"{"voices": {"ada": {"gain_db": -6.5}, "bob": {"muted": true}, "eve": {}, "off": null}}"#).unwrap();
        let want = [("ada", -6.5, false), ("bob", 0.0, true), ("eve", 0.0, false)];
        assert_eq!(mix.voices, want.map(|(peer, gain_db, muted)| (peer.to_owned(), Fader { gain_db, muted })).into());
        // What is shown can be sent again.
        assert_eq!(parse(&serde_json::to_string(&mix).unwrap()), Ok(mix));
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let check = |body: &str, want: &str| assert_eq!(parse(body).unwrap_err().0, want);
        let gain = |gain: &str| format!(r#"{{"voices": {{"ada": {{"gain_db": {gain}}}}}}}"#);
        check(&gain("1e9"), "voices.ada.gain_db: 1000000000 is out of range; give -60 to 20");
        check(&gain("-61"), "voices.ada.gain_db: -61 is out of range; give -60 to 20");
        check(&gain("\"3\""), "voices.ada.gain_db: \"3\" is a string; give a number");
        check(r#"{"ada": {}}"#, "ada: there is no such field; there are voices");
        check(
            r#"{"voices": {"ada": {"gain": 3}}}"#,
            "voices.ada.gain: there is no such field; there are gain_db, muted",
        );
        check(r#"{"voices": {"ada": 3}}"#, "voices.ada: 3 is a number; give an object");
        check(r#"{"voices": ["ada"]}"#, "voices: […] is a list; give an object");
        check(r#"{"voices": {"ada": {"muted": 1}}}"#, "voices.ada.muted: 1 is a number; give true or false");
        let long = format!(r#"{{"voices": {{"{}": 3}}}}"#, "x".repeat(31));
        check(&long, &format!("voices.{}…: 3 is a number; give an object", "x".repeat(30)));
        check(
            r#"{"voices": {"": {}}}"#,
            "voices: \"\" is not a user id; use 1 to 128 bytes without control characters",
        );
        check(
            &format!(r#"{{"voices": {{"{}": {{}}}}}}"#, "x".repeat(129)),
            &format!("voices: \"{}\"… is not a user id; use 1 to 128 bytes without control characters", "x".repeat(40)),
        );
        let many: Vec<String> = (0..101).map(|n| format!(r#""{n}": {{}}"#)).collect();
        check(&format!(r#"{{"voices": {{{}}}}}"#, many.join(", ")), "voices: 101 are named, at most 100");
    }
}
