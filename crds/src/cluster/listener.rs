//! Where clients connect.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

/// One address family of every broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.port < 9190 || self.port > 9199").message("ports 9190 to 9199 are the brokers' own"),
    validation = Rule::new("!(self.name in ['peer', 'admin', 'health'])").message("peer, admin and health are names of the brokers' own ports"),
    validation = Rule::new("self.type != 'Internal' || (!has(self.annotations) && !has(self.externalTrafficPolicy))").message("annotations and externalTrafficPolicy are for listeners with Services of their own: NodePort and LoadBalancer"),
    validation = Rule::new("!has(self.annotations) || self.annotations.all(k, !k.startsWith('weir.dev/'))").message("annotations of weir.dev/ are the operator's"),
)]
pub struct Listener {
    #[schemars(length(min = 1, max = 12), extend("pattern" = "^[a-z]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    #[serde(default)]
    pub protocol: Protocol,
    #[schemars(range(min = 1024, max = 65535))]
    pub port: i32,
    #[serde(rename = "type")]
    pub type_: ListenerType,
    /// Of the Services for clients outside: what a cloud's load balancer is asked for. A change
    /// restarts no broker.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16, "additionalProperties" = json!({"type": "string", "maxLength": 1024})))]
    pub annotations: BTreeMap<String, String>,
    /// Whether any node takes clients from outside (`Cluster`, as Kubernetes does where nothing is
    /// said), or only those with a broker, which then sees the clients' own addresses (`Local`). A
    /// change restarts no broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_traffic_policy: Option<ExternalTrafficPolicy>,
}

/// Which nodes take clients from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ExternalTrafficPolicy {
    Cluster,
    Local,
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
        annotations: BTreeMap::new(),
        external_traffic_policy: None,
    }]
}
