#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: threads share it.
//! What one thread sets and another reads when it comes to it: of several values only the last counts, and none takes a place in a queue.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The newest value that was not taken yet.
pub(super) struct Slot<T>(Arc<Mutex<Option<T>>>);

impl<T> Slot<T> {
    /// Holds `value`; `None`: nothing yet.
    pub(super) fn new(value: Option<T>) -> Self {
        Self(Arc::new(Mutex::new(value)))
    }

    pub(super) fn set(&self, value: T) {
        *self.lock() = Some(value);
    }

    pub(super) fn take(&self) -> Option<T> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<T>> {
        // Whoever panicked with it left a whole value.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
