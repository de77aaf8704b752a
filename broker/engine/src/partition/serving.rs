//! What a replica does for callers right now, in one word that anyone may read without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use weir_types::{BrokerId, LeaderEpoch};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Serving {
    Leader(LeaderEpoch),
    Follower(BrokerId, LeaderEpoch),
    Nobody,
}

/// Bits 62–63 kind, 31–61 epoch, 0–30 leader: epochs and broker ids are never negative here.
pub(super) struct ServingCell(AtomicU64);

const LOW: u64 = (1 << 31) - 1;

impl ServingCell {
    pub(super) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(super) fn load(&self) -> Serving {
        let word = self.0.load(Ordering::Acquire);
        let low = |bits: u64| i32::try_from(bits & LOW).unwrap_or(i32::MAX);
        let epoch = LeaderEpoch(low(word >> 31));
        match word >> 62 {
            1 => Serving::Leader(epoch),
            2 => Serving::Follower(BrokerId(low(word)), epoch),
            _ => Serving::Nobody,
        }
    }

    pub(super) fn store(&self, serving: Serving) {
        let bits = |n: i32| u64::try_from(n).unwrap_or(0) & LOW;
        let word = match serving {
            Serving::Leader(epoch) => 1 << 62 | bits(epoch.0) << 31,
            Serving::Follower(leader, epoch) => 2 << 62 | bits(epoch.0) << 31 | bits(leader.0),
            Serving::Nobody => 0,
        };
        self.0.store(word, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_holds_every_role() {
        let cell = ServingCell::new();
        for serving in [
            Serving::Nobody,
            Serving::Leader(LeaderEpoch(0)),
            Serving::Leader(LeaderEpoch(i32::MAX)),
            Serving::Follower(BrokerId(i32::MAX), LeaderEpoch(7)),
            Serving::Follower(BrokerId(0), LeaderEpoch(i32::MAX)),
        ] {
            cell.store(serving);
            assert_eq!(cell.load(), serving);
        }
    }
}
