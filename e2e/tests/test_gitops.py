"""Resources as a GitOps tool handles them: applied in any order, pruned, contested, exported, and
deleted with everything around them."""

import json
import shutil
import time

import pytest
from conftest import note
from harness import weir
from harness.base import ROOT, await_condition, program, run
from harness.java import Load
from test_command_line import weir as weir_command

SAMPLES = ROOT / "e2e" / "samples" / "gitops"
LABEL = "app.kubernetes.io/part-of=shop"
HOME = "shop-staging"
TOPICS = ("clicks", "orders", "payments")


@pytest.fixture(scope="module")
def kube(cluster):
    """The cluster takes Topics of namespaces with the samples' label."""
    rule = {"from": "Selector", "selector": {"matchLabels": {"weir": "demo"}}}
    cluster.kube.patch("queuecluster", cluster.name, cluster.namespace, {"spec": {"topicNamespaces": rule}})
    yield cluster.kube
    cluster.kube.patch("queuecluster", cluster.name, cluster.namespace, {"spec": {"topicNamespaces": {"from": "Same", "selector": None}}})


@pytest.fixture
def namespaces(kube):
    """Makes namespaces that the cluster accepts, and removes what is left of them."""
    made = []

    def make(name, **labels):
        kube.namespace(name, **labels)
        made.append(name)
        return name

    yield make
    for one in made:
        kube.delete("namespace", one, "default")


@pytest.fixture
def folder(cluster, tmp_path):
    """A copy of the sample repository, whose Topics name the suite's cluster."""
    shutil.copytree(SAMPLES, tmp_path / "repo")
    overlay = tmp_path / "repo" / "shop" / "overlays" / "e2e"
    overlay.mkdir()
    change = json.dumps([{"op": "replace", "path": "/spec/clusterRef", "value": {"name": cluster.name, "namespace": cluster.namespace}}])
    kustomization = {"resources": ["../staging"], "patches": [{"target": {"kind": "Topic"}, "patch": change}]}
    (overlay / "kustomization.yaml").write_text(json.dumps(kustomization), encoding="utf-8")
    return tmp_path / "repo"


def sync(kube, folder):
    """What a GitOps tool does: build, apply, prune what is not in the folder any more."""
    built = kube.kubectl("kustomize", folder / "shop" / "overlays" / "e2e")
    kube.kubectl("apply", "--prune", "-l", LABEL, "--prune-allowlist=weir.dev/v1alpha1/Topic", "-f", "-", stdin=built)


def topics_there(cluster):
    return {one["name"] for one in json.loads(weir_command(cluster, "topics", "-o", "json"))}


def namespace_gone(kube, name, timeout=120):
    def probe():
        return not kube.kubectl("get", "namespace", name, "--ignore-not-found", "-o", "name").strip()

    return await_condition(f"namespace {name} gone", probe, timeout)


@pytest.mark.parametrize("overlay", ["platform", "shop/overlays/staging", "shop/overlays/production"])
def test_samples_are_built_and_taken_by_the_api(kube, overlay, namespaces):
    built = kube.kubectl("kustomize", SAMPLES / overlay)
    for line in built.splitlines():
        if line.startswith("  namespace: "):
            namespaces(line.split()[1], weir="demo")
    kube.kubectl("apply", "--dry-run=server", "-f", "-", stdin=built)


@pytest.mark.timeout(600)
def test_a_pruned_topic_keeps_its_records_and_finds_them_again(cluster, kube, folder, namespaces, tmp_path):
    namespaces(HOME, weir="demo")
    sync(kube, folder)
    for one in TOPICS:
        kube.await_ready("topic", one, HOME)
    load = Load(cluster.bootstrap(), "staging.payments", tmp_path)
    assert load.produce(records=1000, rate=5000).result()["acknowledged"] == 1000
    before = kube.get("topic", "payments", HOME)
    # The file of payments and of clicks goes.
    base = folder / "shop" / "base" / "kustomization.yaml"
    staging = folder / "shop" / "overlays" / "staging" / "kustomization.yaml"
    whole = base.read_text(encoding="utf-8"), staging.read_text(encoding="utf-8")
    base.write_text(whole[0].replace("  - payments.yaml\n", "").replace("  - clicks.yaml\n", ""), encoding="utf-8")
    staging.write_text(whole[1].split("  - target: {kind: Topic, name: payments}")[0], encoding="utf-8")
    sync(kube, folder)
    for one in ("payments", "clicks"):
        await_condition(f"Topic {one} gone", lambda one=one: not kube.exists("topic", one, HOME), 60)
    assert kube.exists("topic", "orders", HOME)
    names = topics_there(cluster)
    assert "staging.payments" in names, "retained"
    assert "staging.clicks" not in names, "clicks asked for Delete"
    # And come back.
    base.write_text(whole[0], encoding="utf-8")
    staging.write_text(whole[1], encoding="utf-8")
    sync(kube, folder)
    for one in TOPICS:
        kube.await_ready("topic", one, HOME)
    after = kube.get("topic", "payments", HOME)
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["status"]["topicId"] == before["status"]["topicId"]
    checked = load.consume(timeout=60).result()
    assert checked["good"], checked


