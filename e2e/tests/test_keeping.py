"""Volumes outlive what used them: a cluster that is made again finds its own, and a broker that comes back its folder."""

import pytest
from conftest import note
from harness import weir
from harness.base import await_condition
from harness.java import Load

NAMESPACE = "keeping"
TOPIC = "kept"
RECORDS = 20_000
pytestmark = [pytest.mark.timeout(600), pytest.mark.long]


@pytest.fixture(scope="module")
def keeping(operator):
    operator.kube.namespace(NAMESPACE, **{"pod-security.kubernetes.io/enforce": "restricted"})
    one = weir.QueueCluster(operator, NAMESPACE, "keeping")
    make(one)
    operator.kube.apply(one.topic(TOPIC, partitions=6, replicationFactor=3))
    operator.kube.await_ready("topic", TOPIC, NAMESPACE)
    one.await_in_sync(TOPIC)
    yield one
    operator.kube.delete("namespace", NAMESPACE, "default", "--wait=false")


def make(one, replicas=3):
    """With the defaults of storage: claims stay, whatever goes."""
    one.kube.apply(one.manifest(replicas=replicas, storage={"size": "1Gi"}, podTemplate={"antiAffinity": "Preferred"}))
    one.await_brokers(replicas, timeout=300)


def claims(one):
    """Broker id → the uid of its claim."""
    found = one.kube.list("pvc", one.namespace, f"weir.dev/cluster={one.name}")
    return {int(claim["metadata"]["name"].rsplit("-", 1)[1]): claim["metadata"]["uid"] for claim in found}


def test_a_broker_that_comes_back_takes_its_old_volume(keeping, tmp_path):
    load = Load(keeping.bootstrap(), TOPIC, tmp_path)
    with load.produce(rate=500) as producer:
        producer.await_more(1000)
        keeping.change(replicas=4)
        keeping.await_brokers(4, timeout=300)
        await_condition("replicas on the fourth", lambda: 3 in keeping.held(TOPIC), 120, 1)
        keeping.await_settled(300)
        before = claims(keeping)
        keeping.change(replicas=3)
        await_condition("the fourth gone", lambda: set(keeping.pods()) == {0, 1, 2} and not keeping.get()["status"].get("scaling"), 300, 0.5)
        assert claims(keeping) == before, "its claim is kept"
        producer.await_more(1000)
        keeping.change(replicas=4)
        keeping.await_brokers(4, timeout=300)
        await_condition("replicas on the fourth again", lambda: 3 in keeping.held(TOPIC), 120, 1)
        keeping.await_settled(300)
        keeping.await_in_sync(TOPIC)
        assert claims(keeping) == before, "and taken again"
        producer.await_more(1000)
        account = load.end(producer)
    note(f"3 to 4 to 3 to 4 brokers with claims that are kept: {account}")
    account.check()


def unmake(one):
    """Deletes the resource; its claims are all that is left."""
    before, identity = claims(one), one.get()["status"]["clusterId"]
    one.kube.delete("queuecluster", one.name, NAMESPACE)
    await_condition("no broker left", lambda: not one.pods(), 180, 0.5)
    assert claims(one) == before
    one.kube.await_status("topic", TOPIC, NAMESPACE, "False", "ClusterNotFound")
    return before, identity


@pytest.fixture
def kept(keeping, tmp_path):
    """Writes records, and gives what looks for them afterwards and writes some more."""
    load = Load(keeping.bootstrap(), TOPIC, tmp_path)
    with load.produce(records=RECORDS, rate=5_000) as producer:
        assert producer.result()["failed"] == 0

    def check(what):
        # The port outside may be another one.
        load.bootstrap = keeping.bootstrap()
        with load.consume(timeout=180) as consumers:
            found = consumers.result()
        note(f"{what}: {RECORDS:,} acknowledged before, {found['lost']} lost")
        assert found["good"] and found["lost"] == 0, found
        again = Load(keeping.bootstrap(), TOPIC, tmp_path)
        with again.produce(records=1_000, rate=1_000) as producer:
            assert producer.result()["failed"] == 0
    return check


def test_a_cluster_that_is_made_again_goes_on_with_its_volumes(keeping, kept):
    before, identity = unmake(keeping)
    make(keeping, replicas=4)
    assert keeping.get()["status"]["clusterId"] == identity
    assert claims(keeping) == before
    keeping.kube.await_ready("topic", TOPIC, NAMESPACE)
    kept("a cluster deleted and made again on the volumes that were kept")


def test_a_cluster_that_is_made_again_smaller_moves_what_the_others_had(keeping, kept):
    assert 3 in keeping.held(TOPIC)
    before, identity = unmake(keeping)
    make(keeping, replicas=3)
    assert keeping.get()["status"]["clusterId"] == identity
    await_condition("replicas on three alone", lambda: set(keeping.held(TOPIC)) == {0, 1, 2}, 300, 1)
    keeping.await_settled(300)
    keeping.await_in_sync(TOPIC)
    assert claims(keeping) == before, "what nobody uses any more is kept too"
    keeping.kube.await_ready("topic", TOPIC, NAMESPACE)
    kept("a cluster of four deleted and made again with three")
