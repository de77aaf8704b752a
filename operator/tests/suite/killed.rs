//! The operator is killed after every single write of a Topic's life, and the next one goes on.

use crate::support::{CLUSTER, World};
use serde_json::{Value, json};
use weir_proto::admin as pb;

const TOPIC: &str = "/apis/weir.dev/v1alpha1/namespaces/mq/topics/orders";
const OLDER: &str = "/apis/weir.dev/v1alpha1/namespaces/mq/topics/older";
/// Writes of the longest flow, with room.
const WRITES_MAX: usize = 12;

/// One thing that happens to a Topic, and how it has to end.
struct Flow {
    prepare: fn(&World),
    /// Whether the operator has done its work before that.
    settled: bool,
    change: fn(&World),
    /// Done after the operator was killed.
    afterwards: fn(&World),
    check: fn(&World),
}

fn nothing(_: &World) {}

/// Runs the flow once for every write it makes, and once undisturbed. How many writes it makes.
async fn survives(flow: &Flow) -> usize {
    for writes in 0..WRITES_MAX {
        let mut world = World::serving(3).await;
        (flow.prepare)(&world);
        if flow.settled {
            settle(&world).await;
        }
        (flow.change)(&world);
        world.api.life().ends_after(writes);
        for _ in 0..6 {
            // Its errors are what a killed operator would not even see.
            let _ = world.topic(TOPIC).await;
        }
        let killed = world.restart();
        (flow.afterwards)(&world);
        settle(&world).await;
        (flow.check)(&world);
        world.api.take_writes();
        world.brokers.take_calls();
        settle(&world).await;
        assert_eq!(world.api.take_writes(), Vec::<String>::new(), "idle");
        assert_eq!(world.brokers.take_calls(), Vec::<String>::new(), "idle");
        if !killed {
            return writes;
        }
    }
    panic!("more than {WRITES_MAX} writes");
}

async fn settle(world: &World) {
    world.see(TOPIC);
    for _ in 0..6 {
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
            "spec": {
                "clusterRef": {"name": "demo"},
                "partitions": 3,
                "replicationFactor": 3,
                "config": {"retention": "1h"},
                "deletionPolicy": "Delete",
            },
        }),
    );
}

fn configure(world: &World, config: Value) {
    world.edit(TOPIC, |t| t["spec"]["config"] = config);
}

/// Somebody's topic, with a setting that no resource names.
fn theirs(world: &World) {
    let partition = pb::Partition {
        replicas: vec![0, 1, 2],
        ..pb::Partition::default()
    };
    let config = [("segment.ms", "7"), ("retention.ms", "5")];
    let pair = |(k, v): (&str, &str)| (k.to_owned(), v.to_owned());
    let topic = pb::Topic {
        name: "orders".to_owned(),
        id: "old-id".to_owned(),
        partitions: vec![partition; 3],
        config: config.into_iter().map(pair).collect(),
        ..pb::Topic::default()
    };
    let mut state = world.brokers.state();
    state.topics.insert("orders".to_owned(), topic);
}

fn config(world: &World) -> Vec<(String, String)> {
    let state = world.brokers.state();
    let config = &state.topics["orders"].config;
    let mut all: Vec<_> = config.clone().into_iter().collect();
    all.sort();
    all
}

fn assert_config(world: &World, wanted: &[(&str, &str)]) {
    let pair = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
    let wanted: Vec<_> = wanted.iter().map(pair).collect();
    assert_eq!(config(world), wanted);
    assert_eq!(world.reason(TOPIC), "Ready");
}

