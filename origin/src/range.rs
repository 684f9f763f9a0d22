//! A single byte range: `Range`, RFC 9110 section 14.

use std::ops::Range;

/// What a `Range` header asks of a representation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// The whole: no usable `Range`. Several ranges are answered so too, which RFC 9110 section 14.2 allows and which keeps
    /// a request from costing more than the object.
    Whole,
    /// These bytes, never none.
    Part(Range<u64>),
    /// Nothing that exists: 416.
    Beyond,
}

/// Reads a `Range` value for a representation of `length` bytes.
pub fn parse(value: &str, length: u64) -> Asked {
    let Some((unit, set)) = value.split_once('=') else { return Asked::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") || set.contains(',') {
        return Asked::Whole;
    }
    let Some((first, last)) = set.trim().split_once('-') else { return Asked::Whole };
    match (number(first), number(last)) {
        (Number::Value(first), Number::Absent) if first < length => Asked::Part(first..length),
        (Number::Value(first), Number::Value(last)) if first <= last && first < length => {
            Asked::Part(first..last.saturating_add(1).min(length))
        }
        (Number::Value(first), Number::Value(last)) if first > last => Asked::Whole,
        (Number::Value(_), Number::Absent | Number::Value(_)) => Asked::Beyond,
        (Number::Absent, Number::Value(suffix)) if suffix > 0 && length > 0 => {
            Asked::Part(length.saturating_sub(suffix)..length)
        }
        (Number::Absent, Number::Value(_)) => Asked::Beyond,
        _ => Asked::Whole,
    }
}

enum Number {
    Absent,
    Value(u64),
    Malformed,
}

/// A number beyond 64 bits is beyond any object: it counts as the largest.
fn number(text: &str) -> Number {
    if text.is_empty() {
        Number::Absent
    } else if text.bytes().all(|b| b.is_ascii_digit()) {
        Number::Value(text.parse().unwrap_or(u64::MAX))
    } else {
        Number::Malformed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, length: u64, expected: Asked) {
        assert_eq!(parse(value, length), expected, "{value:?} of {length}");
    }

    #[test]
    fn one_range_is_honoured_and_nonsense_is_the_whole() {
        check("bytes=0-0", 10, Asked::Part(0..1));
        check("bytes=0-", 10, Asked::Part(0..10));
        check("bytes=3-100", 10, Asked::Part(3..10));
        check("BYTES=3-4", 10, Asked::Part(3..5));
        check("bytes=-3", 10, Asked::Part(7..10));
        check("bytes=-30", 10, Asked::Part(0..10));
        check("bytes=10-", 10, Asked::Beyond);
        check("bytes=10-12", 10, Asked::Beyond);
        check("bytes=-0", 10, Asked::Beyond);
        check("bytes=0-", 0, Asked::Beyond);
        check("bytes=-1", 0, Asked::Beyond);
        check("bytes=5-4", 10, Asked::Whole);
        check("bytes=0-1,3-4", 10, Asked::Whole);
        check("bytes=a-b", 10, Asked::Whole);
        check("bytes=-", 10, Asked::Whole);
        check("bytes=1", 10, Asked::Whole);
        check("items=0-1", 10, Asked::Whole);
        check("", 10, Asked::Whole);
        check("bytes=0-99999999999999999999", 10, Asked::Part(0..10));
        check("bytes=99999999999999999999-", 10, Asked::Beyond);
        check("bytes=+1-2", 10, Asked::Whole);
    }
}
