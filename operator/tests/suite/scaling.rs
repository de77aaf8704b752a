//! Brokers come and go, against a Kubernetes and brokers in memory. Each flow is run
//! again with the operator killed after every single write.

use crate::support::filled::{brokers_of_set, claims, fill, held, nothing, set_replicas, status};
use crate::support::flow::Flow;
use crate::support::{CLAIMS, CLUSTER, PODS, SET, World};
use serde_json::json;

#[tokio::test]
async fn new_brokers_take_their_share() {
    let flow = Flow {
        brokers: 3,
        begin: |world| {
            fill(world, 3);
            set_replicas(world, 5);
        },
        meanwhile: nothing,
        done: |world| held(world, 5).iter().all(|n| (7..=8).contains(n)),
    };
    flow.survives().await;
}

#[tokio::test]
async fn two_brokers_leave_one_after_the_other_with_their_claims() {
    let flow = Flow {
        brokers: 5,
        begin: |world| {
            fill(world, 5);
            world.edit(CLUSTER, |c| {
                c["spec"]["storage"]["whenScaled"] = json!("Delete")
            });
            set_replicas(world, 3);
        },
        meanwhile: nothing,
        done: |world| {
            brokers_of_set(world) == 3
                && claims(world) == ["0", "1", "2"]
                && world.brokers.state().known.len() == 3
                && world.brokers.state().cordoned.is_empty()
                && held(world, 3) == [12, 12, 12]
        },
    };
    flow.survives().await;
}

