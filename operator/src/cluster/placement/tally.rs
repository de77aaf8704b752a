use std::collections::BTreeMap;

use super::ReplicaMap;

/// What brokers have once everything that moves has arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub replicas: BTreeMap<i32, usize>,
    pub bytes: BTreeMap<i32, u64>,
    /// Partitions that name the broker first.
    pub firsts: BTreeMap<i32, usize>,
}

impl Tally {
    pub fn new(map: &ReplicaMap) -> Self {
        let mut tally = Self::default();
        for id in map.members.keys() {
            tally.replicas.insert(*id, 0);
            tally.bytes.insert(*id, 0);
            tally.firsts.insert(*id, 0);
        }
        for partition in &map.partitions {
            for broker in &partition.replicas {
                tally.add(*broker, partition.bytes);
            }
            if let Some(first) = partition.replicas.first() {
                *tally.firsts.entry(*first).or_default() += 1;
            }
        }
        tally
    }

    pub fn add(&mut self, broker: i32, bytes: u64) {
        *self.replicas.entry(broker).or_default() += 1;
        *self.bytes.entry(broker).or_default() += bytes;
    }

    pub fn take(&mut self, broker: i32, bytes: u64) {
        let replicas = self.replicas.entry(broker).or_default();
        *replicas = replicas.saturating_sub(1);
        let held = self.bytes.entry(broker).or_default();
        *held = held.saturating_sub(bytes);
    }

    pub fn replicas(&self, broker: i32) -> usize {
        self.replicas.get(&broker).copied().unwrap_or(0)
    }

    pub fn bytes(&self, broker: i32) -> u64 {
        self.bytes.get(&broker).copied().unwrap_or(0)
    }
}
