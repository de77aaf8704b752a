"""From the chart as it was first released, with its definitions, to today's: nothing rolls, nothing is lost.

E2E_PREVIOUS_TAG names images of that release that are on the nodes; without it today's programs
run under the old chart, its rights and its definitions, too."""

import os

import pytest
from conftest import note
from harness import weir
from harness.base import ROOT, await_condition
from harness.java import Load

OLD_CHART = ROOT / "e2e" / "fixtures" / "chart-0.1.0" / "weir"
NAMESPACE = "upgraded"
TOPICS = ("kept", "taken")


def install(lab, chart, tag):
    words = ["--set", f"image.repository={lab.image('weir-operator')}", "--set", f"image.tag={tag}",
             "--set", f"brokerImage={lab.image('weir-broker')}:{tag}"]
    lab.kube.helm("upgrade", "--install", weir.RELEASE, chart, "-n", weir.SYSTEM, "--create-namespace", *words,
                  "--wait", "--timeout", "180s")


def definition(kube, plural):
    return kube.get("crd", f"{plural}.weir.dev", "default")


def fields(kube):
    """Names of all that a Topic's status can say."""
    schema = definition(kube, "topics")["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return set(schema["properties"]["status"]["properties"])


@pytest.fixture
def old(lab):
    """The old release on a cluster that has never seen another."""
    tag = os.environ.get("E2E_PREVIOUS_TAG", lab.tag)
    weir.uninstall_by_helm(lab)
    for one in lab.kube.list("crd"):
        if one["spec"]["group"] == "weir.dev":
            lab.kube.delete("crd", one["metadata"]["name"], "default")
    install(lab, OLD_CHART, tag)
    lab.kube.namespace(NAMESPACE, **{"pod-security.kubernetes.io/enforce": "restricted"})
    yield tag
    lab.kube.delete("topics", "--all", NAMESPACE)
    lab.kube.delete("queueclusters", "--all", NAMESPACE)
    lab.kube.delete("namespace", NAMESPACE, "default")


def revisions(kube):
    found = kube.get("statefulset", "main-default", NAMESPACE)
    return found["status"]["updateRevision"], found["metadata"]["uid"]


@pytest.mark.timeout(900)
def test_an_upgrade_of_the_chart_rolls_nothing_and_loses_nothing(lab, old, tmp_path):
    kube = lab.kube
    cluster = weir.QueueCluster(lab, NAMESPACE, "main")
    # Brokers of the old release stay what they are: the operator is upgraded first.
    image = f"{lab.image('weir-broker')}:{old}"
    kube.apply(cluster.manifest(image=image, podTemplate={"antiAffinity": "Required"}))
    cluster.await_brokers(3)
    for one in TOPICS:
        kube.apply(cluster.topic(one, partitions=6, replicationFactor=3, config={"retention": "5h"}, deletionPolicy="Delete"))
        kube.await_ready("topic", one, NAMESPACE)
    cluster.await_in_sync("kept")
    uids = {pod["metadata"]["uid"] for pod in cluster.pods().values()}
    revision, before = revisions(kube), fields(kube)
    load = Load(cluster.bootstrap(), "kept", tmp_path)
    producer = load.produce(rate=500)
    producer.wait_for("progress")

    install(lab, weir.CHART, lab.tag)
    assert before <= fields(kube), "the served version only grows"
    for file in sorted((ROOT / "crds").glob("*.yaml")):
        kube.kubectl("wait", "--for=condition=Established", f"crd/{file.stem}.weir.dev", "--timeout=30s")
    cluster.await_ready()
    for one in TOPICS:
        kube.await_ready("topic", one, NAMESPACE)
    # Proof that today's operator is at work: it does what is asked of it.
    kube.patch("topic", "taken", NAMESPACE, {"spec": {"config": {"retention": "6h"}}})
    kube.await_ready("topic", "taken", NAMESPACE)
    # A reconcile of the cluster after the upgrade, brought about by something that rolls nothing.
    kube.patch("queuecluster", "main", NAMESPACE, {"spec": {"config": {"retention": "100h"}}})
    cluster.await_ready()

    assert {pod["metadata"]["uid"] for pod in cluster.pods().values()} == uids, "nothing rolls"
    assert revisions(kube) == revision
    producer.stop()
    sent = producer.result()
    checked = load.consume(members=2, timeout=120).result()
    note(f"chart upgraded under load: {sent['acknowledged']} records, longest pause {sent['pauses']['partitionMs'] / 1000:.2f} s")
    assert sent["failed"] == 0 and checked["good"], checked


@pytest.mark.timeout(600)
def test_resources_of_the_old_release_are_served_as_they_are(lab, old):
    kube = lab.kube
    cluster = weir.QueueCluster(lab, NAMESPACE, "main")
    kube.apply(cluster.topic("waiting", partitions=1))
    kube.await_status("topic", "waiting", NAMESPACE, "False")
    before = kube.get("topic", "waiting", NAMESPACE)
    install(lab, weir.CHART, lab.tag)
    after = await_condition("the Topic again", lambda: kube.get("topic", "waiting", NAMESPACE), 30)
    assert after["spec"] == before["spec"] and after["metadata"]["uid"] == before["metadata"]["uid"]
