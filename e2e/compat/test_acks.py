"""Producers without acknowledgements: who writes to the wrong place is told by the end of the connection, and no other way."""

import os
import struct
import subprocess

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from conftest import kcat
from harness.base import CACHE, await_condition
from harness.java import command, tool
from harness.peers import Kafka, Weir
from test_bad_input import METADATA, Line, batch, produce_request, request
from test_reassignment import TOOLS, plan, reassign


@pytest.fixture(scope="module")
def three():
    kind = Kafka if os.environ.get("COMPAT_SERVER", "weir") == "kafka" else Weir
    with kind(CACHE / "compat-acks", count=3) as cluster:
        yield cluster


@pytest.fixture
def placed(three, topic):
    """A topic of one partition on brokers 0 and 1, led by 0."""
    tool(TOOLS + "TopicCommand", "--bootstrap-server", three.bootstrap, "--create", "--topic", topic, "--replica-assignment", "0:1",
         "--config", "min.insync.replicas=1")
    await_condition("a leader", lambda: leader(three, topic) == 0, 30)
    return topic


def leader(three, topic):
    return AdminClient({"bootstrap.servers": three.bootstrap}).list_topics(topic, timeout=30).topics[topic].partitions[0].leader


def values(three, topic):
    return kcat(three.bootstrap, "-C", "-t", topic, "-e", "-q", "-o", "beginning").splitlines()


def is_alive(line):
    """Whether the broker still answers; what was sent before is done by then."""
    try:
        line.socket.sendall(request(METADATA, 1, struct.pack(">i", 0)))
    except OSError:
        return False
    return line.answer() is not None


def write(three, broker, topic, records):
    """Writes without acks and gives whether the connection lives on."""
    with Line(three.ports[broker]) as line:
        line.socket.sendall(produce_request(topic, records, acks=0))
        return is_alive(line)


def test_a_good_write_is_not_answered_and_a_refused_one_ends_its_connection(three, placed):
    assert write(three, 0, placed, batch(values=(b"good",)))
    await_condition("the write", lambda: values(three, placed) == ["good"], 30)
    assert not write(three, 1, placed, batch(values=(b"to a follower",)))
    assert not write(three, 2, placed, batch(values=(b"to no replica",)))
    assert not write(three, 0, placed, batch(crc_off=1))
    assert not write(three, 0, placed, batch(values=(b"x" * 2_000_000,)))
    assert not write(three, 0, "no-such-topic", batch())
    assert values(three, placed) == ["good"]


def test_a_deleted_topic_ends_the_connection_of_its_writer(three, placed):
    with Line(three.ports[0]) as line:
        line.socket.sendall(produce_request(placed, batch(), acks=0))
        assert is_alive(line)
        admin = AdminClient({"bootstrap.servers": three.bootstrap})
        admin.delete_topics([placed])[placed].result(30)

        def ended():
            try:
                line.socket.sendall(produce_request(placed, batch(), acks=0))
            except OSError:
                return True
            return not is_alive(line)

        await_condition("the end of the connection", ended, 30)


def test_a_client_finds_the_new_leader_although_nothing_is_acknowledged(three, placed, tmp_path):
    """Kafka's own client, which looks for leaders anew after an hour, or when a connection ends."""
    consumer = Consumer({"bootstrap.servers": three.bootstrap, "group.id": placed})
    with (tmp_path / "producer.log").open("w", encoding="utf-8") as log:
        producer = subprocess.Popen(command(
            TOOLS + "ProducerPerformance", "--topic", placed, "--num-records", 1_000_000, "--record-size", 100, "--throughput", 100,
            "--producer-props", f"bootstrap.servers={three.bootstrap}", "acks=0", "metadata.max.age.ms=3600000"), stdout=log, stderr=log)
    try:
        await_condition("the first records", lambda: end(consumer, placed) > 100, 60)
        reassign(three.bootstrap, "--execute", "--reassignment-json-file", plan(tmp_path, placed, [1, 2]))
        await_condition("another leader", lambda: leader(three, placed) == 1, 60)
        before = await_condition("its end", lambda: max(0, end(consumer, placed)), 30)
        await_condition("records at the new leader", lambda: end(consumer, placed) > before + 200, 60)
    finally:
        producer.kill()
        producer.wait()
        consumer.close()


def end(consumer, topic):
    try:
        return consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)[1]
    except KafkaException:
        return -1  # between two leaders
