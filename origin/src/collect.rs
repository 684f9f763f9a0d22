#![allow(clippy::disallowed_methods)] // IO: bounds the time in which a body comes.
//! Reads the body of a PUT whole, within its bounds.

use crate::refusal::Refusal;
use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;
use std::pin::pin;
use std::time::Duration;

/// For how long a PUT's body may take to come. The largest object in this time is 9 Mbit/s, where a segment of 2 s has
/// to come within 2 s for the stream to go on at all.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes taken in advance on the word of `Content-Length`.
const TRUSTED_LENGTH_BYTES: u64 = 4 << 20;

/// The whole body. One that comes in a single piece, as from a publisher in the same process, is taken by reference.
pub(crate) async fn whole<B>(body: B, limit: u64) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let waited = BODY_TIMEOUT;
    tokio::time::timeout(waited, read(body, limit)).await.unwrap_or(Err(Refusal::BodyTooSlow { waited }))
}

async fn read<B>(body: B, limit: u64) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut body = pin!(body);
    if body.size_hint().lower() > limit {
        return Err(Refusal::TooLarge { limit });
    }
    let expected = body.size_hint().lower().min(TRUSTED_LENGTH_BYTES);
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refusal::BodyBroken(error.into().to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        let so_far = first.as_ref().map_or(0, Bytes::len) + rest.len() + data.len();
        if so_far as u64 > limit {
            return Err(Refusal::TooLarge { limit });
        }
        match &first {
            None if rest.is_empty() => first = Some(data),
            _ => {
                if let Some(first) = first.take() {
                    rest.reserve(usize::try_from(expected).expect("a few megabytes").max(so_far));
                    rest.extend_from_slice(&first);
                }
                rest.extend_from_slice(&data);
            }
        }
    }
    Ok(first.unwrap_or_else(|| rest.freeze()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{Full, StreamBody};
    use std::convert::Infallible;

    fn pieces(list: &[&'static str]) -> impl Body<Data = Bytes, Error = Infallible> + use<> {
        let frames: Vec<_> =
            list.iter().map(|p| Ok(http_body::Frame::data(Bytes::from_static(p.as_bytes())))).collect();
        StreamBody::new(futures_util::stream::iter(frames))
    }

    #[tokio::test]
    async fn a_body_is_read_whole_or_refused() {
        for (list, expected) in [
            (vec![], Ok("")),
            (vec!["ab"], Ok("ab")),
            (vec!["", "ab"], Ok("ab")),
            (vec!["ab", "cd", "e"], Ok("abcde")),
            (vec!["ab", "cd", "ef"], Err(Refusal::TooLarge { limit: 5 })),
        ] {
            let got = whole(pieces(&list), 5).await;
            assert_eq!(got, expected.map(|text| Bytes::from_static(text.as_bytes())), "{list:?}");
        }
        assert_eq!(whole(Full::new(Bytes::from_static(b"abcdef")), 5).await, Err(Refusal::TooLarge { limit: 5 }));
    }

    #[tokio::test]
    async fn a_body_in_one_piece_is_taken_by_reference() {
        let bytes = Bytes::from(vec![7; 100]);
        let taken = whole(Full::new(bytes.clone()), 1000).await.expect("it is within the limit");
        assert_eq!(taken.as_ptr(), bytes.as_ptr());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_coming_is_given_up() {
        let never = StreamBody::new(futures_util::stream::pending::<Result<http_body::Frame<Bytes>, Infallible>>());
        assert_eq!(whole(never, 5).await, Err(Refusal::BodyTooSlow { waited: BODY_TIMEOUT }));
    }
}
