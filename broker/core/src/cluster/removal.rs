//! Brokers on their way out: cordoned, emptied, removed.

use weir_types::{BrokerId, RaftNodeId};

use super::apply::Outcome;
use super::{ClusterError, ClusterReply, ConfigResource, Image, elections};

/// An unknown broker can be uncordoned, and not cordoned.
pub(super) fn set_cordon(image: &mut Image, broker: BrokerId, cordoned: bool) -> Outcome {
    if !cordoned {
        image.cordoned.remove(&broker);
    } else if image.brokers.contains_key(&broker) {
        image.cordoned.insert(broker);
        elections::give_away(image, broker);
    } else {
        return Err(ClusterError::UnknownBroker(broker));
    }
    let (leaders, replicas) = image.holdings(broker);
    Ok(ClusterReply::Holds { leaders, replicas })
}

/// Its quorum ids are put aside with their folders: a folder that comes back has the log that
/// belongs to its id. An unknown broker is as good as removed; its cordon stays until it is taken
/// away.
pub(super) fn remove(image: &mut Image, broker: BrokerId) -> Outcome {
    let alive = image.is_live(broker);
    if alive && !image.is_cordoned(broker) {
        return Err(ClusterError::BrokerAlive(broker));
    }
    if image.holdings(broker).1 > 0 {
        return Err(ClusterError::BrokerInUse(broker));
    }
    image.brokers.remove(&broker);
    image.unclean.remove(&broker);
    image.configs.remove(&ConfigResource::Broker(broker));
    let nodes = image.raft_nodes.values().filter(|n| n.broker == broker);
    let nodes: Vec<_> = nodes.map(|n| (n.folder, n.id)).collect();
    for (folder, id) in nodes {
        image.raft_nodes.remove(&id);
        image.retired_nodes.insert(folder, id);
    }
    Ok(ClusterReply::Done)
}

pub(super) fn forget_node(image: &mut Image, id: RaftNodeId) -> Outcome {
    image.raft_nodes.remove(&id);
    Ok(ClusterReply::Done)
}

impl Image {
    /// How many partitions the broker leads, and of how many it has, gets or gives up a replica.
    pub fn holdings(&self, broker: BrokerId) -> (u32, u32) {
        let (mut leaders, mut replicas) = (0, 0);
        for partition in self.topics.values().flat_map(|t| &t.partitions) {
            leaders += u32::from(partition.leader == Some(broker));
            replicas += u32::from(partition.replicas.contains(&broker));
        }
        (leaders, replicas)
    }
}