fn delete(world: &World) {
    world.edit(TOPIC, |t| {
        t["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    });
}

fn assert_released(world: &World) {
    let topic = world.api.get(TOPIC).expect("it exists");
    assert_eq!(topic["metadata"]["finalizers"], json!([]));
}

#[tokio::test]
async fn a_topic_is_created_once() {
    let flow = Flow {
        prepare: put,
        settled: false,
        change: nothing,
        afterwards: nothing,
        check: |world| assert_config(world, &[("retention.ms", "3600000")]),
    };
    // The finalizer, the topic, the status.
    assert_eq!(survives(&flow).await, 4);
}

#[tokio::test]
async fn what_was_set_before_the_end_can_still_be_taken_away() {
    let flow = Flow {
        prepare: put,
        settled: false,
        change: nothing,
        afterwards: |world| configure(world, json!({})),
        check: |world| assert_config(world, &[]),
    };
    survives(&flow).await;
    let flow = Flow {
        prepare: put,
        settled: true,
        change: |world| configure(world, json!({"retention": "1h", "segmentAge": "1h"})),
        afterwards: |world| configure(world, json!({})),
        check: |world| assert_config(world, &[]),
    };
    assert!(survives(&flow).await >= 3);
}

#[tokio::test]
async fn a_topic_is_adopted_without_a_claim_on_what_others_set() {
    let flow = Flow {
        prepare: |world| {
            theirs(world);
            put(world);
            world.edit(TOPIC, |t| t["spec"]["adopt"] = json!("Overwrite"));
        },
        settled: false,
        change: nothing,
        afterwards: |world| configure(world, json!({"flush": "Sync"})),
        check: |world| {
            let mut config = config(world);
            // Set by others, and only ours if the operator got as far as setting it.
            config.retain(|(name, _)| name != "retention.ms");
            let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
            assert_eq!(
                config,
                [pair("segment.ms", "7"), pair("weir.flush", "sync")]
            );
            assert_eq!(world.reason(TOPIC), "Ready");
        },
    };
    survives(&flow).await;
}

#[tokio::test]
async fn drift_is_put_back() {
    let flow = Flow {
        prepare: put,
        settled: true,
        change: |world| {
            let mut state = world.brokers.state();
            let topic = state.topics.get_mut("orders").expect("it exists");
            let name = "retention.ms".to_owned();
            topic.config.insert(name, "1".to_owned());
        },
        afterwards: nothing,
        check: |world| assert_config(world, &[("retention.ms", "3600000")]),
    };
    survives(&flow).await;
}

#[tokio::test]
async fn a_topic_is_deleted_with_its_resource() {
    let flow = Flow {
        prepare: put,
        settled: true,
        change: delete,
        afterwards: nothing,
        check: |world| {
            assert_released(world);
            assert!(world.brokers.state().topics.is_empty());
        },
    };
    assert_eq!(survives(&flow).await, 3);
}

/// Another Topic has the name, and a topic to it.
fn contested(world: &World) {
    let mut older = world.api.get(TOPIC).expect("it exists");
    older["metadata"] = json!({
        "name": "older", "namespace": "mq", "uid": "older-uid",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    });
    older["spec"]["name"] = json!("orders");
    older["spec"]["deletionPolicy"] = json!("Retain");
    world.api.put(OLDER, older);
    world.see(OLDER);
    theirs(world);
    let mut state = world.brokers.state();
    let topic = state.topics.get_mut("orders").expect("it exists");
    topic.owner = Some(pb::TopicOwner {
        uid: "older-uid".to_owned(),
        namespace: "mq".to_owned(),
        name: "older".to_owned(),
    });
}

#[tokio::test]
async fn a_contested_name_is_taken_over_once_its_owner_is_gone() {
    let flow = Flow {
        prepare: |world| {
            put(world);
            contested(world);
            world.edit(TOPIC, |t| t["spec"]["adopt"] = json!("Overwrite"));
        },
        settled: true,
        change: |world| {
            assert_eq!(world.reason(TOPIC), "Conflict");
            world.remove_topic(OLDER);
        },
        afterwards: nothing,
        check: |world| {
            assert_eq!(world.reason(TOPIC), "Ready");
            let state = world.brokers.state();
            let owner = state.topics["orders"].owner.clone();
            assert_eq!(owner.map(|o| o.name), Some("orders".to_owned()));
        },
    };
    assert!(survives(&flow).await >= 2);
}

#[tokio::test]
async fn a_cluster_that_goes_in_the_middle_holds_nothing_up() {
    let flow = Flow {
        prepare: put,
        settled: true,
        change: |world| {
            delete(world);
            world.brokers.state().down.extend([0, 1, 2]);
        },
        afterwards: |world| world.api.remove(CLUSTER),
        check: assert_released,
    };
    survives(&flow).await;
    let flow = Flow {
        prepare: put,
        settled: false,
        change: nothing,
        afterwards: |world| {
            world.api.remove(CLUSTER);
            delete(world);
        },
        check: |world| {
            let topic = world.api.get(TOPIC).expect("it exists");
            let finalizers = topic["metadata"]["finalizers"].as_array();
            assert!(finalizers.is_none_or(Vec::is_empty));
        },
    };
    survives(&flow).await;
}