@pytest.mark.timeout(600)
def test_any_order_converges_and_the_namespace_goes_with_all_in_it(cluster, kube, namespaces):
    home = namespaces("early")
    late = weir.QueueCluster(cluster.lab, home, "late")
    kube.apply(late.topic("first", partitions=1, replicationFactor=1, deletionPolicy="Delete"))
    kube.await_status("topic", "first", home, "False", "ClusterNotFound")
    assert kube.condition("topic", "first", home, "Stalled")["status"] == "False", "it waits, nothing is wrong with it"
    kube.apply(late.manifest(replicas=1, racks=None, config={"minInsyncReplicas": 1, "defaultReplicationFactor": 1}))
    late.await_brokers(1)
    start = time.monotonic()
    kube.await_ready("topic", "first", home, timeout=60)
    note(f"a Topic made before its cluster is ready {time.monotonic() - start:.1f} s after it")
    start = time.monotonic()
    kube.delete("namespace", home, "default", timeout=240)
    assert namespace_gone(kube, home)
    note(f"a namespace with a cluster and a Topic to be deleted with it: gone after {time.monotonic() - start:.1f} s")


@pytest.mark.parametrize("policy", ["Delete", "Retain"])
def test_a_namespace_of_topics_goes_while_their_cluster_stays(cluster, kube, namespaces, name, policy):
    home = namespaces(f"guest-{policy.lower()}", weir="demo")
    kube.apply(cluster.topic(name, namespace=home, partitions=2, replicationFactor=3, deletionPolicy=policy))
    kube.await_ready("topic", name, home)
    kube.delete("namespace", home, "default", timeout=120)
    assert (name in topics_there(cluster)) == (policy == "Retain")


def test_a_namespace_is_let_in_by_its_label_when_it_gets_it(cluster, kube, namespaces, name):
    home = namespaces("guest-late")
    kube.apply(cluster.topic(name, namespace=home, partitions=1, deletionPolicy="Delete"))
    kube.await_status("topic", name, home, "False", "NamespaceNotAllowed")
    kube.kubectl("label", "namespace", home, "weir=demo")
    kube.await_ready("topic", name, home, timeout=30)


def test_the_oldest_resource_has_the_name_and_the_next_takes_over(cluster, kube, namespaces, name):
    first, second = namespaces("guest-a", weir="demo"), namespaces("guest-b", weir="demo")
    # The younger one is seen first as often as not: its namespace comes first in lists.
    kube.apply(cluster.topic("mine", namespace=second, name=name, partitions=1, replicationFactor=3))
    made = kube.get("topic", "mine", second)["metadata"]["creationTimestamp"]
    await_condition("the next second", lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) > made, 5)
    kube.apply(cluster.topic("mine", namespace=first, name=name, partitions=1, replicationFactor=3))
    kube.await_ready("topic", "mine", second)
    said = kube.await_status("topic", "mine", first, "False", "Conflict")
    assert f"{second}/mine" in said["message"], said
    kube.delete("topic", "mine", second)
    start = time.monotonic()
    kube.await_ready("topic", "mine", first, timeout=30)
    note(f"a contested topic is taken over {time.monotonic() - start:.1f} s after its owner went")


