#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: the receiving end of a media thread's queue.
//! What a media thread takes from its queue before the moment for which it waits.

use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

/// What came of waiting.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came<T> {
    Input(T),
    /// The moment: nothing more is taken for it.
    Due,
    /// Nobody can send any more.
    Over,
}

/// One wait. What is queued when the moment has come is taken still, because it belongs to what is due; what comes meanwhile is not, or whoever keeps
/// the queue from being empty would put the moment off for ever.
pub(super) struct Intake<'a, T> {
    queue: &'a Receiver<T>,
    /// Inputs that may be taken when the moment has come.
    overdue: usize,
}

impl<'a, T> Intake<'a, T> {
    /// Of a queue that holds `places` inputs.
    pub(super) const fn new(queue: &'a Receiver<T>, places: usize) -> Self {
        Self { queue, overdue: places }
    }

    /// The next input, where the moment is `left` away.
    pub(super) fn next(&mut self, left: Duration) -> Came<T> {
        if !left.is_zero() {
            return match self.queue.recv_timeout(left) {
                Ok(input) => Came::Input(input),
                Err(RecvTimeoutError::Timeout) => Came::Due,
                Err(RecvTimeoutError::Disconnected) => Came::Over,
            };
        }
        let Some(overdue) = self.overdue.checked_sub(1) else { return Came::Due };
        self.overdue = overdue;
        match self.queue.try_recv() {
            Ok(input) => Came::Input(input),
            Err(TryRecvError::Empty) => Came::Due,
            Err(TryRecvError::Disconnected) => Came::Over,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;

    #[test]
    fn what_is_queued_is_taken_and_what_keeps_coming_puts_nothing_off() {
        let (inputs, queue) = sync_channel(3);
        for n in 0..3 {
            inputs.send(n).unwrap();
        }
        let mut intake = Intake::new(&queue, 3);
        for n in 0..3 {
            assert_eq!(intake.next(Duration::ZERO), Came::Input(n));
            inputs.send(n + 3).unwrap();
        }
        assert_eq!(intake.next(Duration::ZERO), Came::Due);
        assert_eq!(Intake::new(&queue, 3).next(Duration::ZERO), Came::Input(3), "it is there for the next moment");
    }

    #[test]
    fn an_empty_queue_is_due_and_one_without_senders_is_over() {
        let (inputs, queue) = sync_channel::<()>(1);
        assert_eq!(Intake::new(&queue, 1).next(Duration::ZERO), Came::Due);
        assert_eq!(Intake::new(&queue, 1).next(Duration::from_millis(1)), Came::Due);
        drop(inputs);
        assert_eq!(Intake::new(&queue, 1).next(Duration::ZERO), Came::Over);
        assert_eq!(Intake::new(&queue, 1).next(Duration::from_millis(1)), Came::Over);
    }
}
