//! What was seen at one moment.

use serde::{Deserialize, Serialize};

/// Everything a decision depends on, apart from what was learnt before.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Of a clock that never goes back, milliseconds.
    pub at_ms: u64,
    /// `spec.replicas` of the target.
    pub replicas: u32,
    pub pods: Vec<Pod>,
    pub group: GroupState,
    pub assignor: Assignor,
    /// Grows with every rebalance.
    pub generation: i32,
    pub members: Vec<Member>,
    pub partitions: Vec<PartitionBacklog>,
    /// Something outside forbids a change now.
    pub frozen: Option<Freeze>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    pub name: String,
    /// Empty until it has one.
    pub ip: String,
    pub ready: bool,
    pub terminating: bool,
    /// Of its creation, on the clock of [`Observation::at_ms`].
    pub created_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupState {
    /// Nobody knows it.
    Dead,
    /// It has offsets and no members.
    Empty,
    Rebalancing,
    Stable,
}

/// How the group shares partitions among its members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Assignor {
    /// Topic by topic, consecutive partitions; the first members get one more of each topic.
    Range,
    /// All partitions of all topics dealt out one by one.
    RoundRobin,
    /// Balanced over all topics: `sticky` and `cooperative-sticky`.
    Sticky,
    /// Balanced is assumed.
    Other(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub id: String,
    /// Address that it connects from.
    pub host: String,
    pub assigned: Vec<TopicPartition>,
    pub subscribed: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TopicPartition {
    pub topic: String,
    pub partition: i32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct PartitionBacklog {
    pub id: TopicPartition,
    pub committed: Option<i64>,
    /// Log start.
    pub start: i64,
    /// High watermark.
    pub end: i64,
    /// Records a second.
    pub arrival_rate: f64,
    pub commit_rate: f64,
}

/// Why nothing is changed whatever the figures say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Freeze {
    /// The brokers' figures are older than is useful.
    Stale { age_ms: u64 },
    /// Brokers are being restarted.
    Rolling,
    /// Something else scales the same target.
    OtherScaler(String),
    /// Members of the group are not pods of the target.
    ForeignMembers(Vec<String>),
    /// The resource says so.
    Paused,
}
