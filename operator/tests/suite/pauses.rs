//! Resources that somebody has paused, against a Kubernetes and brokers in memory.

use crate::support::filled::status;
use crate::support::{CLUSTER, World};
use serde_json::json;

const TOPIC: &str = "/apis/weir.dev/v1alpha1/namespaces/mq/topics/orders";

fn pause(world: &World, path: &str, on: bool) {
    world.edit(path, |c| {
        c["metadata"]["annotations"] = json!({"weir.dev/pause": on.to_string()});
    });
}

#[tokio::test]
async fn a_paused_cluster_is_left_alone_and_stays_ready() {
    let world = World::serving(3).await;
    pause(&world, CLUSTER, true);
    world.edit(CLUSTER, |c| c["spec"]["image"] = json!("weir-broker:new"));
    world.edit(CLUSTER, |c| c["spec"]["config"]["retention"] = json!("1h"));
    world.api.take_writes();
    world.brokers.take_calls();
    for _ in 0..3 {
        world.cluster().await.expect("reconciles");
        world.kubelets();
    }
    assert_eq!(world.api.take_writes(), [format!("patch {CLUSTER}/status")]);
    assert_eq!(world.brokers.take_calls(), Vec::<String>::new());
    assert_eq!(world.reason(CLUSTER), "Paused");
    assert_eq!(world.condition(CLUSTER, "Ready")["status"], "True");
    let message = world.condition(CLUSTER, "Reconciling")["message"].clone();
    let said = "the annotation weir.dev/pause stops every change; 3 of 3 brokers serve";
    assert_eq!(message, said);
}

#[tokio::test]
async fn a_paused_cluster_is_still_looked_at() {
    let world = World::serving(3).await;
    pause(&world, CLUSTER, true);
    world.brokers.state().down.insert(2);
    world.cluster().await.expect("reconciles");
    assert_eq!(status(&world)["brokers"][2]["state"], "Unreachable");
    assert_eq!(world.condition(CLUSTER, "Ready")["status"], "False");
    world.brokers.state().down.clear();
    world.cluster().await.expect("reconciles");
    assert_eq!(world.condition(CLUSTER, "Ready")["status"], "True");
    assert_eq!(world.reason(CLUSTER), "Paused");
}

#[tokio::test]
async fn a_pause_in_the_middle_of_a_roll_lets_the_broker_lead_again() {
    let world = World::serving(3).await;
    world.edit(CLUSTER, |c| c["spec"]["image"] = json!("weir-broker:new"));
    world.cluster().await.expect("writes the template");
    world.settle_template();
    world.cluster().await.expect("stores whose turn it is");
    assert_eq!(status(&world)["roll"]["broker"], 1);
    // The operator died after it had moved the leaders and before it could evict.
    world.brokers.state().away.insert(1);
    world.brokers.take_calls();
    pause(&world, CLUSTER, true);
    world.cluster().await.expect("reconciles");
    assert_eq!(world.brokers.take_calls(), ["allow leaders of 1"]);
    assert!(world.brokers.state().away.is_empty());
    world.cluster().await.expect("reconciles");
    assert_eq!(world.brokers.take_calls(), Vec::<String>::new(), "once");
    // The roll goes on where it stood.
    pause(&world, CLUSTER, false);
    for _ in 0..20 {
        world.cluster().await.expect("reconciles");
        world.kubelets();
    }
    assert_eq!(world.reason(CLUSTER), "Ready");
    assert_eq!(status(&world)["updatedReplicas"], 3);
}

#[tokio::test]
async fn a_node_that_is_opened_during_a_pause_has_its_leaders_back() {
    let world = World::serving(3).await;
    world.cordon_node(1, true);
    for _ in 0..2 {
        world.cluster().await.expect("reconciles");
    }
    assert!(world.brokers.state().away.contains(&1));
    pause(&world, CLUSTER, true);
    world.cluster().await.expect("reconciles");
    assert!(world.brokers.state().away.contains(&1), "still cordoned");
    world.cordon_node(1, false);
    world.cluster().await.expect("reconciles");
    assert!(world.brokers.state().away.is_empty());
}

#[tokio::test]
async fn a_paused_topic_is_as_ready_as_its_topic() {
    let world = World::serving(3).await;
    world.api.put(
        TOPIC,
        json!({
            "apiVersion": "weir.dev/v1alpha1",
            "kind": "Topic",
            "metadata": {"name": "orders", "namespace": "mq"},
            "spec": {"clusterRef": {"name": "demo"}, "partitions": 3, "replicationFactor": 3},
        }),
    );
    world.topic(TOPIC).await.expect("creates the topic");
    pause(&world, TOPIC, true);
    world.brokers.take_calls();
    world.topic(TOPIC).await.expect("reconciles");
    assert_eq!(world.reason(TOPIC), "Paused");
    assert_eq!(world.condition(TOPIC, "Ready")["status"], "True");
    world.brokers.state().topics.clear();
    world.topic(TOPIC).await.expect("reconciles");
    assert_eq!(world.condition(TOPIC, "Ready")["status"], "False");
    assert_eq!(world.brokers.take_calls(), Vec::<String>::new());
}
