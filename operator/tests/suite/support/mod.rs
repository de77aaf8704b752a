//! A small Kubernetes API in memory, brokers in memory, and the two together.

// Each suite uses a part of it.
#![allow(dead_code)]

pub mod api;
pub mod brokers;
pub mod filled;
pub mod flow;
pub mod fuse;
pub mod life;
pub mod nodes;
pub mod patch;
pub mod placement;
pub mod scale;
pub mod scene;

use std::sync::Arc;

use kube::runtime::controller::Action;
use kube::runtime::watcher;
use serde_json::{Value, json};
use weir_operator::context::{Context, Settings};
use weir_operator::metrics::Metrics;

use api::Api;
use brokers::Brokers;
use fuse::Fuse;

pub struct World {
    pub api: Api,
    pub brokers: Brokers,
    pub ctx: Arc<Context>,
    pub fuse: Fuse,
}

impl World {
    pub fn new() -> Self {
        let fuse = Fuse::default();
        let (api, brokers) = (Api::new(&fuse), Brokers::new(&fuse));
        brokers.state().life = api.life();
        let ctx = Arc::new(context(&api, &brokers));
        Self {
            api,
            brokers,
            ctx,
            fuse,
        }
    }

    /// Another operator takes over and knows nothing. Says whether the last one was killed.
    pub fn restart(&mut self) -> bool {
        self.ctx = Arc::new(context(&self.api, &self.brokers));
        self.api.life().starts_again()
    }

    /// Changes a topic's config at the brokers.
    pub fn set_behind_the_back(&self, topic: &str, name: &str, value: &str) {
        let mut state = self.brokers.state();
        let topic = state.topics.get_mut(topic).expect("it exists");
        topic.config.insert(name.to_owned(), value.to_owned());
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

    /// Shows the watch of Topics a resource as it is.
    pub fn see(&self, path: &str) {
        let object = serde_json::from_value(self.api.get(path).expect("a topic"));
        let topic = object.expect("a Topic");
        self.ctx.claims.observe(&watcher::Event::Apply(topic));
    }

    /// Removes a Topic, and the watch sees that.
    pub fn remove_topic(&self, path: &str) {
        let object = serde_json::from_value(self.api.get(path).expect("a topic"));
        let topic = object.expect("a Topic");
        self.api.remove(path);
        self.ctx.claims.observe(&watcher::Event::Delete(topic));
    }

    /// The StatefulSet controller sees the newest template, and has not made its pods yet.
    pub fn settle_template(&self) {
        let Some(mut set) = self.api.get(SET) else {
            return;
        };
        let template = set["spec"]["template"].to_string();
        set["status"] = json!({
            "observedGeneration": set["metadata"]["generation"],
            "updateRevision": weir_operator::hash::digest(template.as_bytes()),
            "replicas": set["spec"]["replicas"],
        });
        self.api.put(SET, set);
    }

    /// What the StatefulSet controller and the kubelets would do.
    pub fn kubelets(&self) {
        let Some(set) = self.api.get(SET) else {
            return;
        };
        let template = set["spec"]["template"].clone();
        let revision = weir_operator::hash::digest(template.to_string().as_bytes());
        self.settle_template();
        let replicas = set["spec"]["replicas"].as_i64().unwrap_or(0);
        self.stop_above(replicas);
        if self.brokers.state().pods_wait {
            return;
        }
        for ordinal in 0..replicas {
            let path = format!("{PODS}/demo-default-{ordinal}");
            self.claim(ordinal, &set);
            if self.api.get(&path).is_some() {
                continue;
            }
            self.registers_anew(ordinal);
            let mut labels = template["metadata"]["labels"].clone();
            labels["controller-revision-hash"] = json!(revision);
            self.api.put(&path, json!({
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": format!("demo-default-{ordinal}"), "namespace": "mq", "labels": labels},
                "spec": self.scheduled(&template["spec"], ordinal),
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

fn context(api: &Api, brokers: &Brokers) -> Context {
    let (metrics, _) = Metrics::new();
    let connector = Arc::new(brokers.clone());
    Context::new(api.client(), connector, metrics, Settings::default())
}

pub const CLUSTER: &str = "/apis/weir.dev/v1alpha1/namespaces/mq/queueclusters/demo";
pub const SET: &str = "/apis/apps/v1/namespaces/mq/statefulsets/demo-default";
pub const PODS: &str = "/api/v1/namespaces/mq/pods";
pub const NODES: &str = "/api/v1/nodes";
pub const CLAIMS: &str = "/api/v1/namespaces/mq/persistentvolumeclaims";
