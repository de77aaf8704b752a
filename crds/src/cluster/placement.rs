//! How replicas are kept in place, and what is said while they move.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::DURATION_OR_NEVER;

/// What becomes of replicas, preferred leaders and bytes that are spread unevenly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Balance {
    /// They are evened out.
    #[default]
    Auto,
    /// What would be done, and what it costs, stands in the status.
    Propose,
    Disabled,
}

/// Bounds of every move of replicas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Moves {
    /// Partitions under way at once.
    #[serde(default = "default_at_once")]
    #[schemars(range(min = 1, max = 500))]
    pub partitions_at_once: i32,
}

fn default_at_once() -> i32 {
    10
}

impl Default for Moves {
    fn default() -> Self {
        Self {
            partitions_at_once: default_at_once(),
        }
    }
}

/// What follows when a broker's node goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Nodes {
    /// How long a node must be gone or not ready before the replicas of its broker are made
    /// again elsewhere, one broker at a time; or `Never`.
    #[serde(default = "default_rebuild_after")]
    #[schemars(length(max = 16), extend("pattern" = DURATION_OR_NEVER))]
    pub rebuild_after: String,
}

fn default_rebuild_after() -> String {
    "30m".to_owned()
}

impl Default for Nodes {
    fn default() -> Self {
        Self {
            rebuild_after: default_rebuild_after(),
        }
    }
}

/// How far a move of replicas is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    pub partitions_done: i64,
    pub partitions_total: i64,
    pub bytes_done: i64,
    pub bytes_total: i64,
}

/// A broker that is being taken away: what, since when, how far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScalingStatus {
    /// Brokers there were when its turn came.
    pub from: i32,
    /// Brokers there are to be.
    pub to: i32,
    /// Whose turn it is.
    pub broker: i32,
    pub phase: ScalingPhase,
    /// When its turn began, RFC 3339.
    #[schemars(length(max = 64))]
    pub since: String,
    pub progress: Progress,
    #[schemars(length(max = 1024))]
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ScalingPhase {
    /// Its replicas go to other brokers.
    Draining,
    /// It is empty, and leaves the cluster's metadata. From here on there is no way back.
    Removing,
    /// Its pod stops, and its volume is kept or deleted.
    Leaving,
    /// More brokers are wanted again: it stays.
    Cancelling,
}

/// Replicas that move, or that should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BalanceStatus {
    pub task: BalanceTask,
    pub state: BalanceState,
    /// RFC 3339.
    #[schemars(length(max = 64))]
    pub since: String,
    pub progress: Progress,
    /// What it is for and what it costs.
    #[schemars(length(max = 1024))]
    pub message: String,
    /// The largest of the moves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), inner(length(max = 320)))]
    pub examples: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BalanceTask {
    /// Brokers get even numbers of replicas.
    Spread,
    /// Brokers get even numbers of bytes.
    Disk,
    /// Brokers are first choice of even numbers of partitions.
    Leaders,
    /// Replicas of a lost broker are made again.
    Rebuild,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BalanceState {
    Proposed,
    Running,
    /// It cannot go on; the message says why.
    Blocked,
}

/// A broker whose leaders went elsewhere because its node is cordoned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeadersAway {
    pub broker: i32,
    #[schemars(length(max = 64))]
    pub pod_uid: String,
    #[schemars(length(max = 253))]
    pub node: String,
    /// The brokers were asked to move them; before that it is only decided.
    #[serde(default)]
    pub asked: bool,
}

/// A broker whose node is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LostBroker {
    pub broker: i32,
    #[schemars(length(max = 253))]
    pub node: String,
    /// When it was first seen so, RFC 3339.
    #[schemars(length(max = 64))]
    pub since: String,
    #[schemars(length(max = 256))]
    pub message: String,
}
