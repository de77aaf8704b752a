//! What the operator says about a scaler, and what it has learnt.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Condition;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerScalerStatus {
    /// Generation of the spec that the rest is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Replicas that the target asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_replicas: Option<i32>,
    /// Replicas that were decided on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired_replicas: Option<i32>,
    /// Records not yet consumed, a while ago at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backlog: Option<i64>,
    /// Reason of the last decision, or what is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<ScalerDecision>,
    /// When the target was last scaled, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("format" = "date-time"))]
    pub last_scale_time: Option<String>,
    /// What was learnt of the consumers, for the operator alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub memory: Option<String>,
}

/// The last decision, with what it was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScalerDecision {
    /// A word for programs.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// Sentences for people.
    #[schemars(length(max = 2048))]
    pub message: String,
    /// When these figures were seen, RFC 3339.
    #[schemars(length(max = 64), extend("format" = "date-time"))]
    pub at: String,
    /// Replicas before and after.
    #[serde(default)]
    pub from: i32,
    #[serde(default)]
    pub to: i32,
    #[serde(default)]
    pub inputs: ScalerInputs,
}

/// The figures behind a decision. Rates are in thousandths of a record a second.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ScalerInputs {
    /// Records between the committed offset (or the log start, if that is later) and the end.
    pub backlog: i64,
    /// Of these, what a group that keeps up would not show.
    pub excess: i64,
    pub arrival_rate_milli: i64,
    pub commit_rate_milli: i64,
    /// What one pod can do.
    pub rate_per_pod_milli: i64,
    /// Whether that was measured; otherwise it is `initialRatePerPod`.
    pub rate_measured: bool,
    /// What the busiest pod has to do at the replicas that stand.
    pub busiest_load_milli: i64,
    /// Until the backlog is to be gone; absent while there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_left_ms: Option<i64>,
    /// The time that the backlog was divided by.
    pub window_ms: i64,
    /// Replicas that the figures ask for, before anything holds them back.
    pub needed: i32,
    /// Most replicas that can help.
    pub cap: i32,
    pub partitions_with_work: i32,
    pub members: i32,
    pub ready_pods: i32,
    /// From creation of a pod until it has its partitions, as measured.
    pub start_up_ms: i64,
    /// Between commits, as measured.
    pub commit_interval_ms: i64,
    /// Pod time that one change of the replicas costs, as measured.
    pub rebalance_cost_pod_ms: i64,
}
