//! One pure builder a Kubernetes kind. They cannot fail: validation ran before.

mod account;
mod broker_config;
mod budget;
mod config_map;
mod pod;
mod secret;
mod service;
mod stateful_set;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;
use weir_crds::QueueCluster;

pub use account::build_account;
pub use budget::build_budget;
pub use config_map::build_config_map;
pub use pod::{RACK_ANNOTATION, build_pod_template};
pub use secret::build_secrets;
pub use service::{build_services, outside_listeners};
pub use stateful_set::{
    INPUTS, RENDER, RESTARTED, StatefulSetParts, build_stateful_set, inputs_digest, render_mark,
};

use super::validate::Valid;

/// Metadata of an object that goes with its cluster.
fn meta(valid: &Valid, owner: &OwnerReference, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(valid.names.namespace.clone()),
        labels: Some(valid.names.labels()),
        owner_references: Some(vec![owner.clone()]),
        ..ObjectMeta::default()
    }
}

/// The cluster as the owner of what belongs to it.
pub fn owner(cluster: &QueueCluster) -> OwnerReference {
    cluster.controller_owner_ref(&()).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::cluster::validate::validate;
    use crate::context::Settings;
    use crate::names::Names;
    use serde_json::json;

    /// A cluster that uses everything.
    pub(crate) fn sample() -> QueueCluster {
        let cluster = json!({
            "apiVersion": "weir.dev/v1alpha1",
            "kind": "QueueCluster",
            "metadata": {"name": "demo", "namespace": "mq", "uid": "u-1", "generation": 1},
            "spec": {
                "replicas": 3,
                "storage": {"size": "10Gi", "className": "standard"},
                "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}},
                "racks": {"topologyKey": "topology.kubernetes.io/zone"},
                "config": {"minInsyncReplicas": 2, "retention": "24h"},
                "listeners": [
                    {"name": "internal", "protocol": "Kafka", "port": 9092, "type": "Internal"},
                    {"name": "outside", "protocol": "Kafka", "port": 9094, "type": "NodePort"},
                    {"name": "public", "protocol": "Kafka", "port": 9095, "type": "LoadBalancer",
                     "annotations": {"example.com/lb": "internal"}, "externalTrafficPolicy": "Local"},
                ],
                "podTemplate": {
                    "labels": {"team": "payments"},
                    "annotations": {"example.com/a": "b"},
                    "tolerations": [{"key": "mq", "operator": "Exists", "effect": "NoSchedule"}],
                    "env": [{"name": "RUST_LOG", "value": "info"}],
                },
            },
        });
        serde_json::from_value(cluster).expect("a QueueCluster")
    }

    pub(crate) fn valid(cluster: &QueueCluster) -> Valid {
        validate(cluster, &Settings::default()).expect("a valid cluster")
    }

    fn yaml(value: &impl serde::Serialize) -> String {
        let value = serde_json::to_value(value).expect("an object");
        serde_saphyr::to_string(&value).expect("yaml")
    }

    #[test]
    fn services_as_written() {
        let cluster = sample();
        let services = build_services(&valid(&cluster), &owner(&cluster), 2);
        let text: Vec<String> = services.iter().map(yaml).collect();
        insta::assert_snapshot!("services", text.join("---\n"));
    }

    #[test]
    fn stateful_set_as_written() {
        let cluster = sample();
        let valid = valid(&cluster);
        let parts = StatefulSetParts {
            replicas: 3,
            storage_size: "10Gi".to_owned(),
            template: build_pod_template(&valid, "demo-config-x"),
            inputs: "inputs".to_owned(),
            render: "render".to_owned(),
            restarted: "restarted".to_owned(),
        };
        let set = build_stateful_set(&valid, &owner(&cluster), parts);
        insta::assert_snapshot!("stateful_set", yaml(&set));
    }

    #[test]
    fn config_map_as_written() {
        let cluster = sample();
        let map = build_config_map(&valid(&cluster), &owner(&cluster));
        insta::assert_snapshot!("config_map", yaml(&map));
    }

    #[test]
    fn budget_and_account_as_written() {
        let cluster = sample();
        let (valid, owner) = (valid(&cluster), owner(&cluster));
        let budget = yaml(&build_budget(&valid, &owner));
        let account = yaml(&build_account(&valid, &owner));
        insta::assert_snapshot!("budget_and_account", format!("{budget}---\n{account}"));
    }

    #[test]
    fn the_number_of_brokers_is_in_no_template() {
        let mut cluster = sample();
        let before = valid(&cluster);
        cluster.spec.replicas = 5;
        let after = valid(&cluster);
        let owner = owner(&cluster);
        assert_eq!(
            build_config_map(&before, &owner),
            build_config_map(&after, &owner)
        );
        assert_eq!(inputs_digest(&before), inputs_digest(&after));
    }

    #[test]
    fn dynamic_settings_restart_nothing() {
        let mut cluster = sample();
        let before = inputs_digest(&valid(&cluster));
        cluster.spec.config.retention = Some("1h".to_owned());
        cluster.spec.listeners[2].annotations.clear();
        cluster.spec.listeners[2].external_traffic_policy = None;
        assert_eq!(before, inputs_digest(&valid(&cluster)));
        cluster.spec.resources = None;
        assert_ne!(before, inputs_digest(&valid(&cluster)));
    }

    #[test]
    fn names_stay_within_what_kubernetes_takes() {
        let names = Names::new("mq", &"c".repeat(40));
        let longest = names.listener_bootstrap_service(&"l".repeat(12));
        assert!(longest.len() <= 63, "{longest}");
    }
}
