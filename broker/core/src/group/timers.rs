use std::collections::{BTreeMap, BTreeSet};
use weir_types::Millis;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The join phase ends, or the initial delay does.
    Join,
    /// Members that have not synced by then are removed.
    Sync,
    /// The member's session ends.
    Session(String),
}

/// A group's timers, each armed at most once, found by key and by time.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    by_key: BTreeMap<Timer, Millis>,
    by_time: BTreeSet<(Millis, Timer)>,
}

impl Timers {
    /// Arms the timer anew, at least one millisecond from `now`: a timer that re-arms itself is
    /// therefore never due in the tick that fired it.
    pub fn arm(&mut self, now: Millis, delay_ms: i64, timer: Timer) {
        self.cancel(&timer);
        let at = now.plus(delay_ms.max(1));
        self.by_time.insert((at, timer.clone()));
        self.by_key.insert(timer, at);
    }

    pub fn cancel(&mut self, timer: &Timer) {
        if let Some(at) = self.by_key.remove(timer) {
            self.by_time.remove(&(at, timer.clone()));
        }
    }

    pub fn clear(&mut self) {
        self.by_key.clear();
        self.by_time.clear();
    }

    pub fn next(&self) -> Option<Millis> {
        self.by_time.first().map(|(at, _)| *at)
    }

    pub fn pop_due(&mut self, now: Millis) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        let (_, timer) = self.by_time.pop_first()?;
        self.by_key.remove(&timer);
        Some(timer)
    }
}
