//! Cluster-wide settings of the brokers, typed.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{DURATION, DURATION_OR_FOREVER, RATE, SIZE, SIZE_OR_UNLIMITED};

/// Settings that hold for every broker, and defaults of topics that do not say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.minInsyncReplicas) || !has(self.defaultReplicationFactor) || self.minInsyncReplicas <= self.defaultReplicationFactor").message("minInsyncReplicas must not exceed defaultReplicationFactor"),
)]
pub struct BrokerConfig {
    /// Replicas that must have a write with acks=all; by default 2 on three brokers and more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 50))]
    pub min_insync_replicas: Option<i32>,
    /// Replicas of topics that do not say; by default 3, or as many as there are brokers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 50))]
    pub default_replication_factor: Option<i32>,
    /// Partitions of topics that do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub num_partitions: Option<i32>,
    /// Topics appear on first use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_create_topics: Option<bool>,
    /// Age above which old segments go, or `Forever`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), extend("pattern" = DURATION_OR_FOREVER))]
    pub retention: Option<String>,
    /// Size of a partition above which old segments go, or `Unlimited`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20), extend("pattern" = SIZE_OR_UNLIMITED))]
    pub retention_size: Option<String>,
    /// Size at which a new segment starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20), extend("pattern" = SIZE))]
    pub segment_size: Option<String>,
    /// Age at which a new segment starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), extend("pattern" = DURATION))]
    pub segment_age: Option<String>,
    /// Largest record batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20), extend("pattern" = SIZE))]
    pub message_max_size: Option<String>,
    /// Whether a write is on disk before it is acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flush: Option<Flush>,
    /// How often topics with `flush: Async` are synced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), extend("pattern" = DURATION))]
    pub flush_interval: Option<String>,
    /// Whose clock stamps a record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_type: Option<TimestampType>,
    /// Partitions of the offsets topic; only before the first consumer group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub offsets_topic_partitions: Option<i32>,
    /// Most replicas of the offsets topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 50))]
    pub offsets_topic_replication_factor: Option<i32>,
    /// How long an empty group keeps its offsets; whole minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), extend("pattern" = "^[0-9]{1,8}(m|h|d)$"))]
    pub offsets_retention: Option<String>,
    /// How long a new consumer group waits for members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), extend("pattern" = DURATION))]
    pub group_initial_rebalance_delay: Option<String>,
    /// Where consumers read that say which rack they are in; by default a replica there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumers_read_from: Option<ReadFrom>,
    /// Bytes a second that a broker takes, and gives, for replicas that are being moved; by default
    /// as fast as it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20), extend("pattern" = RATE))]
    pub move_rate: Option<String>,
}

/// Which replica of a partition serves a consumer (KIP-392).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReadFrom {
    /// The leader, always.
    Leader,
    /// One in sync in the consumer's own rack, if there is any.
    SameRack,
}

/// When a write counts as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Flush {
    /// Once it is on disk: survives power loss.
    Sync,
    /// Synced in the background: faster, and power loss takes what was not synced yet.
    Async,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TimestampType {
    CreateTime,
    LogAppendTime,
}
