//! What an endpoint's URL may add to an offer: `?source=screen` and `?name=Ada`. An extension of ours to RFC 9725, which leaves the query to servers. Pure.

use footlight_media::track::{Contributor, PeerKey, Source};

/// Bytes of a name: what is read in one glance is far shorter.
pub const MAX_NAME_BYTES: usize = 128;
/// Characters of a value that an error repeats.
const SHOWN_CHARS: usize = 40;

/// A parameter that is not understood: the client's to mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryError {
    /// `source` is neither of the two.
    Source(String),
    /// `name` is too long, or has what cannot be shown.
    Name(String),
}

impl QueryError {
    /// Which.
    pub const fn parameter(&self) -> &'static str {
        match self {
            Self::Source(_) => "query parameter source",
            Self::Name(_) => "query parameter name",
        }
    }

    /// What it is, cut to a glance.
    pub fn value(&self) -> String {
        let (Self::Source(value) | Self::Name(value)) = self;
        format!("{:?}", value.chars().take(SHOWN_CHARS).collect::<String>())
    }

    /// What it is to be.
    pub const fn cure(&self) -> &'static str {
        match self {
            Self::Source(_) => "use regular (as without it) or screen",
            Self::Name(_) => "use at most 128 bytes of UTF-8 without control characters",
        }
    }
}

/// Who sends what: the last of a parameter that comes twice, and what is not known is left alone, as it is somebody else's.
pub fn contributor(peer: PeerKey, query: Option<&str>) -> Result<Contributor, QueryError> {
    let mut from = Contributor::from(peer);
    for (parameter, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match (&*parameter, &*value) {
            ("source", "regular") => from.source = Source::Regular,
            ("source", "screen") => from.source = Source::Screen,
            ("source", _) => return Err(QueryError::Source(value.into_owned())),
            ("name", name) => from.name = parse_name(name)?,
            _ => {}
        }
    }
    Ok(from)
}

/// No name where it is empty: a form's field that nobody has filled in.
fn parse_name(name: &str) -> Result<Option<String>, QueryError> {
    let name = name.trim();
    if name.len() > MAX_NAME_BYTES || name.contains(char::is_control) {
        return Err(QueryError::Name(name.to_owned()));
    }
    Ok((!name.is_empty()).then(|| name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<(Source, Option<String>), QueryError> {
        let from = contributor(PeerKey("ada".into()), Some(query))?;
        assert_eq!(from.peer.0, "ada");
        Ok((from.source, from.name))
    }

    #[test]
    fn a_url_may_say_what_is_sent_and_by_whom() {
        let named = |name: &str| Some(name.to_owned());
        assert_eq!(parse(""), Ok((Source::Regular, None)));
        assert_eq!(parse("source=regular&name="), Ok((Source::Regular, None)));
        assert_eq!(parse("name=Ada+L%C3%B6velace&source=screen"), Ok((Source::Screen, named("Ada Lövelace"))));
        assert_eq!(parse("name=a&name=%20b%20&utm_source=mail"), Ok((Source::Regular, named("b"))));
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        let check = |query: &str, parameter: &str, value: &str| {
            let error = parse(query).unwrap_err();
            assert_eq!((error.parameter(), &*error.value()), (parameter, value));
        };
        check("source=window", "query parameter source", r#""window""#);
        check("source=", "query parameter source", r#""""#);
        check("name=a%00b", "query parameter name", r#""a\0b""#);
        check(&format!("name={}", "x".repeat(129)), "query parameter name", &format!("\"{}\"", "x".repeat(40)));
    }
}
