//! Conditions, in the shape that kubectl, kstatus and Argo CD read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One condition of a resource. `Ready`, `Reconciling` and `Stalled` follow kstatus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What the condition is about.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 64))]
    pub type_: String,
    pub status: ConditionStatus,
    /// A word for programs.
    #[schemars(length(min = 1, max = 64))]
    pub reason: String,
    /// A sentence for people: what, on whom, since when.
    #[schemars(length(max = 2048))]
    pub message: String,
    /// When the status last changed, RFC 3339.
    #[schemars(length(max = 64), extend("format" = "date-time"))]
    pub last_transition_time: String,
    /// The generation this was said of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    True,
    False,
    Unknown,
}
