"""Consumers that die at the wrong moment, and groups that share."""

import collections

import pytest
from harness.base import await_condition
from harness.java import java_load

RECORDS = 20_000
PATIENCE = ("--set", "session.timeout.ms=6000", "--set", "heartbeat.interval.ms=1000")


@pytest.fixture
def members(cluster, load, tmp_path):
    """Starts members of one group; each has a journal of what it processed. All are ended."""
    started = []

    def start(name, *words):
        journal = tmp_path / f"{name}.journal"
        one = java_load("member", "--bootstrap", load.bootstrap, "--topic", load.topic, "--group", f"g-{load.run_id}",
                          "--journal", journal, *PATIENCE, *words)
        one.journal = journal
        started.append(one)
        return one

    yield start
    for one in started:
        one.kill()
        one.process.wait()


def processed(member):
    """(partition, offset) of everything that a member wrote into its journal."""
    if not member.journal.exists():
        return []
    lines = member.journal.read_text(encoding="ascii").splitlines()
    return [tuple(map(int, line.split()[:2])) for line in lines if len(line.split()) == 4]


def share(member):
    """The partitions that a member has now, by what it said."""
    have = set()
    for event in list(member.events):
        if event["event"] == "assigned":
            have |= set(event["partitions"])
        elif event["event"] in ("revoked", "lost"):
            have -= set(event["partitions"])
    return have


@pytest.mark.timeout(300)
def test_what_was_processed_but_not_committed_is_delivered_again_and_nothing_is_left_out(load, members):
    assert load.produce(records=RECORDS, rate=20_000).result()["acknowledged"] == RECORDS
    first = members("first", "--halt-after", "5000")
    assert first.process.wait(90) == 137
    (halted,) = first.of_kind("halting")
    second = members("second")
    everything = await_condition("every record processed", lambda: len(set(processed(first)) | set(processed(second))) == RECORDS, 120)
    assert everything
    again = set(processed(first)) & set(processed(second))
    assert len(again) == halted["uncommitted"], "exactly what was processed and not committed came again"
    counted = collections.Counter(processed(second))
    assert max(counted.values()) == 1, "and what was committed came once"
    second.stop()
    second.result()


@pytest.mark.timeout(300)
def test_of_four_members_on_three_partitions_one_waits_and_takes_over_from_a_dead_one(cluster, name, tmp_path, members, load):
    three = f"{name}-three"
    cluster.kube.apply(cluster.topic(three, partitions=3, replicationFactor=3, deletionPolicy="Delete"))
    cluster.kube.await_ready("topic", three, cluster.namespace)
    load.topic = three
    producer = load.produce(rate=500)
    four = [members(f"m{i}") for i in range(4)]

    def settled(alive):
        shares = [share(one) for one in alive]
        return sorted(p for one in shares for p in one) == [0, 1, 2] and shares

    shares = await_condition("three partitions shared by four", lambda: settled(four), 90)
    assert sorted(map(len, shares)) == [0, 1, 1, 1]
    victim = next(one for one in four if share(one))
    (orphan,) = share(victim)
    victim.kill()
    victim.process.wait()
    alive = [one for one in four if one is not victim]
    await_condition("the dead member's share taken over", lambda: settled(alive), 90)
    heir = next(one for one in alive if orphan in share(one))
    before = len(processed(heir))
    await_condition("the heir at work", lambda: any(p == orphan for p, _ in processed(heir)[before:]), 60)
    producer.stop()
    sent = producer.result()
    assert sent["failed"] == 0

    def all_processed():
        return len({place for one in four for place in processed(one)}) >= sent["acknowledged"]

    await_condition("every acknowledged record processed", all_processed, 90)
    assert load.consume(timeout=60).result()["good"]
    cluster.kube.delete("topic", three, cluster.namespace, "--wait=false")
