//! Where brokers keep their log.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The volume of each broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.className) == has(oldSelf.className) && (!has(self.className) || self.className == oldSelf.className)").message("storage.className is immutable"),
    validation = Rule::new("quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0").message("storage.size may not shrink"),
    validation = Rule::new("isQuantity(self.size) && quantity(self.size).isGreaterThan(quantity('64Mi'))").message("storage.size must be a quantity above 64Mi"),
)]
pub struct Storage {
    /// Size of a broker's volume; may grow where the storage class can.
    #[schemars(length(min = 1, max = 20), extend("pattern" = "^[0-9]+(\\.[0-9]+)?(Mi|Gi|Ti|M|G|T)$"))]
    pub size: String,
    /// Storage class; the cluster's default if absent. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub class_name: Option<String>,
    /// What becomes of the volumes when the QueueCluster is deleted. With those that are kept, one
    /// of the same name that is made later goes on.
    #[serde(default)]
    pub when_deleted: WhenDeleted,
    /// What becomes of a broker's volume when the pool shrinks. One that is kept is taken again by
    /// the broker that comes back.
    #[serde(default)]
    pub when_scaled: WhenScaled,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WhenDeleted {
    #[default]
    Retain,
    Delete,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WhenScaled {
    #[default]
    Retain,
    /// Once the broker is empty and out of the cluster and its pod is gone.
    Delete,
}
