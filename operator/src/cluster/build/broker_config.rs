//! The brokers' static config file.

use serde_json::{Value, json};
use weir_crds::ListenerType;

use crate::cluster::validate::Valid;
use crate::names::{ADMIN_PORT, HEALTH_PORT, PEER_PORT, SEEDS};

/// Folder with everything the operator hands to a broker.
pub const CONFIG_DIR: &str = "/etc/weir";
pub const CONFIG_FILE: &str = "broker.yaml";
pub const DATA_DIR: &str = "/var/lib/weir";
/// File with the broker's rack, below `CONFIG_DIR`; empty until the pod's node is known.
pub const RACK_FILE: &str = "pod/rack";

/// The same text for every broker: what differs comes from the environment.
pub fn broker_config(valid: &Valid) -> Value {
    let names = &valid.names;
    let me = names.pod_host("${POD_NAME}");
    let seeds: Vec<String> = (0..SEEDS)
        .map(|n| format!("{}:{PEER_PORT}", names.pod_host(&names.pod(n))))
        .collect();
    let listeners: Vec<Value> = valid
        .spec
        .listeners
        .iter()
        .map(|l| {
            let mut one = json!({
                "name": l.name,
                "protocol": "Kafka",
                "bind": format!("0.0.0.0:{}", l.port),
            });
            if l.type_ == ListenerType::Internal {
                one["advertised"] = json!(format!("{me}:{}", l.port));
            }
            one
        })
        .collect();
    let tls = |file: &str| format!("{CONFIG_DIR}/tls/{file}");
    let mut config = json!({
        "brokerIdFromHostname": true,
        "brokerIdBase": 0,
        "dataDir": DATA_DIR,
        "peer": {
            "bind": format!("0.0.0.0:{PEER_PORT}"),
            "advertised": format!("{me}:{PEER_PORT}"),
        },
        "seeds": seeds,
        "admin": {
            "bind": format!("0.0.0.0:{ADMIN_PORT}"),
            "tls": {
                "cert": tls("tls.crt"),
                "key": tls("tls.key"),
                "clientCa": tls("ca.crt"),
            },
        },
        "health": {"bind": format!("0.0.0.0:{HEALTH_PORT}")},
        "listeners": listeners,
        "config": {},
    });
    if valid.spec.racks.is_some() {
        config["rackFile"] = json!(format!("{CONFIG_DIR}/{RACK_FILE}"));
    }
    config
}
