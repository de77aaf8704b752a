//! What the operator says about a cluster; bounded, whatever its size.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BalanceStatus, LeadersAway, ListenerType, LostBroker, ScalingStatus};
use crate::{Condition, Drift};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueClusterStatus {
    /// Generation of the spec that the rest is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Identity of the cluster, stored before the first broker starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub cluster_id: Option<String>,
    /// The first quorum was formed; it is never formed again.
    #[serde(default)]
    pub formed: bool,
    /// Version of the brokers' template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub version: Option<String>,
    /// Pods there are.
    #[serde(default)]
    pub replicas: i32,
    /// Brokers that serve.
    #[serde(default)]
    pub ready_replicas: i32,
    /// Pods of the newest template.
    #[serde(default)]
    pub updated_replicas: i32,
    /// Selects the brokers' pods, for autoscalers and `kubectl scale`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub selector: Option<String>,
    /// Id of the broker that leads the metadata quorum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<PartitionTotals>,
    /// Where clients find the cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub listeners: Vec<ListenerStatus>,
    /// The first 50 brokers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub brokers: Vec<BrokerStatus>,
    /// The restart under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roll: Option<RollStatus>,
    /// The broker that is being taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<ScalingStatus>,
    /// Replicas that move to even things out, or that should.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<BalanceStatus>,
    /// Brokers on cordoned nodes whose leaders were moved away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub leaders_away: Vec<LeadersAway>,
    /// Brokers whose nodes are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub lost: Vec<LostBroker>,
    /// Cluster-wide settings that the operator set, by Kafka's names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 128)))]
    pub config_keys: Vec<String>,
    /// Digest of the cluster-wide settings as they were last seen in place, for the operator alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub config_mark: Option<String>,
    /// The last change behind the resource's back that was put back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PartitionTotals {
    pub topics: i32,
    pub total: i32,
    pub offline: i32,
    pub under_replicated: i32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListenerStatus {
    #[schemars(length(max = 63))]
    pub name: String,
    #[serde(rename = "type")]
    pub type_: ListenerType,
    /// host:port for a client's bootstrap servers; absent while unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub bootstrap: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BrokerStatus {
    pub id: i32,
    #[schemars(length(max = 253))]
    pub pod: String,
    /// Its node, or the last one that it was on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub node: Option<String>,
    pub state: BrokerState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub rack: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub version: Option<String>,
    /// Its pod has the newest template.
    #[serde(default)]
    pub updated: bool,
    /// Replicas it holds.
    #[serde(default)]
    pub replicas: i32,
    /// Replicas it holds that are not in sync.
    #[serde(default)]
    pub out_of_sync: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BrokerState {
    /// Serves.
    Ready,
    /// Serves, and some of its replicas are still catching up.
    CatchingUp,
    /// Answers, but the quorum gives it no leaders.
    Fenced,
    /// Its pod exists and does not answer.
    Unreachable,
    /// Its pod is being replaced.
    Restarting,
    /// It has no pod.
    Missing,
}

/// The restart under way: what, on whom, since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RollStatus {
    /// Broker whose turn it is.
    pub broker: i32,
    /// The pod that is being replaced.
    #[schemars(length(max = 64))]
    pub pod_uid: String,
    /// When its turn began, RFC 3339.
    #[schemars(length(max = 64))]
    pub since: String,
    #[schemars(length(max = 1024))]
    pub message: String,
    /// Its leaders may have been moved away, and get their permission back if it does not restart.
    #[serde(default)]
    pub leaders_away: bool,
    /// When its leaders were first asked to move, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub leaders_away_since: Option<String>,
    /// Brokers of its rack that restart together with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub others: Vec<RollMember>,
}

/// One more broker of a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RollMember {
    pub broker: i32,
    /// The pod that is being replaced.
    #[schemars(length(max = 64))]
    pub pod_uid: String,
    /// Its leaders may have been moved away, and get their permission back if it does not restart.
    #[serde(default)]
    pub leaders_away: bool,
    /// When its leaders were first asked to move, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub leaders_away_since: Option<String>,
}
