//! Brokers are restarted, against a Kubernetes and brokers in memory. Each flow is run
//! again with the operator killed after every single write.

use crate::support::filled::{fill, nothing, status};
use crate::support::flow::Flow;
use crate::support::{CLUSTER, PODS, World};
use serde_json::json;

#[tokio::test]
async fn brokers_are_rolled_whenever_the_operator_dies() {
    let flow = Flow {
        brokers: 3,
        begin: |world| {
            fill(world, 3);
            world.edit(CLUSTER, |c| c["spec"]["image"] = json!("weir-broker:new"));
        },
        meanwhile: nothing,
        done: |world| {
            let image = |n: i32| {
                let pod = world.api.get(&format!("{PODS}/demo-default-{n}"));
                pod.unwrap_or_default()["spec"]["containers"][0]["image"].clone()
            };
            (0..3).all(|n| image(n) == "weir-broker:new") && world.brokers.state().away.is_empty()
        },
    };
    flow.survives().await;
}

#[tokio::test]
async fn a_refused_eviction_moves_no_leaders() {
    let world = World::serving(3).await;
    world.api.spend_budget(true);
    world.edit(CLUSTER, |c| c["spec"]["image"] = json!("weir-broker:new"));
    world.brokers.take_calls();
    for _ in 0..5 {
        world.cluster().await.expect("reconciles");
        world.kubelets();
    }
    assert_eq!(world.brokers.take_calls(), ["allow leaders of 1"]);
    let message = world.condition(CLUSTER, "Reconciling")["message"].clone();
    let message = message.as_str().expect("a message");
    assert!(
        message.starts_with("broker 1 cannot restart yet: eviction of demo-default-1: "),
        "{message}"
    );
}

/// A roll of which broker 1 is the first, stored and with everything said a long time ago.
async fn long_waiting(world: &World) {
    world.edit(CLUSTER, |c| c["spec"]["image"] = json!("weir-broker:new"));
    world.cluster().await.expect("writes the template");
    world.settle_template();
    world.cluster().await.expect("stores whose turn it is");
    world.edit(CLUSTER, |c| {
        c["status"]["roll"]["since"] = json!("2026-01-01T00:00:00Z");
    });
}

fn is_there(world: &World, broker: i32) -> bool {
    let pod = format!("{PODS}/demo-default-{broker}");
    world.api.get(&pod).is_some()
}

#[tokio::test]
async fn leaders_have_their_time_to_move_however_long_the_turn_has_waited() {
    let world = World::serving(3).await;
    fill(&world, 3);
    world.brokers.state().slow.insert(1);
    long_waiting(&world).await;
    for _ in 0..3 {
        world.cluster().await.expect("reconciles");
    }
    assert!(is_there(&world, 1), "its leaders were asked just now");
    let message = world.condition(CLUSTER, "Reconciling")["message"].clone();
    assert_eq!(message, "broker 1: 4 leaders are moving away");
    world.edit(CLUSTER, |c| {
        c["status"]["roll"]["leadersAwaySince"] = json!("2026-01-01T00:00:00Z");
    });
    world.cluster().await.expect("reconciles");
    assert!(!is_there(&world, 1), "it hands off the rest when it stops");
}

#[tokio::test]
async fn nobody_waits_for_leaders_that_no_other_broker_can_be() {
    let world = World::serving(3).await;
    fill(&world, 3);
    world.brokers.state().place("lone", 0, &[1]);
    long_waiting(&world).await;
    world.cluster().await.expect("reconciles");
    assert!(!is_there(&world, 1));
}

/// Six brokers in three racks of two; every partition has one replica in each.
fn racks(world: &World) {
    let mut state = world.brokers.state();
    for broker in 0..6 {
        state.racks.insert(broker, format!("rack-{}", broker % 3));
    }
    for index in 0..6 {
        let replicas = [index % 6, (index + 1) % 6, (index + 2) % 6];
        state.place("orders", index, &replicas);
    }
}

/// How many pods were away at once while all were restarted.
async fn most_away(world: &World) -> usize {
    world.edit(CLUSTER, |c| c["spec"]["image"] = json!("weir-broker:new"));
    let mut most = 0;
    for round in 0..120 {
        world.cluster().await.expect("reconciles");
        let away: Vec<i32> = (0..6)
            .filter(|n| world.api.get(&format!("{PODS}/demo-default-{n}")).is_none())
            .collect();
        most = most.max(away.len());
        // Whoever is away is missed by the quorum, and comes back some time later.
        world.brokers.state().fenced = away.iter().copied().collect();
        if round % 8 == 7 {
            world.brokers.state().fenced.clear();
            world.kubelets();
        } else {
            world.settle_template();
        }
    }
    assert_eq!(world.reason(CLUSTER), "Ready");
    most
}

#[tokio::test]
async fn brokers_of_one_rack_restart_together_where_that_is_wanted() {
    let world = World::serving(6).await;
    racks(&world);
    assert_eq!(most_away(&world).await, 1);
    let world = World::serving(6).await;
    racks(&world);
    world.edit(CLUSTER, |c| c["spec"]["roll"] = json!({"atOnce": "Rack"}));
    assert_eq!(most_away(&world).await, 2);
}

