//! What the brokers do is shown to the invariants.

use weir_types::{BrokerId, Offset, PartitionId};

use super::World;
use crate::broker::Sight;
use crate::invariants::Violation;
use crate::records::{Batch, parse};

impl World {
    pub(super) fn observe(&mut self, id: BrokerId, sight: Sight) -> Result<(), Violation> {
        match sight {
            Sight::Synced => self.stats.syncs += 1,
            Sight::Duplicate => self.stats.duplicates += 1,
            Sight::Cut {
                partition,
                from,
                to,
            } => {
                self.line(|| format!("broker {id}: cuts {} from {from} to {to}", partition.index));
                self.stats.truncations += 1;
                self.stats.cut_records += (from.0 - to.0).unsigned_abs();
                self.trace.note(&[i64::from(id.0), from.0, to.0]);
                self.invariants.logs_match.cut(partition, id, to);
            }
            Sight::Led {
                partition,
                epoch,
                start,
            } => {
                self.line(|| {
                    format!(
                        "broker {id}: leads {} in epoch {epoch} from {start}",
                        partition.index
                    )
                });
                self.stats.elections += 1;
                self.trace
                    .note(&[i64::from(id.0), i64::from(epoch.0), start.0]);
                let incarnation = self.process_mut(id).map_or(0, |p| p.incarnation);
                self.invariants
                    .one_leader
                    .led(partition, epoch, (id, incarnation))?;
                self.invariants.no_loss.led(partition, (id, epoch), start)?;
            }
            Sight::Dropped { partition } => {
                self.line(|| format!("broker {id}: drops {}", partition.index));
                self.stats.dropped += 1;
                self.invariants.greatest_leads.lost(id, |p| p == partition);
                self.trace
                    .note(&[i64::from(id.0), i64::from(partition.index)]);
                self.invariants.logs_match.cut(partition, id, Offset::ZERO);
            }
            Sight::LeaderAcked { partition, at } => {
                self.invariants
                    .greatest_leads
                    .acknowledged(partition, id, at);
            }
            Sight::HighWatermark { partition, to } => {
                self.trace.note(&[i64::from(id.0), to.0]);
                self.compare_committed(id, partition, to)?;
            }
        }
        Ok(())
    }

    /// Compares what is newly below the replica's high watermark with what others had there.
    pub(super) fn compare_committed(
        &mut self,
        id: BrokerId,
        partition: PartitionId,
        below: Offset,
    ) -> Result<(), Violation> {
        let from = self.invariants.logs_match.compared(partition, id);
        let Some(batches) = self.read_back(id, partition, from, below)? else {
            return Ok(());
        };
        if let Some(shard) = self.machine(id).and_then(|m| m.shard(partition)) {
            let epoch_end = |epoch| shard.log().epoch_end(epoch);
            let epochs = &self.invariants.epochs_match;
            epochs.compare(partition, id, &batches, epoch_end)?;
        }
        let fresh = self
            .invariants
            .logs_match
            .compare(partition, id, batches, below)?;
        for batch in &fresh {
            self.invariants.no_duplicates.committed(partition, batch)?;
        }
        Ok(())
    }

    /// A replica's log of `[from, below)`; none if it has none.
    pub(super) fn read_back(
        &self,
        id: BrokerId,
        partition: PartitionId,
        from: Offset,
        below: Offset,
    ) -> Result<Option<Vec<Batch>>, Violation> {
        let Some(shard) = self.machine(id).and_then(|m| m.shard(partition)) else {
            return Ok(None);
        };
        let wrong = |detail: String| {
            let detail = format!("broker {id}, partition {}: {detail}", partition.index);
            Violation::new("what is committed can be read", detail)
        };
        let mut batches = Vec::new();
        let mut at = from.max(shard.log().start());
        let below = below.min(shard.log().end());
        while at < below {
            let bytes = shard
                .read(at, below, 64 * 1024)
                .map_err(|e| wrong(e.to_string()))?;
            let part = parse(bytes).map_err(wrong)?;
            let Some(last) = part.last() else {
                return Err(wrong(format!("nothing at {at}, below {below}")));
            };
            at = last.end;
            batches.extend(part);
        }
        Ok(Some(batches))
    }
}
