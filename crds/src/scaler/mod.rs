//! `ConsumerScaler`: as many consumers as their backlog needs.

mod status;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use status::{ConsumerScalerStatus, ScalerDecision, ScalerInputs};

use crate::ClusterRef;
use crate::units::DURATION;

/// Scales consumers by their backlog.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "weir.dev",
    version = "v1alpha1",
    kind = "ConsumerScaler",
    plural = "consumerscalers",
    shortname = "wcs",
    category = "weir",
    namespaced,
    status = "ConsumerScalerStatus",
    derive = "PartialEq",
    doc = "Scales consumers of a QueueCluster by their backlog.",
    printcolumn(name = "Target", type_ = "string", json_path = ".spec.targetRef.name"),
    printcolumn(name = "Backlog", type_ = "integer", json_path = ".status.backlog"),
    printcolumn(
        name = "Pods",
        type_ = "integer",
        json_path = ".status.currentReplicas"
    ),
    printcolumn(
        name = "Wanted",
        type_ = "integer",
        json_path = ".status.desiredReplicas"
    ),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.reason"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        priority = 1
    ),
    printcolumn(
        name = "Last scale",
        type_ = "date",
        json_path = ".status.lastScaleTime",
        priority = 1
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    ),
    validation = Rule::new("self.spec.minReplicas <= self.spec.maxReplicas").message("minReplicas must not exceed maxReplicas")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.drainWithin.endsWith('d') || duration(self.drainWithin) >= duration('1s')").message("drainWithin must be at least 1s"),
    validation = Rule::new("self.drainWithin.endsWith('d') ? self.drainWithin == '1d' : duration(self.drainWithin) <= duration('24h')").message("drainWithin must be at most 1d"),
)]
pub struct ConsumerScalerSpec {
    pub cluster_ref: ClusterRef,
    pub source: ScalerSource,
    /// What is scaled: an object of this namespace with a scale subresource.
    pub target_ref: TargetRef,
    /// Fewest replicas; 0 lets the target go where there is nothing to do.
    #[serde(default = "default_min")]
    #[schemars(range(min = 0, max = 10000))]
    pub min_replicas: i32,
    #[schemars(range(min = 1, max = 10000))]
    pub max_replicas: i32,
    /// A backlog that appears now is to be gone after this time.
    #[schemars(length(max = 16), extend("pattern" = DURATION))]
    pub drain_within: String,
    /// Messages a second that one pod can do, until that is measured.
    #[serde(default = "default_rate")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub initial_rate_per_pod: i32,
    /// What a partition to which the group has committed nothing means.
    #[serde(default)]
    pub no_commit: NoCommit,
    /// Nothing is scaled; status goes on saying what is seen.
    #[serde(default)]
    pub paused: bool,
}

fn default_min() -> i32 {
    1
}

fn default_rate() -> i32 {
    100
}

/// Where the backlog is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.kafka)").message("name a source: kafka"))]
pub struct ScalerSource {
    /// A Kafka consumer group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kafka: Option<KafkaSource>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaSource {
    /// The group's id.
    #[schemars(length(min = 1, max = 249))]
    pub group: String,
    /// Topics whose backlog counts; without any, those that the group commits to or subscribes to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 249)), extend("x-kubernetes-list-type" = "set"))]
    pub topics: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetRef {
    #[schemars(length(min = 1, max = 317))]
    pub api_version: String,
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NoCommit {
    /// Keep the number of pods, and say so.
    #[default]
    Hold,
    /// All that the log holds is backlog.
    Earliest,
    /// Nothing that the log holds is backlog.
    Latest,
}

impl ConsumerScaler {
    /// Namespace and name of its cluster.
    pub fn cluster_key(&self) -> (String, String) {
        let own = self.metadata.namespace.clone().unwrap_or_default();
        let namespace = self.spec.cluster_ref.namespace.clone().unwrap_or(own);
        (namespace, self.spec.cluster_ref.name.clone())
    }
}
