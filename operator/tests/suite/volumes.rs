//! Volumes grow, and are found again, against a Kubernetes and brokers in memory. Each flow of
//! growth is run again with the operator killed after every single write.

use crate::support::flow::Flow;
use crate::support::{CLAIMS, CLUSTER, PODS, SET, World};
use serde_json::json;

#[tokio::test]
async fn volumes_grow_whenever_the_operator_dies() {
    let flow = Flow {
        brokers: 3,
        begin: |world| {
            world.edit(SET, |set| {
                set["spec"]["template"]["metadata"]["annotations"] =
                    json!({"kubectl.kubernetes.io/restartedAt": "before"});
            });
            // The pods have it already.
            for n in 0..3 {
                world.api.remove(&format!("{PODS}/demo-default-{n}"));
            }
            world.kubelets();
            world.edit(CLUSTER, |c| c["spec"]["storage"]["size"] = json!("2Gi"));
        },
        meanwhile: |world, _| {
            for n in 0..3 {
                let path = format!("{CLAIMS}/data-demo-default-{n}");
                world.edit(&path, |c| {
                    c["status"]["capacity"] = c["spec"]["resources"]["requests"].clone()
                });
                assert!(world.api.get(&format!("{PODS}/demo-default-{n}")).is_some());
            }
        },
        done: |world| {
            let set = world.api.get(SET).unwrap_or_default();
            let claim = &set["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"];
            let stamp = &set["spec"]["template"]["metadata"]["annotations"];
            let put_away = world
                .api
                .paths()
                .iter()
                .any(|p| p.ends_with("configmaps/demo-growth"));
            claim["storage"] == "2Gi"
                && set["spec"]["replicas"] == 3
                && stamp["kubectl.kubernetes.io/restartedAt"] == "before"
                && !put_away
        },
    };
    flow.survives().await;
}

#[tokio::test]
async fn volumes_that_cannot_grow_are_told_and_left() {
    let world = World::serving(3).await;
    world.api.refuse_growth(true);
    world.edit(CLUSTER, |c| c["spec"]["storage"]["size"] = json!("2Gi"));
    world.cluster().await.expect("reconciles");
    assert_eq!(world.reason(CLUSTER), "VolumesCannotGrow");
    assert!(world.api.get(SET).is_some());
    world.api.take_writes();
    world.cluster().await.expect("reconciles");
    assert_eq!(world.api.take_writes(), Vec::<String>::new());
    // The same with a class that says so before it is asked.
    let class = "/apis/storage.k8s.io/v1/storageclasses/slow";
    world.api.put(
        class,
        json!({"metadata": {"name": "slow"}, "provisioner": "none"}),
    );
    for n in 0..3 {
        let path = format!("{CLAIMS}/data-demo-default-{n}");
        world.edit(&path, |c| c["spec"]["storageClassName"] = json!("slow"));
    }
    world.cluster().await.expect("reconciles");
    let message = world.condition(CLUSTER, "Reconciling")["message"].clone();
    let said = "claim data-demo-default-0: storage class slow cannot grow its volumes";
    assert_eq!(message, said);
}

