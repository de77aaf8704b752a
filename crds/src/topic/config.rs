//! Settings of one topic, typed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cluster::{Flush, TimestampType};
use crate::units::{DURATION, DURATION_OR_FOREVER, SIZE, SIZE_OR_UNLIMITED};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TopicConfig {
    /// Age above which old segments go, or `Forever`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), extend("pattern" = DURATION_OR_FOREVER))]
    pub retention: Option<String>,
    /// Size of a partition above which old segments go, or `Unlimited`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20), extend("pattern" = SIZE_OR_UNLIMITED))]
    pub retention_size: Option<String>,
    /// What happens to old segments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2), extend("x-kubernetes-list-type" = "set"))]
    pub cleanup: Option<Vec<Cleanup>>,
    /// Whether a write is on disk before it is acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flush: Option<Flush>,
    /// How often a topic with `flush: Async` is synced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), extend("pattern" = DURATION))]
    pub flush_interval: Option<String>,
    /// Replicas that must have a write with acks=all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 50))]
    pub min_insync_replicas: Option<i32>,
    /// Largest record batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20), extend("pattern" = SIZE))]
    pub max_message_size: Option<String>,
    /// Size at which a new segment starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20), extend("pattern" = SIZE))]
    pub segment_size: Option<String>,
    /// Age at which a new segment starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), extend("pattern" = DURATION))]
    pub segment_age: Option<String>,
    /// Whose clock stamps a record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_type: Option<TimestampType>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Cleanup {
    Delete,
    Compact,
}
