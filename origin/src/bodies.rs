//! The bodies of one object: `Footlight-Bodies` cuts one PUT into up to six representations.

use crate::directives::Skip;
use bytes::Bytes;
use http::HeaderValue;
use std::hash::{DefaultHasher, Hasher};

/// The names that `Footlight-Bodies` may list, in the order of [`Bodies::all`].
const NAMES: [&str; 6] = ["full", "full.gzip", "delta", "delta.gzip", "delta2", "delta2.gzip"];

/// What a PUT's body holds. `full` is always there.
#[derive(Debug, Clone)]
pub struct Bodies {
    /// By the index of [`NAMES`]: twice the kind (full, delta, delta2), plus one for gzip.
    all: [Option<Representation>; NAMES.len()],
    /// Whether the answer depends on `Accept-Encoding` (RFC 9110 section 12.5.5).
    varies: bool,
}

/// One representation, with what is said of it in headers made once.
#[derive(Debug, Clone)]
pub struct Representation {
    /// The bytes, shared by all who send them.
    pub bytes: Bytes,
    /// A strong validator (RFC 9110 section 8.8.3), made of the bytes, so that it outlives a restart of the origin.
    pub etag: HeaderValue,
    /// `Content-Length`.
    pub length: HeaderValue,
    /// Whether the bytes are gzip.
    pub gzip: bool,
}

/// Why a `Footlight-Bodies` header does not describe its body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodiesError {
    /// An item that is not `<name>=<bytes>`.
    #[error("holds {0:?}; items are <name>=<bytes>")]
    Malformed(String),
    /// A name that is none of the six.
    #[error("holds the name {0:?}; names are full, delta and delta2, each also with .gzip")]
    UnknownName(String),
    /// A name for the second time.
    #[error("lists {0} twice")]
    Twice(&'static str),
    /// The lengths do not add up to the body's.
    #[error("lists {listed} bytes where the body has {body}")]
    Length {
        /// Their sum.
        listed: u64,
        /// What came.
        body: u64,
    },
    /// No `full`.
    #[error("lists no full; it is required")]
    NoFull,
}

impl Bodies {
    /// An object with one representation.
    pub fn whole(bytes: Bytes) -> Self {
        let mut all = [const { None }; NAMES.len()];
        all[0] = Some(Representation::new(bytes, false));
        Self { all, varies: false }
    }

    /// Cuts `body` as the header says; the pieces share its memory.
    pub fn parse(header: &str, mut body: Bytes) -> Result<Self, BodiesError> {
        let mut all = [const { None }; NAMES.len()];
        let whole = body.len() as u64;
        let mut listed = 0_u64;
        for item in header.split(',') {
            let (name, length) = item.trim().split_once('=').ok_or_else(|| BodiesError::Malformed(item.into()))?;
            let index = NAMES.iter().position(|n| *n == name).ok_or_else(|| BodiesError::UnknownName(name.into()))?;
            let digits = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
            let length: u64 = length.parse().ok().filter(|_| digits).ok_or(BodiesError::Malformed(item.into()))?;
            listed = listed.saturating_add(length);
            if listed > whole {
                return Err(BodiesError::Length { listed, body: whole });
            }
            let piece = body.split_to(usize::try_from(length).expect("no longer than the body, which is in memory"));
            if all[index].replace(Representation::new(piece, index % 2 == 1)).is_some() {
                return Err(BodiesError::Twice(NAMES[index]));
            }
        }
        if listed != whole {
            return Err(BodiesError::Length { listed, body: whole });
        }
        if all[0].is_none() {
            return Err(BodiesError::NoFull);
        }
        // Even without a gzip body now: the next PUT of the path may bring one, and a cache decides its key by this.
        Ok(Self { all, varies: true })
    }

