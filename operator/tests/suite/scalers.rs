//! Reconciles of ConsumerScalers against a Kubernetes in memory and reports as a broker sends them.

use std::sync::Arc;
use std::time::Duration;

use crate::support::CLUSTER;
use crate::support::scene::{SCALER, Scene, TARGET, busy, group};
use serde_json::json;
use weir_proto::admin as pb;

const HPA: &str = "/apis/autoscaling/v2/namespaces/mq/horizontalpodautoscalers/other";

#[tokio::test]
async fn a_scaler_says_what_it_waits_for_and_goes_on_by_itself() {
    let scene = Scene::new(2, |_| {}).await;
    let api = &scene.world.api;
    let (cluster, target) = (api.get(CLUSTER), api.get(TARGET));
    api.remove(CLUSTER);
    api.remove(TARGET);
    scene.settle().await;
    assert_eq!(scene.reason(), "ClusterNotFound");
    let mut unformed = cluster.clone().expect("a cluster");
    unformed["status"]["formed"] = json!(false);
    api.put(CLUSTER, unformed);
    scene.settle().await;
    assert_eq!(scene.reason(), "ClusterNotReady");
    api.put(CLUSTER, cluster.expect("a cluster"));
    scene.settle().await;
    assert_eq!(scene.reason(), "TargetNotFound");
    api.put(TARGET, target.expect("a target"));
    scene.settle().await;
    assert_eq!(scene.reason(), "BacklogUnknown");
    let mut unknown = group(0, 0);
    unknown.state = "Dead".to_owned();
    unknown
        .partitions
        .iter_mut()
        .for_each(|p| p.committed = None);
    scene.report(unknown);
    scene.settle().await;
    assert_eq!(scene.reason(), "GroupNotFound");
    assert_eq!(scene.replicas(), 2, "noCommit: Hold keeps what there is");
    scene.report(group(2, 0));
    scene.settle().await;
    let ready = scene.world.condition(SCALER, "Ready");
    assert_eq!(ready["status"], "True", "{ready}");
}

#[tokio::test]
async fn a_namespace_that_the_cluster_does_not_take_is_refused() {
    let scene = Scene::new(2, |_| {}).await;
    let path = SCALER.replace("/mq/", "/shop/");
    let mut scaler = scene.world.api.get(SCALER).expect("a scaler");
    scaler["metadata"] = json!({"name": "billing", "namespace": "shop"});
    scaler["spec"]["clusterRef"]["namespace"] = json!("mq");
    scene.world.api.put(&path, scaler);
    let object = serde_json::from_value(scene.world.api.get(&path).expect("a scaler"));
    let scaler = Arc::new(object.expect("a ConsumerScaler"));
    let done = weir_operator::scaler::reconcile(scaler, scene.ctx.clone()).await;
    done.expect("reconciles");
    assert_eq!(scene.world.reason(&path), "NamespaceNotAllowed");
}

#[tokio::test]
async fn a_backlog_raises_the_target_and_status_says_why() {
    let scene = Scene::new(1, |_| {}).await;
    scene.settle().await;
    scene.work(30).await;
    let replicas = scene.replicas();
    assert!((2..=12).contains(&replicas), "{replicas}");
    let status = scene.status();
    assert_eq!(status["currentReplicas"], 1);
    assert_eq!(status["desiredReplicas"], replicas);
    assert_eq!(status["backlog"], 60_000);
    assert_eq!(status["decision"]["reason"], "ScaleUp");
    assert_eq!(status["decision"]["inputs"]["backlog"], 60_000);
    assert!(status["lastScaleTime"].is_string());
    let writes = scene.writes();
    let places: Vec<_> = [TARGET, SCALER]
        .iter()
        .map(|path| writes.iter().rposition(|w| w.contains(path)))
        .collect();
    assert!(places[0] < places[1], "the status comes last: {writes:?}");
}

#[tokio::test]
async fn a_first_message_wakes_from_zero() {
    let scene = Scene::new(0, |_| {}).await;
    scene.see(group(0, 0)).await;
    assert_eq!(scene.replicas(), 0);
    let mut one = group(0, 0);
    one.partitions[5].end += 1;
    one.partitions[5].backlog = 1;
    assert_eq!(scene.report(one), 1, "the report brings the scaler here");
    scene.settle().await;
    assert!(scene.replicas() >= 1);
    assert_eq!(scene.reason(), "WakeUp");
}

#[tokio::test]
async fn nothing_to_do_writes_nothing() {
    for replicas in [0, 2] {
        let scene = Scene::new(replicas, |s| s["minReplicas"] = json!(replicas)).await;
        scene.see(group(replicas, 0)).await;
        scene.settle().await;
        scene.writes();
        for _ in 0..20 {
            scene.ctx.scalers.clock.advance(Duration::from_secs(30));
            scene.report(group(replicas, 0));
            scene.settle().await;
        }
        assert_eq!(scene.writes(), Vec::<String>::new(), "at {replicas}");
    }
}

