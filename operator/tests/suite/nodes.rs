//! Nodes are cordoned and lost, against a Kubernetes and brokers in memory. Each flow is run
//! again with the operator killed after every single write.

use crate::support::filled::{fill, status};
use crate::support::flow::Flow;
use crate::support::{CLUSTER, NODES, PODS, World};
use serde_json::json;

fn lose_node(world: &World, broker: i32) {
    world.brokers.state().down.insert(broker);
    world.api.remove(&format!("{NODES}/node-{broker}"));
    let path = format!("{PODS}/demo-default-{broker}");
    world.edit(&path, |p| {
        p["spec"]["nodeName"] = json!(null);
        p["status"] = json!({"phase": "Pending"});
    });
}

#[tokio::test]
async fn a_lost_brokers_replicas_are_made_again() {
    let flow = Flow {
        brokers: 4,
        begin: |world| {
            fill(world, 4);
            world.edit(CLUSTER, |c| {
                c["spec"]["nodes"] = json!({"rebuildAfter": "0s"})
            });
            lose_node(world, 1);
        },
        meanwhile: |world, round| {
            let done = world.brokers.state().held_by(1) == 0;
            if done && round > 14 && world.brokers.state().down.contains(&1) {
                // The node comes back with an empty broker.
                world.brokers.state().down.remove(&1);
                world.api.remove(&format!("{PODS}/demo-default-1"));
                world.kubelets();
            }
        },
        done: |world| {
            let state = world.brokers.state();
            state.down.is_empty() && (0..4).all(|b| (8..=10).contains(&state.held_by(b)))
        },
    };
    flow.survives().await;
}

#[tokio::test]
async fn a_lost_broker_of_three_has_no_spare() {
    let world = World::serving(3).await;
    fill(&world, 3);
    world.edit(CLUSTER, |c| {
        c["spec"]["nodes"] = json!({"rebuildAfter": "0s"})
    });
    lose_node(&world, 2);
    world.brokers.take_calls();
    for _ in 0..4 {
        world.cluster().await.expect("reconciles");
    }
    assert_eq!(world.reason(CLUSTER), "NoSpareBroker");
    let message = status(&world)["balance"]["message"].clone();
    let message = message.as_str().expect("a message");
    assert!(message.contains("node node-2 is gone"), "{message}");
    assert!(
        message.contains("no other broker can take a replica of orders-0"),
        "{message}"
    );
    assert_eq!(world.brokers.take_calls(), Vec::<String>::new());
}

#[tokio::test]
async fn a_node_that_is_away_for_a_while_moves_nothing() {
    let world = World::serving(4).await;
    fill(&world, 4);
    lose_node(&world, 2);
    world.brokers.take_calls();
    for _ in 0..4 {
        world.cluster().await.expect("reconciles");
    }
    assert_eq!(status(&world)["lost"][0]["broker"], 2);
    assert_eq!(world.brokers.take_calls(), Vec::<String>::new());
    world.edit(CLUSTER, |c| {
        c["spec"]["nodes"] = json!({"rebuildAfter": "Never"})
    });
    world.cluster().await.expect("reconciles");
    assert!(status(&world)["balance"].is_null());
}

#[tokio::test]
async fn a_cordoned_node_has_its_leaders_moved_off_until_it_is_open_again() {
    let flow = Flow {
        brokers: 3,
        begin: |world| {
            fill(world, 3);
            world.cordon_node(1, true);
        },
        meanwhile: |world, round| {
            if round == 6 {
                let away = world.brokers.state().away.clone();
                assert!(away.contains(&1), "{away:?}");
                world.cordon_node(1, false);
            }
        },
        done: |world| world.brokers.state().away.is_empty(),
    };
    flow.survives().await;
}

#[tokio::test]
async fn a_pod_that_moved_off_a_cordoned_node_leads_by_itself() {
    let world = World::serving(3).await;
    world.cordon_node(1, true);
    for _ in 0..3 {
        world.cluster().await.expect("reconciles");
    }
    assert_eq!(status(&world)["leadersAway"][0]["asked"], true);
    let pod = format!("{PODS}/demo-default-1");
    world.api.remove(&pod);
    world.kubelets();
    world.edit(&pod, |p| p["spec"]["nodeName"] = json!("node-2"));
    world.brokers.take_calls();
    for _ in 0..2 {
        world.cluster().await.expect("reconciles");
    }
    assert!(status(&world)["leadersAway"].is_null());
    assert_eq!(world.brokers.take_calls(), Vec::<String>::new());
}

#[tokio::test]
async fn a_node_that_fell_silent_is_lost_and_one_that_serves_is_not() {
    let world = World::serving(3).await;
    world.brokers.state().down.insert(1);
    world.cluster().await.expect("reconciles");
    assert!(status(&world)["lost"].is_null(), "its node is well");
    world.edit(&format!("{NODES}/node-1"), |n| {
        n["status"]["conditions"][0]["status"] = json!("Unknown");
    });
    world.cluster().await.expect("reconciles");
    let lost = status(&world)["lost"][0].clone();
    assert_eq!(
        (&lost["broker"], &lost["message"]),
        (&json!(1), &json!("node node-1 is not ready"))
    );
    world.brokers.state().down.clear();
    world.cluster().await.expect("reconciles");
    assert!(status(&world)["lost"].is_null());
}
