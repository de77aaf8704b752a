"""Five brokers on four nodes: moves at a limited rate, and two brokers that are lost at one blow. Every acknowledged record is
accounted for afterwards."""

import time

import pytest
from conftest import note
from harness import weir
from harness.base import await_condition
from harness.java import Load

NAMESPACE = "crowded"
TOPIC = "crowd"
PARTITIONS = 12
RATE = 500
MIB = 1024 * 1024
# Bytes a second and the records that are there before something moves.
MOVE_RATE = MIB
RECORDS, SIZE = 60_000, 1000
pytestmark = [pytest.mark.timeout(900), pytest.mark.long]


@pytest.fixture(scope="module")
def crowded(operator):
    operator.kube.namespace(NAMESPACE, **{"pod-security.kubernetes.io/enforce": "restricted"})
    one = weir.QueueCluster(operator, NAMESPACE, "crowded")
    storage = {"size": "2Gi", "whenDeleted": "Delete", "whenScaled": "Delete"}
    operator.kube.apply(one.manifest(replicas=4, storage=storage, podTemplate={"antiAffinity": "Preferred"}))
    one.await_brokers(4)
    operator.kube.apply(one.topic(TOPIC, partitions=PARTITIONS, replicationFactor=3))
    operator.kube.await_ready("topic", TOPIC, NAMESPACE)
    one.await_in_sync(TOPIC)
    yield one
    operator.kube.delete("namespace", NAMESPACE, "default", "--wait=false")


def test_a_new_broker_is_filled_no_faster_than_the_move_rate(crowded, tmp_path):
    load = Load(crowded.bootstrap(), TOPIC, tmp_path)
    with load.produce(records=RECORDS, size=SIZE, rate=10_000) as producer:
        assert producer.result()["failed"] == 0
    before = {broker: pod["metadata"]["uid"] for broker, pod in crowded.pods().items()}
    crowded.change(config={"moveRate": f"{MOVE_RATE // 1024}Ki"})
    crowded.await_settled(120)
    again = Load(crowded.bootstrap(), TOPIC, tmp_path)
    with again.produce(rate=RATE) as producer:
        producer.await_more(RATE)
        crowded.change(replicas=5)
        crowded.await_brokers(5, timeout=300)
        await_condition("replicas on the fifth", lambda: 4 in crowded.held(TOPIC), 120, 0.5)
        start = time.monotonic()
        crowded.await_settled(600)
        crowded.await_in_sync(TOPIC)
        took = time.monotonic() - start
        producer.await_more(RATE)
        account = again.end(producer)
    crowded.change(config={"moveRate": None})
    given = crowded.held(TOPIC)[4]
    # What each of its partitions had before; the first fetches may be under way when the clock starts.
    moved = given * RECORDS * SIZE / PARTITIONS
    note(f"4 to 5 brokers with moveRate {MOVE_RATE / MIB:.0f} MiB/s: {given} replicas, {moved / MIB:.0f} MiB at least in {took:.0f} s; {account}")
    account.check()
    assert moved / took < 1.5 * MOVE_RATE, f"{moved / took / MIB:.1f} MiB/s"
    assert {broker: pod["metadata"]["uid"] for broker, pod in crowded.pods().items() if broker in before} == before, "none restarted"


def together(cluster):
    """A node that has two brokers, and these."""
    placed = {}
    for broker, pod in cluster.pods().items():
        placed.setdefault(pod["spec"]["nodeName"], []).append(broker)
    return max(placed.items(), key=lambda one: len(one[1]))


def test_two_brokers_that_are_lost_together_are_made_again_elsewhere(nodes, crowded, tmp_path):
    crowded.change(nodes={"rebuildAfter": "5s"})
    crowded.await_settled(300)
    node, pair = together(crowded)
    assert len(pair) == 2, (node, pair)
    held = sum(crowded.held(TOPIC)[broker] for broker in pair)
    load = Load(crowded.bootstrap(), TOPIC, tmp_path)
    with load.produce(rate=RATE) as producer:
        producer.await_more(2 * RATE)
        start = time.monotonic()
        nodes.stop_node(node)
        try:
            await_condition("both told to be lost", lambda: lost(crowded) == set(pair), 240, 1)
            await_condition("nothing left on either", lambda: not set(pair) & set(crowded.held(TOPIC)), 300, 2)
            crowded.await_in_sync(TOPIC)
            rebuilt = time.monotonic() - start
        finally:
            nodes.start_node(node)
        crowded.await_brokers(5, timeout=300)
        await_condition("nothing lost any more", lambda: not lost(crowded), 120, 1)
        await_condition("replicas on both again", lambda: set(pair) <= set(crowded.held(TOPIC)), 300, 2)
        crowded.await_settled(600)
        crowded.await_in_sync(TOPIC)
        producer.await_more(RATE)
        account = load.end(producer)
    note(f"a node with brokers {pair} lost: {held} replicas whole elsewhere {rebuilt:.0f} s later, back with {crowded.held(TOPIC)}; {account}")
    account.check()


def lost(cluster):
    return {one["broker"] for one in cluster.get()["status"].get("lost", [])}
