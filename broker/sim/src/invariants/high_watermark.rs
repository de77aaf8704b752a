//! For a consumer the high watermark never goes back.

use std::collections::BTreeMap;

use weir_types::{LeaderEpoch, Offset, PartitionId};

use super::Violation;

/// What each consumer was told of each partition.
#[derive(Debug, Default)]
pub struct HighWatermarkView {
    seen: BTreeMap<(usize, PartitionId), (LeaderEpoch, Offset)>,
}

impl HighWatermarkView {
    /// Answers of an earlier leader than one already heard say nothing: clients drop them.
    pub fn told(
        &mut self,
        consumer: usize,
        partition: PartitionId,
        epoch: LeaderEpoch,
        high_watermark: Offset,
    ) -> Result<(), Violation> {
        let seen = self.seen.entry((consumer, partition)).or_default();
        if epoch < seen.0 {
            return Ok(());
        }
        if high_watermark < seen.1 {
            let detail = format!(
                "consumer {consumer} saw {} of partition {} under epoch {}, then {high_watermark} under {epoch}",
                seen.1, partition.index, seen.0
            );
            return Err(Violation::new("the high watermark never goes back", detail));
        }
        *seen = (epoch, high_watermark);
        Ok(())
    }
}
