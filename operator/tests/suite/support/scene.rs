//! A scaler, what it scales and what is reported to it.

// Each suite uses a part of it.
#![allow(dead_code)]

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use kube::runtime::controller::Action;
use serde_json::{Value, json};
use weir_crds::ConsumerScaler;
use weir_operator::context::{Context, Settings};
use weir_operator::error::Result;
use weir_operator::metrics::Metrics;
use weir_proto::admin as pb;

use super::World;
use super::scale::Front;

pub const SCALER: &str = "/apis/weir.dev/v1alpha1/namespaces/mq/consumerscalers/billing";
pub const TARGET: &str = "/apis/apps/v1/namespaces/mq/deployments/billing";
const PARTITIONS: i32 = 12;
/// Time between two looks while there is work.
const LOOK: Duration = Duration::from_secs(5);

/// A cluster, a Deployment with its pods, a scaler, and the operator that looks at them.
pub struct Scene {
    pub world: World,
    pub ctx: Arc<Context>,
    pub front: Front,
    /// Looks taken; time goes by them.
    pub looks: Cell<u32>,
}

impl Scene {
    pub async fn new(replicas: u32, edit: impl FnOnce(&mut Value)) -> Self {
        let world = World::serving(1).await;
        let front = Front::new(&world.api, None);
        let scene = Self {
            ctx: operator(&front, &world),
            world,
            front,
            looks: Cell::new(0),
        };
        let mut spec = json!({
            "clusterRef": {"name": "demo"},
            "source": {"kafka": {"group": "billing", "topics": ["orders"]}},
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "billing"},
            "minReplicas": 0,
            "maxReplicas": 12,
            "drainWithin": "60s",
            "initialRatePerPod": 100,
        });
        edit(&mut spec);
        scene.world.api.put(
            SCALER,
            json!({
                "apiVersion": "weir.dev/v1alpha1",
                "kind": "ConsumerScaler",
                "metadata": {"name": "billing", "namespace": "mq"},
                "spec": spec,
            }),
        );
        scene.deploy(replicas);
        scene.world.api.take_writes();
        scene
    }

    fn deploy(&self, replicas: u32) {
        self.world.api.put(
            TARGET,
            json!({
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "billing", "namespace": "mq"},
                "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "billing"}}},
            }),
        );
        for pod in 0..replicas {
            self.world.api.put(
                &format!("/api/v1/namespaces/mq/pods/billing-{pod}"),
                json!({
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "metadata": {
                        "name": format!("billing-{pod}"), "namespace": "mq",
                        "labels": {"app": "billing"},
                        "creationTimestamp": "2026-01-01T00:00:00Z",
                    },
                    "status": {
                        "phase": "Running",
                        "podIP": ip(pod),
                        "podIPs": [{"ip": ip(pod)}],
                        "conditions": [{"type": "Ready", "status": "True"}],
                    },
                }),
            );
        }
    }

    /// Another operator, which is killed after so many writes.
    pub fn restart(&mut self, writes: Option<usize>) {
        self.front = Front::new(&self.world.api, writes);
        self.ctx = operator(&self.front, &self.world);
        self.ctx.scalers.clock.advance(LOOK * self.looks.get());
    }

    /// Time passes, a report comes, the scaler looks; whether that went well.
    pub async fn look(&self, group: pb::GroupBacklog) -> bool {
        self.looks.set(self.looks.get() + 1);
        self.ctx.scalers.clock.advance(LOOK);
        self.report(group);
        self.reconcile().await.is_ok()
    }

    /// The group of one pod works off a constant backlog of 60,000 records, until the target is
    /// scaled or so many looks are taken.
    pub async fn work(&self, looks: u32) {
        for _ in 0..looks {
            if self.replicas() != 1 {
                return;
            }
            self.look(busy(1, 5_000, self.looks.get())).await;
        }
    }

    pub async fn reconcile(&self) -> Result<Action> {
        self.reconcile_at(SCALER).await
    }

    pub async fn reconcile_at(&self, path: &str) -> Result<Action> {
        let scaler = Arc::new(self.scaler(path));
        weir_operator::scaler::reconcile(scaler, self.ctx.clone()).await
    }

    pub fn scaler(&self, path: &str) -> ConsumerScaler {
        let object = self.world.api.get(path).expect("a scaler");
        serde_json::from_value(object).expect("a ConsumerScaler")
    }

    pub async fn settle(&self) {
        self.reconcile().await.expect("reconciles");
    }

    /// What a broker would report; the first reconcile has asked for it.
    pub fn report(&self, group: pb::GroupBacklog) -> usize {
        let report = pb::BacklogReport {
            at_ms: 0,
            groups: vec![group],
        };
        let key = ("mq".to_owned(), "demo".to_owned());
        self.ctx.scalers.backlogs.learn(&key, report).len()
    }

    /// Asks, is told, looks.
    pub async fn see(&self, group: pb::GroupBacklog) {
        self.settle().await;
        self.report(group);
        self.settle().await;
    }

    pub fn replicas(&self) -> i64 {
        let target = self.world.api.get(TARGET).expect("a target");
        target["spec"]["replicas"].as_i64().expect("a number")
    }

    pub fn status(&self) -> Value {
        self.world.api.get(SCALER).expect("a scaler")["status"].clone()
    }

    pub fn reason(&self) -> String {
        self.status()["reason"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub fn writes(&self) -> Vec<String> {
        self.world.api.take_writes()
    }
}

fn operator(front: &Front, world: &World) -> Arc<Context> {
    let (metrics, _) = Metrics::new();
    let connector = Arc::new(world.brokers.clone());
    let ctx = Context::new(front.client(), connector, metrics, Settings::default());
    Arc::new(ctx)
}

fn ip(pod: u32) -> String {
    format!("10.0.0.{}", pod + 1)
}

/// A group of `members` pods that share the partitions, each with `backlog` records.
pub fn group(members: u32, backlog: i64) -> pb::GroupBacklog {
    let indexes: Vec<i32> = (0..PARTITIONS).collect();
    let share = |pod: u32| {
        let mine = indexes
            .iter()
            .filter(|i| i.unsigned_abs() % members == pod)
            .map(|i| pb::TopicPartitionIndex {
                topic: "orders".to_owned(),
                partition: *i,
            });
        pb::BacklogMember {
            id: format!("member-{pod}"),
            client_id: "billing".to_owned(),
            host: ip(pod),
            assigned: mine.collect(),
            subscribed: vec!["orders".to_owned()],
            ..pb::BacklogMember::default()
        }
    };
    let partition = |i: &i32| pb::PartitionBacklog {
        topic: "orders".to_owned(),
        partition: *i,
        committed: Some(1_000),
        start: 0,
        end: 1_000 + backlog,
        backlog,
        ..pb::PartitionBacklog::default()
    };
    pb::GroupBacklog {
        group: "billing".to_owned(),
        state: if members == 0 { "Empty" } else { "Stable" }.to_owned(),
        assignor: if members == 0 { "" } else { "range" }.to_owned(),
        generation: 3,
        members: (0..members).map(share).collect(),
        partitions: indexes.iter().map(partition).collect(),
        problem: String::new(),
    }
}

/// The same group after so many looks: 120 records a second come and are committed.
pub fn busy(members: u32, backlog: i64, looks: u32) -> pb::GroupBacklog {
    let mut group = group(members, backlog);
    for partition in &mut group.partitions {
        let done = 50 * i64::from(looks);
        partition.committed = partition.committed.map(|c| c + done);
        partition.end += done;
        (partition.arrival_rate, partition.commit_rate) = (10.0, 10.0);
    }
    group
}