    /// The representation for a client. Without the delta asked for the full one answers (RFC 8216bis section
    /// 6.2.5.1), and without its gzip form the plain one.
    pub fn select(&self, skip: Skip, gzip: bool) -> &Representation {
        let kind = match skip {
            Skip::No => 0,
            Skip::Segments => 2,
            Skip::SegmentsAndDateRanges => 4,
        };
        let form = |kind: usize| {
            let packed = if gzip { self.all[kind + 1].as_ref() } else { None };
            packed.or(self.all[kind].as_ref())
        };
        form(kind).or_else(|| form(0)).expect("full is there: both constructors put it")
    }

    /// Whether the answer depends on `Accept-Encoding`.
    pub fn varies(&self) -> bool {
        self.varies
    }

    /// Bytes of all representations together.
    pub fn byte_count(&self) -> u64 {
        self.all.iter().flatten().map(|r| r.bytes.len() as u64).sum()
    }
}

impl Representation {
    fn new(bytes: Bytes, gzip: bool) -> Self {
        // SipHash with its fixed keys: a publisher is trusted, so 64 bits guard against accident only. gzip and plain
        // differ in their bytes, hence in their validators.
        let mut hasher = DefaultHasher::new();
        hasher.write(&bytes);
        let etag = format!("\"{:016x}-{:x}\"", hasher.finish(), bytes.len());
        let etag = HeaderValue::try_from(etag).expect("quotes, hexadecimal and a dash are header text");
        Self { length: HeaderValue::from(bytes.len() as u64), etag, gzip, bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, expected: Result<[&str; 6], BodiesError>) {
        let bodies = Bodies::parse(header, Bytes::from_static(b"aabbbcccc"));
        let got = bodies.map(|bodies| {
            [Skip::No, Skip::Segments, Skip::SegmentsAndDateRanges]
                .map(|skip| [false, true].map(|gzip| bodies.select(skip, gzip).bytes.clone()))
                .concat()
        });
        match (got, expected) {
            (Ok(got), Ok(expected)) => assert_eq!(got, expected, "{header:?}"),
            (got, expected) => assert_eq!(got.map(|_| ()), expected.map(|_| ()), "{header:?}"),
        }
    }

    #[test]
    fn a_body_is_cut_as_its_header_says() {
        check("full=9", Ok(["aabbbcccc"; 6]));
        check("full=2,full.gzip=7", Ok(["aa", "bbbcccc", "aa", "bbbcccc", "aa", "bbbcccc"]));
        check("full=2,delta=3,delta2=4", Ok(["aa", "aa", "bbb", "bbb", "cccc", "cccc"]));
        check("delta.gzip=2, full=7", Ok(["bbbcccc", "bbbcccc", "bbbcccc", "aa", "bbbcccc", "bbbcccc"]));
        check("delta=9,full=0", Ok(["", "", "aabbbcccc", "aabbbcccc", "", ""]));
        check("full=8", Err(BodiesError::Length { listed: 8, body: 9 }));
        check("full=10", Err(BodiesError::Length { listed: 10, body: 9 }));
        check("full=18446744073709551615,delta=9", Err(BodiesError::Length { listed: u64::MAX, body: 9 }));
        check("delta=9", Err(BodiesError::NoFull));
        check("full=4,full=5", Err(BodiesError::Twice("full")));
        check("fool=9", Err(BodiesError::UnknownName("fool".into())));
        check("", Err(BodiesError::Malformed(String::new())));
        check("full", Err(BodiesError::Malformed("full".into())));
        check("full=+9", Err(BodiesError::Malformed("full=+9".into())));
        check("full=9,", Err(BodiesError::Malformed(String::new())));
    }

    #[test]
    fn a_validator_is_of_the_bytes() {
        let etag = |text: &'static str| {
            Bodies::whole(Bytes::from_static(text.as_bytes())).select(Skip::No, false).etag.clone()
        };
        assert_eq!(etag("one"), etag("one"));
        assert_ne!(etag("one"), etag("two"));
    }
}
