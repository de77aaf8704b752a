//! No record that was acknowledged with acks=all is lost. What timed out is unknown: it may be
//! there or not.

use std::collections::BTreeMap;

use weir_types::{BrokerId, LeaderEpoch, Offset, PartitionId};

use super::Violation;
use crate::records::Batch;

const PROPERTY: &str = "no acknowledged record is lost";

#[derive(Debug, Default)]
pub struct NoLoss {
    /// By base offset: exclusive end, and the records.
    acknowledged: BTreeMap<(PartitionId, Offset), Vec<u64>>,
    ends: BTreeMap<PartitionId, Offset>,
    /// Clients asked that everything below goes; it may, or may not have.
    deleted: BTreeMap<PartitionId, Offset>,
}

impl NoLoss {
    /// A write with acks=all was acknowledged at `base`.
    pub fn acknowledged(
        &mut self,
        partition: PartitionId,
        base: Offset,
        keys: &[u64],
        committed: Option<&Batch>,
    ) -> Result<(), Violation> {
        if committed.map(|b| b.keys.as_slice()) != Some(keys) {
            let detail = format!(
                "partition {}: {keys:?} acknowledged at {base}, where {:?} is committed",
                partition.index,
                committed.map(|b| &b.keys)
            );
            return Err(Violation::new(PROPERTY, detail));
        }
        let end = base.plus(i64::try_from(keys.len()).unwrap_or(i64::MAX));
        let known = self.ends.entry(partition).or_default();
        *known = (*known).max(end);
        self.acknowledged.insert((partition, base), keys.to_vec());
        Ok(())
    }

    /// Somebody asks to delete what lies below `to`.
    pub fn deletes(&mut self, partition: PartitionId, to: Offset) {
        let deleted = self.deleted.entry(partition).or_default();
        *deleted = (*deleted).max(to);
    }

    /// A new leader's log reaches as far as everything acknowledged.
    pub fn led(
        &self,
        partition: PartitionId,
        leader: (BrokerId, LeaderEpoch),
        start: Offset,
    ) -> Result<(), Violation> {
        let acknowledged = self.ends.get(&partition).copied().unwrap_or_default();
        if start >= acknowledged {
            return Ok(());
        }
        let detail = format!(
            "broker {} leads epoch {} of partition {} with a log to {start}, and {acknowledged} is acknowledged",
            leader.0, leader.1, partition.index
        );
        Err(Violation::new(PROPERTY, detail))
    }

    /// Everything acknowledged is in the log as it is read back in the end, from its start on.
    pub fn all_there(
        &self,
        partition: PartitionId,
        start: Offset,
        log: &BTreeMap<Offset, Batch>,
    ) -> Result<(), Violation> {
        let deleted = self.deleted.get(&partition).copied().unwrap_or_default();
        if start > deleted {
            let detail = format!(
                "partition {} starts at {start}, {deleted} was asked for",
                partition.index
            );
            return Err(Violation::new(PROPERTY, detail));
        }
        for ((_, base), keys) in self.of(partition).filter(|((_, base), _)| *base >= start) {
            let found = log.get(base).map(|b| &b.keys);
            if found != Some(keys) {
                let detail = format!(
                    "partition {}: {keys:?} was acknowledged at {base}, where {found:?} is read back",
                    partition.index
                );
                return Err(Violation::new(PROPERTY, detail));
            }
        }
        Ok(())
    }

    fn of(
        &self,
        partition: PartitionId,
    ) -> impl Iterator<Item = (&(PartitionId, Offset), &Vec<u64>)> {
        let range = (partition, Offset(i64::MIN))..=(partition, Offset(i64::MAX));
        self.acknowledged.range(range)
    }
}
