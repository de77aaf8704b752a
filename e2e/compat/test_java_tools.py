"""Kafka's own command-line tools, by their classes."""

import json
import os
import re
import subprocess

import pytest
from harness.base import Failed
from harness.java import command, tool

TOOLS = "org.apache.kafka.tools."


def topics(bootstrap, *words, **options):
    return tool(TOOLS + "TopicCommand", "--bootstrap-server", bootstrap, *words, **options)


def groups(bootstrap, *words):
    return tool(TOOLS + "consumer.group.ConsumerGroupCommand", "--bootstrap-server", bootstrap, *words)


@pytest.fixture
def made(bootstrap, topic):
    topics(bootstrap, "--create", "--topic", topic, "--partitions", 3, "--replication-factor", 1)
    return topic


def perf_produce(bootstrap, topic, records, *words):
    return tool(TOOLS + "ProducerPerformance", "--topic", topic, "--num-records", records, "--record-size", 100, "--throughput", -1,
                "--producer-props", f"bootstrap.servers={bootstrap}", *words)


def offsets(bootstrap, topic, *words):
    out = tool(TOOLS + "GetOffsetShell", "--bootstrap-server", bootstrap, "--topic", topic, *words)
    return {int(line.split(":")[1]): int(line.split(":")[2]) for line in out.splitlines()}


def test_topics_are_created_described_grown_listed_and_deleted(bootstrap, made):
    described = topics(bootstrap, "--describe", "--topic", made)
    assert "PartitionCount: 3" in described and described.count("Leader: 0") == 3
    topics(bootstrap, "--alter", "--topic", made, "--partitions", 5)
    assert "PartitionCount: 5" in topics(bootstrap, "--describe", "--topic", made)
    assert made in topics(bootstrap, "--list").split()
    topics(bootstrap, "--delete", "--topic", made)
    assert made not in topics(bootstrap, "--list").split()


def test_configs_are_set_described_and_removed(bootstrap, made):
    def configs(*words):
        return tool("kafka.admin.ConfigCommand", "--bootstrap-server", bootstrap, "--entity-type", "topics", "--entity-name", made, *words)

    configs("--alter", "--add-config", "retention.ms=98765,max.message.bytes=2000000")
    described = configs("--describe")
    assert "retention.ms=98765" in described and "max.message.bytes=2000000" in described
    configs("--alter", "--delete-config", "retention.ms")
    assert "retention.ms=98765" not in configs("--describe")


def test_one_broker_takes_only_what_may_differ_between_brokers(bootstrap):
    def configs(*words):
        return tool("kafka.admin.ConfigCommand", "--bootstrap-server", bootstrap, "--entity-type", "brokers", *words)

    rate = "leader.replication.throttled.rate"
    configs("--entity-name", 0, "--alter", "--add-config", f"{rate}=12345")
    assert f"{rate}=12345" in configs("--entity-name", 0, "--describe")
    configs("--entity-name", 0, "--alter", "--delete-config", rate)
    assert rate not in configs("--entity-name", 0, "--describe")
    for config in ("log.retention.ms=98765", "num.partitions=3", "min.insync.replicas=2"):
        with pytest.raises(Failed, match="InvalidConfiguration.*not a broker's own"):
            configs("--entity-name", 0, "--alter", "--add-config", config)
    assert "98765" not in configs("--entity-name", 0, "--describe", "--all")
    configs("--entity-default", "--alter", "--add-config", "log.retention.ms=98765")
    assert "log.retention.ms=98765" in configs("--entity-name", 0, "--describe", "--all")
    configs("--entity-default", "--alter", "--delete-config", "log.retention.ms")
    assert "98765" not in configs("--entity-default", "--describe")


def test_names_that_kafka_keeps_or_confuses_are_refused(bootstrap, topic):
    topics(bootstrap, "--create", "--topic", f"{topic}.a_b")
    with pytest.raises(Failed, match="(?i)InvalidTopic.*collide"):
        topics(bootstrap, "--create", "--topic", f"{topic}_a.b")
    if os.environ.get("COMPAT_SERVER", "weir") == "weir":  # Kafka lets its clients make all but the last.
        for name in ("__transaction_state", "__share_group_state", "__consumer_offsets", "__cluster_metadata"):
            with pytest.raises(Failed, match="InvalidTopic.*internal"):
                topics(bootstrap, "--create", "--topic", name)


