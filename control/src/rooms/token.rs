//! Management and auth tokens: JWT (RFC 7519) signed with HS256, in the claims of 100ms.
//!
//! The algorithm is ours and never the header's, `exp` is required, and clocks may differ by [`LEEWAY`].

use super::id;
use crate::credentials::Credentials;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How far the clocks of who mints and who verifies may differ.
pub const LEEWAY: Duration = Duration::from_secs(60);
/// What 100ms's samples and its SDK give an auth token.
pub const AUTH_TTL: Duration = Duration::from_secs(86_400);
/// Of a token that a demo's page is given: a day, after which the page asks for another one.
pub const OPEN_MANAGEMENT_TTL: Duration = Duration::from_secs(86_400);
/// A token of ours is some 400 bytes; this is the work that a stranger can ask for with one.
const MAX_TOKEN_BYTES: usize = 4096;
const VERSION: u32 = 2;

/// What a valid auth token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// The room that it opens, and no other.
    pub room: String,
    /// The role in it.
    pub role: String,
    /// The peer: the user's id, or the token's own where it names no user.
    pub user: String,
}

/// What a valid token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// A server's: everything over the REST API.
    Management,
    /// A client's: one role in one room.
    Auth(Auth),
}

/// Why a token is not valid. The client's to mend with a new one; the text is safe to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a JWT, not HS256, or lacking a claim.
    #[error("not a token of this service: it must be an HS256 JWT with access_key, type, exp and jti")]
    Malformed,
    /// Signed with another secret, or altered.
    #[error("the signature does not match; sign with the app secret of this server")]
    Signature,
    /// Made for other credentials.
    #[error("the access_key is not this server's")]
    Foreign,
    /// Past its `exp`.
    #[error("the token has expired; make a new one")]
    Expired,
    /// Before its `nbf`.
    #[error("the token is not valid yet; check the clock of the machine that made it")]
    NotYet,
}

/// What is signed. Order and names are 100ms's.
#[derive(Serialize)]
struct Minted<'a> {
    access_key: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    iat: u64,
    nbf: u64,
    exp: u64,
    jti: &'a str,
}

/// What is read. Times are NumericDates: seconds since the epoch, not always whole (RFC 7519 section 2).
#[derive(Deserialize)]
struct Claims {
    access_key: String,
    #[serde(rename = "type")]
    kind: String,
    room_id: Option<String>,
    user_id: Option<String>,
    role: Option<String>,
    nbf: Option<f64>,
    exp: f64,
    jti: Option<String>,
}

/// A management token that is valid from `now` (since the Unix epoch) for `ttl`. `jti` is a fresh UUID.
pub fn mint_management(credentials: &Credentials, now: Duration, ttl: Duration, jti: &str) -> String {
    sign(credentials, &minted(credentials, "management", now, ttl, jti))
}

/// An auth token for `user` in `room`. An empty `user` names none: the peer is then the token's `jti`.
// Seven distinct facts of one token; a struct for them would be filled in at every call and nowhere else.
#[allow(clippy::too_many_arguments)]
pub fn mint_auth(
    credentials: &Credentials,
    room: &str,
    role: &str,
    user: &str,
    now: Duration,
    ttl: Duration,
    jti: &str,
) -> String {
    let user = Some(user).filter(|user| !user.is_empty());
    let claims = minted(credentials, "app", now, ttl, jti);
    sign(credentials, &Minted { room_id: Some(room), user_id: user, role: Some(role), ..claims })
}

fn minted<'a>(credentials: &'a Credentials, kind: &'a str, now: Duration, ttl: Duration, jti: &'a str) -> Minted<'a> {
    let (iat, exp) = (now.as_secs(), (now + ttl).as_secs());
    let access_key = credentials.access_key();
    Minted { access_key, kind, version: VERSION, room_id: None, user_id: None, role: None, iat, nbf: iat, exp, jti }
}

fn sign(credentials: &Credentials, claims: &Minted<'_>) -> String {
    let key = EncodingKey::from_secret(credentials.secret().as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key)
        .expect("HMAC takes a key of any length, and these claims are plain strings and numbers")
}

/// Reads a token as of `now` (since the Unix epoch).
pub fn verify(credentials: &Credentials, token: &str, now: Duration) -> Result<Token, TokenError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::Malformed);
    }
    let claims = signed_claims(credentials, token)?;
    if claims.access_key != credentials.access_key() {
        return Err(TokenError::Foreign);
    }
    let (now, leeway) = (now.as_secs_f64(), LEEWAY.as_secs_f64());
    if claims.exp.partial_cmp(&(now - leeway)) != Some(std::cmp::Ordering::Greater) {
        return Err(TokenError::Expired);
    }
    if claims.nbf.is_some_and(|nbf| nbf > now + leeway) {
        return Err(TokenError::NotYet);
    }
    match claims.kind.as_str() {
        "management" => Ok(Token::Management),
        "app" => auth(claims).map(Token::Auth),
        _ => Err(TokenError::Malformed),
    }
}

/// The claims of a token whose signature holds. The library would judge `exp` by a clock of its own, so it is not asked to.
fn signed_claims(credentials: &Credentials, token: &str) -> Result<Claims, TokenError> {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let key = DecodingKey::from_secret(credentials.secret().as_bytes());
    match jsonwebtoken::decode::<Claims>(token, &key, &validation) {
        Ok(decoded) => Ok(decoded.claims),
        Err(cause) if *cause.kind() == jsonwebtoken::errors::ErrorKind::InvalidSignature => Err(TokenError::Signature),
        Err(_) => Err(TokenError::Malformed),
    }
}