#[tokio::test]
async fn brokers_of_a_rack_go_one_by_one_where_a_partition_needs_both() {
    let world = World::serving(6).await;
    racks(&world);
    world.brokers.state().place("narrow", 0, &[0, 3, 1]);
    world.brokers.state().place("narrow", 1, &[1, 4, 2]);
    world.brokers.state().place("narrow", 2, &[2, 5, 0]);
    world.edit(CLUSTER, |c| c["spec"]["roll"] = json!({"atOnce": "Rack"}));
    assert_eq!(most_away(&world).await, 1);
}

fn wants_racks(world: &World) {
    world.edit(CLUSTER, |c| c["spec"]["roll"] = json!({"atOnce": "Rack"}));
}

/// Pods come back late, and some leaders move late.
fn time_goes_by(world: &World, round: usize) {
    let away = (0..6).filter(|n| !is_there(world, *n)).collect();
    let mut state = world.brokers.state();
    state.fenced = away;
    state.pods_wait = round % 8 != 7;
    state.slow = if round.is_multiple_of(3) {
        (0..6).collect()
    } else {
        Default::default()
    };
}

#[tokio::test]
async fn brokers_of_a_rack_are_rolled_together_whenever_the_operator_dies() {
    let flow = Flow {
        brokers: 6,
        begin: |world| {
            racks(world);
            wants_racks(world);
            world.edit(CLUSTER, |c| c["spec"]["image"] = json!("weir-broker:new"));
        },
        meanwhile: time_goes_by,
        done: |world| {
            let image = |n: i32| {
                let pod = world.api.get(&format!("{PODS}/demo-default-{n}"));
                pod.unwrap_or_default()["spec"]["containers"][0]["image"].clone()
            };
            (0..6).all(|n| image(n) == "weir-broker:new") && world.brokers.state().away.is_empty()
        },
    };
    flow.survives().await;
}

/// Rounds of a roll by racks, until a broker is about to go beside another.
async fn second_is_stored(world: &World) -> i32 {
    racks(world);
    wants_racks(world);
    world.edit(CLUSTER, |c| c["spec"]["image"] = json!("weir-broker:new"));
    for _ in 0..12 {
        world.cluster().await.expect("reconciles");
        let away = (0..6).filter(|n| !is_there(world, *n)).collect();
        world.brokers.state().fenced = away;
        world.settle_template();
        let other = status(world)["roll"]["others"][0]["broker"].as_i64();
        if let Some(other) = other {
            return i32::try_from(other).expect("small");
        }
    }
    panic!("{:#}", status(world)["roll"]);
}

#[tokio::test]
async fn a_broker_that_does_not_go_beside_another_leads_again() {
    let world = World::serving(6).await;
    let second = second_is_stored(&world).await;
    world.brokers.state().slow.insert(second);
    world.cluster().await.expect("reconciles");
    assert!(world.brokers.state().away.contains(&second));
    assert!(is_there(&world, second), "its leaders are moving");
    // The first is back before the second could go.
    world.brokers.state().fenced.clear();
    world.kubelets();
    world.brokers.take_calls();
    world.cluster().await.expect("reconciles");
    let calls = world.brokers.take_calls();
    assert_eq!(calls[0], format!("allow leaders of {second}"), "{calls:?}");
    assert!(!world.brokers.state().away.contains(&second));
}

#[tokio::test]
async fn somebody_elses_budget_keeps_a_broker_from_going_beside_another() {
    let budget = "/apis/policy/v1/namespaces/mq/poddisruptionbudgets/theirs";
    let selecting = |labels: serde_json::Value| {
        json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": {"name": "theirs", "namespace": "mq"},
            "spec": {"minAvailable": 5, "selector": {"matchLabels": labels}},
        })
    };
    for (labels, most) in [
        (json!({"weir.dev/cluster": "demo"}), 1),
        (json!({"app": "x"}), 2),
    ] {
        let world = World::serving(6).await;
        racks(&world);
        wants_racks(&world);
        world.api.put(budget, selecting(labels));
        assert_eq!(most_away(&world).await, most);
    }
}

#[tokio::test]
async fn the_guard_lets_two_of_one_rack_go_and_nobody_else() {
    use k8s_openapi::api::core::v1::Pod;
    use kube::Api;
    use kube::api::{DeleteParams, Preconditions};
    let world = World::serving(6).await;
    racks(&world);
    wants_racks(&world);
    world.guard();
    let pods: Api<Pod> = Api::namespaced(world.ctx.client.clone(), "mq");
    for n in [0, 3, 1] {
        let pod = world.api.get(&format!("{PODS}/demo-default-{n}"));
        let uid = pod.expect("it exists")["metadata"]["uid"].clone();
        let how = DeleteParams::default().preconditions(Preconditions {
            uid: uid.as_str().map(str::to_owned),
            resource_version: None,
        });
        let done = pods.delete(&format!("demo-default-{n}"), &how).await;
        done.expect("goes");
    }
    let wrong = world.api.violations();
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert!(wrong[0].ends_with("demo-default-1: pod 0 of another rack is away too"));
    world.kubelets();
    world.brokers.state().place("narrow", 0, &[0, 3, 1]);
    for n in [0, 3] {
        let pod = world.api.get(&format!("{PODS}/demo-default-{n}"));
        let uid = pod.expect("it exists")["metadata"]["uid"].clone();
        let how = DeleteParams::default().preconditions(Preconditions {
            uid: uid.as_str().map(str::to_owned),
            resource_version: None,
        });
        let done = pods.delete(&format!("demo-default-{n}"), &how).await;
        done.expect("goes");
    }
    let wrong = world.api.violations();
    assert!(wrong[1].ends_with("falls below its min ISR"), "{wrong:?}");
}