#[tokio::test]
async fn volumes_grow_though_no_pod_runs_and_what_they_wait_for_is_said() {
    let world = World::serving(3).await;
    for n in 0..3 {
        world.edit(&format!("{PODS}/demo-default-{n}"), |p| {
            p["status"] = json!({"phase": "Pending"});
        });
        world.brokers.state().down.insert(n);
    }
    world.edit(CLUSTER, |c| c["spec"]["storage"]["size"] = json!("2Gi"));
    for _ in 0..4 {
        world.cluster().await.expect("reconciles");
        world.kubelets();
    }
    let claim = format!("{CLAIMS}/data-demo-default-1");
    let grown = world.api.get(&claim).expect("it exists");
    assert_eq!(grown["spec"]["resources"]["requests"]["storage"], "2Gi");
    world.brokers.state().down.clear();
    for n in 0..3 {
        world.api.remove(&format!("{PODS}/demo-default-{n}"));
    }
    world.kubelets();
    world.edit(&claim, |c| {
        c["status"]["conditions"] = json!([{"type": "FileSystemResizePending", "status": "True"}]);
    });
    for n in [0, 2] {
        let path = format!("{CLAIMS}/data-demo-default-{n}");
        world.edit(&path, |c| c["status"]["capacity"]["storage"] = json!("2Gi"));
    }
    world.cluster().await.expect("reconciles");
    assert_eq!(world.reason(CLUSTER), "GrowingVolumes");
    let message = world.condition(CLUSTER, "Reconciling")["message"].clone();
    let said = "1 of 3 volumes are growing; data-demo-default-1: its file system grows when its pod starts";
    assert_eq!(message, said);
}

#[tokio::test]
async fn volumes_grow_without_a_newer_operators_template() {
    let world = World::serving(3).await;
    // As an older operator has rendered it.
    world.edit(SET, |set| {
        set["metadata"]["annotations"]["weir.dev/render"] = json!("0-older");
        set["spec"]["template"]["spec"]["containers"][0]["env"] = json!([]);
    });
    for n in 0..3 {
        world.api.remove(&format!("{PODS}/demo-default-{n}"));
    }
    world.kubelets();
    let template = world.api.get(SET).expect("it exists")["spec"]["template"].clone();
    world.edit(CLUSTER, |c| c["spec"]["storage"]["size"] = json!("2Gi"));
    world.api.take_writes();
    for _ in 0..6 {
        world.cluster().await.expect("reconciles");
        world.kubelets();
    }
    let writes = world.api.take_writes();
    assert!(writes.contains(&format!("delete {SET}")));
    assert!(!writes.iter().any(|w| w.starts_with("evict")), "{writes:?}");
    let set = world.api.get(SET).expect("it is made again");
    assert_eq!(set["spec"]["template"], template);
    assert_eq!(set["metadata"]["annotations"]["weir.dev/render"], "0-older");
}

#[tokio::test]
async fn a_volume_of_another_cluster_is_told() {
    let world = World::serving(3).await;
    world.brokers.state().cluster_id = "another".to_owned();
    world.cluster().await.expect("reconciles");
    assert_eq!(world.reason(CLUSTER), "ForeignVolume");
}

/// A resource that was made again after it was deleted, with the volumes of before.
fn made_again(world: &World, id: &str) {
    world.edit(CLUSTER, |c| {
        c["status"] = json!({"clusterId": "new", "formed": false})
    });
    world.brokers.state().cluster_id = id.to_owned();
    world.brokers.take_calls();
}

#[tokio::test]
async fn volumes_that_were_kept_are_found_again() {
    let world = World::serving(3).await;
    made_again(&world, "kept");
    world.cluster().await.expect("reconciles");
    assert_eq!(world.reason(CLUSTER), "VolumesFound");
    let cluster = world.api.get(CLUSTER).expect("it exists");
    assert_eq!(cluster["status"]["clusterId"], "kept");
    for _ in 0..3 {
        world.cluster().await.expect("reconciles");
    }
    assert_eq!(world.reason(CLUSTER), "Ready");
    let formed = world
        .brokers
        .take_calls()
        .iter()
        .any(|c| c.starts_with("form"));
    assert!(!formed, "it exists");
}

#[tokio::test]
async fn a_volume_of_few_brokers_is_not_taken_for_the_cluster() {
    let world = World::serving(3).await;
    made_again(&world, "kept");
    world.brokers.state().down.extend([1, 2]);
    world.cluster().await.expect("reconciles");
    assert_eq!(
        world.reason(CLUSTER),
        "Starting",
        "the others may say the same"
    );
    let cluster = world.api.get(CLUSTER).expect("it exists");
    assert_eq!(cluster["status"]["clusterId"], "new");
}
