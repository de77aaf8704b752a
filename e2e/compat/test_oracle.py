"""The judge is judged: brokers are told to acknowledge before anything is replicated or synced, which
only builds for tests can, and the check that all other suites rely on has to see what they lose."""

import signal

from harness.base import CACHE, await_condition
from harness.java import Load, topic_admin
from harness.peers import Weir

PARTITIONS = 3
RATE = 2000


def leader_dies_while_nobody_follows(folder):
    """Followers are stopped for a moment, the leader is killed, followers go on; what a reader finds then."""
    with Weir(folder, 3) as cluster:
        topic_admin(cluster.bootstrap, "create", "judged", "min.insync.replicas=2", partitions=PARTITIONS, replicas=3)
        load = Load(cluster.bootstrap, "judged", folder)
        producer = load.produce(rate=RATE)
        await_condition("a steady load", lambda: (producer.last("progress") or {}).get("acknowledged", 0) > 2 * RATE, 60)
        led = topic_admin(cluster.bootstrap, "describe", "judged")["partitions"]
        leader = led[0]["leader"]
        others = [i for i in range(3) if i != leader]
        for one in others:
            cluster.brokers[one].process.send_signal(signal.SIGSTOP)
        sent = producer.last("progress")["sent"]
        await_condition("more records sent", lambda: producer.last("progress")["sent"] > sent + RATE, 30)
        cluster.brokers[leader].process.send_signal(signal.SIGKILL)
        for one in others:
            cluster.brokers[one].process.send_signal(signal.SIGCONT)
        settled = producer.last("progress")["acknowledged"]
        await_condition("writes to the new leaders", lambda: producer.last("progress")["acknowledged"] > settled + RATE, 120)
        cluster.brokers[leader].stop()
        cluster.brokers[leader] = cluster.start(leader)
        producer.stop()
        producer.result()
        return load.consume(timeout=120).result()


def test_a_planted_loss_is_seen(monkeypatch):
    monkeypatch.setenv("WEIR_PLANTED_LOSS", "1")
    found = leader_dies_while_nobody_follows(CACHE / "compat" / "planted")
    assert found["lost"] > 0, f"nothing was lost (a release cannot be told to lose): {found}"


def test_without_it_the_same_fault_loses_nothing():
    found = leader_dies_while_nobody_follows(CACHE / "compat" / "sound")
    assert found["good"], found
