//! Events in order of time; those of one moment in the order in which they were put in.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

#[derive(Debug)]
struct Entry<E> {
    key: Reverse<(u64, u64)>,
    event: E,
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

/// The future.
#[derive(Debug)]
pub struct Queue<E> {
    heap: BinaryHeap<Entry<E>>,
    sequence: u64,
    now_us: u64,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self {
            heap: BinaryHeap::new(),
            sequence: 0,
            now_us: 0,
        }
    }
}

impl<E> Queue<E> {
    /// Microseconds since the run began.
    pub fn now_us(&self) -> u64 {
        self.now_us
    }

    pub fn after(&mut self, delay_us: u64, event: E) {
        self.sequence += 1;
        let key = Reverse((self.now_us + delay_us, self.sequence));
        self.heap.push(Entry { key, event });
    }

    /// The next event; time moves to it.
    pub fn pop(&mut self) -> Option<E> {
        let entry = self.heap.pop()?;
        self.now_us = entry.key.0.0;
        Some(entry.event)
    }
}