def test_drift_is_put_back_within_ten_seconds_and_recorded(cluster, kube, topic, admin):
    kube.patch("topic", topic, cluster.namespace, {"spec": {"config": {"retention": "5h"}}})
    kube.await_ready("topic", topic, cluster.namespace)
    times = []
    for change in ("1000", "2000", "3000"):
        start = time.monotonic()
        admin("alter", topic, f"retention.ms={change}")
        await_condition("the setting as the resource says",
                        lambda: admin("describe", topic)["configs"].get("retention.ms") == "18000000", 30)
        times.append(time.monotonic() - start)
    note(f"drift is put back after {max(times):.1f} s at most")
    assert max(times) < 10
    drift = await_condition("three drifts", lambda: kube.get("topic", topic, cluster.namespace)["status"].get("drift"), 10)
    assert drift["count"] == 3 and drift["message"] == "retention.ms 3000 to 18000000"
    events = kube.list("events", cluster.namespace)
    assert [one for one in events if one["reason"] == "DriftReverted" and one["involvedObject"]["name"] == topic]


def test_an_object_of_a_cluster_is_put_back_within_ten_seconds_and_recorded(cluster, kube):
    def drift():
        return kube.get("queuecluster", cluster.name, cluster.namespace)["status"].get("drift", {"count": 0})

    service, before = f"{cluster.name}-bootstrap", drift()["count"]
    start = time.monotonic()
    kube.patch("service", service, cluster.namespace, {"spec": {"publishNotReadyAddresses": True}})
    await_condition("the Service as the resource says",
                    lambda: not kube.get("service", service, cluster.namespace)["spec"].get("publishNotReadyAddresses"), 30)
    assert time.monotonic() - start < 10
    await_condition("a drift", lambda: drift()["count"] > before, 10)
    assert drift()["message"] == f"Service {service}: spec.publishNotReadyAddresses"


def test_what_is_exported_is_adopted_without_a_difference(cluster, kube, admin, name):
    admin("create", name, "retention.ms=7200000", "cleanup.policy=delete", "segment.bytes=67108864", "max.message.bytes=500000", partitions=3)
    exported = weir_command(cluster, "export", name)
    assert "retention: 2h" in exported and f"name: {name}" in exported
    kube.kubectl("apply", "--dry-run=server", "-f", "-", stdin=exported)
    kube.kubectl("apply", "-f", "-", stdin=exported)
    kube.await_ready("topic", name, cluster.namespace)
    status = kube.get("topic", name, cluster.namespace)["status"]
    assert "differences" not in status and status["partitions"] == 3
    # The cluster is exported as it is: applying that again changes nothing.
    whole = weir_command(cluster, "export")
    assert f"name: {name}" in whole and "kind: QueueCluster" in whole
    generation = cluster.get()["metadata"]["generation"]
    kube.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=whole.split("---\n")[0])
    assert cluster.get()["metadata"]["generation"] == generation
    kube.patch("topic", name, cluster.namespace, {"spec": {"deletionPolicy": "Delete"}})
    assert "deletionPolicy: Delete" in await_condition("the policy", lambda: weir_command(cluster, "export", name), 10)
    kube.delete("topic", name, cluster.namespace)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_release_frees_a_namespace_where_the_operator_is_gone(cluster, kube, namespaces, name):
    home = namespaces("abandoned", weir="demo")
    names = [f"{name}-{i}" for i in range(2)]
    kube.apply([cluster.topic(one, namespace=home, partitions=1, replicationFactor=3, deletionPolicy="Delete") for one in names])
    for one in names:
        kube.await_ready("topic", one, home)
    operator = ["deployment", "-n", weir.SYSTEM, "-l", "app.kubernetes.io/name=weir-operator"]
    kube.kubectl("scale", *operator, "--replicas=0")
    try:
        await_condition("no operator", lambda: not kube.list("pods", weir.SYSTEM, "app.kubernetes.io/name=weir-operator"), 90)
        kube.delete("namespace", home, "default", "--wait=false")
        await_condition("Topics that wait", lambda: all("deletionTimestamp" in one["metadata"] for one in kube.list("topics", home)), 60)
        assert len(kube.list("topics", home)) == 2
        said = release(cluster, home)
        assert all(one in said for one in names), said
        assert namespace_gone(kube, home, 60)
    finally:
        kube.kubectl("scale", *operator, "--replicas=2")
        kube.kubectl("rollout", "status", *operator, "--timeout=120s", timeout=150)
    assert set(names) <= topics_there(cluster), "released, not deleted"
    for one in names:
        weir_command(cluster, "topics", "delete", one)


def release(cluster, namespace):
    """As `kubectl weir`, by the program's second name."""
    return run(program("kubectl-weir"), "-n", namespace, "release", "--all", env=cluster.kube.env, timeout=60)
