//! `Topic`: a topic of a cluster, declared.

mod config;
mod kafka;
mod status;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use config::{Cleanup, TopicConfig};
pub use status::{Difference, Drift, TopicStatus};

/// A topic of a QueueCluster.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "weir.dev",
    version = "v1alpha1",
    kind = "Topic",
    plural = "topics",
    shortname = "wt",
    category = "weir",
    namespaced,
    status = "TopicStatus",
    derive = "PartialEq",
    doc = "A topic of a QueueCluster.",
    printcolumn(
        name = "Cluster",
        type_ = "string",
        json_path = ".spec.clusterRef.name"
    ),
    printcolumn(name = "Topic", type_ = "string", json_path = ".status.topicName"),
    printcolumn(
        name = "Partitions",
        type_ = "integer",
        json_path = ".status.partitions"
    ),
    printcolumn(
        name = "Replicas",
        type_ = "integer",
        json_path = ".status.replicationFactor"
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
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    ),
    validation = Rule::new("has(self.spec.name) || (self.metadata.name.size() <= 249 && !self.metadata.name.startsWith('__'))").message("without spec.name the resource's name must be a topic name")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.name) == has(oldSelf.name) && (!has(self.name) || self.name == oldSelf.name)").message("name is immutable: delete this Topic and create another"),
    validation = Rule::new("self.clusterRef.name == oldSelf.clusterRef.name && has(self.clusterRef.__namespace__) == has(oldSelf.clusterRef.__namespace__) && (!has(self.clusterRef.__namespace__) || self.clusterRef.__namespace__ == oldSelf.clusterRef.__namespace__)").message("clusterRef is immutable"),
    validation = Rule::new("!has(oldSelf.replicationFactor) || (has(self.replicationFactor) && self.replicationFactor == oldSelf.replicationFactor)").message("replicationFactor is immutable"),
    validation = Rule::new("!has(oldSelf.partitions) || (has(self.partitions) && self.partitions >= oldSelf.partitions)").message("partitions may only grow"),
    validation = Rule::new("!has(self.name) || !(self.name in ['.', '..']) && !self.name.startsWith('__')").message("names that begin with __ are internal; . and .. are no names"),
    validation = Rule::new("!has(self.config) || !has(self.config.minInsyncReplicas) || !has(self.replicationFactor) || self.config.minInsyncReplicas <= self.replicationFactor").message("config.minInsyncReplicas must not exceed replicationFactor"),
)]
pub struct TopicSpec {
    pub cluster_ref: ClusterRef,
    /// Name of the topic; the resource's own if absent. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 249), extend("pattern" = "^[a-zA-Z0-9._-]+$"))]
    pub name: Option<String>,
    /// Partitions; the cluster's default if absent. May only grow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub partitions: Option<i32>,
    /// Replicas of each partition; the cluster's default if absent. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 50))]
    pub replication_factor: Option<i32>,
    /// Settings of the topic. What is not named here is nobody's and is left alone.
    #[serde(default)]
    pub config: TopicConfig,
    /// What to do with a topic of this name that nobody owns.
    #[serde(default)]
    pub adopt: Adopt,
    /// What becomes of the topic when this resource is deleted.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
}

/// A QueueCluster, of the same namespace unless it says another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterRef {
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Adopt {
    /// Adopt it if nothing would change, else say what would.
    #[default]
    Preview,
    /// Adopt it and make it what this resource says.
    Overwrite,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    #[default]
    Retain,
    Delete,
}

impl Topic {
    /// Name of the topic in its cluster.
    pub fn topic_name(&self) -> &str {
        let own = self.metadata.name.as_deref().unwrap_or_default();
        self.spec.name.as_deref().unwrap_or(own)
    }

    /// Namespace and name of its cluster.
    pub fn cluster_key(&self) -> (String, String) {
        let own = self.metadata.namespace.clone().unwrap_or_default();
        let namespace = self.spec.cluster_ref.namespace.clone().unwrap_or(own);
        (namespace, self.spec.cluster_ref.name.clone())
    }
}
