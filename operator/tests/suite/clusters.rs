//! Reconciles of QueueClusters against a Kubernetes and brokers in memory.

use crate::support::{CLUSTER, PODS, SET, World};
use serde_json::json;
use weir_proto::admin as pb;

fn pod(ordinal: i32) -> String {
    format!("{PODS}/demo-default-{ordinal}")
}

/// Changes the pod template as a user would.
fn change_template(world: &World) {
    world.edit(CLUSTER, |c| c["spec"]["image"] = json!("weir-broker:new"));
}

fn replaced(writes: &[String]) -> Vec<String> {
    let gone = |w: &&String| w.starts_with("evict") || w.starts_with("delete");
    writes.iter().filter(gone).cloned().collect()
}

#[tokio::test]
async fn the_identity_is_stored_before_anything_else_is_made() {
    let world = World::with_cluster(3);
    world.cluster().await.expect("reconciles");
    let writes = world.api.take_writes();
    assert_eq!(writes, [format!("patch {CLUSTER}/status")]);
    let cluster = world.api.get(CLUSTER).expect("it exists");
    assert!(cluster["status"]["clusterId"].is_string());
}

#[tokio::test]
async fn a_cluster_forms_once_and_serves() {
    let world = World::serving(3).await;
    let calls = world.brokers.take_calls();
    let formed: Vec<&String> = calls.iter().filter(|c| c.starts_with("form")).collect();
    assert_eq!(formed, ["form by 0"]);
    assert!(
        calls
            .iter()
            .any(|c| c.starts_with("set default.replication.factor,min.insync"))
    );
    let status = world.api.get(CLUSTER).expect("it exists")["status"].clone();
    assert_eq!(status["formed"], true);
    assert_eq!(status["readyReplicas"], 3);
    assert_eq!(status["brokers"][2]["state"], "Ready");
}

#[tokio::test]
async fn an_idle_reconcile_writes_nothing() {
    let world = World::serving(3).await;
    world.api.take_writes();
    world.brokers.take_calls();
    for _ in 0..3 {
        world.cluster().await.expect("reconciles");
    }
    assert_eq!(world.api.take_writes(), Vec::<String>::new());
    assert_eq!(world.brokers.take_calls(), Vec::<String>::new());
}

#[tokio::test]
async fn a_formed_cluster_is_never_formed_again() {
    let world = World::serving(3).await;
    world.brokers.take_calls();
    // Broker 0 lost its volume, and the others do not answer.
    world.brokers.state().cluster_id.clear();
    world.brokers.state().down.extend([1, 2]);
    world.cluster().await.expect("reconciles");
    assert_eq!(world.brokers.take_calls(), Vec::<String>::new());
    assert_eq!(world.reason(CLUSTER), "NoQuorum");
}

#[tokio::test]
async fn a_crash_after_forming_is_made_good() {
    let world = World::serving(3).await;
    world.brokers.take_calls();
    world.edit(CLUSTER, |c| c["status"]["formed"] = json!(false));
    world.cluster().await.expect("reconciles");
    assert_eq!(world.brokers.take_calls(), Vec::<String>::new());
    let cluster = world.api.get(CLUSTER).expect("it exists");
    assert_eq!(cluster["status"]["formed"], true);
}

#[tokio::test]
async fn a_new_template_rolls_one_broker_at_a_time_with_the_controller_last() {
    let world = World::serving(3).await;
    world.api.take_writes();
    world.brokers.take_calls();
    change_template(&world);
    let mut order = Vec::new();
    for _ in 0..16 {
        world.cluster().await.expect("reconciles");
        let gone = replaced(&world.api.take_writes());
        assert!(gone.len() <= 1, "{gone:?}");
        order.extend(gone);
        world.kubelets();
    }
    let evicted = |n: i32| format!("evict {}", pod(n));
    assert_eq!(order, [evicted(1), evicted(2), evicted(0)]);
    let calls = world.brokers.take_calls();
    let step = |n: i32| {
        [
            format!("move leaders from {n}"),
            "elect preferred".to_owned(),
        ]
    };
    assert_eq!(calls, [step(1), step(2), step(0)].concat());
    assert_eq!(world.reason(CLUSTER), "Ready");
}

#[tokio::test]
async fn the_next_broker_waits_until_the_last_has_caught_up() {
    let world = World::serving(3).await;
    change_template(&world);
    world.cluster().await.expect("writes the template");
    world.kubelets();
    for _ in 0..2 {
        world.cluster().await.expect("reconciles");
    }
    assert!(world.api.get(&pod(1)).is_none());
    world.kubelets();
    world.brokers.state().behind.insert(1, 4);
    world.api.take_writes();
    for _ in 0..3 {
        world.cluster().await.expect("reconciles");
    }
    assert_eq!(replaced(&world.api.take_writes()), Vec::<String>::new());
    let said = world.condition(CLUSTER, "Reconciling")["message"].clone();
    let said = said.as_str().expect("a message");
    assert!(
        said.starts_with("waiting: broker 1: 4 of its replicas are catching up (since"),
        "{said}"
    );
}

