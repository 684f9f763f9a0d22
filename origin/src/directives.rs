//! The delivery directives of low-latency HLS, RFC 8216bis section 6.2.5, and nothing else of HLS.

use crate::live::Ask;
use crate::refusal::Refusal;

/// Characters of a refused value that are repeated in the refusal.
const SHOWN_CHARS: usize = 32;

/// What the query of a playlist asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Directives {
    /// At least which version; `None` takes the newest at once.
    pub ask: Option<Ask>,
    /// Which body of it.
    pub skip: Skip,
}

/// `_HLS_skip` (RFC 8216bis section 6.2.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Skip {
    /// The full playlist.
    #[default]
    No,
    /// `YES`: a delta update.
    Segments,
    /// `v2`: a delta update that also skips date ranges.
    SegmentsAndDateRanges,
}

/// Reads a query. Other keys are passed over.
///
/// A value has one spelling, and one without a meaning is refused: caches keep an answer by its query, so that each further
/// spelling of the same request would be one more that waits here and one more copy there, as many as a viewer cares to
/// make up.
pub fn parse(query: &str) -> Result<Directives, Refusal> {
    let (mut msn, mut part, mut skip) = (None, None, None);
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (directive, slot) = match key {
            "_HLS_msn" => ("_HLS_msn", &mut msn),
            "_HLS_part" => ("_HLS_part", &mut part),
            "_HLS_skip" => ("_HLS_skip", &mut skip),
            _ => continue,
        };
        if slot.replace(value).is_some() {
            return Err(Refusal::Twice { directive });
        }
    }
    let msn = msn.map(|value| number("_HLS_msn", value)).transpose()?;
    let part = part.map(|value| number("_HLS_part", value)).transpose()?;
    let ask = match (msn, part) {
        (None, None) => None,
        (Some(msn), None) => Some(Ask::Segment { msn }),
        (Some(msn), Some(part)) => Some(Ask::Part { msn, part }),
        (None, Some(_)) => return Err(Refusal::PartWithoutSegment),
    };
    let skip = match skip {
        None => Skip::No,
        Some("YES") => Skip::Segments,
        Some("v2") => Skip::SegmentsAndDateRanges,
        Some(other) => return Err(Refusal::UnknownSkip { value: shown(other) }),
    };
    Ok(Directives { ask, skip })
}

/// Digits alone, without leading zeros. A number beyond 64 bits is further ahead than any stream gets.
fn number(directive: &'static str, value: &str) -> Result<u64, Refusal> {
    let plain = value == "0" || !value.starts_with('0');
    if value.is_empty() || !plain || !value.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Refusal::NotANumber { directive, value: shown(value) });
    }
    Ok(value.parse().unwrap_or(u64::MAX))
}

fn shown(value: &str) -> String {
    value.chars().take(SHOWN_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, expected: Result<(Option<Ask>, Skip), Refusal>) {
        assert_eq!(parse(query).map(|d| (d.ask, d.skip)), expected, "{query:?}");
    }

    #[test]
    fn directives_are_read_in_any_order_and_refused_by_name() {
        check("", Ok((None, Skip::No)));
        check("a=b&_HLS_msn=7", Ok((Some(Ask::Segment { msn: 7 }), Skip::No)));
        check("_HLS_part=2&_HLS_msn=7", Ok((Some(Ask::Part { msn: 7, part: 2 }), Skip::No)));
        check("_HLS_msn=7&_HLS_skip=YES", Ok((Some(Ask::Segment { msn: 7 }), Skip::Segments)));
        check("_HLS_skip=v2", Ok((None, Skip::SegmentsAndDateRanges)));
        check("_HLS_msn=0", Ok((Some(Ask::Segment { msn: 0 }), Skip::No)));
        check("_HLS_skip=yes", Err(Refusal::UnknownSkip { value: "yes".into() }));
        check("_HLS_skip", Err(Refusal::UnknownSkip { value: String::new() }));
        check("_hls_msn=x", Ok((None, Skip::No)));
        check("_HLS_part=2", Err(Refusal::PartWithoutSegment));
        check("_HLS_msn=1&_HLS_msn=1", Err(Refusal::Twice { directive: "_HLS_msn" }));
        check("_HLS_skip=YES&_HLS_skip=v2", Err(Refusal::Twice { directive: "_HLS_skip" }));
        for bad in ["", "-1", "+1", "1.5", "0x1", "1 ", "01", "00"] {
            check(&format!("_HLS_msn={bad}"), Err(Refusal::NotANumber { directive: "_HLS_msn", value: bad.into() }));
        }
        check("_HLS_msn", Err(Refusal::NotANumber { directive: "_HLS_msn", value: String::new() }));
        check("_HLS_msn=1&_HLS_part=z", Err(Refusal::NotANumber { directive: "_HLS_part", value: "z".into() }));
        check("_HLS_msn=99999999999999999999999", Ok((Some(Ask::Segment { msn: u64::MAX }), Skip::No)));
        let long = "z".repeat(500);
        check(
            &format!("_HLS_msn={long}"),
            Err(Refusal::NotANumber { directive: "_HLS_msn", value: "z".repeat(SHOWN_CHARS) }),
        );
    }
}
