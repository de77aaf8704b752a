"""Volumes grow while brokers use them, and when they are full. Every acknowledged record is accounted for afterwards."""

import contextlib
import time

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from conftest import note
from harness import weir
from harness.base import await_condition
from harness.java import ClientLoad, Load

NAMESPACE = "volumes"
# The lab's file systems are XFS where ext4 cannot grow, and XFS does not get smaller than 300 MB.
SIZES_MI = (320, 448, 768)
PARTITIONS = 3
VALUE_BYTES = 50_000
RATE = 500
MIB = 1 << 20
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def grown(operator):
    """Three brokers on volumes that can grow."""
    kube = operator.kube
    storage_class = operator.growing_class()
    if storage_class is None:
        pytest.skip("E2E_GROWING_CLASS names no storage class whose volumes grow")
    kube.namespace(NAMESPACE, **{"pod-security.kubernetes.io/enforce": "restricted"})
    one = weir.QueueCluster(operator, NAMESPACE, "grown")
    storage = {"size": f"{SIZES_MI[0]}Mi", "className": storage_class, "whenDeleted": "Delete"}
    kube.apply(one.manifest(storage=storage, podTemplate={"antiAffinity": "Required"}))
    one.await_brokers(3)
    yield one
    kube.delete("namespace", NAMESPACE, "default", "--wait=false")


@pytest.fixture
def written(grown):
    """A topic of small segments with a leader on each broker."""
    def make(name):
        config = {"segmentSize": "4Mi"}
        grown.kube.apply(grown.topic(name, partitions=PARTITIONS, replicationFactor=3, config=config))
        grown.kube.await_ready("topic", name, NAMESPACE)
        grown.await_in_sync(name)
        return name
    return make


def claims(cluster):
    """Broker id → its claim."""
    found = cluster.kube.list("pvc", cluster.namespace, f"weir.dev/cluster={cluster.name}")
    return {int(one["metadata"]["name"].rsplit("-", 1)[1]): one for one in found}


def template_size(cluster):
    found = cluster.kube.get("statefulset", f"{cluster.name}-default", cluster.namespace)
    return found["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"]


def metric(cluster, broker, name):
    """A gauge of a broker, which says what the broker itself sees."""
    pod = cluster.pod(broker)
    port = next(one["containerPort"] for one in pod["spec"]["containers"][0]["ports"] if one["name"] == "health")
    path = f"/api/v1/namespaces/{cluster.namespace}/pods/{pod['metadata']['name']}:{port}/proxy/metrics"
    lines = cluster.kube.kubectl("get", "--raw", path, timeout=30).splitlines()
    return next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + " "))


def free_mib(cluster):
    return {broker: metric(cluster, broker, "weir_folder_free_bytes") / MIB for broker in range(3)}


def file_systems_mib(cluster):
    """Broker id → the size of its file system as its node sees it; nothing where the nodes are not ours."""
    found = {}
    if not cluster.lab.owns_nodes:
        return found
    for broker, claim in claims(cluster).items():
        node, volume = cluster.pod(broker)["spec"]["nodeName"], claim["spec"]["volumeName"]
        said = cluster.lab.on_node(node, f"df --output=size -B {MIB} /var/lib/weir-loop/{volume}/mounted | tail -1")
        found[broker] = int(said)
    return found


