//! When to go down: once the pod time wasted so far is more than going down and back up costs, by a factor that the
//! group itself teaches.

use serde::{Deserialize, Serialize};

use crate::tuning;

/// Most smaller counts that are watched at once; a bound on [`crate::Memory`].
const COUNTS_MAX: usize = 32;
/// After a longer pause between two looks nobody knows what was needed meanwhile.
const GAP_MS: u64 = 30_000;

/// Which smaller counts would have done, and since when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Fewer {
    seen_ms: u64,
    counts: Vec<Count>,
    /// Times [`tuning::WASTE_FACTOR`]; at least [`tuning::PATIENCE`].
    patience: u64,
    /// The last step down that has not been followed by one up.
    went: Option<Went>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Count {
    count: u32,
    /// How far behind the busiest pod of a group of this size would be, milliseconds of its work.
    behind_ms: u64,
    /// Since when it would never have been too far.
    enough_ms: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Went {
    at_ms: u64,
    from: u32,
    to: u32,
    /// What going down and back up costs, pod time in milliseconds.
    cost: u64,
}

/// A smaller count as the figures are now.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    pub count: u32,
    /// Arrivals at the busiest pod, in thousandths of what it can do.
    pub load: u64,
    /// The backlog that the busiest pod would have, milliseconds of its work.
    pub behind_ms: u64,
}

impl Fewer {
    /// `candidates`: the smaller counts that matter, ascending. A count is enough as long as its busiest pod would
    /// be less than `allowed_ms` behind.
    pub fn observe(&mut self, at_ms: u64, candidates: &[Candidate], allowed_ms: u64) {
        let elapsed_ms = at_ms.saturating_sub(self.seen_ms);
        self.seen_ms = at_ms;
        let known = elapsed_ms <= GAP_MS;
        let surplus = candidates.len().saturating_sub(COUNTS_MAX);
        let next = |candidate: &Candidate| {
            let old = self
                .counts
                .iter()
                .find(|old| known && old.count == candidate.count);
            let behind_ms = old.map_or(candidate.behind_ms, |old| {
                let come = elapsed_ms.saturating_mul(candidate.load) / 1_000;
                (old.behind_ms + come).saturating_sub(elapsed_ms)
            });
            let behind_ms = behind_ms.min(2 * allowed_ms);
            let enough_ms = match old {
                Some(old) if behind_ms <= allowed_ms => old.enough_ms,
                _ => at_ms,
            };
            Count {
                count: candidate.count,
                behind_ms,
                enough_ms,
            }
        };
        self.counts = candidates.iter().skip(surplus).map(next).collect();
    }

    /// The smallest count that has been enough for so long that the pod time wasted above it is worth the `cost` of
    /// going down to it and back up. While a smaller one may soon be, the step is waited with, for one rather than
    /// several, until it is worth [`tuning::ONE_STEP_FACTOR`] times as much.
    pub fn worth(&self, replicas: u32, cost: impl Fn(u32) -> u64) -> Option<u32> {
        let factor = tuning::WASTE_FACTOR * self.patience.max(tuning::PATIENCE);
        let mut factor_here = factor;
        for of in &self.counts {
            let for_ms = self.seen_ms.saturating_sub(of.enough_ms);
            let wasted = u64::from(replicas.saturating_sub(of.count)).saturating_mul(for_ms);
            let enough = cost(of.count).saturating_mul(factor_here);
            if for_ms >= tuning::DOWN_AFTER_MS && wasted >= enough {
                return Some(of.count);
            }
            if for_ms > 0 {
                factor_here = factor * tuning::ONE_STEP_FACTOR;
            }
        }
        None
    }

    pub fn stepped_down(&mut self, at_ms: u64, from: u32, to: u32, cost: u64) {
        // Several steps down are one way down.
        let from = self.went.map_or(from, |went| went.from.max(from));
        self.went = Some(Went {
            at_ms,
            from,
            to,
            cost,
        });
    }

    /// Learns from a step up: when the last step down has saved little, the next one is waited for several
    /// times as long, otherwise half as long.
    pub fn stepped_up(&mut self, at_ms: u64, to: u32) {
        let Some(went) = self.went.take() else {
            return;
        };
        let pods = u64::from(to.min(went.from).saturating_sub(went.to));
        let saved = pods.saturating_mul(at_ms.saturating_sub(went.at_ms));
        let patience = self.patience.max(tuning::PATIENCE);
        self.patience = if saved < went.cost.saturating_mul(tuning::REGRET_FACTOR) {
            (tuning::PATIENCE_GROWTH * patience).min(tuning::PATIENCE_MAX)
        } else {
            (patience / 2).max(tuning::PATIENCE)
        };
    }
}
