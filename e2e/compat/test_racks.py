"""Consumers read from the in-sync replica in their own rack (KIP-392): three brokers in three racks."""

import os
import re
import signal

import pytest
from confluent_kafka import Consumer, Producer
from harness.base import CACHE, await_condition
from harness.java import tool
from harness.peers import Weir

RECORDS, SIZE = 5_000, 200
LEADER, FOLLOWER = 0, 1
PATIENCE = 60
pytestmark = [pytest.mark.timeout(300), pytest.mark.skipif(os.environ.get("COMPAT_SERVER") == "kafka", reason="Weir's own counters")]


class Racks(Weir):
    def prepare(self):
        super().prepare()
        for index in range(self.count):
            with open(self.folder / str(index) / "broker.yaml", "a", encoding="utf-8") as config:
                config.write(f"rack: rack-{index}\n")

    def counted(self, index, name):
        found = re.search(rf"^{name}_total (\S+)$", self.get(self.health[index], "/metrics"), re.M)
        return float(found.group(1))


@pytest.fixture
def racks():
    with Racks(CACHE / "compat-racks", count=3) as cluster:
        yield cluster


@pytest.fixture
def placed(racks, topic):
    """A topic of one partition on all three brokers, led by the first."""
    tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", racks.bootstrap, "--create", "--topic", topic,
         "--replica-assignment", "0:1:2", "--config", "min.insync.replicas=1")
    produce(racks, topic, 0)
    return topic


def produce(cluster, topic, first):
    failed = []
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "enable.idempotence": True})
    for i in range(first, first + RECORDS):
        producer.produce(topic, value=f"{i:0{SIZE}}", on_delivery=lambda error, _: error and failed.append(error))
    assert producer.flush(PATIENCE) == 0 and not failed


def consumer_in(rack, cluster, group):
    return Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": group, "auto.offset.reset": "earliest", "client.rack": rack})


def read(consumer, numbers):
    """The next records, which must be these and in this order."""
    for number in numbers:
        message = consumer.poll(PATIENCE)
        assert message is not None and message.error() is None, message and message.error()
        assert int(message.value()) == number


def test_librdkafka_reads_from_its_rack_and_goes_to_the_leader_when_that_broker_is_killed(racks, placed, group):
    consumer = consumer_in(f"rack-{FOLLOWER}", racks, group)
    consumer.subscribe([placed])
    try:
        read(consumer, range(RECORDS))
        assert racks.counted(FOLLOWER, "weir_fetched_as_follower_bytes") >= RECORDS * SIZE
        assert racks.counted(LEADER, "weir_fetched_bytes") == 0, "the leader gave records to a consumer of another rack"
        assert racks.counted(LEADER, "weir_preferred_replicas") >= 1
        racks.brokers[FOLLOWER].stop(signal.SIGKILL)
        produce(racks, placed, RECORDS)
        read(consumer, range(RECORDS, 2 * RECORDS))
        assert racks.counted(LEADER, "weir_fetched_bytes") >= RECORDS * SIZE
    finally:
        consumer.close()


def test_a_consumer_at_the_end_gets_new_records_from_its_rack(racks, placed, group):
    consumer = consumer_in(f"rack-{FOLLOWER}", racks, group)
    consumer.subscribe([placed])
    try:
        read(consumer, range(RECORDS))
        produce(racks, placed, RECORDS)
        read(consumer, range(RECORDS, 2 * RECORDS))
        assert racks.counted(FOLLOWER, "weir_fetched_as_follower_bytes") >= 2 * RECORDS * SIZE
        assert racks.counted(LEADER, "weir_fetched_bytes") == 0
    finally:
        consumer.close()


def test_the_java_consumer_reads_from_its_rack(racks, placed, tmp_path):
    config = tmp_path / "consumer.properties"
    config.write_text(f"client.rack=rack-{FOLLOWER}\n", encoding="utf-8")
    out = tool("org.apache.kafka.tools.ConsumerPerformance", "--bootstrap-server", racks.bootstrap, "--topic", placed,
               "--messages", RECORDS, "--timeout", 30_000, "--consumer.config", config)
    assert re.search(rf", {RECORDS}, ", out), out
    assert racks.counted(FOLLOWER, "weir_fetched_as_follower_bytes") >= RECORDS * SIZE
    assert racks.counted(LEADER, "weir_fetched_bytes") == 0


def test_the_selector_can_be_turned_off(racks, placed, group):
    def config(*words):
        return tool("kafka.admin.ConfigCommand", "--bootstrap-server", racks.bootstrap, "--entity-type", "brokers", *words)

    config("--entity-default", "--alter", "--add-config", "replica.selector.class=LeaderSelector")
    await_condition("the setting on the leader", lambda: "replica.selector.class=LeaderSelector" in config(
        "--entity-name", LEADER, "--describe", "--all"), PATIENCE, 1)
    consumer = consumer_in(f"rack-{FOLLOWER}", racks, group)
    consumer.subscribe([placed])
    try:
        read(consumer, range(RECORDS))
        assert racks.counted(LEADER, "weir_fetched_bytes") >= RECORDS * SIZE
        assert racks.counted(FOLLOWER, "weir_fetched_as_follower_bytes") == 0
    finally:
        consumer.close()
