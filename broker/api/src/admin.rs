use std::collections::BTreeMap;
use weir_types::{BrokerId, TopicId};

use crate::{TopicOwner, TopicRef};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    pub name: String,
    /// -1: the broker's default.
    pub partitions: i32,
    /// -1: the broker's default.
    pub replication_factor: i16,
    /// Replicas of each partition, chosen by the caller; then the two numbers above are -1.
    pub assignments: Option<Vec<Vec<BrokerId>>>,
    /// By Kafka's config names.
    pub config: BTreeMap<String, String>,
    pub owner: Option<TopicOwner>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigTarget {
    Topic(TopicRef),
    Broker(BrokerId),
    /// Default of all brokers.
    ClusterDefault,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigOp {
    Set(String, String),
    Delete(String),
    Append(String, String),
    Subtract(String, String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterConfig {
    pub target: ConfigTarget,
    pub ops: Vec<ConfigOp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    DynamicTopic,
    DynamicBroker,
    DynamicClusterDefault,
    StaticBroker,
    Default,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    pub name: String,
    pub value: String,
    pub source: ConfigSource,
    pub read_only: bool,
    /// Kafka's type code: 1 boolean, 2 string, 3 int, 4 short, 5 long, 6 double, 7 list.
    pub value_type: i8,
    pub documentation: &'static str,
}

/// Why a broker must not stop now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestartBlocker {
    /// Without the broker the partition's ISR would be smaller than its minimum.
    BelowMinIsr {
        topic: TopicId,
        name: String,
        index: i32,
    },
    /// The broker is the only in-sync replica.
    OnlyReplica {
        topic: TopicId,
        name: String,
        index: i32,
    },
    /// The metadata quorum would lose its majority.
    Quorum { voters_down: u32, voters: u32 },
}
