//! Vectors of a bounded length, as they are read: a message of many small things would take many times its own bytes in memory. Pure.

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// For serde's `deserialize_with`: a vector of at most `MOST` elements, or an error that says so.
pub(crate) fn at_most<'de, const MOST: usize, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_seq(Elements::<MOST, T>(PhantomData))
}

struct Elements<const MOST: usize, T>(PhantomData<T>);

impl<'de, const MOST: usize, T: Deserialize<'de>> Visitor<'de> for Elements<MOST, T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {MOST} elements")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Vec<T>, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = sequence.next_element()? {
            if elements.len() == MOST {
                return Err(A::Error::invalid_length(MOST + 1, &self));
            }
            elements.push(element);
        }
        Ok(elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Serialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Three(#[serde(deserialize_with = "at_most::<3, _, _>")] Vec<u8>);

    #[test]
    fn what_is_within_the_bound_is_read_and_what_is_beyond_refused() {
        let read = |length: u8| {
            let wire = postcard::to_stdvec(&Three((0..length).collect())).expect("plain data always serialises");
            postcard::from_bytes::<Three>(&wire)
        };
        for length in 0..=3 {
            assert_eq!(read(length), Ok(Three((0..length).collect())));
        }
        assert!(read(4).is_err());
    }
}
