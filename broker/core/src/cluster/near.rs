//! Which replicas a consumer may be sent to (KIP-392).

use weir_types::{BrokerId, PartitionId};

use super::config_defs::{RACK_AWARE, REPLICA_SELECTOR};
use super::{Broker, Image, Partition};

impl Image {
    /// The in-sync replicas in `rack` that a consumer may read from instead of the leader, in the
    /// partition's order: live, here to stay, and reached through `listener`.
    ///
    /// None if the leader is in that rack itself, if `rack` is empty, or if
    /// `replica.selector.class` is `LeaderSelector`.
    pub fn replicas_near(&self, id: PartitionId, rack: &str, listener: &str) -> Vec<BrokerId> {
        let Some(partition) = self.partition(id) else {
            return Vec::new();
        };
        let Some(leader) = partition.leader else {
            return Vec::new();
        };
        if rack.is_empty() || self.is_in_rack(leader, rack) || !self.selects_by_rack() {
            return Vec::new();
        }
        let serves = |id: &BrokerId| self.serves_near(partition, *id, rack, listener);
        partition.replicas.iter().copied().filter(serves).collect()
    }

    fn serves_near(&self, partition: &Partition, id: BrokerId, rack: &str, listener: &str) -> bool {
        let reached = |b: &Broker| b.listeners.iter().any(|l| l.name == listener);
        partition.isr.contains(&id)
            && self.is_in_rack(id, rack)
            && self
                .brokers
                .get(&id)
                .is_some_and(|b| !b.fenced && !b.stopping && reached(b))
    }

    fn is_in_rack(&self, id: BrokerId, rack: &str) -> bool {
        let broker = self.brokers.get(&id);
        broker.and_then(|b| b.rack.as_deref()) == Some(rack)
    }

    fn selects_by_rack(&self) -> bool {
        // With or without the name of Kafka's package.
        self.broker_config(REPLICA_SELECTOR)
            .is_some_and(|class| class.rsplit('.').next() == Some(RACK_AWARE))
    }
}
