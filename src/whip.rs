//! What a WHIP client decides about a server's answers (RFC 9725): pure. Each refusal says what happened, whose fault it is and what helps.

use http::StatusCode;
use std::time::Duration;
use url::Url;

/// Redirects that are followed, one after the other: a load balancer or two.
pub const MAX_REDIRECTS: usize = 5;
/// The first wait before trying again, doubled each time up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// A server that was restarted is back within seconds; who waits longer than this misses too much.
pub const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// What a server may ask us to wait at most; longer, and the operator decides.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);
/// The longest piece of a server's words that is shown.
const MAX_DETAIL_CHARS: usize = 300;

/// How far a publication has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reached {
    /// Nobody yet.
    Nobody,
    /// A server, which asked for patience.
    Server,
    /// The stage: it was connected.
    Stage,
}

/// Whether asking again helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// No: we are not let in, or do not trust who answers.
    Never,
    /// No, where the publication has not come so far: then it is most likely the URL, the room or the offer that is wrong. Later it passes: a room
    /// is not there while its server restarts, and is taken as long as the server holds a session that we have lost.
    Once(Reached),
    /// Yes, in a while.
    Soon,
    /// Yes, after this, as the server says.
    After(Duration),
}

impl Retry {
    /// Whether a publication that has come so far is tried again.
    pub fn helps(self, reached: Reached) -> bool {
        match self {
            Self::Never => false,
            Self::Once(needed) => reached >= needed,
            Self::Soon | Self::After(_) => true,
        }
    }
}

/// Why there is no session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What happened, whose fault it is and what helps.
    pub message: String,
    /// Whether asking again helps.
    pub retry: Retry,
}

impl Refusal {
    /// One that nothing but a change mends.
    pub fn lasting(message: impl Into<String>) -> Self {
        Self { message: message.into(), retry: Retry::Never }
    }

    /// One that may pass for a publication that has come so far, and for no other.
    pub fn passing_once(reached: Reached, message: impl Into<String>) -> Self {
        Self { message: message.into(), retry: Retry::Once(reached) }
    }

    /// One that may pass.
    pub fn passing(message: impl Into<String>) -> Self {
        Self { message: message.into(), retry: Retry::Soon }
    }
}

/// What of an answer decides.
#[derive(Debug, Clone, Copy, Default)]
pub struct Answered<'a> {
    /// `Retry-After`.
    pub retry_after: Option<&'a str>,
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
    /// The body.
    pub body: &'a str,
}

/// The meaning of an answer to an offer that is not 201.
pub fn refusal(url: &Url, status: StatusCode, answered: Answered<'_>) -> Refusal {
    let wait = retry_after(answered.retry_after).map_or(Retry::Soon, Retry::After);
    let wrong = Retry::Once(Reached::Stage);
    let (fault_and_cure, retry) = match status.as_u16() {
        401 => (
            "the token is missing or not valid: mint one with `footlight token auth`, and give it with --token or FOOTLIGHT_TOKEN",
            Retry::Never,
        ),
        403 => (
            "the token is valid and does not allow this: it must name this room, and a role that may publish",
            Retry::Never,
        ),
        404 => {
            ("there is nothing at this URL: a room's is http://HOST:PORT/whip/ROOM, and the room has to exist", wrong)
        }
        405 => ("this URL takes no offers, so it is no WHIP endpoint: check its path", wrong),
        400 | 406 | 415 | 422 => ("the server does not take this offer: it may not know H.264, VP8 or Opus", wrong),
        409 => ("somebody else publishes there: end that session, or use another room or user", wrong),
        429 => ("the server has had too many offers from here", wait),
        503 => ("the server is full or starting", wait),
        500..=599 => ("the server's fault, not yours", wait),
        300..=399 => {
            ("the server redirects in a way that WHIP does not know (307 and 308 are followed): check the URL", wrong)
        }
        _ => ("not what a WHIP server answers: check the URL", wrong),
    };
    let said = detail(answered).map(|said| format!(" (it says: {said})")).unwrap_or_default();
    let message = format!("{url}: {status}: {fault_and_cure}{said}");
    Refusal { message, retry }
}

