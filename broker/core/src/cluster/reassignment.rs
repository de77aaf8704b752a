//! A partition on its way to other replicas.

use serde::{Deserialize, Serialize};
use weir_types::BrokerId;

/// Both ends of the way. Meanwhile the partition's replicas are `target`, then [`Self::removing`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reassignment {
    /// Replicas when the first reassignment began, in their order: where cancelling leads back.
    pub before: Vec<BrokerId>,
    /// Replicas to be, in order of preference for leadership.
    pub target: Vec<BrokerId>,
}

impl Reassignment {
    /// Replicas that the partition did not have before.
    pub fn adding(&self) -> Vec<BrokerId> {
        without(&self.target, &self.before)
    }

    /// Replicas that go once all of `target` are in sync.
    pub fn removing(&self) -> Vec<BrokerId> {
        without(&self.before, &self.target)
    }

    /// Everybody who has or gets a replica: those to be first.
    pub(super) fn replicas(&self) -> Vec<BrokerId> {
        let mut all = self.target.clone();
        all.extend(self.removing());
        all
    }

    /// Only the order of preference changes.
    pub(super) fn moves_nothing(&self) -> bool {
        self.adding().is_empty() && self.removing().is_empty()
    }

    /// The smaller of the replica counts at both ends.
    pub(super) fn least_replicas(&self) -> usize {
        self.before.len().min(self.target.len())
    }
}

fn without(these: &[BrokerId], those: &[BrokerId]) -> Vec<BrokerId> {
    let kept = these.iter().filter(|b| !those.contains(b));
    kept.copied().collect()
}
