//! What ConsumerScalers scale, and who of several may, against a Kubernetes in memory.

use crate::support::scene::{SCALER, Scene, TARGET, group};
use futures::{FutureExt, StreamExt};
use kube::runtime::watcher::Event;
use serde_json::{Value, json};
use weir_proto::admin as pb;

const FIRST: &str = "/apis/weir.dev/v1alpha1/namespaces/mq/consumerscalers/first";
const SET: &str = "/apis/apps/v1/namespaces/mq/statefulsets/billing";

/// A group of nobody with one record to be consumed.
fn one_record() -> pb::GroupBacklog {
    let mut group = group(0, 0);
    group.partitions[5].end += 1;
    group.partitions[5].backlog = 1;
    group
}

/// An older ConsumerScaler, of a target of its own or not.
fn put_first(scene: &Scene, target: &str) {
    let mut first = scene.world.api.get(SCALER).expect("a scaler");
    first["metadata"] = json!({
        "name": "first", "namespace": "mq", "creationTimestamp": "2026-01-01T00:00:00Z",
    });
    first["status"] = Value::Null;
    first["spec"]["targetRef"]["name"] = json!(target);
    scene.world.api.put(FIRST, first);
    for path in [SCALER, FIRST] {
        let event = Event::Apply(scene.scaler(path));
        scene.ctx.scalers.claims.observe(&event);
    }
}

fn woken(scene: &Scene) -> Vec<String> {
    let mut stream = Box::pin(scene.ctx.scalers.claims.clone().woken());
    let mut all = Vec::new();
    while let Some(Some(one)) = stream.next().now_or_never() {
        all.push(one.name);
    }
    all
}

#[tokio::test]
async fn of_two_scalers_of_one_target_the_oldest_scales_and_the_other_says_so() {
    let scene = Scene::new(0, |_| {}).await;
    put_first(&scene, "billing");
    woken(&scene);
    scene.see(one_record()).await;
    assert_eq!(scene.replicas(), 0);
    assert_eq!(scene.reason(), "OtherScaler");
    let message = scene.status()["decision"]["message"].clone();
    let message = message.as_str().expect("a message");
    assert!(message.contains("ConsumerScaler first"), "{message}");
    let done = scene.reconcile_at(FIRST).await;
    done.expect("reconciles");
    assert!(scene.replicas() >= 1, "the oldest does its work");
    assert_eq!(scene.world.reason(FIRST), "Ready");
    // When it goes, the other is looked at again and may.
    let gone = scene.scaler(FIRST);
    scene.world.api.remove(FIRST);
    scene.ctx.scalers.claims.observe(&Event::Delete(gone));
    assert_eq!(woken(&scene), ["billing"]);
    scene
        .world
        .edit(TARGET, |t| t["spec"]["replicas"] = json!(0));
    scene.settle().await;
    assert_eq!(scene.reason(), "WakeUp");
    assert!(scene.replicas() >= 1);
}

#[tokio::test]
async fn scalers_of_two_targets_leave_each_other_alone() {
    let scene = Scene::new(0, |_| {}).await;
    put_first(&scene, "another");
    scene.see(one_record()).await;
    assert_eq!(scene.reason(), "WakeUp");
}

#[tokio::test]
async fn a_target_without_the_right_to_it_is_told() {
    let scene = Scene::new(1, |_| {}).await;
    scene.world.api.forbid(TARGET);
    scene.settle().await;
    assert_eq!(scene.reason(), "TargetNotAllowed");
    let message = scene.world.condition(SCALER, "Stalled")["message"].clone();
    let said = "the operator may not scale Deployment mq/billing: name its kind in the chart's scaler.targets";
    assert_eq!(message, said);
}

#[tokio::test]
async fn a_stateful_set_is_scaled_like_a_deployment() {
    let scene = Scene::new(0, |s| s["targetRef"]["kind"] = json!("StatefulSet")).await;
    let mut set = scene.world.api.get(TARGET).expect("a target");
    scene.world.api.remove(TARGET);
    set["kind"] = json!("StatefulSet");
    set["metadata"] = json!({"name": "billing", "namespace": "mq"});
    scene.world.api.put(SET, set);
    scene.see(one_record()).await;
    assert_eq!(scene.reason(), "WakeUp");
    let set = scene.world.api.get(SET).expect("a target");
    assert!(set["spec"]["replicas"].as_i64() >= Some(1));
    assert!(scene.writes().iter().any(|w| w.contains(SET)));
}