/// Seconds; a date is taken as none (RFC 9110 section 10.2.3 allows both).
fn retry_after(value: Option<&str>) -> Option<Duration> {
    let seconds: u64 = value?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER))
}

/// What a server says in its own words: the detail of problem+json (RFC 9457), or a short plain text.
fn detail(answered: Answered<'_>) -> Option<String> {
    let kind = answered.content_type.unwrap_or_default();
    let text = if kind.contains("json") {
        let problem: serde_json::Value = serde_json::from_str(answered.body).ok()?;
        ["detail", "title", "message"].iter().find_map(|key| problem[*key].as_str().map(str::to_owned))?
    } else if kind.starts_with("text/plain") {
        answered.body.to_owned()
    } else {
        return None;
    };
    // It is shown on a terminal.
    let text: String = text.trim().chars().filter(|c| !c.is_control()).take(MAX_DETAIL_CHARS).collect();
    (!text.is_empty()).then_some(text)
}

/// Where a redirect leads. Never from https to http: the token would go in the clear.
pub fn redirected(from: &Url, location: Option<&str>) -> Result<Url, Refusal> {
    let to = location.and_then(|location| from.join(location).ok());
    let wrong = |message| Refusal::passing_once(Reached::Stage, message);
    let to = to.ok_or_else(|| wrong(format!("{from}: a redirect without a usable Location; the server's fault")))?;
    let allowed = to.scheme() == from.scheme() || to.scheme() == "https";
    if !allowed || !["http", "https"].contains(&to.scheme()) {
        return Err(wrong(format!(
            "{from}: redirects to {to}, where the token would not be safe; give that URL yourself if you trust it"
        )));
    }
    Ok(to)
}

/// The session's URL from its Location, absolute or relative (RFC 9725 section 4.2). Nothing is sent elsewhere than where the offer went: a
/// session on another scheme than http and https is no session.
pub fn session_url(endpoint: &Url, location: Option<&str>) -> Option<Url> {
    let session = endpoint.join(location?).ok()?;
    (session.scheme() == "https" || session.scheme() == endpoint.scheme()).then_some(session)
}

/// A WHIP URL as it was typed.
pub fn endpoint(text: &str) -> Result<Url, Refusal> {
    let wrong = |why: &str| {
        Refusal::lasting(format!(
            "{text:?}: {why}; give the server's WHIP URL, such as http://127.0.0.1:8080/whip/ROOM"
        ))
    };
    let url = Url::parse(text).map_err(|e| wrong(&format!("not a URL ({e})")))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        _ => Err(wrong("neither http:// nor https://")),
    }
}

