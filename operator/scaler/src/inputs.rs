//! The figures behind a decision.

use serde::{Deserialize, Serialize};

/// Stands in status beside the decision. Rates are in thousandths of a record a second, so that nothing is rounded
/// away and equal figures are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Inputs {
    /// Records between the committed offset (or the log start, if that is later) and the end, all partitions.
    pub backlog: u64,
    /// Of these, what a group that keeps up would not show: more than arrives between two commits.
    pub excess: u64,
    pub arrival_rate_milli: u64,
    pub commit_rate_milli: u64,
    /// What one pod can do.
    pub rate_per_pod_milli: u64,
    /// Whether that was measured; otherwise it is `initialRatePerPod`.
    pub rate_measured: bool,
    /// What the busiest pod has to do to be done in time, at the count that stands now.
    pub busiest_load_milli: u64,
    /// Until the backlog is to be gone; absent while there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_left_ms: Option<u64>,
    /// The time that the backlog was divided by.
    pub window_ms: u64,
    /// The count that the figures ask for, before anything holds it back.
    pub needed: u32,
    /// The largest count that can help: `maxReplicas`, partitions with work, and what a limit downstream allows.
    pub cap: u32,
    pub partitions_with_work: u32,
    pub members: u32,
    pub ready_pods: u32,
    /// As measured, from creation until a pod has its partitions.
    pub start_up_ms: u64,
    /// As measured.
    pub commit_interval_ms: u64,
    /// As measured: the pod time that one change of the count costs, milliseconds.
    pub rebalance_cost_pod_ms: u64,
}
