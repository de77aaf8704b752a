"""Replicas are moved, leaders elected and folders looked at with Kafka's own tools, on three brokers."""

import json
import os
import re

import pytest
from harness.base import CACHE, Failed, await_condition
from harness.java import tool
from harness.peers import Kafka, Weir

TOOLS = "org.apache.kafka.tools."
RECORDS = 30_000


@pytest.fixture(scope="module")
def three():
    kind = Kafka if os.environ.get("COMPAT_SERVER", "weir") == "kafka" else Weir
    with kind(CACHE / "compat-three", count=3) as cluster:
        yield cluster.bootstrap


@pytest.fixture
def placed(three, topic):
    """A topic of one partition on brokers 0 and 1, led by 0, with records in it."""
    tool(TOOLS + "TopicCommand", "--bootstrap-server", three, "--create", "--topic", topic, "--replica-assignment", "0:1",
         "--config", "min.insync.replicas=1")
    produce(three, topic)
    return topic


def produce(bootstrap, topic):
    tool(TOOLS + "ProducerPerformance", "--topic", topic, "--num-records", RECORDS, "--record-size", 200, "--throughput", -1,
         "--producer-props", f"bootstrap.servers={bootstrap}", "acks=all")


def count(bootstrap, topic):
    """Records that a consumer gets from the beginning on."""
    wanted = sum(int(line.rsplit(":", 1)[1]) for line in
                 tool(TOOLS + "GetOffsetShell", "--bootstrap-server", bootstrap, "--topic", topic).splitlines())
    out = tool(TOOLS + "ConsumerPerformance", "--bootstrap-server", bootstrap, "--topic", topic, "--messages", wanted, "--timeout", 30_000)
    assert re.search(rf", {wanted}, ", out), out
    return wanted


def describe(bootstrap, topic):
    line = next(line for line in tool(TOOLS + "TopicCommand", "--bootstrap-server", bootstrap, "--describe", "--topic", topic).splitlines()
                if "Partition: 0" in line)
    numbers = {key: value.strip() for key, value in re.findall(r"\t(Leader|Replicas|Isr): ([0-9,]*)", line)}
    return int(numbers["Leader"]), [int(b) for b in numbers["Replicas"].split(",")], sorted(int(b) for b in numbers["Isr"].split(","))


def plan(folder, topic, replicas):
    path = folder / "plan.json"
    partitions = [{"topic": topic, "partition": 0, "replicas": replicas}]
    path.write_text(json.dumps({"version": 1, "partitions": partitions}), encoding="utf-8")
    return path


def reassign(bootstrap, *words, check=True):
    return tool(TOOLS + "reassign.ReassignPartitionsCommand", "--bootstrap-server", bootstrap, *words, check=check)


def topic_config(bootstrap, topic):
    return tool("kafka.admin.ConfigCommand", "--bootstrap-server", bootstrap, "--entity-type", "topics", "--entity-name", topic, "--describe")


def held(bootstrap, topic):
    """Bytes of the partition on each broker that has it."""
    out = tool(TOOLS + "LogDirsCommand", "--bootstrap-server", bootstrap, "--describe", "--topic-list", topic)
    answer = json.loads(next(line for line in out.splitlines() if line.startswith("{")))
    found = {}
    for broker in answer["brokers"]:
        for folder in broker["logDirs"]:
            assert folder["error"] is None
            for partition in folder["partitions"]:
                assert partition["partition"] == f"{topic}-0" and not partition["isFuture"]
                found[broker["broker"]] = partition["size"]
    return found


def test_a_partition_is_moved_with_a_throttle_and_verified(three, placed, tmp_path):
    assert set(held(three, placed)) == {0, 1}
    wish = plan(tmp_path, placed, [2, 1])
    out = reassign(three, "--execute", "--reassignment-json-file", wish, "--throttle", 50_000_000)
    assert "Successfully started partition reassignment" in out and "limit was set to" in out
    assert "throttled.replicas" in topic_config(three, placed)
    produce(three, placed)

    def completed():
        return f"Reassignment of partition {placed}-0 is completed." in reassign(three, "--verify", "--reassignment-json-file", wish)

    await_condition("completed reassignment", completed, 120, 1)
    assert describe(three, placed)[1:] == ([2, 1], [1, 2])
    assert "throttled.replicas" not in topic_config(three, placed), "verify takes the throttle away"
    assert count(three, placed) == 2 * RECORDS
    await_condition("folder given up by broker 0", lambda: set(held(three, placed)) == {1, 2}, 60, 1)
    sizes = held(three, placed)
    assert min(sizes.values()) > 2 * RECORDS * 200


def test_a_slow_reassignment_is_listed_and_cancelled(three, placed, tmp_path):
    wish = plan(tmp_path, placed, [2, 1])
    reassign(three, "--execute", "--reassignment-json-file", wish, "--throttle", 100_000)
    assert f"{placed}-0: replicas: 2,1,0. adding: 2. removing: 0." in reassign(three, "--list")
    assert describe(three, placed)[1] == [2, 1, 0]
    assert "is still in progress" in reassign(three, "--verify", "--reassignment-json-file", wish)
    out = reassign(three, "--cancel", "--reassignment-json-file", wish)
    assert "Successfully cancelled partition reassignment" in out
    assert "No partition reassignments found" in reassign(three, "--list")
    assert sorted(describe(three, placed)[1]) == [0, 1]
    assert count(three, placed) == RECORDS


def test_a_bad_plan_is_refused_with_the_reason(three, placed, tmp_path):
    with pytest.raises(Failed, match="(?i)broker|replica"):
        reassign(three, "--execute", "--reassignment-json-file", plan(tmp_path, placed, [0, 7]))
    with pytest.raises(Failed, match="(?i)duplicate|twice"):
        reassign(three, "--execute", "--reassignment-json-file", plan(tmp_path, placed, [0, 0]))
    assert describe(three, placed)[1] == [0, 1]


def test_preferred_leaders_are_elected_and_unclean_ones_refused(three, placed, tmp_path):
    def elect(kind, check=True):
        return tool(TOOLS + "LeaderElectionCommand", "--bootstrap-server", three, "--election-type", kind, "--topic", placed,
                    "--partition", 0, check=check)

    reassign(three, "--execute", "--reassignment-json-file", plan(tmp_path, placed, [1, 0]))
    assert describe(three, placed)[1] == [1, 0]
    # Or the controller was faster: it looks at leaders every now and then.
    assert re.search(r"Successfully completed leader election \(PREFERRED\)|Valid replica already elected", elect("preferred"))
    assert describe(three, placed)[0] == 1
    assert "Valid replica already elected" in elect("preferred")
    out = elect("unclean", check=False)
    assert "Successfully completed" not in out
    assert count(three, placed) == RECORDS


def test_folders_are_described_on_every_broker(three, placed):
    out = tool(TOOLS + "LogDirsCommand", "--bootstrap-server", three, "--describe")
    answer = json.loads(next(line for line in out.splitlines() if line.startswith("{")))
    assert [broker["broker"] for broker in answer["brokers"]] == [0, 1, 2]
    assert min(held(three, placed).values()) > RECORDS * 200
