//! Kills the operator after a number of writes, wherever it writes to.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Blown, it lets nothing through any more: the last write happened, nobody heard that it did.
#[derive(Clone)]
pub struct Fuse(Arc<AtomicI64>);

impl Default for Fuse {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(i64::MAX)))
    }
}

impl Fuse {
    /// Lets so many more writes happen.
    pub fn arm(&self, writes: i64) {
        self.0.store(writes, Ordering::SeqCst);
    }

    /// Another operator takes over.
    pub fn replace(&self) {
        self.arm(i64::MAX);
    }

    pub fn write(&self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }

    /// Writes that may still happen.
    pub fn left(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    pub fn is_blown(&self) -> bool {
        self.0.load(Ordering::SeqCst) <= 0
    }
}
