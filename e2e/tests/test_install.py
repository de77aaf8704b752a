"""The two ways to install, each from nothing to a broker that takes a write."""

import pytest
from harness import weir
from harness.base import ROOT, await_condition
from harness.java import Load, topic_admin

NAMESPACE = "first"
CRDS = ["queueclusters.weir.dev", "topics.weir.dev", "consumerscalers.weir.dev"]


def one_broker(lab, namespace):
    lab.kube.namespace(namespace, **{"pod-security.kubernetes.io/enforce": "restricted"})
    cluster = weir.QueueCluster(lab, namespace, "single")
    lab.kube.apply(cluster.manifest(replicas=1, config={"minInsyncReplicas": 1, "defaultReplicationFactor": 1}))
    cluster.await_brokers(1)
    return cluster


def write_and_read(cluster, folder):
    topic_admin(cluster.bootstrap(), "create", "hello", partitions=1)
    load = Load(cluster.bootstrap(), "hello", folder)
    assert load.produce(records=1000, rate=5000).result()["acknowledged"] == 1000
    assert load.consume(timeout=60).result()["good"]


def gone(lab, namespace):
    lab.kube.delete("namespace", namespace, "default")
    await_condition("no volume left", lambda: not [
        one for one in lab.kube.list("persistentvolumes") if one["spec"]["claimRef"]["namespace"] == namespace], 120, 1)


def test_definitions_alone_can_be_applied(lab):
    lab.kube.kubectl("apply", "-f", ROOT / "crds")
    for crd in CRDS:
        lab.kube.kubectl("wait", "--for=condition=Established", f"crd/{crd}", "--timeout=30s")


@pytest.mark.timeout(600)
def test_plain_manifests_run_a_broker_and_can_be_removed(lab, tmp_path):
    text = weir.install_yaml(lab)
    manifest = tmp_path / "install.yaml"
    manifest.write_text(text, encoding="utf-8")
    lab.kube.kubectl("apply", "--server-side", "--force-conflicts", "-f", manifest)
    lab.kube.kubectl("rollout", "status", "deployment", "-n", weir.SYSTEM, "-l", "app.kubernetes.io/name=weir-operator", "--timeout=120s")
    cluster = one_broker(lab, NAMESPACE)
    write_and_read(cluster, tmp_path)
    lab.kube.delete("queueclusters", cluster.name, NAMESPACE)
    gone(lab, NAMESPACE)
    lab.kube.kubectl("delete", "-f", manifest, "--ignore-not-found", "--wait", timeout=180)


@pytest.mark.timeout(600)
def test_helm_runs_a_broker_and_can_be_removed_and_installed_again(lab, tmp_path):
    weir.install_by_helm(lab)
    cluster = one_broker(lab, NAMESPACE)
    write_and_read(cluster, tmp_path)
    # Brokers go on without the operator, and the definitions outlive the chart.
    weir.uninstall_by_helm(lab)
    assert Load(cluster.bootstrap(), "hello", tmp_path).produce(records=100, rate=1000).result()["acknowledged"] == 100
    for crd in CRDS:
        assert lab.kube.kubectl("get", "crd", crd, "-o", "name").strip()
    weir.install_by_helm(lab)
    cluster.await_ready()
    lab.kube.delete("queueclusters", cluster.name, NAMESPACE)
    gone(lab, NAMESPACE)
