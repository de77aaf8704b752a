//! Reconciles of Topics against a Kubernetes and brokers in memory.

use crate::support::{CLUSTER, World};
use serde_json::{Value, json};

const TOPIC: &str = "/apis/weir.dev/v1alpha1/namespaces/mq/topics/orders";

async fn world(spec: Value) -> World {
    let world = World::serving(3).await;
    world.brokers.take_calls();
    put(&world, TOPIC, "mq", "orders", spec);
    world
}

fn put(world: &World, path: &str, namespace: &str, name: &str, extra: Value) {
    let mut spec = json!({"clusterRef": {"name": "demo", "namespace": "mq"}});
    for (key, value) in extra.as_object().expect("fields") {
        spec[key] = value.clone();
    }
    world.api.put(
        path,
        json!({
            "apiVersion": "weir.dev/v1alpha1",
            "kind": "Topic",
            "metadata": {
                "name": name, "namespace": namespace,
                "creationTimestamp": "2026-01-01T00:00:00Z",
            },
            "spec": spec,
        }),
    );
    world.see(path);
}

fn sized() -> Value {
    json!({"partitions": 3, "replicationFactor": 3, "config": {"retention": "1h"}})
}

#[tokio::test]
async fn a_topic_is_created_and_then_left_alone() {
    let world = world(sized()).await;
    world.topic(TOPIC).await.expect("reconciles");
    assert_eq!(world.brokers.take_calls(), ["create orders"]);
    assert_eq!(world.reason(TOPIC), "Ready");
    world.api.take_writes();
    world.topic(TOPIC).await.expect("reconciles");
    assert_eq!(world.api.take_writes(), Vec::<String>::new());
    assert_eq!(world.brokers.take_calls(), Vec::<String>::new());
    let status = world.api.get(TOPIC).expect("it exists")["status"].clone();
    assert_eq!(status["partitions"], 3);
    assert_eq!(status["configKeys"], json!(["retention.ms"]));
}

#[tokio::test]
async fn what_was_changed_behind_our_back_is_repaired() {
    let world = world(sized()).await;
    world.topic(TOPIC).await.expect("reconciles");
    {
        let mut state = world.brokers.state();
        let topic = state.topics.get_mut("orders").expect("it exists");
        topic
            .config
            .insert("retention.ms".to_owned(), "1".to_owned());
        topic.config.insert("segment.ms".to_owned(), "1".to_owned());
    }
    world.topic(TOPIC).await.expect("reconciles");
    let state = world.brokers.state();
    let config = &state.topics["orders"].config;
    assert_eq!(config["retention.ms"], "3600000");
    assert_eq!(config["segment.ms"], "1");
}

#[tokio::test]
async fn a_second_topic_of_the_same_name_is_told() {
    let world = world(sized()).await;
    world.topic(TOPIC).await.expect("reconciles");
    let second = "/apis/weir.dev/v1alpha1/namespaces/mq/topics/second";
    let mut spec = sized();
    spec["name"] = json!("orders");
    put(&world, second, "mq", "second", spec);
    world.topic(second).await.expect("reconciles");
    assert_eq!(world.reason(second), "Conflict");
    let message = world.condition(second, "Stalled")["message"].clone();
    assert_eq!(message, "topic orders belongs to Topic mq/orders");
    // The first goes and leaves its topic behind: then the second may have it.
    world.remove_topic(TOPIC);
    // What is about to be ours is stored before it is.
    for reason in ["Applying", "Ready"] {
        world.topic(second).await.expect("reconciles");
        assert_eq!(world.reason(second), reason);
    }
}

#[tokio::test]
async fn a_topic_without_cluster_is_told_and_waits() {
    let world = world(sized()).await;
    let cluster = world.api.get(CLUSTER).expect("it exists");
    world.api.remove(CLUSTER);
    world.topic(TOPIC).await.expect("reconciles");
    assert_eq!(world.reason(TOPIC), "ClusterNotFound");
    // Nothing is wrong with it: tools must go on waiting.
    assert_eq!(world.condition(TOPIC, "Stalled")["status"], "False");
    world.api.put(CLUSTER, cluster);
    world.topic(TOPIC).await.expect("reconciles");
    assert_eq!(world.reason(TOPIC), "Ready");
}

#[tokio::test]
async fn namespaces_need_to_be_let_in() {
    let world = world(sized()).await;
    world.remove_topic(TOPIC);
    let path = "/apis/weir.dev/v1alpha1/namespaces/shop/topics/orders";
    put(&world, path, "shop", "orders", sized());
    world.topic(path).await.expect("reconciles");
    assert_eq!(world.reason(path), "NamespaceNotAllowed");
    world.edit(CLUSTER, |c| {
        c["spec"]["topicNamespaces"] =
            json!({"from": "Selector", "selector": {"matchLabels": {"weir": "demo"}}});
    });
    let namespace = |labels: Value| json!({"metadata": {"name": "shop", "labels": labels}});
    world
        .api
        .put("/api/v1/namespaces/shop", namespace(json!({})));
    world.topic(path).await.expect("reconciles");
    assert_eq!(world.reason(path), "NamespaceNotAllowed");
    world.api.put(
        "/api/v1/namespaces/shop",
        namespace(json!({"weir": "demo"})),
    );
    world.topic(path).await.expect("reconciles");
    assert_eq!(world.reason(path), "Ready");
}

#[tokio::test]
async fn a_config_that_the_broker_refuses_is_told_in_its_words() {
    let mut spec = sized();
    spec["config"] = json!({"cleanup": ["Compact"]});
    let world = world(spec).await;
    world.topic(TOPIC).await.expect("reconciles");
    assert_eq!(world.reason(TOPIC), "Refused");
    let message = world.condition(TOPIC, "Stalled")["message"].clone();
    assert_eq!(message, "cleanup.policy: not available yet");
}

#[tokio::test]
async fn only_the_policy_delete_holds_a_finalizer_and_deletes() {
    let mut spec = sized();
    spec["deletionPolicy"] = json!("Delete");
    let world = world(spec).await;
    for _ in 0..2 {
        world.topic(TOPIC).await.expect("reconciles");
    }
    let finalizers = || world.api.get(TOPIC).expect("it exists")["metadata"]["finalizers"].clone();
    assert_eq!(finalizers(), json!(["weir.dev/topic"]));
    world.edit(TOPIC, |t| {
        t["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    });
    world.brokers.take_calls();
    // Nobody answers: the resource stays, and so does the topic.
    world.brokers.state().down.extend([0, 1, 2]);
    world.topic(TOPIC).await.expect("reconciles");
    assert_eq!(finalizers(), json!(["weir.dev/topic"]));
    assert_eq!(world.reason(TOPIC), "Deleting");
    world.brokers.state().down.clear();
    world.topic(TOPIC).await.expect("reconciles");
    assert_eq!(world.brokers.take_calls(), ["delete orders"]);
    assert_eq!(finalizers(), json!([]));
}

#[tokio::test]
async fn a_cluster_that_is_gone_holds_no_topic_back() {
    let mut spec = sized();
    spec["deletionPolicy"] = json!("Delete");
    let world = world(spec).await;
    world.topic(TOPIC).await.expect("reconciles");
    world.edit(TOPIC, |t| {
        t["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    });
    world.api.remove(CLUSTER);
    world.topic(TOPIC).await.expect("reconciles");
    let topic = world.api.get(TOPIC).expect("it exists");
    assert_eq!(topic["metadata"]["finalizers"], json!([]));
}
