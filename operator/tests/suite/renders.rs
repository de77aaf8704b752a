//! Templates that an older operator has rendered, against a Kubernetes in memory.

use crate::support::{CLUSTER, PODS, SET, World};
use serde_json::{Value, json};
use weir_crds::QueueCluster;
use weir_operator::cluster::build::{
    build_config_map, build_pod_template, inputs_digest, owner, render_mark,
};
use weir_operator::cluster::validate::validate;
use weir_operator::context::Settings;
use weir_operator::hash::digest;

/// What each render version has made of the sample: digests of the pod template, the name of its
/// config included, and of the inputs. Lines are added, never changed.
const RENDERED: [(&str, &str, &str); 1] = [("1", "1b0028e5b2374888", "8e91d049692a9701")];

/// A cluster that says something of everything that a template is made from.
fn sample() -> QueueCluster {
    let cluster = json!({
        "apiVersion": "weir.dev/v1alpha1",
        "kind": "QueueCluster",
        "metadata": {"name": "demo", "namespace": "mq", "uid": "u-1"},
        "spec": {
            "storage": {"size": "10Gi"},
            "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}},
            "racks": {"topologyKey": "topology.kubernetes.io/zone"},
            "listeners": [
                {"name": "internal", "port": 9092, "type": "Internal"},
                {"name": "outside", "port": 9094, "type": "NodePort"},
            ],
            "podTemplate": {
                "labels": {"team": "payments"},
                "annotations": {"example.com/a": "b"},
                "tolerations": [{"key": "mq", "operator": "Exists", "effect": "NoSchedule"}],
                "env": [{"name": "RUST_LOG", "value": "info"}],
            },
        },
    });
    serde_json::from_value(cluster).expect("a QueueCluster")
}

#[test]
fn another_template_of_the_same_inputs_raises_the_render_version() {
    let cluster = sample();
    let operator = Settings {
        version: "0.1.0".to_owned(),
        ..Settings::default()
    };
    let valid = validate(&cluster, &operator).expect("a valid cluster");
    let config = build_config_map(&valid, &owner(&cluster)).metadata.name;
    let template = build_pod_template(&valid, &config.expect("a name"));
    let template = digest(serde_json::to_string(&template).expect("JSON").as_bytes());
    let (mark, inputs) = (render_mark(&valid), inputs_digest(&valid));
    let version = mark.split_once('-').expect("a version first").0;
    let now = (version, template.as_str(), inputs.as_str());
    let last = RENDERED[RENDERED.len() - 1];
    assert_eq!(now, last, "raise RENDER_VERSION and add a line");
    assert!(RENDERED.is_sorted_by_key(|line| line.0.parse::<u32>().expect("a number")));
}

/// A cluster as an older operator has left it: no variables, and nothing said of restarts.
async fn rendered_before() -> World {
    let world = World::serving(3).await;
    world.edit(SET, |set| {
        let annotations = set["metadata"]["annotations"].as_object_mut();
        let annotations = annotations.expect("ours");
        annotations.insert("weir.dev/render".to_owned(), json!("0-older"));
        annotations.remove("weir.dev/restarted");
        set["spec"]["template"]["spec"]["containers"][0]["env"] = json!([]);
    });
    for n in 0..3 {
        world.api.remove(&format!("{PODS}/demo-default-{n}"));
    }
    world.kubelets();
    world
}

fn stamp(world: &World, when: &str) {
    world.edit(SET, |set| {
        set["spec"]["template"]["metadata"]["annotations"] =
            json!({"kubectl.kubernetes.io/restartedAt": when});
    });
    world.kubelets();
}

fn annotation(world: &World, name: &str) -> Value {
    world.api.get(SET).expect("it exists")["metadata"]["annotations"][name].clone()
}

async fn settle(world: &World) -> Vec<String> {
    world.api.take_writes();
    for _ in 0..20 {
        world.cluster().await.expect("reconciles");
        world.kubelets();
    }
    assert_eq!(world.reason(CLUSTER), "Ready");
    let writes = world.api.take_writes().into_iter();
    writes.filter(|w| w.starts_with("evict")).collect()
}

fn variables(world: &World, broker: i32) -> usize {
    let pod = world.api.get(&format!("{PODS}/demo-default-{broker}"));
    let pod = pod.expect("it exists");
    let env = pod["spec"]["containers"][0]["env"].as_array();
    env.map_or(0, Vec::len)
}

#[tokio::test]
async fn a_restart_brings_what_a_newer_operator_renders() {
    let world = rendered_before().await;
    assert_eq!(
        settle(&world).await,
        Vec::<String>::new(),
        "an upgrade alone"
    );
    assert_eq!(annotation(&world, "weir.dev/render"), "0-older");
    stamp(&world, "now");
    assert_eq!(settle(&world).await.len(), 3, "each broker once");
    assert_ne!(annotation(&world, "weir.dev/render"), "0-older");
    assert_eq!(annotation(&world, "weir.dev/restarted"), "now");
    assert!((0..3).all(|n| variables(&world, n) > 0));
}

#[tokio::test]
async fn an_upgrade_takes_no_old_restart_for_a_new_one() {
    let world = rendered_before().await;
    world.edit(SET, |set| {
        set["spec"]["template"]["metadata"]["annotations"] =
            json!({"kubectl.kubernetes.io/restartedAt": "long ago"});
    });
    for n in 0..3 {
        world.api.remove(&format!("{PODS}/demo-default-{n}"));
    }
    world.kubelets();
    assert_eq!(settle(&world).await, Vec::<String>::new());
    assert_eq!(annotation(&world, "weir.dev/render"), "0-older");
    assert_eq!(annotation(&world, "weir.dev/restarted"), "long ago");
    stamp(&world, "now");
    assert_eq!(settle(&world).await.len(), 3);
}
