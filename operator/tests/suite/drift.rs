//! What a QueueCluster owns was changed behind its back: put back, told and counted.

use std::time::Duration;

use crate::support::filled::status;
use crate::support::{CLUSTER, SET, World};
use futures::StreamExt;
use futures::channel::mpsc;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::{reflector, watcher};
use serde_json::json;
use tokio::task::JoinHandle;
use weir_crds::{QueueCluster, Topic};
use weir_operator::topic::drift::{self, Changed};

const SERVICE: &str = "/api/v1/namespaces/mq/services/demo-bootstrap";

#[tokio::test]
async fn an_edited_object_is_put_back_and_counted() {
    let world = World::serving(3).await;
    assert!(status(&world)["drift"].is_null());
    world.api.take_events();
    world.edit(SERVICE, |s| s["spec"]["ports"][0]["port"] = json!(1));
    world.edit(SET, |s| {
        s["spec"]["podManagementPolicy"] = json!("OrderedReady")
    });
    world.cluster().await.expect("reconciles");
    let service = world.api.get(SERVICE).expect("it exists");
    assert_eq!(service["spec"]["ports"][0]["port"], 9092);
    let what = "Service demo-bootstrap: spec.ports[0].port; \
                StatefulSet demo-default: spec.podManagementPolicy";
    let event = format!("DriftReverted: changed behind this resource's back and put back: {what}");
    let events = world.api.take_events();
    assert!(events.contains(&event), "{events:?}");
    assert_eq!(status(&world)["drift"]["count"], 2);
    assert_eq!(status(&world)["drift"]["message"], what);
    world.kubelets();
    world.cluster().await.expect("reconciles");
    world.api.take_writes();
    world.cluster().await.expect("reconciles");
    assert_eq!(world.api.take_writes(), Vec::<String>::new());
    assert_eq!(status(&world)["drift"]["count"], 2);
}

#[tokio::test]
async fn what_the_resource_changes_is_no_drift() {
    let world = World::serving(3).await;
    world.edit(CLUSTER, |c| {
        c["spec"]["config"] = json!({"retention": "1h"});
        c["spec"]["image"] = json!("weir-broker:new");
        c["spec"]["listeners"] = json!([{"name": "inside", "port": 9093, "type": "Internal"}]);
    });
    for _ in 0..20 {
        world.cluster().await.expect("reconciles");
        world.kubelets();
    }
    assert!(status(&world)["drift"].is_null(), "{}", status(&world));
    // Nor is it when somebody asks kubectl for a restart.
    world.edit(SET, |set| {
        set["spec"]["template"]["metadata"]["annotations"] =
            json!({"kubectl.kubernetes.io/restartedAt": "now"});
    });
    world.cluster().await.expect("reconciles");
    assert!(status(&world)["drift"].is_null(), "{}", status(&world));
}

#[tokio::test]
async fn cluster_wide_settings_are_put_back_and_counted() {
    let world = World::serving(3).await;
    let set = |name: &str, value: &str| {
        let mut state = world.brokers.state();
        state.config.insert(name.to_owned(), value.to_owned());
    };
    world.api.take_events();
    set("min.insync.replicas", "1");
    set("log.retention.ms", "5");
    world.cluster().await.expect("reconciles");
    let config = world.brokers.state().config.clone();
    assert_eq!(config["min.insync.replicas"], "2");
    assert_eq!(config["log.retention.ms"], "5", "that is nobody's");
    let events = world.api.take_events();
    let event = "DriftReverted: changed behind this resource's back and put back: \
                 min.insync.replicas 1 to 2";
    assert!(events.contains(&event.to_owned()), "{events:?}");
    assert_eq!(status(&world)["drift"]["count"], 1);
}

/// A watch of the world's cluster, and who is woken by it.
fn watched(world: &World) -> (JoinHandle<()>, mpsc::Receiver<ObjectRef<QueueCluster>>) {
    let (clusters, mut cluster_writer) = reflector::store::<QueueCluster>();
    let (topics, _topic_writer) = reflector::store::<Topic>();
    let object = serde_json::from_value(world.api.get(CLUSTER).expect("it exists"));
    let cluster = object.expect("a QueueCluster");
    cluster_writer.apply_watcher_event(&watcher::Event::Apply(cluster));
    let (to_topics, _topics_woken) = mpsc::channel(8);
    let (to_clusters, woken) = mpsc::channel(8);
    let changed = Changed {
        topics: to_topics,
        clusters: to_clusters,
    };
    let watch = drift::watch(world.ctx.clone(), clusters, topics, changed);
    (tokio::spawn(watch), woken)
}

async fn next(woken: &mut mpsc::Receiver<ObjectRef<QueueCluster>>) -> String {
    let woken = tokio::time::timeout(Duration::from_secs(60), woken.next());
    woken.await.expect("within a minute").expect("goes on").name
}

/// The metadata stream brings the cluster to a reconcile when its settings are others.
#[tokio::test]
async fn other_settings_wake_their_cluster() {
    let world = World::serving(3).await;
    let (watch, mut woken) = watched(&world);
    let first = next(&mut woken).await;
    assert_eq!(first, "demo", "what changed before we looked");
    // A version in which only something else has changed wakes nobody; the next one does.
    world.brokers.state().tell_version(2);
    world
        .brokers
        .state()
        .config
        .insert("min.insync.replicas".to_owned(), "1".to_owned());
    world.brokers.state().tell_version(3);
    assert_eq!(next(&mut woken).await, "demo");
    watch.abort();
}

/// Its status counts them.
#[tokio::test(start_paused = true)]
async fn topics_that_come_and_go_wake_their_cluster() {
    let world = World::serving(3).await;
    let (watch, mut woken) = watched(&world);
    assert_eq!(next(&mut woken).await, "demo");
    let topic = weir_proto::admin::Topic {
        name: "orders".to_owned(),
        ..weir_proto::admin::Topic::default()
    };
    {
        let mut state = world.brokers.state();
        state.topics.insert("orders".to_owned(), topic);
        state.tell_version(2);
    }
    assert_eq!(next(&mut woken).await, "demo");
    {
        let mut state = world.brokers.state();
        state.topics.clear();
        state.tell_version(3);
    }
    assert_eq!(next(&mut woken).await, "demo");
    world.brokers.state().tell_version(4);
    let more = tokio::time::timeout(Duration::from_secs(60), woken.next());
    assert!(more.await.is_err(), "nothing has changed");
    watch.abort();
}
