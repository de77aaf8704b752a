//! A small Kubernetes API in memory, brokers in memory, and the two together.

// Each suite uses a part of it.
#![allow(dead_code)]

pub mod api;
pub mod brokers;

use std::sync::Arc;

use kube::runtime::controller::Action;
use serde_json::{Value, json};
use weir_operator::context::{Context, Settings};
use weir_operator::metrics::Metrics;

use api::Api;
use brokers::Brokers;

pub struct World {
    pub api: Api,
    pub brokers: Brokers,
    pub ctx: Arc<Context>,
}

impl World {
    pub fn new() -> Self {
        let (api, brokers) = (Api::default(), Brokers::default());
        let (metrics, _) = Metrics::new();
        let settings = Settings::default();
        let connector = Arc::new(brokers.clone());
        let ctx = Context::new(api.client(), connector, metrics, settings);
        Self {
            api,
            brokers,
            ctx: Arc::new(ctx),
        }
    }

    /// A cluster of `replicas` brokers, not yet looked at.
    pub fn with_cluster(replicas: i32) -> Self {
        let world = Self::new();
        world.api.put(
            CLUSTER,
            json!({
                "apiVersion": "weir.dev/v1alpha1",
                "kind": "QueueCluster",
                "metadata": {"name": "demo", "namespace": "mq"},
                "spec": {"replicas": replicas, "storage": {"size": "1Gi"}},
            }),
        );
        world
    }

    /// The same, formed and serving.
    pub async fn serving(replicas: i32) -> Self {
        let world = Self::with_cluster(replicas);
        for _ in 0..6 {
            world.cluster().await.expect("reconciles");
            world.kubelets();
        }
        assert_eq!(world.reason(CLUSTER), "Ready");
        world
    }

    pub async fn cluster(&self) -> weir_operator::error::Result<Action> {
        let object = serde_json::from_value(self.api.get(CLUSTER).expect("a cluster"));
        let cluster = Arc::new(object.expect("a QueueCluster"));
        weir_operator::cluster::reconcile(cluster, self.ctx.clone()).await
    }

    pub async fn topic(&self, path: &str) -> weir_operator::error::Result<Action> {
        let object = serde_json::from_value(self.api.get(path).expect("a topic"));
        let topic = Arc::new(object.expect("a Topic"));
        weir_operator::topic::reconcile(topic, self.ctx.clone()).await
    }

    /// What the StatefulSet controller and the kubelets would do.
    pub fn kubelets(&self) {
        let Some(mut set) = self.api.get(SET) else {
            return;
        };
        let template = set["spec"]["template"].clone();
        let revision = weir_operator::hash::digest(template.to_string().as_bytes());
        set["status"] = json!({
            "observedGeneration": set["metadata"]["generation"],
            "updateRevision": revision,
            "replicas": set["spec"]["replicas"],
        });
        self.api.put(SET, set.clone());
        for ordinal in 0..set["spec"]["replicas"].as_i64().unwrap_or(0) {
            let path = format!("{PODS}/demo-default-{ordinal}");
            if self.api.get(&path).is_some() {
                continue;
            }
            let mut labels = template["metadata"]["labels"].clone();
            labels["controller-revision-hash"] = json!(revision);
            self.api.put(&path, json!({
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": format!("demo-default-{ordinal}"), "namespace": "mq", "labels": labels},
                "spec": template["spec"],
                "status": {
                    "conditions": [{"type": "Ready", "status": "True"}],
                    "containerStatuses": [{
                        "name": "broker", "image": "", "imageID": "", "ready": true, "restartCount": 0,
                        "state": {"running": {}},
                    }],
                },
            }));
        }
    }

    /// Changes a resource as a user would.
    pub fn edit(&self, path: &str, edit: impl FnOnce(&mut Value)) {
        let mut object = self.api.get(path).expect("it exists");
        edit(&mut object);
        let generation = object["metadata"]["generation"].as_i64().unwrap_or(0);
        object["metadata"]["generation"] = json!(generation + 1);
        self.api.put(path, object);
    }

    pub fn condition(&self, path: &str, type_: &str) -> Value {
        let object = self.api.get(path).expect("it exists");
        let conditions = object["status"]["conditions"].as_array().cloned();
        let mut all = conditions.unwrap_or_default().into_iter();
        all.find(|c| c["type"] == type_).unwrap_or_default()
    }

    /// Reason of the condition that tells most: Stalled, then Reconciling, then Ready.
    pub fn reason(&self, path: &str) -> String {
        let types = ["Stalled", "Reconciling", "Ready"];
        let said = types.iter().map(|t| self.condition(path, t));
        let told = said.into_iter().find(|c| c["status"] == "True");
        told.unwrap_or_default()["reason"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

pub const CLUSTER: &str = "/apis/weir.dev/v1alpha1/namespaces/mq/queueclusters/demo";
pub const SET: &str = "/apis/apps/v1/namespaces/mq/statefulsets/demo-default";
pub const PODS: &str = "/api/v1/namespaces/mq/pods";
