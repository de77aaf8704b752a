//! Whose a topic is: adoption, contests, drift, and the end of resources, clusters and namespaces.

use crate::support::{CLUSTER, World};
use futures::{FutureExt, StreamExt};
use serde_json::{Value, json};
use weir_proto::admin as pb;

const TOPIC: &str = "/apis/weir.dev/v1alpha1/namespaces/mq/topics/orders";
const SHOP: &str = "/apis/weir.dev/v1alpha1/namespaces/shop/topics/orders";
const SHOP_NAMESPACE: &str = "/api/v1/namespaces/shop";

/// A Topic for `orders` of the cluster mq/demo, made at a second of one minute.
fn put(world: &World, path: &str, second: u32, extra: Value) {
    let words: Vec<&str> = path.split('/').collect();
    let mut spec = json!({
        "clusterRef": {"name": "demo", "namespace": "mq"},
        "name": "orders",
        "partitions": 3,
        "replicationFactor": 3,
        "config": {"retention": "1h"},
    });
    for (key, value) in extra.as_object().expect("fields") {
        spec[key] = value.clone();
    }
    let created = format!("2026-01-01T00:00:{second:02}Z");
    world.api.put(
        path,
        json!({
            "apiVersion": "weir.dev/v1alpha1",
            "kind": "Topic",
            "metadata": {"name": words[7], "namespace": words[5], "creationTimestamp": created},
            "spec": spec,
        }),
    );
    world.see(path);
}

fn existing(world: &World, config: &[(&str, &str)]) {
    let pair = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
    let replicas = vec![0, 1, 2];
    let partition = pb::Partition {
        isr: replicas.clone(),
        replicas,
        ..pb::Partition::default()
    };
    let topic = pb::Topic {
        name: "orders".to_owned(),
        id: "old-id".to_owned(),
        partitions: vec![partition; 2],
        config: config.iter().map(pair).collect(),
        ..pb::Topic::default()
    };
    let mut state = world.brokers.state();
    state.topics.insert("orders".to_owned(), topic);
}

fn namespace(world: &World, labels: Value) {
    let object = json!({"metadata": {"name": "shop", "labels": labels}});
    world.api.put(SHOP_NAMESPACE, object);
}

async fn settle(world: &World, path: &str) {
    for _ in 0..4 {
        world.topic(path).await.expect("reconciles");
    }
}

fn owner(world: &World) -> Option<String> {
    let state = world.brokers.state();
    let owner = state.topics.get("orders")?.owner.clone()?;
    Some(format!("{}/{}", owner.namespace, owner.name))
}

fn woken(world: &World) -> Vec<String> {
    let mut stream = Box::pin(world.ctx.claims.clone().woken());
    let mut all = Vec::new();
    while let Some(Some(one)) = stream.next().now_or_never() {
        all.push(one.to_string());
    }
    all
}

#[tokio::test]
async fn a_preview_lists_the_differences_and_changes_nothing() {
    let world = World::serving(3).await;
    existing(&world, &[("retention.ms", "5"), ("segment.ms", "7")]);
    put(&world, TOPIC, 1, json!({}));
    world.brokers.take_calls();
    settle(&world, TOPIC).await;
    assert_eq!(world.brokers.take_calls(), Vec::<String>::new());
    assert_eq!(world.reason(TOPIC), "AdoptionPreview");
    let topic = world.api.get(TOPIC).expect("it exists");
    let differences = json!([
        {"field": "partitions", "now": "2", "wanted": "3"},
        {"field": "retention.ms", "now": "5", "wanted": "3600000"},
    ]);
    assert_eq!(topic["status"]["differences"], differences);
    world.api.take_writes();
    settle(&world, TOPIC).await;
    assert_eq!(world.api.take_writes(), Vec::<String>::new());
    world.edit(TOPIC, |t| t["spec"]["adopt"] = json!("Overwrite"));
    settle(&world, TOPIC).await;
    assert_eq!(world.reason(TOPIC), "Ready");
    assert_eq!(owner(&world), Some("mq/orders".to_owned()));
    let state = world.brokers.state();
    assert_eq!(state.topics["orders"].partitions.len(), 3);
    assert_eq!(state.topics["orders"].config["segment.ms"], "7");
    drop(state);
    let topic = world.api.get(TOPIC).expect("it exists");
    assert_eq!(topic["status"]["differences"], Value::Null);
}

