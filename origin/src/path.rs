//! Object paths: parsed once at the door, so that nothing behind it meets a stranger's text.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// Segments that a path may have: `/hls/<room>/<stream>/<rendition>/<object>` is 5, and a viewer's prefix is gone by then.
pub const MAX_SEGMENTS: usize = 8;
/// Bytes of one path segment: an id is at most 64, and a file name adds a number and an extension.
pub const MAX_SEGMENT_BYTES: usize = 128;
/// Leading segments that name a stream: `/hls/<room>/<stream>`.
const STREAM_SEGMENTS: usize = 3;

/// A path of the form `/seg/seg/...` with segments of `[A-Za-z0-9._-]{1,128}`, at most 8, none of them `.` or `..`.
/// Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectPath(Arc<str>);

/// Why a text is no object path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It does not begin with `/`.
    #[error("a path begins with /")]
    NotAbsolute,
    /// Two slashes in a row, or one at the end.
    #[error("a path segment is empty")]
    EmptySegment,
    /// `.` or `..`: they would name another object to whoever normalises paths.
    #[error("a path segment may not be . or ..")]
    DotSegment,
    /// Over [`MAX_SEGMENT_BYTES`].
    #[error("a path segment is longer than {MAX_SEGMENT_BYTES} bytes")]
    LongSegment,
    /// Over [`MAX_SEGMENTS`].
    #[error("a path has more than {MAX_SEGMENTS} segments")]
    TooManySegments,
    /// A byte outside `[A-Za-z0-9._-]`; percent-encoding is not undone, so that an object has one name.
    #[error("a path segment holds only letters, digits, '.', '_' and '-'")]
    ForbiddenByte,
}

impl ObjectPath {
    /// Reads a path, without a query.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let rest = text.strip_prefix('/').ok_or(PathError::NotAbsolute)?;
        for (index, segment) in rest.split('/').enumerate() {
            if index == MAX_SEGMENTS {
                return Err(PathError::TooManySegments);
            }
            check_segment(segment)?;
        }
        Ok(Self(Arc::from(text)))
    }

    /// The whole path, with its leading slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path of the stream that the object belongs to: its first three segments, or all where there are fewer.
    pub fn stream(&self) -> &str {
        let end = self.0.match_indices('/').nth(STREAM_SEGMENTS).map_or(self.0.len(), |(at, _)| at);
        &self.0[..end]
    }
}

fn check_segment(segment: &str) -> Result<(), PathError> {
    if segment.is_empty() {
        return Err(PathError::EmptySegment);
    }
    if segment == "." || segment == ".." {
        return Err(PathError::DotSegment);
    }
    if segment.len() > MAX_SEGMENT_BYTES {
        return Err(PathError::LongSegment);
    }
    if !segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) {
        return Err(PathError::ForbiddenByte);
    }
    Ok(())
}

/// So that maps keyed by path are searched with a plain `&str`.
impl Borrow<str> for ObjectPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, PathError>) {
        let got = ObjectPath::parse(text);
        assert_eq!(got.as_ref().map(ObjectPath::stream).map_err(|e| *e), expected, "{text:?}");
    }

    #[test]
    fn a_path_is_taken_or_refused_by_its_alphabet_alone() {
        check("/hls/room/s1/v/12.m4s", Ok("/hls/room/s1"));
        check("/live/room/master.m3u8", Ok("/live/room/master.m3u8"));
        check("/a", Ok("/a"));
        check("/1/2/3/4/5/6/7/8", Ok("/1/2/3"));
        check("/1/2/3/4/5/6/7/8/9", Err(PathError::TooManySegments));
        check("", Err(PathError::NotAbsolute));
        check("a/b", Err(PathError::NotAbsolute));
        check("/", Err(PathError::EmptySegment));
        check("/a/", Err(PathError::EmptySegment));
        check("//a", Err(PathError::EmptySegment));
        check("/a/../b", Err(PathError::DotSegment));
        check("/./b", Err(PathError::DotSegment));
        check("/...", Ok("/..."));
        check("/a%2fb", Err(PathError::ForbiddenByte));
        check("/a b", Err(PathError::ForbiddenByte));
        check("/caf\u{e9}", Err(PathError::ForbiddenByte));
        check(&format!("/{}", "x".repeat(MAX_SEGMENT_BYTES)), Ok(&format!("/{}", "x".repeat(MAX_SEGMENT_BYTES))));
        check(&format!("/{}", "x".repeat(MAX_SEGMENT_BYTES + 1)), Err(PathError::LongSegment));
    }
}
