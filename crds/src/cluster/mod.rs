//! `QueueCluster`: brokers and how they are run.

mod config;
mod listener;
mod placement;
mod pod_template;
mod roll;
mod status;
mod storage;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

pub use config::{BrokerConfig, Flush, ReadFrom, TimestampType};
pub use listener::{ExternalTrafficPolicy, Listener, ListenerType, Protocol};
pub use placement::{
    Balance, BalanceState, BalanceStatus, BalanceTask, LeadersAway, LostBroker, Moves, Nodes,
    Progress, ScalingPhase, ScalingStatus,
};
pub use pod_template::{AntiAffinity, EnvVar, PodTemplate, Toleration};
pub use roll::{Roll, RollAtOnce};
pub use status::{
    BrokerState, BrokerStatus, ListenerStatus, PartitionTotals, QueueClusterStatus, RollMember,
    RollStatus,
};
pub use storage::{Storage, WhenDeleted, WhenScaled};

/// A cluster of brokers over one replicated log.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "weir.dev",
    version = "v1alpha1",
    kind = "QueueCluster",
    plural = "queueclusters",
    shortname = "qc",
    category = "weir",
    namespaced,
    status = "QueueClusterStatus",
    derive = "PartialEq",
    doc = "A cluster of Weir brokers.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Brokers", type_ = "integer", json_path = ".spec.replicas"),
    printcolumn(
        name = "Up",
        type_ = "integer",
        json_path = ".status.readyReplicas"
    ),
    printcolumn(
        name = "Partitions",
        type_ = "integer",
        json_path = ".status.partitions.total"
    ),
    printcolumn(
        name = "Under-replicated",
        type_ = "integer",
        json_path = ".status.partitions.underReplicated"
    ),
    printcolumn(
        name = "Version",
        type_ = "string",
        json_path = ".status.version",
        priority = 1
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    ),
    validation = Rule::new("self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')").message("the name must be a DNS label of at most 40 characters that begins with a letter")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.config) || !has(self.config.defaultReplicationFactor) || self.config.defaultReplicationFactor <= self.replicas").message("config.defaultReplicationFactor must not exceed replicas"),
    validation = Rule::new("!has(self.config) || !has(self.config.minInsyncReplicas) || self.config.minInsyncReplicas <= self.replicas").message("config.minInsyncReplicas must not exceed replicas"),
    validation = Rule::new("has(self.racks) == has(oldSelf.racks) && (!has(self.racks) || self.racks.topologyKey == oldSelf.racks.topologyKey)").message("racks.topologyKey is immutable: replicas were placed by it"),
)]
pub struct QueueClusterSpec {
    /// Version of the brokers; the operator's own if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), extend("pattern" = "^[0-9]+\\.[0-9]+\\.[0-9]+(-[0-9A-Za-z.-]+)?$"))]
    pub version: Option<String>,
    /// Image of the brokers, instead of the one the operator knows for the version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    #[serde(default)]
    pub image_pull_policy: ImagePullPolicy,
    /// Brokers of the pool `default`. Where there are to be fewer, those with the highest ordinals
    /// are emptied and go, one at a time.
    #[serde(default = "default_replicas")]
    #[schemars(range(min = 1, max = 50))]
    pub replicas: i32,
    pub storage: Storage,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub racks: Option<Racks>,
    /// Cluster-wide settings; a change reaches the brokers at once and restarts none.
    #[serde(default)]
    pub config: BrokerConfig,
    /// Where clients connect.
    #[serde(default = "listener::default_listeners")]
    #[schemars(length(min = 1, max = 8), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    #[x_kube(
        validation = Rule::new("self.all(a, self.exists_one(b, b.port == a.port))").message("ports of listeners must differ"),
        validation = Rule::new("self.exists(l, l.type == 'Internal')").message("one listener must have the type Internal"),
    )]
    pub listeners: Vec<Listener>,
    /// Whether replicas, preferred leaders and bytes are evened out.
    #[serde(default)]
    pub balance: Balance,
    /// Bounds of every move of replicas.
    #[serde(default)]
    pub moves: Moves,
    #[serde(default)]
    pub nodes: Nodes,
    #[serde(default)]
    pub roll: Roll,
    /// Whose Topics this cluster accepts.
    #[serde(default)]
    pub topic_namespaces: TopicNamespaces,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_template: Option<PodTemplate>,
}

fn default_replicas() -> i32 {
    3
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ImagePullPolicy {
    Always,
    #[default]
    IfNotPresent,
    Never,
}

/// The quantities that people write for CPU and memory.
const QUANTITY: &str = "^[0-9]+(\\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$";

/// CPU and memory of a broker, as Kubernetes quantities.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8, "additionalProperties" = json!({"type": "string", "maxLength": 32, "pattern": QUANTITY})))]
    pub requests: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8, "additionalProperties" = json!({"type": "string", "maxLength": 32, "pattern": QUANTITY})))]
    pub limits: BTreeMap<String, String>,
}

/// Replicas of a partition are spread over racks, and so are the brokers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Racks {
    /// The node label whose value is the rack.
    #[schemars(length(min = 1, max = 317))]
    pub topology_key: String,
    /// Whether a broker that cannot be spread waits (`Required`) or starts anyway.
    #[serde(default)]
    pub spread: Spread,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Spread {
    #[default]
    Preferred,
    Required,
}

/// Namespaces from which Topics may name this cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.from == 'Selector') == has(self.selector)").message("selector goes with from: Selector, and only with it"))]
pub struct TopicNamespaces {
    #[serde(default)]
    pub from: NamespacesFrom,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NamespacesFrom {
    /// The cluster's own namespace.
    #[default]
    Same,
    All,
    /// Namespaces that carry these labels.
    Selector,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelector {
    /// Every label must be there with its value.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 16, "additionalProperties" = json!({"type": "string", "maxLength": 63})))]
    pub match_labels: BTreeMap<String, String>,
}