def test_performance_tools_and_offsets_agree(bootstrap, made):
    out = perf_produce(bootstrap, made, 20_000, "acks=all", "compression.type=lz4")
    assert "20000 records sent" in out
    assert sum(offsets(bootstrap, made).values()) == 20_000
    assert offsets(bootstrap, made, "--time", "earliest") == {0: 0, 1: 0, 2: 0}
    out = tool(TOOLS + "ConsumerPerformance", "--bootstrap-server", bootstrap, "--topic", made, "--messages", 20_000, "--timeout", 30_000)
    assert re.search(r", 20000, ", out)


def test_end_to_end_latency_is_measured(bootstrap, made):
    out = tool(TOOLS + "EndToEndLatency", bootstrap, made, 200, "all", 100)
    assert "99th" in out


def test_groups_are_described_reset_and_deleted(bootstrap, made, group):
    perf_produce(bootstrap, made, 300)
    tool(TOOLS + "ConsumerPerformance", "--bootstrap-server", bootstrap, "--topic", made, "--messages", 300, "--timeout", 30_000, "--group", group)
    assert group in groups(bootstrap, "--list").split()
    rows = [line.split() for line in groups(bootstrap, "--describe", "--group", group).splitlines() if made in line]
    assert sum(int(row[3]) for row in rows) == 300 and all(row[5] == "0" for row in rows)
    groups(bootstrap, "--reset-offsets", "--group", group, "--topic", made, "--to-earliest", "--execute")
    rows = [line.split() for line in groups(bootstrap, "--describe", "--group", group).splitlines() if made in line]
    assert sum(int(row[5]) for row in rows) == 300, "everything is behind again"
    groups(bootstrap, "--delete", "--group", group)
    assert group not in groups(bootstrap, "--list").split()


def test_records_are_deleted(bootstrap, made, tmp_path):
    perf_produce(bootstrap, made, 300)
    before = offsets(bootstrap, made)[0]
    wish = tmp_path / "delete.json"
    wish.write_text(json.dumps({"partitions": [{"topic": made, "partition": 0, "offset": before}], "version": 1}), encoding="utf-8")
    tool(TOOLS + "DeleteRecordsCommand", "--bootstrap-server", bootstrap, "--offset-json-file", wish)
    assert offsets(bootstrap, made, "--time", "earliest")[0] == before


def test_verifiable_producer_and_consumer_agree(bootstrap, made, group):
    out = tool(TOOLS + "VerifiableProducer", "--bootstrap-server", bootstrap, "--topic", made, "--max-messages", 500, "--acks", -1)
    events = [json.loads(line) for line in out.splitlines()]
    assert sum(one["name"] == "producer_send_success" for one in events) == 500
    words = command(TOOLS + "VerifiableConsumer", "--bootstrap-server", bootstrap, "--topic", made, "--group-id", group,
                    "--max-messages", 500, "--reset-policy", "earliest")
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    consumed = sum(one["count"] for one in map(json.loads, done.stdout.splitlines()) if one["name"] == "records_consumed")
    assert consumed == 500, done.stderr


def test_console_tools_carry_lines(bootstrap, made):
    tool(TOOLS + "ConsoleProducer", "--bootstrap-server", bootstrap, "--topic", made, stdin="one\ntwo\nthree\n")
    out = tool(TOOLS + "consumer.ConsoleConsumer", "--bootstrap-server", bootstrap, "--topic", made, "--from-beginning", "--max-messages", 3)
    assert sorted(out.split()) == ["one", "three", "two"]


def test_the_broker_tells_its_versions(bootstrap):
    out = tool(TOOLS + "BrokerApiVersionsCommand", "--bootstrap-server", bootstrap)
    assert re.search(r"Produce\(0\): 0 to 1[0-9] \[usable", out) and re.search(r"Fetch\(1\): 4 to 1[0-9] \[usable", out)
