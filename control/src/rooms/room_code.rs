//! Room codes: a link that puts whoever opens it into a role of a room.

use super::date::Timestamp;
use super::template::Role;
use rand::{Rng, RngCore};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// `xxx-xxxx-xxx`: 10 letters are 47 bits, which cannot be tried out over a network.
const GROUPS: [usize; 3] = [3, 4, 3];

/// A code. It never expires and can be disabled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RoomCode {
    /// `xxx-xxxx-xxx`.
    pub code: String,
    /// Its room.
    pub room_id: String,
    /// Its role; a room has one code per role.
    pub role: String,
    /// Whether it opens the room.
    pub enabled: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last enabled or disabled.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// Codes for those of `roles` that `existing` has none for.
pub fn missing(
    roles: &BTreeMap<String, Role>,
    room: &str,
    existing: &[RoomCode],
    now: Timestamp,
    random: &mut impl RngCore,
) -> Vec<RoomCode> {
    let has = |role: &str| existing.iter().any(|code| code.role == role);
    roles.keys().filter(|role| !has(role)).map(|role| new(room, role, now, random)).collect()
}

/// A new code.
pub fn new(room: &str, role: &str, now: Timestamp, random: &mut impl RngCore) -> RoomCode {
    let (room_id, role) = (room.to_owned(), role.to_owned());
    RoomCode { code: generate(random), room_id, role, enabled: true, created_at: now, updated_at: now }
}

fn generate(random: &mut impl RngCore) -> String {
    let mut letters = |n: usize| -> String { (0..n).map(|_| char::from(random.random_range(b'a'..=b'z'))).collect() };
    GROUPS.map(&mut letters).join("-")
}

#[cfg(test)]
mod tests {
    use super::super::template::roles;
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[test]
    fn a_code_can_be_read_out_loud() {
        let mut random = StdRng::seed_from_u64(1);
        for _ in 0..1000 {
            let code = generate(&mut random);
            let shape: String = code.chars().map(|c| if c.is_ascii_lowercase() { 'x' } else { c }).collect();
            assert_eq!(shape, "xxx-xxxx-xxx", "{code}");
        }
    }

    #[test]
    fn each_role_gets_one_code() {
        let mut random = StdRng::seed_from_u64(1);
        let roles = roles();
        let first = missing(&roles, "r1", &[], Timestamp(5), &mut random);
        assert_eq!(first.iter().map(|c| c.role.as_str()).collect::<Vec<_>>(), roles.keys().collect::<Vec<_>>());
        assert!(missing(&roles, "r1", &first, Timestamp(6), &mut random).is_empty());
        let again = missing(&roles, "r1", &first[1..], Timestamp(6), &mut random);
        assert_eq!(again.iter().map(|c| &c.role).collect::<Vec<_>>(), [&first[0].role]);
    }
}
