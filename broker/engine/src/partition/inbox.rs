//! The queue in front of a thread.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Many writers, one or more threads that take. What goes in is bounded by those who put it
/// there (byte budget, calls in flight), not here.
pub(super) struct Inbox<T> {
    state: Mutex<State<T>>,
    ready: Condvar,
}

struct State<T> {
    queue: VecDeque<T>,
    waiting: usize,
    closed: bool,
}

impl<T> Inbox<T> {
    pub(super) fn new() -> Self {
        let state = State {
            queue: VecDeque::new(),
            waiting: 0,
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            ready: Condvar::new(),
        }
    }

    /// Once the thread has ended the item is dropped, which tells whoever waits for it.
    pub(super) fn push(&self, item: T) {
        let mut state = self.lock();
        if state.closed {
            // Dropped after the lock is gone.
            drop(state);
            return;
        }
        state.queue.push_back(item);
        let wake = state.waiting > 0;
        drop(state);
        if wake {
            self.ready.notify_one();
        }
    }

    /// Moves up to `max` items to `into`; waits for the first, at most `timeout`.
    pub(super) fn take(&self, max: usize, timeout: Duration, into: &mut Vec<T>) {
        let mut state = self.lock();
        if state.queue.is_empty() && !state.closed {
            state.waiting += 1;
            let waited = self.ready.wait_timeout(state, timeout);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.waiting -= 1;
        }
        let count = state.queue.len().min(max);
        into.extend(state.queue.drain(..count));
    }

    /// One item; `None` when the queue is closed and empty.
    pub(super) fn take_one(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(item) = state.queue.pop_front() {
                return Some(item);
            }
            if state.closed {
                return None;
            }
            state.waiting += 1;
            state = self
                .ready
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
    }

    /// Nothing goes in any more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_all();
    }

    /// Closes it and drops what is left.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        state.closed = true;
        let left = std::mem::take(&mut state.queue);
        drop(state);
        drop(left);
        self.ready.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
