#![allow(clippy::disallowed_types)] // IO: a lock between the one who fills and those who read.
//! An object on its way from the origin: one side appends, any number read from its beginning, each at its own pace.

use crate::answer::BrokenOff;
use bytes::{Bytes, BytesMut};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

/// An object that is being filled. Dropped before [`Fill::end`], it breaks its readers off.
#[derive(Debug)]
pub struct Fill {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Bytes of the whole, where the origin said so.
    length: Option<u64>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    pieces: Vec<Bytes>,
    bytes: u64,
    end: Option<Result<(), BrokenOff>>,
    /// One per reader that has read all there is.
    waiting: HashMap<u64, Waker>,
    readers: u64,
}

impl Fill {
    /// One with nothing in it yet.
    pub fn new(length: Option<u64>) -> Self {
        Self { shared: Arc::new(Shared { length, state: Mutex::default() }) }
    }

    /// Appends a piece; answers how many bytes there are now.
    pub fn append(&self, piece: Bytes) -> u64 {
        let mut state = self.shared.state();
        state.bytes += piece.len() as u64;
        state.pieces.push(piece);
        let (bytes, waiting) = (state.bytes, std::mem::take(&mut state.waiting));
        drop(state);
        waiting.into_values().for_each(Waker::wake);
        bytes
    }

    /// It is whole: nothing more comes. Answers the whole in one piece, or that it is shorter or longer than was said.
    pub fn end(self) -> Result<Bytes, BrokenOff> {
        let state = self.shared.state();
        if self.shared.length.is_some_and(|length| length != state.bytes) {
            return Err(BrokenOff);
        }
        let whole = match state.pieces.as_slice() {
            [one] => one.clone(),
            many => {
                let mut whole = BytesMut::with_capacity(usize::try_from(state.bytes).expect("it is in memory"));
                many.iter().for_each(|piece| whole.extend_from_slice(piece));
                whole.freeze()
            }
        };
        drop(state);
        self.shared.finish(Ok(()));
        Ok(whole)
    }

    /// A reader, at the beginning.
    pub fn reader(&self) -> Reader {
        Reader::new(self.shared.clone())
    }
}

impl Drop for Fill {
    fn drop(&mut self) {
        self.shared.finish(Err(BrokenOff));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds a fill")
    }

    /// The first end counts.
    fn finish(&self, end: Result<(), BrokenOff>) {
        let mut state = self.state();
        state.end.get_or_insert(end);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_values().for_each(Waker::wake);
    }
}

/// Reads an object while it is filled. A clone begins anew.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    id: u64,
    next: usize,
    read: u64,
}

impl Clone for Reader {
    fn clone(&self) -> Self {
        Self::new(self.shared.clone())
    }
}

impl Reader {
    fn new(shared: Arc<Shared>) -> Self {
        let mut state = shared.state();
        state.readers += 1;
        let id = state.readers;
        drop(state);
        Self { shared, id, next: 0, read: 0 }
    }

    /// The next piece, by reference; `None` at the end.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        let mut state = self.shared.state();
        if let Some(piece) = state.pieces.get(self.next) {
            self.next += 1;
            self.read += piece.len() as u64;
            return Poll::Ready(Some(Ok(piece.clone())));
        }
        match state.end {
            Some(Ok(())) => Poll::Ready(None),
            Some(Err(broken)) => Poll::Ready(Some(Err(broken))),
            None => {
                state.waiting.insert(self.id, cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Bytes still to be read, where the origin said how many there are.
    pub fn left(&self) -> Option<u64> {
        self.shared.length.map(|length| length.saturating_sub(self.read))
    }

    /// All of it, once it has come.
    pub async fn whole(mut self) -> Result<Bytes, BrokenOff> {
        let mut pieces = Vec::new();
        while let Some(piece) = std::future::poll_fn(|cx| self.poll_next(cx)).await {
            pieces.push(piece?);
        }
        Ok(if let [one] = pieces.as_slice() { one.clone() } else { pieces.concat().into() })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.shared.state().waiting.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn read(reader: &mut Reader) -> Option<Option<Result<Bytes, BrokenOff>>> {
        std::future::poll_fn(|cx| reader.poll_next(cx)).now_or_never()
    }

    #[test]
    fn readers_begin_at_the_beginning_and_end_with_the_fill() {
        let fill = Fill::new(Some(4));
        let mut early = fill.reader();
        assert_eq!(read(&mut early), None);
        fill.append(Bytes::from_static(b"ab"));
        let mut late = fill.reader();
        assert_eq!(late.left(), Some(4));
        for reader in [&mut early, &mut late] {
            assert_eq!(read(reader), Some(Some(Ok(Bytes::from_static(b"ab")))));
            assert_eq!(read(reader), None);
        }
        fill.append(Bytes::from_static(b"cd"));
        assert_eq!(fill.end(), Ok(Bytes::from_static(b"abcd")));
        for mut reader in [early, late] {
            assert_eq!(read(&mut reader), Some(Some(Ok(Bytes::from_static(b"cd")))));
            assert_eq!(read(&mut reader), Some(None));
        }
    }

    #[test]
    fn a_fill_that_breaks_off_or_falls_short_breaks_its_readers_off() {
        let fill = Fill::new(None);
        let mut reader = fill.reader();
        fill.append(Bytes::from_static(b"ab"));
        drop(fill);
        assert_eq!(read(&mut reader), Some(Some(Ok(Bytes::from_static(b"ab")))));
        assert_eq!(read(&mut reader), Some(Some(Err(BrokenOff))));

        let short = Fill::new(Some(4));
        let mut reader = short.reader();
        short.append(Bytes::from_static(b"ab"));
        assert_eq!(short.end(), Err(BrokenOff));
        let _ = read(&mut reader);
        assert_eq!(read(&mut reader), Some(Some(Err(BrokenOff))));
    }
}
