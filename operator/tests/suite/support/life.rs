//! How many writes an operator makes before it is killed: to Kubernetes and to brokers together.

use std::sync::{Arc, Mutex};

/// Shared by everything that the operator writes to. Unlimited until it is told otherwise.
#[derive(Clone, Default)]
pub struct Life(Arc<Mutex<Option<usize>>>);

impl Life {
    /// From now on `writes` succeed, and after them nothing does, reads included.
    pub fn ends_after(&self, writes: usize) {
        *self.0.lock().expect("lock") = Some(writes);
    }

    /// Another operator starts, which lives. Says whether the last one was killed.
    pub fn starts_again(&self) -> bool {
        self.0.lock().expect("lock").take() == Some(0)
    }

    /// Whether a call still gets through; a write uses one up.
    pub fn permits(&self, write: bool) -> bool {
        match &mut *self.0.lock().expect("lock") {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= usize::from(write);
                true
            }
        }
    }
}
