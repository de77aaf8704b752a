//! Time as the sans-IO layers see it.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Milliseconds. What they count from depends on the clock that the caller feeds in: the Unix
/// epoch for timestamps in records, an arbitrary start for timeouts (monotonic).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    /// Milliseconds from `earlier` to `self`; negative if `self` is the earlier one.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    #[must_use]
    pub const fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}