/// The wait before attempt `failed + 1`, after `failed` failures in a row.
pub fn wait_before_retry(failed: u32, retry: Retry) -> Duration {
    let backoff = FIRST_WAIT.saturating_mul(1 << failed.saturating_sub(1).min(16)).min(LONGEST_WAIT);
    match retry {
        Retry::After(wait) => wait.max(backoff),
        Retry::Soon | Retry::Once(_) | Retry::Never => backoff,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url() -> Url {
        Url::parse("https://live.example.org/whip/room?x=1").expect("a URL")
    }

    #[test]
    fn each_refusal_says_what_whose_and_what_helps() {
        let check = |status: u16, says: &str, retry: Retry| {
            let status = StatusCode::from_u16(status).expect("a status");
            let refusal = refusal(&url(), status, Answered { retry_after: Some("7"), ..Answered::default() });
            assert!(refusal.message.starts_with("https://live.example.org/whip/room?x=1: "), "{refusal}");
            assert!(refusal.message.contains(says), "{refusal}");
            assert_eq!(refusal.retry, retry, "{refusal}");
        };
        check(401, "footlight token auth", Retry::Never);
        check(403, "a role that may publish", Retry::Never);
        check(404, "/whip/ROOM, and the room has to exist", Retry::Once(Reached::Stage));
        check(406, "does not take this offer", Retry::Once(Reached::Stage));
        check(409, "somebody else publishes", Retry::Once(Reached::Stage));
        check(429, "too many offers", Retry::After(Duration::from_secs(7)));
        check(500, "the server's fault", Retry::After(Duration::from_secs(7)));
        check(503, "full or starting", Retry::After(Duration::from_secs(7)));
        check(302, "307 and 308", Retry::Once(Reached::Stage));
        check(200, "not what a WHIP server answers", Retry::Once(Reached::Stage));
    }

    #[test]
    fn what_is_wrong_at_first_passes_for_who_was_on_stage_and_only_who_is_not_let_in_stays_out() {
        use Reached::{Nobody, Server, Stage};
        let check = |retry: Retry, from: Option<Reached>| {
            let got = [Nobody, Server, Stage].into_iter().find(|reached| retry.helps(*reached));
            assert_eq!(got, from, "{retry:?}");
        };
        check(Retry::Soon, Some(Nobody));
        check(Retry::After(Duration::ZERO), Some(Nobody));
        check(Retry::Once(Server), Some(Server));
        check(Retry::Once(Stage), Some(Stage));
        check(Retry::Never, None);
        let of =
            |status: u16| refusal(&url(), StatusCode::from_u16(status).expect("a status"), Answered::default()).retry;
        let final_ones: Vec<u16> = (300..600).filter(|status| !of(*status).helps(Stage)).collect();
        assert_eq!(final_ones, [401, 403]);
    }

    #[test]
    fn a_servers_own_words_are_shown_short_and_without_control_characters() {
        let check = |kind: &str, body: &str, want: Option<&str>| {
            let answered = Answered { content_type: Some(kind), body, retry_after: None };
            assert_eq!(detail(answered).as_deref(), want, "{body}");
        };
        check("application/problem+json", r#"{"title":"t","detail":"no \u001b[31mroom"}"#, Some("no [31mroom"));
        check("application/problem+json", r#"{"title":"Not found"}"#, Some("Not found"));
        check("application/json", "{", None);
        check("text/html", "<html>", None);
        check("text/plain; charset=utf-8", " busy\n", Some("busy"));
        let long = "x".repeat(1_000);
        check("text/plain", &long, Some(&long[..MAX_DETAIL_CHARS]));
    }

    #[test]
    fn locations_are_taken_absolute_and_relative_and_the_token_never_goes_in_the_clear() {
        let session = |location| session_url(&url(), location).map(String::from);
        assert_eq!(session(Some("/whip/room/1")).as_deref(), Some("https://live.example.org/whip/room/1"));
        assert_eq!(session(Some("room/1")).as_deref(), Some("https://live.example.org/whip/room/1"));
        assert_eq!(session(Some("https://b.example.org/1")).as_deref(), Some("https://b.example.org/1"));
        assert_eq!(session(Some("http://b.example.org/1")), None);
        assert_eq!(session(None), None);
        assert!(redirected(&url(), Some("https://b.example.org/whip/room")).is_ok());
        let unsafe_one = redirected(&url(), Some("http://b.example.org/whip/room")).expect_err("in the clear");
        assert!(unsafe_one.message.contains("http://b.example.org"), "{unsafe_one}");
        assert!(redirected(&url(), None).is_err());
    }

    #[test]
    fn a_wrong_url_is_named_with_an_example() {
        for text in ["", "room", "ftp://example.org/x", "rtmp://example.org/live", "http://"] {
            let said = endpoint(text).expect_err("no WHIP URL").message;
            assert!(said.contains(&format!("{text:?}")) && said.contains("/whip/ROOM"), "{said}");
        }
        assert!(endpoint("http://[::1]:8080/whip/room").is_ok());
    }

    #[test]
    fn waits_double_up_to_the_longest_and_the_servers_wish_is_kept() {
        let millis: Vec<u128> = (1..8).map(|n| wait_before_retry(n, Retry::Soon).as_millis()).collect();
        assert_eq!(millis, [500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
        assert_eq!(wait_before_retry(1, Retry::After(Duration::from_secs(7))), Duration::from_secs(7));
        assert_eq!(wait_before_retry(u32::MAX, Retry::Soon), LONGEST_WAIT);
        assert_eq!(retry_after(Some("86400")), Some(LONGEST_RETRY_AFTER));
        assert_eq!(retry_after(Some("Wed, 21 Oct 2026 07:28:00 GMT")), None);
    }
}
