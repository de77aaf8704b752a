//! What the operator's metrics endpoint prints, against the list that dashboards and alerts are
//! checked by.

use std::collections::BTreeSet;

use kube::runtime::{reflector, watcher};
use prometheus_client::encoding::text;
use serde_json::json;
use weir_crds::{QueueCluster, Topic};
use weir_operator::metrics::{
    ControllerLabels, Metrics, ReasonLabels, ResultLabels, ScalerLabels, WriteLabels,
};

fn printed() -> String {
    let (metrics, registry) = Metrics::new();
    let controller = "topic";
    let labels = ResultLabels {
        controller,
        result: "ok",
    };
    metrics.reconciles.get_or_create(&labels).inc();
    let seconds = &metrics.reconcile_seconds;
    seconds
        .get_or_create(&ControllerLabels { controller })
        .observe(0.1);
    let kind = "Status".to_owned();
    metrics.writes.get_or_create(&WriteLabels { kind }).inc();
    let scaler = ScalerLabels::of(&("shop".to_owned(), "billing".to_owned()));
    metrics.scaler_wanted.get_or_create(&scaler).set(1);
    metrics.scaler_backlog.get_or_create(&scaler).set(1);
    let reason = "ScaleUp";
    metrics
        .scaler_decisions
        .get_or_create(&ReasonLabels { reason })
        .inc();
    let (store, mut writer) = reflector::store();
    let topic: Topic = serde_json::from_value(json!({
        "apiVersion": "weir.dev/v1alpha1", "kind": "Topic",
        "metadata": {"name": "orders", "namespace": "shop"},
        "spec": {"clusterRef": {"name": "demo"}},
    }))
    .expect("a Topic");
    writer.apply_watcher_event(&watcher::Event::Apply(topic));
    metrics.census.add(store, |t: &Topic| {
        t.status.as_ref().map_or(&[], |s| &s.conditions)
    });
    metrics.census.add_clusters(clusters());
    let mut out = String::new();
    text::encode(&mut out, &registry).expect("encodes");
    out
}

/// One cluster of three brokers, of which two serve and whose roll waits.
fn clusters() -> reflector::Store<QueueCluster> {
    let (store, mut writer) = reflector::store();
    let condition = |kind: &str, status: &str, reason: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        })
    };
    let cluster: QueueCluster = serde_json::from_value(json!({
        "apiVersion": "weir.dev/v1alpha1", "kind": "QueueCluster",
        "metadata": {"name": "demo", "namespace": "mq"},
        "spec": {"replicas": 3, "storage": {"size": "1Gi"}, "listeners": []},
        "status": {
            "readyReplicas": 2,
            "conditions": [condition("Ready", "True", "Ready"), condition("Reconciling", "True", "RollStuck")],
        },
    }))
    .expect("a QueueCluster");
    writer.apply_watcher_event(&watcher::Event::Apply(cluster));
    store
}

#[test]
fn every_metric_is_in_the_list_and_none_is_listed_that_is_not_there() {
    let out = printed();
    let names: BTreeSet<&str> = out
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split(' ').next())
        .collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/METRICS.md");
    let list = std::fs::read_to_string(path).expect("docs/METRICS.md");
    let listed: BTreeSet<&str> = list
        .lines()
        .filter_map(|line| line.strip_prefix("| `weir_operator_"))
        .filter_map(|line| line.split('`').next())
        .collect();
    let own = names
        .iter()
        .filter_map(|n| n.strip_prefix("weir_operator_"));
    let own: BTreeSet<&str> = own.collect();
    assert_eq!(own.len(), names.len(), "one prefix for all");
    let listed: BTreeSet<&str> = listed
        .iter()
        .map(|n| n.strip_suffix("_total").unwrap_or(n))
        .collect();
    assert_eq!(own, listed);
}

#[test]
fn resources_are_counted_by_their_readiness() {
    let line = "weir_operator_resources{kind=\"Topic\",ready=\"Unknown\",reason=\"Pending\"} 1";
    assert!(printed().lines().any(|l| l == line), "{}", printed());
}

#[test]
fn what_a_ready_resource_waits_for_is_its_reason() {
    let line =
        "weir_operator_resources{kind=\"QueueCluster\",ready=\"True\",reason=\"RollStuck\"} 1";
    assert!(printed().lines().any(|l| l == line), "{}", printed());
}

#[test]
fn brokers_that_are_missing_show() {
    let out = printed();
    for line in [
        "weir_operator_brokers_wanted{namespace=\"mq\",name=\"demo\"} 3",
        "weir_operator_brokers_ready{namespace=\"mq\",name=\"demo\"} 2",
    ] {
        assert!(out.lines().any(|l| l == line), "{out}");
    }
}
