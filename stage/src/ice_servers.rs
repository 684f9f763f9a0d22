//! STUN and TURN servers that clients are told of, as `Link` headers (RFC 9725 section 4.6).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderValue;
use sha1::Sha1;
use std::time::Duration;

/// The longest part of a TURN user name that says whose it is; it is for the TURN server's log alone.
const MAX_USER_CHARS: usize = 64;

/// A STUN or TURN server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceServer {
    /// `stun:host:port`, `turn:host:port?transport=udp`, ... (RFC 7064, RFC 7065). Printable ASCII, without `>`.
    pub url: String,
    /// What a TURN server asks for.
    pub credentials: Option<IceCredentials>,
}

/// What a client presents to a TURN server. All of it printable ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IceCredentials {
    /// The same for everybody, for as long as the TURN server knows them.
    Fixed {
        /// User name.
        username: String,
        /// Password.
        password: String,
    },
    /// Made for each client, of a secret that is shared with the TURN server, and good for a time
    /// (draft-uberti-behave-turn-rest-00 section 2.2; coturn's `use-auth-secret`).
    Secret {
        /// The shared secret. Clients never see it.
        secret: String,
        /// For how long an allocation may be made with them.
        ttl: Duration,
    },
}

impl IceServer {
    /// The header for a peer that is answered at `since_epoch`, as wall clocks count.
    pub(crate) fn link(&self, peer: &str, since_epoch: Duration) -> HeaderValue {
        let mut link = format!("<{}>; rel=\"ice-server\"", self.url);
        let credentials = self.credentials.as_ref().map(|credentials| match credentials {
            IceCredentials::Fixed { username, password } => (username.clone(), password.clone()),
            IceCredentials::Secret { secret, ttl } => made(secret, peer, since_epoch + *ttl),
        });
        if let Some((username, password)) = credentials {
            let (username, password) = (quoted(&username), quoted(&password));
            link.push_str(&format!("; username={username}; credential={password}; credential-type=\"password\""));
        }
        HeaderValue::from_str(&link).expect("whoever configures servers gives printable ASCII")
    }
}

/// `expiry:user` and base64(HMAC-SHA1(secret, user name)).
fn made(secret: &str, peer: &str, expiry: Duration) -> (String, String) {
    // A peer's name is a stranger's words: what a header cannot carry, and the colon, are replaced.
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._@-".contains(c) { c } else { '_' };
    let user: String = peer.chars().take(MAX_USER_CHARS).map(plain).collect();
    let username = format!("{}:{user}", expiry.as_secs());
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(username.as_bytes());
    let password = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    (username, password)
}

/// A quoted-string (RFC 9110 section 5.6.4).
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(credentials: Option<IceCredentials>, peer: &str, want: &str) {
        let server = IceServer { url: "turn:turn.example.net?transport=udp".into(), credentials };
        let link = server.link(peer, Duration::from_secs(1_700_000_000));
        let want = format!("<turn:turn.example.net?transport=udp>; rel=\"ice-server\"{want}");
        assert_eq!(link.to_str().expect("printable"), want);
    }

    #[test]
    fn credentials_stand_in_quotes_whatever_is_in_them() {
        let fixed = |username: &str, password: &str| {
            Some(IceCredentials::Fixed { username: username.into(), password: password.into() })
        };
        check(None, "ada", "");
        check(
            fixed("user", "secret"),
            "ada",
            "; username=\"user\"; credential=\"secret\"; credential-type=\"password\"",
        );
        check(
            fixed(r#"a"b"#, r#"\";x"#),
            "ada",
            r#"; username="a\"b"; credential="\\\";x"; credential-type="password""#,
        );
    }

    #[test]
    fn a_shared_secret_makes_credentials_that_expire() {
        let secret = || Some(IceCredentials::Secret { secret: "s3cret".into(), ttl: Duration::from_secs(3_600) });
        // python3: base64.b64encode(hmac.new(b"s3cret", b"1700003600:ada", hashlib.sha1).digest())
        let want =
            "; username=\"1700003600:ada\"; credential=\"Py4eM5SHz6wyBpurwH/r6N9jcbo=\"; credential-type=\"password\"";
        check(secret(), "ada", want);
        let (username, _) = made("s3cret", "Zoë: \"x\"\n", Duration::from_secs(7));
        assert_eq!(username, "7:Zo____x__");
        let (username, _) = made("s3cret", &"x".repeat(500), Duration::from_secs(7));
        assert_eq!(username.len(), 2 + MAX_USER_CHARS);
    }
}
