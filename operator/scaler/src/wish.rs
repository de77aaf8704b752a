//! Figures that still climb are waited for, so that one step does instead of three.

use serde::{Deserialize, Serialize};

/// A larger count that is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Wish {
    count: u32,
    arrival: u64,
    /// Since when any is wanted, and since when not a larger one.
    first_ms: u64,
    grew_ms: u64,
}

impl Wish {
    /// Whether to step up to `count` now: it is the most possible, or neither it nor the arrivals have grown (by a
    /// thirtieth) for a twentieth of the time to drain, or a sixth of that time has gone by.
    pub fn is_ripe(
        &mut self,
        at_ms: u64,
        count: u32,
        arrival: u64,
        cap: u32,
        drain_within_ms: u64,
    ) -> bool {
        if self.count == 0 {
            *self = Self {
                count,
                arrival,
                first_ms: at_ms,
                grew_ms: at_ms,
            };
        } else if count > self.count || arrival > self.arrival.saturating_add(self.arrival / 30) {
            *self = Self {
                count,
                arrival,
                first_ms: self.first_ms,
                grew_ms: at_ms,
            };
        }
        count >= cap
            || at_ms.saturating_sub(self.grew_ms) >= drain_within_ms / 20
            || at_ms.saturating_sub(self.first_ms) >= drain_within_ms / 6
    }

    pub fn none(&mut self) {
        *self = Self::default();
    }
}