#[tokio::test]
async fn while_frozen_nothing_is_scaled_and_the_reason_is_told() {
    let stale = |g: &mut pb::GroupBacklog| g.partitions[3].age_ms = 60_000;
    let strange = |g: &mut pb::GroupBacklog| g.members[0].host = "192.168.7.7".to_owned();
    let same = |_: &mut pb::GroupBacklog| {};
    type Edit = fn(&mut pb::GroupBacklog);
    let cases: [(&str, Edit); 5] = [
        ("StaleFigures", stale),
        ("ForeignMembers", strange),
        ("ClusterRolling", same),
        ("OtherScaler", same),
        ("Frozen", same),
    ];
    for (reason, edit) in cases {
        let paused = reason == "Frozen";
        let scene = Scene::new(1, |s| s["paused"] = json!(paused)).await;
        match reason {
            "ClusterRolling" => scene.world.edit(CLUSTER, |c| {
                c["status"]["roll"] = json!({
                    "broker": 0, "podUid": "u", "since": "2026-01-01T00:00:00Z", "message": "",
                });
            }),
            "OtherScaler" => scene.world.api.put(
                HPA,
                json!({
                    "apiVersion": "autoscaling/v2",
                    "kind": "HorizontalPodAutoscaler",
                    "metadata": {"name": "other", "namespace": "mq"},
                    "spec": {"maxReplicas": 3, "scaleTargetRef": {
                        "apiVersion": "apps/v1", "kind": "Deployment", "name": "billing",
                    }},
                }),
            ),
            _ => {}
        }
        let mut seen = group(1, 5_000);
        edit(&mut seen);
        scene.see(seen).await;
        assert_eq!(scene.replicas(), 1, "{reason}");
        assert_eq!(scene.reason(), reason);
        let message = scene.status()["decision"]["message"].to_string();
        match reason {
            "OtherScaler" => assert!(
                message.contains("HorizontalPodAutoscaler other"),
                "{message}"
            ),
            "ForeignMembers" => assert!(message.contains("192.168.7.7"), "{message}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn between_two_brokers_of_a_roll_nothing_is_scaled() {
    let scene = Scene::new(1, |_| {}).await;
    scene.world.edit(CLUSTER, |c| {
        c["status"]["brokers"][0]["updated"] = json!(false);
    });
    scene.see(group(1, 5_000)).await;
    assert_eq!(scene.replicas(), 1);
    assert_eq!(scene.reason(), "ClusterRolling");
}

#[tokio::test]
async fn a_target_that_nobody_let_in_is_told() {
    let scene = Scene::new(1, |s| {
        s["targetRef"] = json!({"apiVersion": "batch/v7", "kind": "Conveyor", "name": "x"});
    })
    .await;
    scene.settle().await;
    assert_eq!(scene.reason(), "TargetNotFound");
}

#[tokio::test]
async fn a_scaler_that_is_gone_asks_for_nothing() {
    let scene = Scene::new(1, |_| {}).await;
    scene.settle().await;
    let key = ("mq".to_owned(), "demo".to_owned());
    assert_eq!(scene.ctx.scalers.backlogs.wanted(&key).len(), 1);
    scene.world.edit(SCALER, |s| {
        s["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    });
    scene.settle().await;
    assert!(scene.ctx.scalers.backlogs.wanted(&key).is_empty());
}

#[tokio::test]
async fn on_the_way_down_busy_pods_are_marked_before_the_target_is_scaled_and_once() {
    let scene = Scene::new(6, |s| s["minReplicas"] = json!(1)).await;
    scene.settle().await;
    let mut writes = Vec::new();
    for _ in 0..400 {
        assert!(scene.look(busy(6, 10, scene.looks.get())).await);
        writes.extend(scene.writes());
        if scene.replicas() < 6 {
            break;
        }
    }
    assert!(scene.replicas() < 6, "{}", scene.status());
    let scaled = writes.iter().position(|w| w.contains("deployments"));
    let marked: Vec<usize> = writes
        .iter()
        .enumerate()
        .filter(|(_, w)| w.contains("/pods/"))
        .map(|(at, _)| at)
        .collect();
    assert!(!marked.is_empty(), "{writes:?}");
    assert!(marked.iter().all(|at| Some(*at) < scaled), "{writes:?}");
    let costs: Vec<bool> = (0..6)
        .map(|pod| {
            let pod = scene
                .world
                .api
                .get(&format!("/api/v1/namespaces/mq/pods/billing-{pod}"));
            let annotations = pod.expect("a pod")["metadata"]["annotations"].clone();
            annotations["controller.kubernetes.io/pod-deletion-cost"].is_string()
        })
        .collect();
    assert_eq!(costs.iter().filter(|c| **c).count(), marked.len());
}

/// The same end, and the target scaled once, wherever the operator dies.
#[tokio::test]
async fn an_operator_killed_after_any_write_leaves_a_target_that_converges() {
    let whole = Scene::new(1, |_| {}).await;
    whole.settle().await;
    whole.work(30).await;
    let expected = whole.replicas();
    assert!(expected > 1);
    let mut killed = true;
    let mut writes = 0;
    while killed {
        let mut scene = Scene::new(1, |_| {}).await;
        scene.restart(Some(writes));
        let _ = scene.reconcile().await;
        scene.work(30).await;
        killed = scene.front.is_dead();
        scene.restart(None);
        scene.settle().await;
        for _ in 0..30 {
            assert!(scene.look(busy(1, 5_000, scene.looks.get())).await);
        }
        assert_eq!(scene.replicas(), expected, "killed after {writes} writes");
        assert_eq!(scene.status()["desiredReplicas"], expected);
        let made = scene.writes();
        let scaled = made.iter().filter(|w| w.contains(TARGET)).count();
        assert_eq!(scaled, 1, "killed after {writes} writes: {made:?}");
        writes += 1;
    }
    assert!(writes > 2, "a run has writes to be killed after");
}
