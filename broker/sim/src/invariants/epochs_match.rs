//! A replica's leader epochs say what its records say: followers cut their logs by them.

use weir_types::{BrokerId, LeaderEpoch, Offset, PartitionId};

use super::Violation;
use crate::records::Batch;

#[derive(Debug, Default)]
pub struct EpochsMatch;

impl EpochsMatch {
    /// `epoch_end`: what the replica's log answers for an epoch.
    pub fn compare(
        &self,
        partition: PartitionId,
        broker: BrokerId,
        batches: &[Batch],
        epoch_end: impl Fn(LeaderEpoch) -> Option<(LeaderEpoch, Offset)>,
    ) -> Result<(), Violation> {
        for batch in batches {
            let known = epoch_end(batch.epoch);
            let right = known.is_some_and(|(epoch, end)| epoch == batch.epoch && end >= batch.end);
            if !right {
                let detail = format!(
                    "broker {broker}, partition {}: {}..{} is of epoch {}, which is known as {known:?}",
                    partition.index, batch.base, batch.end, batch.epoch
                );
                return Err(Violation::new("leader epochs match the records", detail));
            }
        }
        Ok(())
    }
}