#[tokio::test]
async fn the_highest_goes_first_and_leaves_its_claim() {
    let world = World::serving(5).await;
    fill(&world, 5);
    world.brokers.take_calls();
    set_replicas(&world, 3);
    let mut seen = Vec::new();
    for _ in 0..40 {
        world.cluster().await.expect("reconciles");
        let scaling = status(&world)["scaling"].clone();
        seen.push((scaling["broker"].as_i64(), scaling["phase"].clone()));
        world.kubelets();
        world.brokers.state().settle();
    }
    seen.dedup();
    let turn =
        |broker: i64| ["Draining", "Removing", "Leaving"].map(|phase| (Some(broker), json!(phase)));
    let none = (None, json!(null));
    let expected = [
        turn(4).to_vec(),
        vec![none.clone()],
        turn(3).to_vec(),
        vec![none],
    ];
    assert_eq!(seen, expected.concat());
    assert_eq!(claims(&world), ["0", "1", "2", "3", "4"]);
    let calls = world.brokers.take_calls();
    let told = |word: &str| {
        calls
            .iter()
            .filter(|c| c.starts_with(word))
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(told("cordon"), ["cordon 4", "cordon 3"]);
    assert_eq!(told("remove"), ["remove 4", "remove 3"]);
    assert_eq!(world.reason(CLUSTER), "Ready");
}

/// Only volumes are left of four brokers, and a resource that asks for three.
#[tokio::test]
async fn a_cluster_that_is_made_again_smaller_moves_what_the_last_one_had() {
    let flow = Flow {
        brokers: 4,
        begin: |world| {
            fill(world, 4);
            world.api.remove(SET);
            for broker in 0..4 {
                world.api.remove(&format!("{PODS}/demo-default-{broker}"));
            }
            world.edit(CLUSTER, |c| c["status"] = json!(null));
            set_replicas(world, 3);
        },
        meanwhile: nothing,
        done: |world| {
            brokers_of_set(world) == 3
                && claims(world) == ["0", "1", "2", "3"]
                && world.brokers.state().known.len() == 3
                && world.brokers.state().cordoned.is_empty()
                && held(world, 3) == [12, 12, 12]
        },
    };
    flow.survives().await;
}

#[tokio::test]
async fn a_broker_that_is_wanted_again_stays() {
    let flow = Flow {
        brokers: 4,
        begin: |world| {
            fill(world, 4);
            world.brokers.state().stuck = true;
            set_replicas(world, 3);
        },
        meanwhile: |world, round| {
            if round == 8 {
                set_replicas(world, 4);
                world.brokers.state().stuck = false;
            }
        },
        done: |world| {
            let state = world.brokers.state();
            let even = (0..4).all(|b| (8..=10).contains(&state.held_by(b)));
            even && state.cordoned.is_empty() && state.known.len() == 4
        },
    };
    flow.survives().await;
}

#[tokio::test]
async fn moves_under_way_are_taken_back_when_the_broker_stays() {
    let world = World::serving(4).await;
    fill(&world, 4);
    let before = world.brokers.state().held_by(3);
    world.brokers.state().stuck = true;
    set_replicas(&world, 3);
    for _ in 0..3 {
        world.cluster().await.expect("reconciles");
    }
    assert_eq!(world.reason(CLUSTER), "Draining");
    assert_eq!(status(&world)["scaling"]["progress"]["partitionsTotal"], 9);
    set_replicas(&world, 4);
    world.brokers.take_calls();
    for _ in 0..2 {
        world.cluster().await.expect("reconciles");
    }
    assert_eq!(world.brokers.take_calls(), ["cancel 9", "uncordon 3"]);
    assert_eq!(world.brokers.state().held_by(3), before);
    assert_eq!(brokers_of_set(&world), 4);
}

#[tokio::test]
async fn fewer_brokers_than_replicas_are_refused_and_nothing_is_touched() {
    let world = World::serving(3).await;
    fill(&world, 3);
    world.brokers.take_calls();
    set_replicas(&world, 2);
    for _ in 0..3 {
        world.cluster().await.expect("reconciles");
        world.kubelets();
    }
    assert_eq!(world.reason(CLUSTER), "ReplicationFactor");
    let message = world.condition(CLUSTER, "Reconciling")["message"].clone();
    assert_eq!(
        message,
        "3 brokers cannot become 2: 2 brokers would be left, too few for orders (3 replicas)"
    );
    assert_eq!(brokers_of_set(&world), 3);
    assert_eq!(world.brokers.take_calls(), Vec::<String>::new());
    world.api.take_writes();
    world.cluster().await.expect("reconciles");
    assert_eq!(world.api.take_writes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_broker_leaves_only_while_the_others_serve() {
    let world = World::serving(4).await;
    fill(&world, 3);
    world.brokers.state().fenced.insert(1);
    set_replicas(&world, 3);
    world.cluster().await.expect("reconciles");
    let message = world.condition(CLUSTER, "Reconciling")["message"].clone();
    let said = "broker 3 cannot leave before the others serve: broker 1: the quorum has fenced it";
    assert_eq!(message, said);
    assert!(status(&world)["scaling"].is_null());
}

#[tokio::test]
async fn a_replica_that_came_late_keeps_its_broker() {
    let world = World::serving(4).await;
    fill(&world, 3);
    set_replicas(&world, 3);
    let phase = |world: &World| status(world)["scaling"]["phase"].clone();
    for _ in 0..6 {
        world.cluster().await.expect("reconciles");
        if phase(&world) == "Removing" {
            break;
        }
    }
    assert_eq!(phase(&world), "Removing");
    world.brokers.state().place("late", 0, &[3]);
    world.cluster().await.expect("reconciles");
    assert_eq!(phase(&world), "Draining");
    assert_eq!(brokers_of_set(&world), 4);
}

#[tokio::test]
async fn what_evening_out_would_cost_is_proposed_and_not_done() {
    let world = World::serving(3).await;
    fill(&world, 3);
    world.edit(CLUSTER, |c| c["spec"]["balance"] = json!("Propose"));
    set_replicas(&world, 4);
    for _ in 0..4 {
        world.cluster().await.expect("reconciles");
        world.kubelets();
    }
    world.brokers.take_calls();
    world.api.take_writes();
    world.cluster().await.expect("reconciles");
    let said = status(&world)["balance"].clone();
    assert_eq!(said["state"], "Proposed");
    assert_eq!(
        said["message"],
        "9 partitions, 9.0 MiB to copy: broker 3 takes its share"
    );
    assert_eq!(said["examples"].as_array().map(Vec::len), Some(9));
    assert_eq!(world.reason(CLUSTER), "Ready");
    assert_eq!(world.brokers.take_calls(), Vec::<String>::new());
    assert_eq!(world.api.take_writes(), Vec::<String>::new());
    world.edit(CLUSTER, |c| c["spec"]["balance"] = json!("Disabled"));
    world.cluster().await.expect("reconciles");
    assert!(status(&world)["balance"].is_null());
}

#[tokio::test]
async fn moves_come_in_waves() {
    let world = World::serving(5).await;
    fill(&world, 5);
    world.brokers.state().stuck = true;
    world.edit(CLUSTER, |c| {
        c["spec"]["moves"] = json!({"partitionsAtOnce": 2})
    });
    set_replicas(&world, 4);
    for _ in 0..5 {
        world.cluster().await.expect("reconciles");
    }
    let state = world.brokers.state();
    let moving = state.replicas.values().filter(|p| !p.adding.is_empty());
    assert_eq!(moving.count(), 2);
}

#[tokio::test]
async fn fewer_brokers_that_are_merely_wanted_lower_no_defaults() {
    let world = World::serving(3).await;
    fill(&world, 3);
    let before = world.brokers.state().config.clone();
    set_replicas(&world, 1);
    world.cluster().await.expect("reconciles");
    assert_eq!(world.brokers.state().config, before);
    assert_eq!(before["min.insync.replicas"], "2");
}

#[tokio::test]
async fn the_guards_notice_what_no_cluster_must_see() {
    use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
    use kube::Api;
    use kube::api::DeleteParams;
    let world = World::serving(3).await;
    world.guard();
    let client = world.ctx.client.clone();
    let delete = |path: String| {
        let uid = world.api.get(&path).expect("it exists")["metadata"]["uid"].clone();
        DeleteParams::default().preconditions(kube::api::Preconditions {
            uid: uid.as_str().map(str::to_owned),
            resource_version: None,
        })
    };
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), "mq");
    let how = delete(format!("{CLAIMS}/data-demo-default-2"));
    claims
        .delete("data-demo-default-2", &how)
        .await
        .expect("goes");
    let pods: Api<Pod> = Api::namespaced(client, "mq");
    for name in ["demo-default-0", "demo-default-1"] {
        let how = delete(format!("{PODS}/{name}"));
        pods.delete(name, &how).await.expect("goes");
    }
    let wrong = world.api.violations();
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(wrong[0].ends_with("data-demo-default-2: its pod is there"));
    assert!(wrong[1].ends_with("demo-default-1: pod 0 is away too"));
}
