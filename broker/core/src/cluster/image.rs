//! What the cluster knows: brokers, topics, assignments, configs.

use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use uuid::Uuid;
use weir_types::{
    BrokerEpoch, BrokerId, FolderId, LeaderEpoch, OperatorEpoch, PartitionEpoch, PartitionId,
    RaftNodeId, TopicId,
};

use super::{ConfigResource, LogEnd, Reassignment, config_defs};

/// The whole metadata at one point of the quorum's log. Cloning it is cheap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Empty until the cluster is formed.
    pub cluster_id: String,
    /// Commands applied so far; grows by one with each.
    pub version: u64,
    pub feature_level: u16,
    pub brokers: OrdMap<BrokerId, Arc<Broker>>,
    pub topics: OrdMap<TopicId, Arc<Topic>>,
    pub topic_names: OrdMap<String, TopicId>,
    /// Dynamic configs that were set, by resource, then by Kafka's config name.
    pub configs: OrdMap<ConfigResource, OrdMap<String, String>>,
    pub raft_nodes: OrdMap<RaftNodeId, RaftNode>,
    pub next_raft_node: u64,
    pub next_broker_epoch: i64,
    pub next_producer_id: i64,
    // From here on: since version 2 of the snapshot; all empty in what version 1 wrote.
    /// Partitions on their way to other replicas.
    pub reassignments: OrdMap<PartitionId, Reassignment>,
    /// Brokers that get no new replicas and give their leaders away; they need not be registered.
    pub cordoned: OrdSet<BrokerId>,
    /// Quorum ids of folders whose broker was removed: theirs again should they come back.
    pub retired_nodes: OrdMap<FolderId, RaftNodeId>,
    // Since version 3; 0 in what earlier ones wrote.
    /// The latest operator that was heard; those before it are refused. 0: none was.
    pub operator_epoch: OperatorEpoch,
    // Since version 4; empty in what earlier ones wrote.
    /// Brokers whose present registration came after an unclean stop.
    pub unclean: OrdSet<BrokerId>,
    /// Partitions without a leader of which an eligible replica is back after an unclean stop, and
    /// how the logs of those end that have answered; `None`: does not stand.
    pub awaited_ends: OrdMap<PartitionId, OrdMap<BrokerId, Option<LogEnd>>>,
}

/// A registered broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broker {
    pub id: BrokerId,
    pub epoch: BrokerEpoch,
    pub folder: FolderId,
    /// Drawn anew by each process.
    pub incarnation: Uuid,
    pub rack: Option<String>,
    /// `host:port` of the listener that brokers talk to each other on.
    pub peer_address: String,
    pub listeners: Vec<Listener>,
    /// A fenced broker leads nothing and is in no ISR.
    pub fenced: bool,
    /// It asked to stop: it gets no leaders any more.
    pub stopping: bool,
}

/// Where clients reach a broker on one of its listeners.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    pub name: String,
    pub host: String,
    pub port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    pub id: TopicId,
    pub name: String,
    pub internal: bool,
    /// Index is the partition's index.
    pub partitions: Vec<Partition>,
    /// Configs set on this topic, by Kafka's config name.
    pub config: OrdMap<String, String>,
    /// The Kubernetes resource that owns it.
    pub owner: Option<TopicOwner>,
}

/// Who declared a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicOwner {
    pub uid: String,
    pub namespace: String,
    pub name: String,
}

/// One partition's replicas and who leads them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// In order of preference for leadership; while they are reassigned, those to be and then
    /// those to go (KIP-455).
    pub replicas: Vec<BrokerId>,
    /// In-sync replicas, as committed by the quorum (KIP-497).
    pub isr: Vec<BrokerId>,
    /// Eligible leader replicas (KIP-966): out of ISR, yet known to hold all that is acknowledged.
    pub elr: Vec<BrokerId>,
    pub leader: Option<BrokerId>,
    pub leader_epoch: LeaderEpoch,
    pub partition_epoch: PartitionEpoch,
    /// Whoever led last, for partitions without a leader.
    pub last_leader: Option<BrokerId>,
}

/// A member of the quorum, voter or learner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaftNode {
    pub id: RaftNodeId,
    pub folder: FolderId,
    pub broker: BrokerId,
    /// `host:port` of its peer listener.
    pub address: String,
}

impl Image {
    pub fn topic_by_name(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.get(self.topic_names.get(name)?)
    }

    pub fn partition(&self, id: PartitionId) -> Option<&Partition> {
        let index = usize::try_from(id.index).ok()?;
        self.topics.get(&id.topic)?.partitions.get(index)
    }

    /// The effective value of a topic's config, by its topic name: the topic's own, else the
    /// cluster's default, else Kafka's. `None`: there is no such config.
    pub fn topic_config(&self, topic: TopicId, key: &str) -> Option<&str> {
        let own = self.topics.get(&topic).and_then(|t| t.config.get(key));
        let shared = || self.broker_config(config_defs::broker_name(key)?);
        let fixed = || {
            config_defs::TOPIC
                .iter()
                .find(|d| d.name == key)
                .map(|d| d.default)
        };
        own.map(String::as_str).or_else(shared).or_else(fixed)
    }

    /// A cluster-wide config: what was set, else Kafka's default.
    pub fn broker_config(&self, key: &str) -> Option<&str> {
        let set = self
            .configs
            .get(&ConfigResource::ClusterDefault)
            .and_then(|c| c.get(key));
        set.map(String::as_str)
            .or_else(|| config_defs::broker_default(key))
    }

    /// `min.insync.replicas` of a topic, 1 if nobody set it, never more than `replica_count`.
    pub fn min_isr(&self, topic: TopicId, replica_count: usize) -> usize {
        self.topic_config(topic, "min.insync.replicas")
            .and_then(|v| v.parse().ok())
            .unwrap_or(1)
            .min(replica_count)
    }

    /// The effective `min.insync.replicas` of a partition. While it is reassigned the smaller of
    /// its replica counts before and after is what counts: moving replicas stops no writer.
    pub fn partition_min_isr(&self, id: PartitionId, partition: &Partition) -> usize {
        let count = self
            .reassignments
            .get(&id)
            .map_or(partition.replicas.len(), Reassignment::least_replicas);
        self.min_isr(id.topic, count)
    }

    pub fn is_cordoned(&self, id: BrokerId) -> bool {
        self.cordoned.contains(&id)
    }

    /// Whether this registration of the broker may lead and be in sync.
    pub fn is_live(&self, id: BrokerId) -> bool {
        self.brokers.get(&id).is_some_and(|b| !b.fenced)
    }
}
