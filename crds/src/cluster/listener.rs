//! Where clients connect.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One address family of every broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.port < 9190 || self.port > 9199").message("ports 9190 to 9199 are the brokers' own"))]
pub struct Listener {
    #[schemars(length(min = 1, max = 12), extend("pattern" = "^[a-z]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    #[serde(default)]
    pub protocol: Protocol,
    #[schemars(range(min = 1024, max = 65535))]
    pub port: i32,
    #[serde(rename = "type")]
    pub type_: ListenerType,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Protocol {
    #[default]
    Kafka,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ListenerType {
    /// By pod names, from inside the Kubernetes cluster.
    Internal,
    /// By a port of each broker's node.
    NodePort,
    /// By a load balancer for each broker.
    LoadBalancer,
}

pub(super) fn default_listeners() -> Vec<Listener> {
    vec![Listener {
        name: "internal".to_owned(),
        protocol: Protocol::Kafka,
        port: 9092,
        type_: ListenerType::Internal,
    }]
}