def processes(cluster):
    """What changes when a broker is made again or restarted."""
    return {broker: (pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"])
            for broker, pod in cluster.pods().items()}


def grow(cluster, size_mi):
    """Asks for larger volumes, waits until all that is to be larger is, and gives how long that took."""
    start = time.monotonic()
    size = f"{size_mi}Mi"
    before = cluster.kube.get("statefulset", f"{cluster.name}-default", cluster.namespace)["metadata"]["uid"]
    spec = cluster.get()["spec"]["storage"] | {"size": size}
    cluster.kube.patch("queuecluster", cluster.name, cluster.namespace, {"spec": {"storage": spec}})

    def done():
        sizes = [claim["status"]["capacity"]["storage"] for claim in claims(cluster).values()]
        return sizes == [size] * 3 and template_size(cluster) == size

    await_condition(f"claims and their template at {size}", done, 180, 0.5)
    took = time.monotonic() - start
    cluster.await_ready()
    after = cluster.kube.get("statefulset", f"{cluster.name}-default", cluster.namespace)["metadata"]["uid"]
    assert before != after, "a claim template changes only with its StatefulSet"
    return took


def test_volumes_grow_under_load_and_no_broker_restarts(grown, written, tmp_path):
    topic = written("steady")
    load = Load(grown.bootstrap(), topic, tmp_path)
    with load.produce(rate=RATE) as producer:
        producer.await_more(2 * RATE, 90)
        before, free = processes(grown), free_mib(grown)
        old = file_systems_mib(grown)
        took = grow(grown, SIZES_MI[1])
        more = SIZES_MI[1] - SIZES_MI[0]
        await_condition("the room seen by every broker", lambda: all(
            now - free[broker] > more * 0.7 for broker, now in free_mib(grown).items()), 60)
        producer.await_more(RATE, 60)
        assert processes(grown) == before, "no broker restarts for that"
        new = file_systems_mib(grown)
        assert all(new[broker] >= old[broker] + more * 0.9 for broker in old), (old, new)
        account = load.end(producer, timeout=120)
    note(f"three volumes from {SIZES_MI[0]} to {SIZES_MI[1]} MiB under {RATE} records a second: {took:.1f} s, file systems from {old} to {new} MiB; "
         f"{account}")
    account.check()


class Filler:
    """Large records without retries, and which of them were acknowledged where."""

    def __init__(self, bootstrap, topic):
        self.bootstrap, self.topic, self.next = bootstrap, topic, 0
        self.acknowledged, self.errors = {}, []
        self.producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "retries": 0, "linger.ms": 5,
                                  "request.timeout.ms": 5000, "message.timeout.ms": 30_000, "log_level": 0})

    def send(self, count):
        """Sends so many to every partition, and waits for the answers."""
        for _ in range(count * PARTITIONS):
            value = f"{self.next}:".ljust(VALUE_BYTES, "x").encode()
            self.producer.produce(self.topic, value, partition=self.next % PARTITIONS, on_delivery=self.heard)
            self.next += 1
        assert self.producer.flush(60) == 0

    def heard(self, error, message):
        if error is None:
            self.acknowledged[message.partition(), message.offset()] = message.value()
        else:
            self.errors.append(error)

    def fill(self):
        """Writes until every leader refuses everything for want of room; gives the codes of all errors."""
        codes, until = set(), time.monotonic() + 180
        while time.monotonic() < until:
            before, self.errors = len(self.acknowledged), []
            self.send(20)
            last = {error.code() for error in self.errors}
            codes |= last
            if len(self.acknowledged) == before and last == {KafkaError.KAFKA_STORAGE_ERROR}:
                return codes
        raise TimeoutError(f"not full after {len(self.acknowledged)} records; errors so far: {codes}")

    def taken(self):
        """Whether every partition takes a record."""
        before = len(self.acknowledged)
        self.send(1)
        return len(self.acknowledged) == before + PARTITIONS

    def lost(self):
        """Reads all there is; gives what was acknowledged and is not there."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "nobody", "enable.auto.commit": False})
        left = dict(self.acknowledged)
        with contextlib.closing(consumer):
            ends = {}
            for index in range(PARTITIONS):
                _, ends[index] = consumer.get_watermark_offsets(TopicPartition(self.topic, index), timeout=30)
            consumer.assign([TopicPartition(self.topic, index, 0) for index in ends])
            until = time.monotonic() + 180
            while ends and time.monotonic() < until:
                for one in consumer.consume(200, 1):
                    assert one.error() is None, one.error()
                    if left.get((one.partition(), one.offset())) == one.value():
                        del left[one.partition(), one.offset()]
                    if one.offset() + 1 >= ends.get(one.partition(), 0):
                        ends.pop(one.partition(), None)
        assert not ends, f"not read to the end within the time: {ends}"
        return left


@pytest.mark.long
def test_full_volumes_refuse_writes_until_they_grow_also_for_a_broker_restarted_while_full(grown, written):
    topic = written("full")
    steady = written("patient")
    filler = Filler(grown.bootstrap(), topic)
    # A client with its default settings, which waits and tries again.
    patient = ClientLoad("librdkafka", grown.bootstrap(), steady, PARTITIONS, 5)
    await_condition("a steady load", lambda: (patient.last("progress") or {}).get("acknowledged", 0) > 30, 60)
    codes = filler.fill()
    # A follower that is full a moment before its leader lets what the leader took wait in vain.
    assert codes <= {KafkaError.KAFKA_STORAGE_ERROR, KafkaError.REQUEST_TIMED_OUT}, codes
    held = len(filler.acknowledged) * VALUE_BYTES / MIB
    assert held > SIZES_MI[0] / 4, f"refused at {held:.0f} MiB of records, long before the volumes were full"
    await_condition("every broker says that it is full", lambda: all(
        metric(grown, broker, "weir_folder_full") == 1 for broker in range(3)), 30)
    full_since = time.monotonic()

    # One stops and starts with no room.
    victim = grown.busiest(topic)
    uid = grown.pod(victim)["metadata"]["uid"]
    grown.kube.delete("pod", grown.pod(victim)["metadata"]["name"], NAMESPACE)
    await_condition("the broker made again", lambda: victim in grown.pods() and grown.pod(victim)["metadata"]["uid"] != uid, 60)
    start = time.monotonic()
    grown.await_brokers(3, timeout=300)
    restarted = time.monotonic() - start
    assert not filler.taken(), "there is no more room than before"
    # The margin, and the reserve if it was given up (ADR 9).
    assert free_mib(grown)[victim] <= 33

    before = processes(grown)
    start = time.monotonic()
    grow(grown, SIZES_MI[2])
    await_condition("writes taken again", filler.taken, 120)
    resumed = time.monotonic() - start
    assert processes(grown) == before, "no broker restarts for that"
    assert all(metric(grown, broker, "weir_folder_full") == 0 for broker in range(3))
    settled = patient.last("progress")["acknowledged"]
    await_condition("the patient client's writes", lambda: patient.last("progress")["acknowledged"] > settled + 30, 60)
    full_for = time.monotonic() - full_since
    patient.stop()
    sent = patient.result()
    grown.await_in_sync(topic)
    lost = filler.lost()
    note(f"volumes of {SIZES_MI[1]} MiB full at {held:.0f} MiB of records: a broker restarted on its full volume is ready after {restarted:.0f} s; "
         f"grown to {SIZES_MI[2]} MiB, writes go on {resumed:.1f} s after they were asked for; "
         f"{len(filler.acknowledged):,} and {sent['acknowledged']:,} acknowledged, {len(lost)} and {sent['lost']} lost, "
         f"{sent['failed']} failed of the client that waited {full_for:.0f} s")
    assert not lost, f"{len(lost)} lost, the first {min(lost)}"
    assert sent["complete"] and sent["lost"] == 0 and sent["failed"] == 0, sent
