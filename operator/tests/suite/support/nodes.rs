//! Nodes, and what the StatefulSet controller does beside starting pods.

use serde_json::{Value, json};

use super::{CLAIMS, NODES, PODS, World};

impl World {
    /// Pods that are too many stop; nobody answers for them any more.
    pub fn stop_above(&self, replicas: i64) {
        for ordinal in replicas..60 {
            let path = format!("{PODS}/demo-default-{ordinal}");
            if self.api.get(&path).is_some() {
                let held = self
                    .brokers
                    .state()
                    .held_by(i32::try_from(ordinal).expect("small"));
                assert_eq!(held, 0, "broker {ordinal} is stopped with replicas");
                self.api.remove(&path);
            }
        }
    }

    /// The claim of a pod, which outlives it.
    pub fn claim(&self, ordinal: i64, set: &Value) {
        let path = format!("{CLAIMS}/data-demo-default-{ordinal}");
        if self.api.get(&path).is_some() {
            return;
        }
        let template = &set["spec"]["volumeClaimTemplates"][0];
        self.api.put(
            &path,
            json!({
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {
                    "name": format!("data-demo-default-{ordinal}"),
                    "namespace": "mq",
                    "labels": template["metadata"]["labels"],
                },
                "spec": template["spec"],
                "status": {"capacity": template["spec"]["resources"]["requests"]},
            }),
        );
    }

    /// A pod that starts registers: what was asked of the one before is over.
    pub fn registers_anew(&self, ordinal: i64) {
        let id = i32::try_from(ordinal).expect("small");
        self.brokers.state().away.remove(&id);
    }

    /// A pod's spec on the node that it goes to: one each, made where there is none.
    pub fn scheduled(&self, spec: &Value, ordinal: i64) -> Value {
        let name = format!("node-{ordinal}");
        let path = format!("{NODES}/{name}");
        if self.api.get(&path).is_none() {
            self.api.put(
                &path,
                json!({
                    "apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {},
                    "status": {"conditions": [{"type": "Ready", "status": "True"}]},
                }),
            );
        }
        let mut spec = spec.clone();
        spec["nodeName"] = json!(name);
        spec
    }

    pub fn cordon_node(&self, ordinal: i32, on: bool) {
        let path = format!("{NODES}/node-{ordinal}");
        self.edit(&path, |n| n["spec"]["unschedulable"] = json!(on));
    }
}
