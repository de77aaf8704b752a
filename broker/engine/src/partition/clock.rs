//! Both clocks of the broker.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use weir_types::Millis;

/// Monotonic milliseconds since it was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    base: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            base: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> Millis {
        Millis(millis(self.base.elapsed()))
    }

    pub(crate) fn after(&self, wait: Duration) -> Millis {
        self.now().plus(millis(wait))
    }
}

pub(crate) fn unix_now() -> Millis {
    Millis(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, millis),
    )
}

fn millis(d: Duration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX)
}
