//! What tools that know nothing of Weir make of its resources: kstatus's rules over the statuses
//! that the operator really writes. The same statuses, kept in a file, are what the health checks
//! for Argo CD are tried on.

use crate::support::{CLUSTER, World};
use serde_json::{Value, json};

const TOPIC: &str = "/apis/weir.dev/v1alpha1/namespaces/mq/topics/orders";
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../e2e/fixtures/statuses.json");

/// The rules of sigs.k8s.io/cli-utils/pkg/kstatus for resources of unknown kinds.
fn kstatus(object: &Value) -> &'static str {
    let meta = &object["metadata"];
    if !meta["deletionTimestamp"].is_null() {
        return "Terminating";
    }
    let observed = &object["status"]["observedGeneration"];
    if !observed.is_null() && observed != &meta["generation"] {
        return "InProgress";
    }
    let is = |type_: &str, status: &str| {
        let mut all = object["status"]["conditions"]
            .as_array()
            .into_iter()
            .flatten();
        all.any(|c| c["type"] == type_ && c["status"] == status)
    };
    if is("Reconciling", "True") {
        return "InProgress";
    }
    if is("Stalled", "True") {
        return "Failed";
    }
    if is("Ready", "False") || is("Ready", "Unknown") {
        return "InProgress";
    }
    "Current"
}

/// The parts of an object that health is read from, without what differs from run to run.
fn essence(object: &Value) -> Value {
    let mut meta = json!({
        "name": object["metadata"]["name"],
        "generation": object["metadata"]["generation"],
    });
    if !object["metadata"]["deletionTimestamp"].is_null() {
        meta["deletionTimestamp"] = object["metadata"]["deletionTimestamp"].clone();
    }
    let mut conditions = object["status"]["conditions"].clone();
    for condition in conditions.as_array_mut().into_iter().flatten() {
        condition["lastTransitionTime"] = json!("2026-01-01T00:00:00Z");
    }
    let status = json!({
        "observedGeneration": object["status"]["observedGeneration"],
        "conditions": conditions,
    });
    json!({"kind": object["kind"], "metadata": meta, "status": status})
}

#[derive(Default)]
struct Seen(Vec<Value>);

impl Seen {
    fn note(&mut self, world: &World, path: &str, what: &str, expected: &str) {
        let object = world.api.get(path).expect("it exists");
        assert_eq!(kstatus(&object), expected, "{what}: {object}");
        let seen = json!({"what": what, "kstatus": expected, "object": essence(&object)});
        self.0.push(seen);
    }
}

async fn topic(world: &World) {
    for _ in 0..4 {
        world.topic(TOPIC).await.expect("reconciles");
    }
}

fn put(world: &World) {
    world.api.put(
        TOPIC,
        json!({
            "apiVersion": "weir.dev/v1alpha1",
            "kind": "Topic",
            "metadata": {"name": "orders", "namespace": "mq"},
            "spec": {"clusterRef": {"name": "demo"}, "partitions": 1, "replicationFactor": 3},
            "status": {"observedGeneration": -1, "conditions": [{
                "type": "Ready", "status": "Unknown", "reason": "Pending",
                "message": "waiting for the operator", "lastTransitionTime": "1970-01-01T00:00:00Z",
            }]},
        }),
    );
}

async fn clusters(seen: &mut Seen) {
    let world = World::with_cluster(3);
    world.cluster().await.expect("reconciles");
    seen.note(&world, CLUSTER, "a cluster starts", "InProgress");
    let world = World::serving(3).await;
    seen.note(&world, CLUSTER, "a cluster serves", "Current");
    world.edit(CLUSTER, |c| c["spec"]["image"] = json!("weir-broker:new"));
    seen.note(&world, CLUSTER, "a cluster was changed", "InProgress");
    for _ in 0..2 {
        world.cluster().await.expect("reconciles");
        world.kubelets();
    }
    seen.note(&world, CLUSTER, "a cluster restarts brokers", "InProgress");
    let world = World::serving(3).await;
    world.edit(CLUSTER, |c| c["status"]["clusterId"] = json!("ours"));
    world.brokers.state().cluster_id = "another".to_owned();
    world.cluster().await.expect("reconciles");
    seen.note(&world, CLUSTER, "a cluster has foreign volumes", "Failed");
}

fn disown(world: &World) {
    let mut state = world.brokers.state();
    let live = state.topics.get_mut("orders").expect("it exists");
    live.owner = None;
}

async fn topics(seen: &mut Seen) {
    let world = World::serving(3).await;
    put(&world);
    seen.note(&world, TOPIC, "nobody has seen a topic", "InProgress");
    let cluster = world.api.get(CLUSTER).expect("it exists");
    world.api.remove(CLUSTER);
    topic(&world).await;
    seen.note(&world, TOPIC, "a topic waits for its cluster", "InProgress");
    world.api.put(CLUSTER, cluster);
    topic(&world).await;
    seen.note(&world, TOPIC, "a topic is there", "Current");
    world.edit(TOPIC, |t| t["spec"]["partitions"] = json!(2));
    seen.note(&world, TOPIC, "a topic was changed", "InProgress");
    world.edit(TOPIC, |t| {
        t["metadata"]["annotations"] = json!({"weir.dev/pause": "true"});
    });
    topic(&world).await;
    seen.note(&world, TOPIC, "a topic is paused", "InProgress");
    world.edit(TOPIC, |t| t["metadata"]["annotations"] = json!({}));
    world.brokers.state().down.extend([0, 1, 2]);
    topic(&world).await;
    seen.note(&world, TOPIC, "a topic's brokers are silent", "InProgress");
    world.brokers.state().down.clear();
    disown(&world);
    topic(&world).await;
    seen.note(&world, TOPIC, "a topic's adoption is previewed", "Failed");
    world.edit(TOPIC, |t| {
        t["spec"]["config"] = json!({"cleanup": ["Compact"]})
    });
    world.brokers.state().topics.clear();
    topic(&world).await;
    seen.note(&world, TOPIC, "a topic's config is refused", "Failed");
    world.edit(TOPIC, |t| {
        t["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    });
    seen.note(&world, TOPIC, "a topic is deleted", "Terminating");
}

/// `WEIR_WRITE=1` writes the file anew.
#[tokio::test]
async fn generic_tools_read_every_state_as_it_is_meant() {
    let mut seen = Seen::default();
    clusters(&mut seen).await;
    topics(&mut seen).await;
    let text = serde_json::to_string_pretty(&seen.0).expect("JSON") + "\n";
    if std::env::var_os("WEIR_WRITE").is_some() {
        std::fs::write(FILE, &text).expect("written");
    }
    let kept = std::fs::read_to_string(FILE).expect("e2e/fixtures/statuses.json");
    assert!(kept == text, "run this test with WEIR_WRITE=1");
}
