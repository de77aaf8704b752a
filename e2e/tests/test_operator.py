"""The operator dies at work, and the work is done."""

import pytest
from conftest import note
from harness import weir
from harness.base import await_condition


def pods(kube):
    found = kube.list("pods", weir.SYSTEM, "app.kubernetes.io/name=weir-operator")
    return [one for one in found if "deletionTimestamp" not in one["metadata"]]


def holder(kube):
    leases = kube.list("leases", weir.SYSTEM)
    return next((one["spec"].get("holderIdentity") for one in leases if one["spec"].get("holderIdentity")), None)


def test_two_replicas_have_one_leader(cluster):
    assert len(pods(cluster.kube)) == 2
    assert holder(cluster.kube)


@pytest.mark.timeout(300)
def test_topics_are_made_though_the_operator_is_killed(cluster, name):
    topics = [cluster.topic(f"{name}-{i}", partitions=2, deletionPolicy="Delete") for i in range(12)]
    before = holder(cluster.kube)
    cluster.kube.apply(topics)
    for pod in pods(cluster.kube):
        cluster.kube.delete("pod", pod["metadata"]["name"], weir.SYSTEM, "--grace-period=0", "--force")
    for one in topics:
        cluster.kube.await_ready("topic", one["metadata"]["name"], cluster.namespace, 120)
    after = await_condition("a leader", lambda: holder(cluster.kube), 60)
    assert after != before
    for one in topics:
        cluster.kube.delete("topic", one["metadata"]["name"], cluster.namespace, "--wait=false")


@pytest.mark.timeout(600)
def test_a_roll_is_finished_by_the_next_leader(cluster, topic, load):
    uids = {pod["metadata"]["uid"] for pod in cluster.pods().values()}
    producer = load.produce(rate=500)
    producer.wait_for("progress")
    cluster.kube.patch("queuecluster", cluster.name, cluster.namespace, {"spec": {"podTemplate": {"annotations": {"roll": load.run_id}}}})
    await_condition("the first broker replaced", lambda: {p["metadata"]["uid"] for p in cluster.pods().values()} != uids, 120)
    for pod in pods(cluster.kube):
        cluster.kube.delete("pod", pod["metadata"]["name"], weir.SYSTEM, "--grace-period=0", "--force")
    await_condition("every broker replaced", lambda: not uids & {p["metadata"]["uid"] for p in cluster.pods().values()}, 300, 1)
    cluster.await_brokers(3)
    producer.stop()
    sent = producer.result()
    checked = load.consume(members=2, timeout=120).result()
    note(f"operator killed while it restarts brokers: longest pause {sent['pauses']['partitionMs'] / 1000:.2f} s")
    assert sent["failed"] == 0 and checked["good"], checked