fn auth(claims: Claims) -> Result<Auth, TokenError> {
    let user = claims
        .user_id
        .filter(|user| !user.is_empty())
        .or(claims.jti)
        .filter(|user| id::check_user("user_id", user).is_ok());
    match (claims.room_id.filter(|room| id::is_id(room)), claims.role, user) {
        (Some(room), Some(role), Some(user)) => Ok(Auth { room, role, user }),
        _ => Err(TokenError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    const NOW: Duration = Duration::from_secs(1_800_000_000);
    const HOUR: Duration = Duration::from_secs(3600);

    fn credentials() -> Credentials {
        Credentials::new("65a0c0ffee65a0c0ffee65a0", &"s".repeat(64))
    }

    fn forge(header: &Value, claims: &Value, secret: &str) -> String {
        let key = EncodingKey::from_secret(secret.as_bytes());
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
        format!("{message}.{signature}")
    }

    fn claims() -> Value {
        json!({
            "access_key": credentials().access_key(), "type": "app", "version": 2, "room_id": "r1", "user_id": "u1",
            "role": "broadcaster", "iat": NOW.as_secs(), "nbf": NOW.as_secs(), "exp": NOW.as_secs() + 60, "jti": "j1",
        })
    }

    #[test]
    fn what_is_minted_is_valid() {
        let management = mint_management(&credentials(), NOW, HOUR, "j1");
        assert_eq!(verify(&credentials(), &management, NOW), Ok(Token::Management));
        let auth = mint_auth(&credentials(), "r1", "broadcaster", "u1", NOW, HOUR, "j1");
        let want = Auth { room: "r1".into(), role: "broadcaster".into(), user: "u1".into() };
        assert_eq!(verify(&credentials(), &auth, NOW), Ok(Token::Auth(want.clone())));
        let nameless = mint_auth(&credentials(), "r1", "broadcaster", "", NOW, HOUR, "j1");
        assert_eq!(verify(&credentials(), &nameless, NOW), Ok(Token::Auth(Auth { user: "j1".into(), ..want })));
    }

    #[test]
    fn a_minted_token_has_the_claims_of_100ms() {
        let token = mint_auth(&credentials(), "r1", "broadcaster", "u1", NOW, HOUR, "j1");
        let part = |n: usize| -> Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(n).unwrap()).unwrap()).unwrap()
        };
        assert_eq!(part(0), json!({"typ": "JWT", "alg": "HS256"}));
        let mut want = claims();
        want["exp"] = json!(NOW.as_secs() + 3600);
        assert_eq!(part(1), want);
    }

    #[test]
    fn clocks_may_differ_by_a_minute() {
        let token = mint_management(&credentials(), NOW, HOUR, "j1");
        let check = |now: Duration, want| assert_eq!(verify(&credentials(), &token, now), want, "{now:?}");
        check(NOW - LEEWAY, Ok(Token::Management));
        check(NOW - LEEWAY - Duration::from_secs(1), Err(TokenError::NotYet));
        check(NOW + HOUR + LEEWAY - Duration::from_secs(1), Ok(Token::Management));
        check(NOW + HOUR + LEEWAY, Err(TokenError::Expired));
    }

    #[test]
    fn bad_tokens_are_refused_for_what_is_wrong_with_them() {
        let hs256 = json!({"typ": "JWT", "alg": "HS256"});
        let secret = "s".repeat(64);
        let check = |token: &str, want| assert_eq!(verify(&credentials(), token, NOW).unwrap_err(), want, "{token}");
        let with = |key: &str, value: Value| {
            let mut claims = claims();
            claims[key] = value;
            forge(&hs256, &claims, &secret)
        };
        assert!(verify(&credentials(), &forge(&hs256, &claims(), &secret), NOW).is_ok());
        check(&forge(&hs256, &claims(), "another secret"), TokenError::Signature);
        check(&forge(&json!({"alg": "none"}), &claims(), &secret), TokenError::Malformed);
        check(&forge(&json!({"alg": "HS384"}), &claims(), &secret), TokenError::Malformed);
        check(&forge(&json!({"alg": "RS256"}), &claims(), &secret), TokenError::Malformed);
        check(&with("access_key", json!("another")), TokenError::Foreign);
        check(&with("exp", json!(NOW.as_secs() - 60)), TokenError::Expired);
        check(&with("exp", json!("1900000000")), TokenError::Malformed);
        check(&with("exp", Value::Null), TokenError::Malformed);
        check(&with("nbf", json!(NOW.as_secs() + 61)), TokenError::NotYet);
        check(&with("type", json!("root")), TokenError::Malformed);
        check(&with("room_id", json!("../r1")), TokenError::Malformed);
        check(&with("room_id", Value::Null), TokenError::Malformed);
        check(&with("role", Value::Null), TokenError::Malformed);
        check(&with("user_id", json!("a\nb")), TokenError::Malformed);
        for garbage in ["", ".", "..", "a.b.c", "é", &"a".repeat(MAX_TOKEN_BYTES + 1)] {
            check(garbage, TokenError::Malformed);
        }
    }

    #[test]
    fn an_unsigned_token_is_refused() {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let token = format!("{}.{}.", part(json!({"alg": "none", "typ": "JWT"})), part(claims()));
        assert_eq!(verify(&credentials(), &token, NOW), Err(TokenError::Malformed));
        let token = format!("{}.{}.", part(json!({"alg": "HS256", "typ": "JWT"})), part(claims()));
        assert_eq!(verify(&credentials(), &token, NOW), Err(TokenError::Signature));
    }

    #[test]
    fn a_time_may_have_a_fraction() {
        let mut fractional = claims();
        fractional["exp"] = json!(NOW.as_secs_f64() + 0.5);
        let token = forge(&json!({"alg": "HS256"}), &fractional, &"s".repeat(64));
        assert!(verify(&credentials(), &token, NOW).is_ok());
    }
}
