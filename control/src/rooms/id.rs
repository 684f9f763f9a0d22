//! Ids and names: what a caller may choose, and how ours are made.

use super::Invalid;
use rand::RngCore;
use std::fmt::Write;

/// Ids of rooms go into paths and object keys, so nothing that means something there.
pub const MAX_ID_BYTES: usize = 64;
/// Room names are shown and searched, never part of a path; long enough for a sentence.
pub const MAX_NAME_BYTES: usize = 256;
/// User ids travel in tokens and name a peer.
pub const MAX_USER_BYTES: usize = 128;
/// A line of text that is drawn: as long as a user id.
const MAX_LINE_BYTES: usize = MAX_USER_BYTES;
/// 12 bytes, 24 hex digits: the shape that clients of 100ms expect of ids.
const GENERATED_ID_BYTES: usize = 12;

/// Whether `id` is `[A-Za-z0-9_-]{1,64}`.
pub fn is_id(id: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// A new id of 24 hex digits.
pub fn generate(random: &mut impl RngCore) -> String {
    let mut bytes = [0; GENERATED_ID_BYTES];
    random.fill_bytes(&mut bytes);
    hex(&bytes)
}

/// A random UUID (RFC 9562 section 5.4).
pub fn uuid(random: &mut impl RngCore) -> String {
    let mut bytes = [0; 16];
    random.fill_bytes(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _a_string_takes_all = write!(text, "{byte:02x}");
        text
    })
}

/// Refuses an id that the caller chose and that is not one.
pub fn check_id(id: &str) -> Result<(), Invalid> {
    if is_id(id) {
        return Ok(());
    }
    Err(Invalid(format!("id: {} is not an id; use 1 to {MAX_ID_BYTES} of A-Z a-z 0-9 _ -", quoted(id))))
}

/// Refuses a room name outside `[a-zA-Z0-9.-:_]`.
pub fn check_name(name: &str) -> Result<(), Invalid> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b".-:_".contains(&b);
    if (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(Invalid(format!("name: {} is not a room name; use 1 to {MAX_NAME_BYTES} of A-Z a-z 0-9 . - : _", quoted(name))))
}

/// Refuses a user id, given in `field`, that is empty, long, or cannot be printed.
pub fn check_user(field: &str, user: &str) -> Result<(), Invalid> {
    if (1..=MAX_USER_BYTES).contains(&user.len()) && !user.contains(char::is_control) {
        return Ok(());
    }
    Err(Invalid(format!(
        "{field}: {} is not a user id; use 1 to {MAX_USER_BYTES} bytes without control characters",
        quoted(user)
    )))
}

/// Refuses a text that is to be drawn, given in `field`, that is long or has what cannot be drawn in a line.
pub fn check_line(field: &str, text: &str) -> Result<(), Invalid> {
    if text.len() > MAX_LINE_BYTES {
        return Err(Invalid(format!(
            "{field}: {} is {} bytes long; give at most {MAX_LINE_BYTES}",
            quoted(text),
            text.len()
        )));
    }
    match text.chars().find(|letter| letter.is_control()) {
        Some(control) => {
            let code = u32::from(control);
            Err(Invalid(format!(
                "{field}: {} has the control character U+{code:04X}; give one line of text",
                quoted(text)
            )))
        }
        None => Ok(()),
    }
}

/// A stranger's value as part of an error text: escaped, and cut so that an error is never as large as the request.
pub fn quoted(value: &str) -> String {
    const SHOWN_CHARS: usize = 40;
    let shown: String = value.chars().take(SHOWN_CHARS).collect();
    let more = if shown.len() < value.len() { "…" } else { "" };
    format!("{shown:?}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[test]
    fn an_id_is_safe_in_a_path() {
        let check = |id: &str, want: bool| assert_eq!(is_id(id), want, "{id:?}");
        check("demo", true);
        check("A-z_09", true);
        check(&"a".repeat(MAX_ID_BYTES), true);
        check(&"a".repeat(MAX_ID_BYTES + 1), false);
        for bad in ["", ".", "..", "a/b", "a.b", "ä", "a b", "a\n", "a%2f", "a:b"] {
            check(bad, false);
        }
    }

    #[test]
    fn generated_ids_are_24_hex_digits_and_differ() {
        let mut random = StdRng::seed_from_u64(7);
        let (a, b) = (generate(&mut random), generate(&mut random));
        assert_ne!(a, b);
        for id in [a, b] {
            assert!(id.len() == 24 && id.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')), "{id}");
        }
    }

    #[test]
    fn a_uuid_is_of_version_4() {
        let uuid = uuid(&mut StdRng::seed_from_u64(7));
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"), "{uuid}");
    }

    #[test]
    fn an_error_shows_what_was_given_but_not_all_of_it() {
        assert_eq!(quoted("a\n"), "\"a\\n\"");
        assert!(quoted(&"x".repeat(60_000)).len() < 60);
    }
}
