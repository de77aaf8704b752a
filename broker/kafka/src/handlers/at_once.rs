//! Requests that ask for many things with one timeout.

use futures::future::join_all;
use std::{future::Future, time::Duration};
use tokio::time::Instant;

use super::millis;

/// Most entries of one request in work at a time.
const AT_ONCE_MAX: usize = 64;

/// When the whole request has to be answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(Instant);

impl Deadline {
    /// A negative timeout is none at all.
    pub(super) fn after(timeout_ms: i32) -> Self {
        Self(Instant::now() + millis(timeout_ms))
    }

    /// For whoever begins now.
    pub(super) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// Does `work` for each item, many at a time, and gives the results in the items' order.
pub(super) async fn for_each<T, F: Future>(items: Vec<T>, work: impl Fn(T) -> F) -> Vec<F::Output> {
    let mut results = Vec::with_capacity(items.len());
    let mut items = items.into_iter();
    loop {
        let some: Vec<F> = items.by_ref().take(AT_ONCE_MAX).map(&work).collect();
        if some.is_empty() {
            return results;
        }
        results.extend(join_all(some).await);
    }
}
