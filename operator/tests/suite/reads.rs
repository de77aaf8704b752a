//! How much a busy scaler asks of the API server.

use crate::support::CLUSTER;
use crate::support::scene::{SCALER, Scene, TARGET, busy};
use kube::runtime::{reflector, watcher};
use serde_json::json;
use weir_crds::QueueCluster;

const PODS: &str = "/api/v1/namespaces/mq/pods";

/// A scene whose operator watches its clusters.
async fn watched(replicas: u32) -> (Scene, reflector::store::Writer<QueueCluster>) {
    let scene = Scene::new(replicas, |s| s["minReplicas"] = json!(replicas)).await;
    let (store, mut writer) = reflector::store();
    let cluster = scene.world.api.get(CLUSTER).expect("a cluster");
    let cluster = serde_json::from_value(cluster).expect("a QueueCluster");
    writer.apply_watcher_event(&watcher::Event::Apply(cluster));
    assert!(scene.ctx.clusters.set(store).is_ok());
    scene.settle().await;
    // The first look also asks what else scales the target.
    assert!(scene.look(busy(replicas, 10, 1)).await);
    scene.front.take_reads();
    (scene, writer)
}

#[tokio::test]
async fn a_busy_scaler_reads_its_targets_scale_and_nothing_else() {
    let (scene, _writer) = watched(3).await;
    for _ in 0..3 {
        assert!(scene.look(busy(3, 10, scene.looks.get())).await);
        assert_eq!(scene.front.take_reads(), [format!("{TARGET}/scale")]);
    }
}

#[tokio::test]
async fn pods_are_listed_again_when_the_target_changes_a_stranger_comes_or_time_has_passed() {
    let (scene, _writer) = watched(3).await;
    let listed = |scene: &Scene| scene.front.take_reads().iter().any(|r| r == PODS);

    scene
        .world
        .edit(TARGET, |t| t["status"] = json!({"readyReplicas": 2}));
    assert!(scene.look(busy(3, 10, 2)).await);
    assert!(listed(&scene), "the target has another version");
    assert!(scene.look(busy(3, 10, 3)).await);
    assert!(!listed(&scene));

    let mut strange = busy(3, 10, 4);
    strange.members[0].host = "10.0.0.99".to_owned();
    assert!(scene.look(strange).await);
    assert!(listed(&scene), "a member that is no known pod");

    assert!(scene.look(busy(3, 10, 5)).await);
    scene.front.take_reads();
    scene
        .ctx
        .scalers
        .clock
        .advance(std::time::Duration::from_secs(30));
    assert!(scene.look(busy(3, 10, 6)).await);
    assert!(listed(&scene), "the list is old");
}

#[tokio::test]
async fn a_scaler_that_is_gone_keeps_no_pods() {
    let (scene, _writer) = watched(2).await;
    scene.world.edit(SCALER, |s| {
        s["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    });
    scene.settle().await;
    scene.world.edit(SCALER, |s| {
        s["metadata"]["deletionTimestamp"] = json!(null);
    });
    scene.settle().await;
    assert!(scene.front.take_reads().iter().any(|r| r == PODS));
}
