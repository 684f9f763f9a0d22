#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: the sending end of a media thread's queue.
//! What the loop tells a media thread. Frames are lost where its queue is full; that a track begins or is over is not: it waits here, before everything
//! that comes later.

use super::DriverError;
use std::collections::VecDeque;
use std::sync::mpsc::{SyncSender, TrySendError};

/// Additions and removals that wait for a thread that is busy. Sixteen people who come and go twice a second fill it in 5 s, which is when a thread
/// counts as stuck anyway.
pub(super) const BACKLOG: usize = 160;

pub(super) struct Feed<T> {
    what: &'static str,
    queue: SyncSender<T>,
    backlog: VecDeque<T>,
}

impl<T> Feed<T> {
    pub(super) const fn new(what: &'static str, queue: SyncSender<T>) -> Self {
        Self { what, queue, backlog: VecDeque::new() }
    }

    /// For who sends frames by themselves.
    pub(super) fn sender(&self) -> SyncSender<T> {
        self.queue.clone()
    }

    /// Sends something that may not be lost.
    pub(super) fn must(&mut self, input: T) -> Result<(), DriverError> {
        self.backlog.push_back(input);
        self.flush();
        if self.backlog.len() > BACKLOG { Err(DriverError::Deaf { what: self.what }) } else { Ok(()) }
    }

    /// Sends something that is worth nothing later; `false` where it was lost.
    pub(super) fn may(&mut self, input: T) -> bool {
        self.flush();
        self.backlog.is_empty() && self.queue.try_send(input).is_ok()
    }

    /// Sends what has waited.
    pub(super) fn flush(&mut self) {
        while let Some(input) = self.backlog.pop_front() {
            match self.queue.try_send(input) {
                Ok(()) => {}
                Err(TrySendError::Full(input)) => return self.backlog.push_front(input),
                // The thread is gone: that it gets on no more is seen elsewhere.
                Err(TrySendError::Disconnected(_)) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;

    #[test]
    fn additions_and_removals_outlast_a_full_queue_and_keep_their_order() {
        let (queue, thread) = sync_channel(2);
        let mut feed = Feed::new("test", queue);
        assert!(feed.may("frame 1") && feed.may("frame 2"));
        assert!(!feed.may("frame 3"));
        feed.must("removed").unwrap();
        feed.must("added").unwrap();
        assert_eq!(thread.recv(), Ok("frame 1"));
        assert!(!feed.may("frame 4"), "not before what waits");
        assert_eq!([thread.recv(), thread.recv()], [Ok("frame 2"), Ok("removed")]);
        assert!(feed.may("frame 5"));
        assert_eq!([thread.recv(), thread.recv()], [Ok("added"), Ok("frame 5")]);
    }

    #[test]
    fn a_thread_that_never_takes_note_is_told_of() {
        let (queue, _thread) = sync_channel(1);
        let mut feed = Feed::new("test", queue);
        let deaf = (0..).find(|n| feed.must(*n).is_err());
        assert_eq!(deaf, Some(BACKLOG + 1));
    }
}
