"""Brokers come and go under load: new ones take their share, those that leave are emptied first. Every
acknowledged record is accounted for afterwards."""

import time

import pytest
from conftest import note
from harness import weir
from harness.base import await_condition
from harness.java import Load
from test_command_line import weir_json

RATE = 1000
PARTITIONS = 12
NAMESPACE = "scaling"
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def wide(operator):
    """Three brokers that may share a node, so that fewer nodes than brokers can carry five."""
    operator.kube.namespace(NAMESPACE, **{"pod-security.kubernetes.io/enforce": "restricted"})
    one = weir.QueueCluster(operator, NAMESPACE, "wide")
    storage = {"size": "2Gi", "whenDeleted": "Delete", "whenScaled": "Delete"}
    operator.kube.apply(one.manifest(storage=storage, podTemplate={"antiAffinity": "Preferred"}))
    one.await_brokers(3)
    operator.kube.apply(one.topic("scaled", partitions=PARTITIONS, replicationFactor=3))
    operator.kube.await_ready("topic", "scaled", NAMESPACE)
    one.await_in_sync("scaled")
    yield one
    operator.kube.delete("namespace", NAMESPACE, "default", "--wait=false")


@pytest.fixture(scope="module")
def written(wide, tmp_path_factory):
    """A load that runs through all of it."""
    load = Load(wide.bootstrap(), "scaled", tmp_path_factory.mktemp("scaling"))
    with load.produce(rate=RATE) as producer:
        producer.await_more(2 * RATE)
        yield load, producer


def claims(cluster):
    found = cluster.kube.list("pvc", cluster.namespace, f"weir.dev/cluster={cluster.name}")
    return sorted(int(one["metadata"]["name"].rsplit("-", 1)[1]) for one in found)


def racks(cluster):
    return {one["id"]: one["rack"] for one in cluster.get()["status"]["brokers"]}


def voters(cluster):
    return {one["id"] for one in weir_json(cluster, "status")["brokers"] if one["voter"]}


def test_two_new_brokers_take_their_share(wide, written):
    _, producer = written
    before = {broker: pod["metadata"]["uid"] for broker, pod in wide.pods().items()}
    start = time.monotonic()
    wide.change(replicas=5)
    wide.await_brokers(5, timeout=300)
    await_condition("replicas on every broker", lambda: set(wide.held("scaled")) == {0, 1, 2, 3, 4}, 300, 1)
    wide.await_settled(600)
    wide.await_in_sync("scaled")
    shares = wide.held("scaled")
    note(f"3 to 5 brokers under {RATE} records a second: {time.monotonic() - start:.0f} s until all is spread, replicas {shares}")
    assert min(shares.values()) >= PARTITIONS * 3 // 5 - 3, shares
    assert {broker: pod["metadata"]["uid"] for broker, pod in wide.pods().items() if broker < 3} == before, "none restarted"
    await_condition("all five decide the metadata", lambda: voters(wide) == {0, 1, 2, 3, 4}, 60, 1)
    zones = racks(wide)
    for one in wide.partitions("scaled"):
        found = {zones[broker] for broker in one["replicas"]}
        assert len(found) == min(3, len(set(zones.values()))), f"partition {one['partition']} is in {found} of {zones}"
    producer.await_more(RATE)


def test_brokers_of_one_rack_restart_together_and_nobody_elses(wide, written):
    """Five brokers in fewer zones than that: some zone has two."""
    _, producer = written
    zones = racks(wide)
    assert len(set(zones.values())) < 5, zones
    before = {pod["metadata"]["uid"] for pod in wide.pods().values()}
    start = time.monotonic()
    wide.change(roll={"atOnce": "Rack"}, podTemplate={"antiAffinity": "Preferred", "annotations": {"roll": "together"}})
    together, away = set(), set()

    def replaced():
        turn = wide.get()["status"].get("roll") or {}
        if turn.get("others"):
            together.add(frozenset([turn["broker"], *(one["broker"] for one in turn["others"])]))
        pods = wide.pods()
        gone = frozenset(broker for broker in zones if broker not in pods or not wide.kube.pod_ready(pods[broker]))
        away.add(gone)
        return not before & {pod["metadata"]["uid"] for pod in pods.values()}

    await_condition("every broker replaced", replaced, 400, 0.2)
    took = time.monotonic() - start
    wide.await_brokers(5, timeout=120)
    wide.change(roll={"atOnce": "Broker"})
    assert all(len({zones[broker] for broker in gone}) <= 1 for gone in away | together), (away, zones)
    assert together, f"nobody restarted beside another: {away}, {zones}"
    wide.await_settled(300)
    wide.await_in_sync("scaled")
    producer.await_more(RATE)
    note(f"five brokers restarted rack by rack under load in {took:.0f} s, together: {sorted(map(sorted, together))}")


def test_two_brokers_are_emptied_and_go_with_their_volumes(wide, written):
    load, producer = written
    start = time.monotonic()
    wide.change(replicas=3)
    seen = set()

    def gone():
        scaling = wide.get()["status"].get("scaling")
        if scaling:
            seen.add((scaling["broker"], scaling["phase"]))
        return set(wide.pods()) == {0, 1, 2} and not scaling and claims(wide) == [0, 1, 2]

    await_condition("two brokers gone", gone, 600, 0.5)
    wide.await_settled(300)
    wide.await_in_sync("scaled")
    # A phase may be over between two looks; which broker went first is always seen.
    assert {broker for broker, _ in seen} == {3, 4}, seen
    assert set(wide.held("scaled")) == {0, 1, 2}
    await_condition("those who are left decide the metadata", lambda: voters(wide) == {0, 1, 2}, 60, 1)
    producer.await_more(RATE)
    account = load.end(producer, timeout=240)
    note(f"5 to 3 brokers with drain: {time.monotonic() - start:.0f} s; over both: {account}")
    account.check()


def test_fewer_brokers_than_replicas_are_refused(wide):
    before = {broker: pod["metadata"]["uid"] for broker, pod in wide.pods().items()}
    # Above what the resource's own settings ask for, so that only the topics stand in the way.
    wide.change(replicas=2, config={"defaultReplicationFactor": 2, "minInsyncReplicas": 1})
    said = wide.kube.await_status("queuecluster", wide.name, wide.namespace, "True", "ReplicationFactor", "Reconciling")
    assert "scaled (3 replicas)" in said["message"], said
    assert {broker: pod["metadata"]["uid"] for broker, pod in wide.pods().items()} == before
    wide.change(replicas=3, config={"defaultReplicationFactor": 3, "minInsyncReplicas": 2})
    wide.await_settled(120)
