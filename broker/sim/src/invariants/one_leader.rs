//! A leader epoch has one leader.

use std::collections::BTreeMap;

use weir_types::{BrokerId, LeaderEpoch, PartitionId};

use super::Violation;

#[derive(Debug, Default)]
pub struct OneLeader {
    /// Broker and process.
    leaders: BTreeMap<(PartitionId, LeaderEpoch), (BrokerId, u64)>,
}

impl OneLeader {
    /// A process begins to lead. A restarted process is another one: it may have lost what its
    /// predecessor had sent under the same epoch.
    pub fn led(
        &mut self,
        partition: PartitionId,
        epoch: LeaderEpoch,
        who: (BrokerId, u64),
    ) -> Result<(), Violation> {
        let first = *self.leaders.entry((partition, epoch)).or_insert(who);
        if first == who {
            return Ok(());
        }
        let detail = format!(
            "epoch {epoch} of partition {} is led by broker {} (process {}) and was by {} ({})",
            partition.index, who.0, who.1, first.0, first.1
        );
        Err(Violation::new("one leader an epoch", detail))
    }
}
