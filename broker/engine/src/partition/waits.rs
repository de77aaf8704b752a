//! Writes that wait for their acknowledgement.

use std::collections::VecDeque;
use weir_api::{Appended, Error};
use weir_types::{Millis, Offset};

use super::ticket::Ticket;

pub(super) struct Wait {
    /// End (exclusive) of what was written.
    pub(super) end: Offset,
    pub(super) deadline: Millis,
    pub(super) appended: Appended,
    pub(super) ticket: Ticket,
}

/// In order of `end`. Duplicates of earlier writes enter in the middle.
#[derive(Default)]
pub(super) struct Waits(VecDeque<Wait>);

impl Waits {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn insert(&mut self, wait: Wait) {
        match self.0.back() {
            Some(last) if last.end > wait.end => {
                let at = self.0.partition_point(|w| w.end <= wait.end);
                self.0.insert(at, wait);
            }
            _ => self.0.push_back(wait),
        }
    }

    /// The first, if it ends at `reached` or before.
    pub(super) fn pop_reached(&mut self, reached: Offset) -> Option<Wait> {
        let done = self.0.front().is_some_and(|w| w.end <= reached);
        let wait = if done { self.0.pop_front() } else { None };
        if self.0.is_empty() && self.0.capacity() > 64 {
            self.0 = VecDeque::new();
        }
        wait
    }

    pub(super) fn expire(&mut self, now: Millis) {
        if self.0.iter().all(|w| w.deadline > now) {
            return;
        }
        for wait in std::mem::take(&mut self.0) {
            if wait.deadline > now {
                self.0.push_back(wait);
            } else {
                wait.ticket.fail(Error::TimedOut);
            }
        }
    }

    pub(super) fn fail_all(&mut self, error: &Error) {
        for wait in std::mem::take(&mut self.0) {
            wait.ticket.fail(error.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(end: i64, deadline: i64) -> Wait {
        let appended = Appended {
            base_offset: Offset(end - 1),
            append_time_ms: -1,
            log_start: Offset(0),
        };
        Wait {
            end: Offset(end),
            deadline: Millis(deadline),
            appended,
            ticket: Ticket::none(),
        }
    }

    fn ends(waits: &mut Waits, reached: i64) -> Vec<i64> {
        std::iter::from_fn(|| waits.pop_reached(Offset(reached)).map(|w| w.end.0)).collect()
    }

    #[test]
    fn a_duplicate_waits_in_its_place() {
        let mut waits = Waits::default();
        for end in [3, 5, 9, 5] {
            waits.insert(wait(end, 100));
        }
        assert_eq!(ends(&mut waits, 5), [3, 5, 5]);
        assert_eq!(ends(&mut waits, 8), [0; 0]);
        assert_eq!(ends(&mut waits, 9), [9]);
    }

    #[test]
    fn only_what_is_late_expires() {
        let mut waits = Waits::default();
        waits.insert(wait(1, 100));
        waits.insert(wait(2, 50));
        waits.expire(Millis(50));
        assert_eq!(ends(&mut waits, 10), [1]);
        assert!(waits.is_empty());
    }
}
