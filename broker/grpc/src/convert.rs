//! Between the engine's words and the protocol's.

use weir_api::{ConfigEntry, ConfigSource, PartitionView, TopicOwner, TopicView};
use weir_proto::admin as pb;
use weir_types::BrokerId;

pub(crate) fn topic(view: TopicView, config: &[ConfigEntry]) -> pb::Topic {
    let own = |e: &&ConfigEntry| e.source == ConfigSource::DynamicTopic;
    pb::Topic {
        id: view.id.to_string(),
        name: view.name,
        internal: view.internal,
        partitions: view.partitions.into_iter().map(partition).collect(),
        owner: view.owner.map(|o| pb::TopicOwner {
            uid: o.uid,
            namespace: o.namespace,
            name: o.name,
        }),
        config: config
            .iter()
            .filter(own)
            .map(|e| (e.name.clone(), e.value.clone()))
            .collect(),
    }
}

/// What a reassignment is still adding counts for no replication factor yet.
fn partition(mut view: PartitionView) -> pb::Partition {
    let adding = view.adding;
    view.replicas.retain(|b| !adding.contains(b));
    pb::Partition {
        index: view.index,
        leader: view.leader.map(|b| b.0),
        leader_epoch: view.leader_epoch.0,
        replicas: ids(&view.replicas),
        isr: ids(&view.isr),
        elr: ids(&view.elr),
        offline: ids(&view.offline),
    }
}

pub(crate) fn ids(brokers: &[BrokerId]) -> Vec<i32> {
    brokers.iter().map(|b| b.0).collect()
}

pub(crate) fn owner(owner: pb::TopicOwner) -> TopicOwner {
    TopicOwner {
        uid: owner.uid,
        namespace: owner.namespace,
        name: owner.name,
    }
}

/// How many of these someone has, as the protocol counts.
pub(crate) fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
