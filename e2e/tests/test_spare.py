"""Four brokers on four nodes, so that there is somewhere to go: a node is lost and its replicas are made again
elsewhere; a broker leaves and the operator dies on the way. Every acknowledged record is accounted for afterwards."""

import threading
import time

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from conftest import note
from harness import weir
from harness.base import await_condition
from harness.java import Load

NAMESPACE = "spare"
# Seconds between two looks at what a topic's brokers hold: each starts a Java program.
LOOK = 2
TOPIC = "spread"
RATE = 1000
PARTITIONS = 12
# A client that asks anew who leads when an address has not answered for so long: Java's own patience, 10 s that double to 30 s,
# is for a node that was there a moment ago longer than the brokers need.
IMPATIENT = ["socket.connection.setup.timeout.ms=1000", "socket.connection.setup.timeout.max.ms=2000"]
pytestmark = [pytest.mark.timeout(900), pytest.mark.long]


@pytest.fixture(scope="module")
def four(operator):
    operator.kube.namespace(NAMESPACE, **{"pod-security.kubernetes.io/enforce": "restricted"})
    one = weir.QueueCluster(operator, NAMESPACE, "four")
    storage = {"size": "2Gi", "whenDeleted": "Delete", "whenScaled": "Delete"}
    affinity = "Required" if operator.owns_nodes else "Preferred"
    operator.kube.apply(one.manifest(replicas=4, storage=storage, podTemplate={"antiAffinity": affinity}))
    one.await_brokers(4)
    operator.kube.apply(one.topic(TOPIC, partitions=PARTITIONS, replicationFactor=3))
    operator.kube.await_ready("topic", TOPIC, NAMESPACE)
    one.await_in_sync(TOPIC)
    yield one
    operator.kube.delete("namespace", NAMESPACE, "default", "--wait=false")


class Moves:
    """How many partitions have more replicas than they are to have, looked at ten times a second: one request on an open
    connection each, no process. To be made while every broker is there; it knows them all from then on."""

    def __init__(self, cluster):
        self.most, self.over = 0, threading.Event()
        # A node that stops closes no connection: what is asked of it has to be given up before the moves begin.
        self.admin = AdminClient({"bootstrap.servers": cluster.bootstrap(), "socket.timeout.ms": 5000, "log_level": 0})
        self.admin.list_topics(TOPIC, timeout=30)
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(30)

    def watch(self):
        while not self.over.wait(0.1):
            try:
                found = self.admin.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions.values()
            except KafkaException:
                continue
            self.most = max(self.most, sum(len(one.replicas) > 3 for one in found))


@pytest.fixture
def under_load(four, tmp_path):
    """Runs something while two producers write, one with its default settings, and checks what came of the records."""
    def run(what, work):
        # What a test before this one has left must not be under way still.
        four.await_brokers(4, timeout=300)
        four.await_settled(300)
        load, other = (Load(four.bootstrap(), TOPIC, tmp_path) for _ in range(2))
        with load.produce(rate=RATE) as producer, other.produce(rate=RATE // 4, set=IMPATIENT) as impatient:
            producer.await_more(2 * RATE, 90)
            done = work()
            producer.await_more(RATE)
            account, second = load.end(producer), other.end(impatient)
        note(f"{what}: {done}; {account}{begun(account)}; a client that waits for a connection 2 s at most: {second}{begun(second)}")
        account.check()
        second.check()
        # A new controller is there after 3 s, and misses who is silent after 6 s; what the first client waits for is its own affair.
        assert second.pause_s < 20, second
    return run


def begun(account):
    """When the longest pause began, to be found in logs."""
    longest = max(account.sent["pauses"]["noted"], key=lambda one: one["toMs"] - one["fromMs"], default=None)
    return f", since Unix time {longest['fromMs'] / 1000:.1f}" if longest else ""


def test_what_a_lost_node_held_is_made_again_elsewhere_a_few_at_once(nodes, four, under_load):
    limit = 2
    four.change(nodes={"rebuildAfter": "5s"}, moves={"partitionsAtOnce": limit})
    broker = four.busiest(TOPIC)
    node = four.pod(broker)["spec"]["nodeName"]
    held = four.held(TOPIC)[broker]

    def lost_and_back():
        moves = Moves(four)
        start, at = time.monotonic(), time.time()
        nodes.stop_node(node)
        try:
            with moves:
                said = four.kube.await_status("queuecluster", four.name, NAMESPACE, "True", "Rebuilding", "Reconciling", timeout=240)
                assert node in said["message"], said
                told = time.monotonic() - start
                await_condition(f"nothing left on broker {broker}", lambda: broker not in four.held(TOPIC), 240, LOOK)
                four.await_in_sync(TOPIC)
                rebuilt = time.monotonic() - start
            assert [one["broker"] for one in four.get()["status"]["lost"]] == [broker]
            assert 1 <= moves.most <= limit, f"{moves.most} partitions at once"
        finally:
            nodes.start_node(node)
        four.await_brokers(4, timeout=300)
        await_condition("nothing lost any more", lambda: not four.get()["status"].get("lost"), 120, 1)
        # What comes back is empty, and takes its share again.
        await_condition("replicas on it again", lambda: four.held(TOPIC).get(broker, 0) >= held - 2, 300, LOOK)
        four.await_settled(300)
        four.await_in_sync(TOPIC)
        return (f"the node went at Unix time {at:.1f}, {held} replicas, begun {told:.0f} s later, whole {rebuilt - told:.0f} s later, {moves.most} at once at most, "
                f"back with {four.held(TOPIC)[broker]} replicas {time.monotonic() - start - rebuilt:.0f} s after its start")

    under_load("a lost node with a spare broker", lost_and_back)


def test_a_drain_is_finished_by_the_next_leader(four, under_load):
    # One after the other, so that there is a middle.
    four.change(moves={"partitionsAtOnce": 1})

    def leave():
        four.change(replicas=3)
        await_condition("some replicas moved and some not", lambda: half_way(four), 120, 0.5)
        before = weir.kill_leader(four.lab)
        killed = time.monotonic()
        # Nobody writes it now.
        turn = half_way(four)
        assert turn, "the drain was over before its operator was killed"
        after = await_condition("another leader", lambda: other_leader(four.kube, before), 90, 0.5)
        taken = time.monotonic() - killed
        await_condition("the broker gone", lambda: set(four.pods()) == {0, 1, 2} and not four.get()["status"].get("scaling"), 300, 1)
        four.await_settled(300)
        four.await_in_sync(TOPIC)
        assert set(four.held(TOPIC)) == {0, 1, 2}
        assert after != before
        progress = turn["progress"]
        return (f"killed at {progress['partitionsDone']} of {progress['partitionsTotal']} partitions, another leads after {taken:.0f} s, "
                f"the broker is gone after {time.monotonic() - killed:.0f} s")

    under_load("the operator's leader killed while it drains a broker", leave)


def other_leader(kube, before):
    found = weir.leader(kube)
    return found if found != before else None


def half_way(cluster):
    """The turn of a broker that has given some of its replicas away, and not all."""
    turn = cluster.get()["status"].get("scaling")
    if turn and turn["phase"] == "Draining" and 0 < turn["progress"]["partitionsDone"] < turn["progress"]["partitionsTotal"]:
        return turn
    return None
