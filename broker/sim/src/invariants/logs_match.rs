//! Below their high watermarks all replicas have the same bytes, leader epochs included.

use std::collections::BTreeMap;

use weir_types::{BrokerId, Offset, PartitionId};

use super::Violation;
use crate::records::Batch;

/// The committed log of each partition, as far as any replica has shown it.
#[derive(Debug, Default)]
pub struct LogsMatch {
    committed: BTreeMap<PartitionId, BTreeMap<Offset, Batch>>,
    /// How far each replica's log was compared in its present life.
    compared: BTreeMap<(PartitionId, BrokerId), Offset>,
}

impl LogsMatch {
    /// Where to go on comparing this replica.
    pub fn compared(&self, partition: PartitionId, broker: BrokerId) -> Offset {
        let at = self.compared.get(&(partition, broker));
        at.copied().unwrap_or_default()
    }

    /// The process is gone: what it has on its disk is compared again from the beginning.
    pub fn restarted(&mut self, broker: BrokerId) {
        self.compared.retain(|(_, b), _| *b != broker);
    }

    pub fn cut(&mut self, partition: PartitionId, broker: BrokerId, to: Offset) {
        if let Some(compared) = self.compared.get_mut(&(partition, broker)) {
            *compared = (*compared).min(to);
        }
    }

    /// Compares what a replica has below its high watermark. Gives back what nobody had shown
    /// before.
    pub fn compare(
        &mut self,
        partition: PartitionId,
        broker: BrokerId,
        batches: Vec<Batch>,
        below: Offset,
    ) -> Result<Vec<Batch>, Violation> {
        let committed = self.committed.entry(partition).or_default();
        let mut fresh = Vec::new();
        for batch in batches.into_iter().filter(|b| b.end <= below) {
            let known = committed.range(..batch.end).next_back();
            match known.filter(|(_, known)| known.end > batch.base) {
                Some((_, known)) if *known == batch => {}
                Some((_, known)) => return Err(differs(partition, broker, known, &batch)),
                None => {
                    committed.insert(batch.base, batch.clone());
                    fresh.push(batch);
                }
            }
        }
        self.compared.insert((partition, broker), below);
        Ok(fresh)
    }

    /// What is committed, in order.
    pub fn committed(&self, partition: PartitionId) -> impl Iterator<Item = &Batch> {
        self.committed
            .get(&partition)
            .into_iter()
            .flat_map(BTreeMap::values)
    }

    /// The committed batch that begins at `base`.
    pub fn batch(&self, partition: PartitionId, base: Offset) -> Option<&Batch> {
        self.committed.get(&partition)?.get(&base)
    }

    /// Exclusive.
    pub fn committed_end(&self, partition: PartitionId) -> Offset {
        let last = self
            .committed
            .get(&partition)
            .and_then(|c| c.values().next_back());
        last.map_or(Offset::ZERO, |b| b.end)
    }
}

fn differs(partition: PartitionId, broker: BrokerId, known: &Batch, found: &Batch) -> Violation {
    let show = |b: &Batch| {
        format!(
            "{}..{} of epoch {} by {:?}",
            b.base, b.end, b.epoch, b.sequence
        )
    };
    let detail = format!(
        "partition {}, broker {broker} has {} where {} is committed",
        partition.index,
        show(found),
        show(known)
    );
    Violation::new("logs match below the high watermark", detail)
}
