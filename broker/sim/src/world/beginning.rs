//! The cluster is formed and filled.

use std::collections::BTreeMap;

use uuid::Uuid;
use weir_core::cluster::{ClusterCommand, NewTopic};
use weir_types::{BrokerId, PartitionId, TopicId};

use super::{Happening, World};
use crate::broker::Machine;
use crate::clients::{Consumer, Producer};
use crate::dice::Dice;
use crate::disk::SimDisk;
use crate::invariants::Violation;

/// Brokers 0 to `count`, none of them up.
pub(super) fn new_machines(count: u64, dice: &mut Dice) -> Vec<Machine> {
    (0..count).map(|index| new_machine(index, dice)).collect()
}

fn new_machine(index: u64, dice: &mut Dice) -> Machine {
    let skew_ms = i64::try_from(dice.below(4000)).unwrap_or(0) - 2000;
    let disk = SimDisk::new(dice.roll());
    if dice.chance(500) {
        disk.faults().set_short_writes(dice.range(5, 200));
    }
    Machine::new(BrokerId(i32::try_from(index).unwrap_or(0)), disk, skew_ms)
}

impl World {
    /// Forms the cluster and starts everybody.
    pub(super) fn begin(&mut self) -> Result<(), Violation> {
        let cluster_id = "sim".to_owned();
        self.decree(&ClusterCommand::Form { cluster_id })?;
        for index in 0..self.machines.len() {
            let id = self.machines[index].id;
            self.start_machine(id)?;
        }
        self.queue.after(200_000, Happening::Sweep);
        self.queue.after(1_000_000, Happening::Populate);
        Ok(())
    }

    /// Creates topics and clients, once the brokers are registered.
    pub(super) fn populate(&mut self) -> Result<(), Violation> {
        self.create_topic("a", 3, 2)?;
        self.create_topic("b", 1, 1)?;
        for index in 0..6_usize {
            let partition = self.partitions[index % self.partitions.len()];
            let id = self.next_producer_id();
            self.producers
                .push(Producer::new(partition, index != 4, id));
        }
        self.consumers = (0..3)
            .map(|_| Consumer::new(self.partitions.clone()))
            .collect();
        self.queue.after(1_000_000, Happening::Operation);
        Ok(())
    }

    fn create_topic(
        &mut self,
        name: &str,
        partitions: usize,
        min_isr: u32,
    ) -> Result<(), Violation> {
        let id = TopicId(Uuid::from_u128(1 + self.partitions.len() as u128));
        let mut assignments = Vec::new();
        for index in 0..partitions {
            let first = self.dice.index(self.machines.len());
            let replica = |i: usize| self.machines[(first + i) % self.machines.len()].id;
            assignments.push((0..3).map(replica).collect::<Vec<_>>());
            let index = i32::try_from(index).unwrap_or(0);
            self.partitions.push(PartitionId::new(id, index));
        }
        let config = BTreeMap::from([("min.insync.replicas".to_owned(), min_isr.to_string())]);
        self.decree(&ClusterCommand::CreateTopic(NewTopic {
            id,
            name: name.to_owned(),
            internal: false,
            partitions: -1,
            replication_factor: -1,
            assignments: Some(assignments),
            config,
            owner: None,
            seed: 0,
            validate_only: false,
        }))
    }

    /// Something that the quorum must not refuse.
    fn decree(&mut self, command: &ClusterCommand) -> Result<(), Violation> {
        let refused = |e| Violation::new("the quorum takes what is right", format!("{e}"));
        self.apply(command).map(|_| ()).map_err(refused)
    }
}