#[tokio::test]
async fn the_oldest_resource_gets_a_free_name_whoever_comes_first() {
    let world = World::serving(3).await;
    world.edit(CLUSTER, |c| {
        c["spec"]["topicNamespaces"] = json!({"from": "All"});
    });
    put(&world, SHOP, 2, json!({}));
    put(&world, TOPIC, 1, json!({}));
    settle(&world, SHOP).await;
    assert_eq!(world.reason(SHOP), "Conflict");
    let message = world.condition(SHOP, "Stalled")["message"].clone();
    assert_eq!(message, "Topic mq/orders is older and wants topic orders");
    settle(&world, TOPIC).await;
    assert_eq!(world.reason(TOPIC), "Ready");
    settle(&world, SHOP).await;
    let message = world.condition(SHOP, "Stalled")["message"].clone();
    assert_eq!(message, "topic orders belongs to Topic mq/orders");
    // The oldest goes and retains its topic; the other is woken and takes it over.
    assert_eq!(woken(&world), Vec::<String>::new());
    world.remove_topic(TOPIC);
    assert_eq!(woken(&world).len(), 1);
    settle(&world, SHOP).await;
    assert_eq!(world.reason(SHOP), "Ready");
    assert_eq!(owner(&world), Some("shop/orders".to_owned()));
}

#[tokio::test]
async fn an_older_resource_that_may_not_have_it_stands_in_nobodys_way() {
    let world = World::serving(3).await;
    put(&world, SHOP, 1, json!({}));
    put(&world, TOPIC, 2, json!({}));
    settle(&world, TOPIC).await;
    assert_eq!(world.reason(TOPIC), "Ready");
    settle(&world, SHOP).await;
    assert_eq!(world.reason(SHOP), "NamespaceNotAllowed");
    // Let in later, it does not take what another has in good faith.
    world.edit(CLUSTER, |c| {
        c["spec"]["topicNamespaces"] = json!({"from": "All"});
    });
    for path in [SHOP, TOPIC] {
        settle(&world, path).await;
    }
    assert_eq!(world.reason(SHOP), "Conflict");
    assert_eq!(world.reason(TOPIC), "Ready");
}

#[tokio::test]
async fn drift_is_put_back_and_recorded() {
    let world = World::serving(3).await;
    put(&world, TOPIC, 1, json!({}));
    settle(&world, TOPIC).await;
    world.api.take_events();
    for retention in ["1", "2"] {
        world.set_behind_the_back("orders", "retention.ms", retention);
        world.topic(TOPIC).await.expect("reconciles");
    }
    // The second is one more of the same series.
    let note = "DriftReverted: changed behind this resource's back and put back: retention.ms";
    let event = format!("{note} 1 to 3600000");
    assert_eq!(world.api.take_events(), [event.clone(), event]);
    let drift = world.api.get(TOPIC).expect("it exists")["status"]["drift"].clone();
    assert_eq!(drift["count"], 2);
    assert_eq!(drift["message"], "retention.ms 2 to 3600000");
    // What its resource asks for is no drift.
    world.edit(TOPIC, |t| {
        t["spec"]["config"]["retention"] = json!("2h");
    });
    settle(&world, TOPIC).await;
    assert_eq!(world.reason(TOPIC), "Ready");
    assert_eq!(world.api.take_events(), Vec::<String>::new());
}

#[tokio::test]
async fn a_topic_deleted_behind_the_back_is_made_again_and_that_is_recorded() {
    let world = World::serving(3).await;
    put(&world, TOPIC, 1, json!({}));
    settle(&world, TOPIC).await;
    world.brokers.state().topics.clear();
    settle(&world, TOPIC).await;
    assert_eq!(world.reason(TOPIC), "Ready");
    let drift = world.api.get(TOPIC).expect("it exists")["status"]["drift"].clone();
    assert_eq!(
        drift["message"],
        "the topic was gone and is made again, empty"
    );
}

