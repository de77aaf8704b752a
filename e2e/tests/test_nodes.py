"""Nodes are cordoned, drained and lost. Every acknowledged record is accounted for afterwards."""

import pytest
from conftest import note
from harness.base import await_condition

RATE = 1000
pytestmark = pytest.mark.timeout(900)


def placed(cluster):
    """Broker id → its node, by what is scheduled now."""
    return {broker: pod["spec"].get("nodeName") for broker, pod in cluster.pods().items()}


@pytest.fixture
def schedulable(lab):
    """Opens every node again, whatever happens."""
    yield lab
    for node in lab.kube.list("nodes"):
        if node["spec"].get("unschedulable"):
            lab.kube.kubectl("uncordon", node["metadata"]["name"])


def status(cluster, field):
    return cluster.get()["status"].get(field)


def test_a_cordoned_node_gives_its_leaders_away_and_gets_them_back(schedulable, cluster, topic):
    broker = cluster.busiest(topic)
    node = placed(cluster)[broker]
    cluster.kube.kubectl("cordon", node)
    await_condition(f"no leaders on broker {broker}", lambda: broker not in cluster.leaders(topic), 60, 0.5)
    cluster.kube.kubectl("uncordon", node)
    await_condition("the cordon forgotten", lambda: not status(cluster, "leadersAway"), 60, 0.5)
    cluster.await_in_sync(topic)
    await_condition(f"leaders back on broker {broker}", lambda: broker in cluster.leaders(topic), 420, 1)


def drain(cluster, node):
    """Refused while some pod has no controller, as those have that empty volumes for their provisioner."""
    cluster.kube.kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=240s", timeout=300)
    return True


def test_every_node_is_drained_in_turn_under_load(schedulable, cluster, topic, load):
    with load.produce(rate=RATE) as producer:
        producer.await_more(2 * RATE, 90)
        for broker, node in sorted(placed(cluster).items()):
            uid = cluster.pod(broker)["metadata"]["uid"]
            cluster.kube.kubectl("cordon", node)
            await_condition(f"{node} drained", lambda node=node: drain(cluster, node), 300, 1)
            assert uid not in {pod["metadata"]["uid"] for pod in cluster.pods().values()}
            cluster.kube.kubectl("uncordon", node)
            cluster.await_brokers(3, timeout=300)
            cluster.await_in_sync(topic, timeout=300)
        producer.await_more(RATE)
        account = load.end(producer)
    note(f"every node drained in turn: {account}")
    account.check()


def test_a_lost_node_of_three_is_told_to_have_no_spare(nodes, cluster, topic):
    broker = cluster.busiest(topic)
    node = placed(cluster)[broker]
    patient = cluster.get()["spec"].get("nodes", {}).get("rebuildAfter", "30m")

    def rebuild_after(time):
        cluster.kube.patch("queuecluster", cluster.name, cluster.namespace, {"spec": {"nodes": {"rebuildAfter": time}}})

    rebuild_after("5s")
    nodes.stop_node(node)
    try:
        said = cluster.kube.await_status(
            "queuecluster", cluster.name, cluster.namespace, "True", "NoSpareBroker", "Reconciling", timeout=240)
        assert node in said["message"], said
        assert [one["broker"] for one in status(cluster, "lost")] == [broker]
    finally:
        nodes.start_node(node)
        rebuild_after(patient)
    cluster.await_brokers(3, timeout=300)
    cluster.await_in_sync(topic, timeout=300)
    await_condition("nothing lost any more", lambda: not status(cluster, "lost"), 120, 1)
