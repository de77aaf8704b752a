//! Everything is healed, the cluster comes to rest, and all that was acknowledged is read back.

use std::collections::BTreeMap;

use weir_types::{BrokerId, Offset, PartitionId};

use super::{Happening, World};
use crate::invariants::Violation;

/// Simulated time within which a healed cluster is in order.
const SETTLE_US_MAX: u64 = 120_000_000;

impl World {
    pub(super) fn heal_everything(&mut self) {
        self.line(|| "everything is healed".to_owned());
        self.ending_since_us = Some(self.now_us());
        self.net.heal();
        let now_us = self.now_us();
        for index in 0..self.machines.len() {
            let machine = &mut self.machines[index];
            machine.relieve();
            machine.armed = None;
            machine.disk.disarm();
            if machine.process.is_none() {
                machine.starts_at_us = Some(now_us);
                let id = machine.id;
                self.queue.after(1_000, Happening::Start(id));
            }
        }
        self.queue.after(1_000_000, Happening::Settle);
    }

    pub(super) fn settle(&mut self) -> Result<(), Violation> {
        let Some(unrest) = self.unrest() else {
            self.check_all_logs()?;
            self.settled = true;
            return Ok(());
        };
        let since_us = self.ending_since_us.unwrap_or_default();
        if self.now_us() - since_us > SETTLE_US_MAX {
            return Err(Violation::new("a healed cluster converges", unrest));
        }
        self.queue.after(200_000, Happening::Settle);
        Ok(())
    }

    /// What is not in order yet.
    fn unrest(&self) -> Option<String> {
        if let Some(busy) = self.producers.iter().position(|p| !p.is_idle()) {
            return Some(format!("producer {busy} has no answer"));
        }
        if let Some(moving) = self.quorum.image.reassignments.values().next() {
            return Some(format!("a reassignment is under way: {moving:?}"));
        }
        self.partitions
            .iter()
            .find_map(|id| self.partition_unrest(*id))
    }

    fn partition_unrest(&self, id: PartitionId) -> Option<String> {
        let partition = self.quorum.image.partition(id)?;
        let index = id.index;
        let Some(leader) = partition.leader else {
            return Some(format!("partition {index} has no leader: {partition:?}"));
        };
        if partition.isr.len() < partition.replicas.len() {
            return Some(format!("partition {index} is not in sync: {partition:?}"));
        }
        let end = self.machine(leader)?.shard(id).map(|s| s.log().end());
        let replicas = partition.replicas.iter();
        replicas
            .map(|b| self.replica_unrest(*b, id, end))
            .find(Option::is_some)
            .flatten()
    }

    fn replica_unrest(
        &self,
        broker: BrokerId,
        id: PartitionId,
        end: Option<Offset>,
    ) -> Option<String> {
        let Some(shard) = self.machine(broker).and_then(|m| m.shard(id)) else {
            return Some(format!("broker {broker} has no partition {}", id.index));
        };
        let (log, replica) = (shard.log(), shard.replica());
        let have = [log.end(), log.durable_end(), replica.high_watermark()];
        let in_order = have.iter().all(|o| Some(*o) == end);
        (!in_order).then(|| {
            format!(
                "broker {broker}, partition {}, {:?}: end, durable end, high watermark {have:?}, leader's end {end:?}",
                id.index,
                replica.role()
            )
        })
    }

    /// From the first offset on, on every replica.
    fn check_all_logs(&mut self) -> Result<(), Violation> {
        for id in self.partitions.clone() {
            let Some(partition) = self.quorum.image.partition(id).cloned() else {
                continue;
            };
            for broker in partition.replicas {
                self.invariants.logs_match.cut(id, broker, Offset::ZERO);
                let end = self
                    .machine(broker)
                    .and_then(|m| m.shard(id))
                    .map(|s| s.log().end());
                self.compare_committed(broker, id, end.unwrap_or_default())?;
                let start = self.log_start(broker, id);
                let log = self.read_back(broker, id, Offset::ZERO, Offset(i64::MAX))?;
                let log: BTreeMap<_, _> = log
                    .unwrap_or_default()
                    .into_iter()
                    .map(|b| (b.base, b))
                    .collect();
                self.invariants.no_loss.all_there(id, start, &log)?;
            }
            self.check_nothing_unseen(id)?;
        }
        Ok(())
    }

    fn log_start(&self, broker: BrokerId, id: PartitionId) -> Offset {
        let shard = self.machine(broker).and_then(|m| m.shard(id));
        shard.map_or(Offset::ZERO, |s| s.log().start())
    }

    /// What was once committed is all there is.
    fn check_nothing_unseen(&self, id: PartitionId) -> Result<(), Violation> {
        let leader = self.quorum.image.partition(id).and_then(|p| p.leader);
        let end = leader
            .and_then(|b| self.machine(b)?.shard(id))
            .map_or(Offset::ZERO, |s| s.log().end());
        let committed = self.invariants.logs_match.committed_end(id);
        if committed == end {
            return Ok(());
        }
        let detail = format!(
            "partition {}: {committed} was committed, the log ends at {end}",
            id.index
        );
        Err(Violation::new(
            "logs match below the high watermark",
            detail,
        ))
    }
}