#[tokio::test]
async fn a_blocker_holds_a_roll_up_and_is_named() {
    let world = World::serving(3).await;
    world.brokers.state().blockers = vec![pb::Blocker {
        reason: "BelowMinIsr".to_owned(),
        topic: "orders".to_owned(),
        partition: 3,
        message: "too few replicas would be in sync without it".to_owned(),
    }];
    change_template(&world);
    world.api.take_writes();
    for _ in 0..5 {
        world.cluster().await.expect("reconciles");
        world.kubelets();
    }
    assert_eq!(replaced(&world.api.take_writes()), Vec::<String>::new());
    let message = world.condition(CLUSTER, "Reconciling")["message"].clone();
    let message = message.as_str().expect("a message");
    assert!(
        message.contains("BelowMinIsr: orders-3: too few"),
        "{message}"
    );
}

#[tokio::test]
async fn a_refused_eviction_deletes_only_a_fenced_broker() {
    let world = World::serving(3).await;
    world.api.spend_budget(true);
    change_template(&world);
    for _ in 0..4 {
        world.cluster().await.expect("reconciles");
        world.kubelets();
    }
    let writes = replaced(&world.api.take_writes());
    assert!(writes.iter().all(|w| w.starts_with("evict")), "{writes:?}");
    world.brokers.state().fenced.insert(1);
    world.cluster().await.expect("reconciles");
    let writes = replaced(&world.api.take_writes());
    assert_eq!(writes.last(), Some(&format!("delete {}", pod(1))));
}

#[tokio::test]
async fn rollout_restart_is_honoured_and_its_stamp_is_kept() {
    let world = World::serving(3).await;
    world.edit(SET, |set| {
        set["spec"]["template"]["metadata"]["annotations"] =
            json!({"kubectl.kubernetes.io/restartedAt": "now"});
    });
    world.kubelets();
    world.api.take_writes();
    for _ in 0..2 {
        world.cluster().await.expect("reconciles");
    }
    let writes = replaced(&world.api.take_writes());
    assert_eq!(writes, [format!("evict {}", pod(1))]);
    let set = world.api.get(SET).expect("it exists");
    let stamp = &set["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(stamp["kubectl.kubernetes.io/restartedAt"], "now");
}

#[tokio::test]
async fn scaling_out_adds_a_broker_and_restarts_none() {
    let world = World::serving(3).await;
    world.api.take_writes();
    world.edit(CLUSTER, |c| c["spec"]["replicas"] = json!(4));
    for _ in 0..3 {
        world.cluster().await.expect("reconciles");
        world.kubelets();
    }
    assert_eq!(replaced(&world.api.take_writes()), Vec::<String>::new());
    assert!(world.api.get(&pod(3)).is_some());
    assert_eq!(world.reason(CLUSTER), "Ready");
}

#[tokio::test]
async fn a_changed_setting_reaches_the_brokers_and_restarts_none() {
    let world = World::serving(3).await;
    world.brokers.take_calls();
    world.api.take_writes();
    world.edit(CLUSTER, |c| {
        c["spec"]["config"] = json!({"retention": "1h"})
    });
    for _ in 0..3 {
        world.cluster().await.expect("reconciles");
    }
    assert_eq!(world.brokers.take_calls(), ["set log.retention.ms remove "]);
    world.edit(CLUSTER, |c| c["spec"]["config"] = json!({}));
    world.cluster().await.expect("reconciles");
    assert_eq!(world.brokers.take_calls(), ["set  remove log.retention.ms"]);
    assert_eq!(replaced(&world.api.take_writes()), Vec::<String>::new());
}

#[tokio::test]
async fn an_object_of_somebody_else_is_not_taken() {
    let world = World::with_cluster(3);
    let path = "/api/v1/namespaces/mq/services/demo-brokers";
    world.api.put(
        path,
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "demo-brokers", "namespace": "mq"},
            "spec": {"clusterIP": "10.0.0.1"},
        }),
    );
    world.cluster().await.expect("stores the identity");
    assert!(world.cluster().await.is_err());
    assert_eq!(world.reason(CLUSTER), "NameTaken");
    let service = world.api.get(path).expect("it exists");
    assert_eq!(service["spec"], json!({"clusterIP": "10.0.0.1"}));
}

#[tokio::test]
async fn volumes_grow_by_orphaning_the_pods() {
    let world = World::serving(3).await;
    world.edit(CLUSTER, |c| c["spec"]["storage"]["size"] = json!("2Gi"));
    world.api.take_writes();
    world.cluster().await.expect("reconciles");
    let writes = world.api.take_writes();
    let grown = writes
        .iter()
        .filter(|w| w.contains("persistentvolumeclaims"));
    assert_eq!(grown.count(), 3);
    assert!(writes.contains(&format!("delete {SET}")));
    assert!(world.api.get(&pod(0)).is_some());
    for _ in 0..2 {
        world.cluster().await.expect("reconciles");
        world.kubelets();
    }
    let set = world.api.get(SET).expect("it is made again");
    let claim = &set["spec"]["volumeClaimTemplates"][0]["spec"];
    assert_eq!(claim["resources"]["requests"]["storage"], "2Gi");
    assert_eq!(set["spec"]["replicas"], 3);
}
