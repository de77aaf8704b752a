//! A consumer reads nothing but committed records, and reads the same ones again.

use weir_types::{Offset, PartitionId};

use super::{LogsMatch, Violation};
use crate::records::Batch;

#[derive(Debug, Default)]
pub struct CommittedReads;

impl CommittedReads {
    /// Batches that a consumer was given, with the high watermark in the same answer.
    pub fn read(
        &self,
        partition: PartitionId,
        batches: &[Batch],
        high_watermark: Offset,
        logs: &LogsMatch,
    ) -> Result<(), Violation> {
        for batch in batches {
            let committed = logs.batch(partition, batch.base);
            if batch.end > high_watermark || committed != Some(batch) {
                let detail = format!(
                    "partition {}: {}..{} was read below {high_watermark}; committed there: {:?}",
                    partition.index,
                    batch.base,
                    batch.end,
                    committed.map(|c| (c.base, c.end, c.epoch))
                );
                return Err(Violation::new("consumers read what is committed", detail));
            }
        }
        Ok(())
    }
}