async fn going(policy: &str) -> World {
    let world = World::serving(3).await;
    world.edit(CLUSTER, |c| {
        c["spec"]["topicNamespaces"] = json!({"from": "All"});
    });
    namespace(&world, json!({}));
    put(&world, SHOP, 1, json!({"deletionPolicy": policy}));
    settle(&world, SHOP).await;
    assert_eq!(world.reason(SHOP), "Ready");
    world
}

fn delete_namespace(world: &World, since: &str) {
    for path in [SHOP_NAMESPACE, SHOP] {
        world.edit(path, |o| o["metadata"]["deletionTimestamp"] = json!(since));
    }
}

fn held(world: &World) -> bool {
    let topic = world.api.get(SHOP).expect("it exists");
    topic["metadata"]["finalizers"] == json!(["weir.dev/topic"])
}

const LONG_AGO: &str = "2026-01-01T00:00:00Z";

#[tokio::test]
async fn a_retained_topic_never_holds_a_finalizer() {
    let world = going("Retain").await;
    assert!(!held(&world));
    world.edit(SHOP, |t| t["spec"]["deletionPolicy"] = json!("Delete"));
    settle(&world, SHOP).await;
    assert!(held(&world));
    world.edit(SHOP, |t| t["spec"]["deletionPolicy"] = json!("Retain"));
    settle(&world, SHOP).await;
    assert!(!held(&world));
}

#[tokio::test]
async fn a_namespace_that_goes_waits_for_silent_brokers_but_not_for_ever() {
    let world = going("Delete").await;
    world.brokers.state().down.extend([0, 1, 2]);
    let just_now = weir_operator::conditions::now();
    delete_namespace(&world, &just_now);
    settle(&world, SHOP).await;
    assert!(held(&world));
    assert_eq!(world.reason(SHOP), "Deleting");
    delete_namespace(&world, LONG_AGO);
    world.api.take_events();
    settle(&world, SHOP).await;
    assert!(!held(&world));
    let events = world.api.take_events();
    assert!(events[0].starts_with("TopicLeftBehind: "), "{events:?}");
    assert!(world.brokers.state().topics.contains_key("orders"));
}

#[tokio::test]
async fn a_resource_alone_waits_for_its_cluster() {
    let world = going("Delete").await;
    world.brokers.state().down.extend([0, 1, 2]);
    world.edit(SHOP, |o| {
        o["metadata"]["deletionTimestamp"] = json!(LONG_AGO)
    });
    settle(&world, SHOP).await;
    assert!(held(&world));
    // The person changes their mind.
    world.edit(SHOP, |t| t["spec"]["deletionPolicy"] = json!("Retain"));
    settle(&world, SHOP).await;
    assert!(!held(&world));
}

#[tokio::test]
async fn a_cluster_that_goes_was_never_formed_or_takes_nobody_holds_nothing() {
    type Edit = fn(&mut Value);
    let edits: [Edit; 3] = [
        |c| c["metadata"]["deletionTimestamp"] = json!(LONG_AGO),
        |c| c["status"]["formed"] = json!(false),
        |c| c["spec"]["topicNamespaces"] = json!({"from": "Same"}),
    ];
    for edit in edits {
        let world = going("Delete").await;
        delete_namespace(&world, &weir_operator::conditions::now());
        world.edit(CLUSTER, edit);
        world.brokers.take_calls();
        settle(&world, SHOP).await;
        assert!(!held(&world));
        assert_eq!(world.brokers.take_calls(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_cluster_out_of_reach_is_said_and_holds_nothing() {
    let world = going("Delete").await;
    world.api.forbid("/apis/weir.dev/v1alpha1/namespaces/mq/");
    settle(&world, SHOP).await;
    assert_eq!(world.reason(SHOP), "ClusterOutOfReach");
    delete_namespace(&world, &weir_operator::conditions::now());
    settle(&world, SHOP).await;
    assert!(!held(&world));
}
