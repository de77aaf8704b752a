//! How brokers are restarted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How brokers are restarted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Roll {
    #[serde(default)]
    pub at_once: RollAtOnce,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RollAtOnce {
    /// One broker.
    #[default]
    Broker,
    /// Brokers of one rack, as many as the metadata quorum can miss, where every partition stays
    /// above its min ISR meanwhile and no other disruption budget selects the pod; else one.
    Rack,
}
