"""Partitions change leader when their broker is told to stop, and clients hear of it from that broker."""

import signal
import time

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from harness.base import CACHE, await_condition
from harness.peers import Weir
from test_bad_input import Line, batch

PARTITIONS = 3000
NOT_LEADER = 6
# Seconds, of the one that it answers: a machine that stands still in between is none of this test's business.
A_WHILE = 0.3
pytestmark = pytest.mark.timeout(300)


def leaders(admin, topic="many"):
    found = admin.list_topics(topic, timeout=30).topics[topic].partitions.values()
    return [one.leader for one in found]


def test_a_thousand_leaders_move_before_their_broker_stops():
    with Weir(CACHE / "compat" / "leaders", 3) as cluster:
        admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
        admin.create_topics([NewTopic("many", PARTITIONS, 3)], request_timeout=120)["many"].result(120)
        await_condition("every partition led, a third by each broker", lambda: (
            led := leaders(admin)) and len(led) == PARTITIONS and all(led.count(i) >= 900 for i in range(3)), 120)
        others = AdminClient({"bootstrap.servers": ",".join(f"127.0.0.1:{port}" for port in cluster.ports[1:])})
        had = leaders(others).count(0)
        start = time.monotonic()
        cluster.brokers[0].process.send_signal(signal.SIGTERM)
        await_condition("no leader left on the broker", lambda: (led := leaders(others)) and 0 not in led and -1 not in led, 60, 0.02)
        took = time.monotonic() - start
        print(f"\n{had} leaders moved in {took:.2f} s")
        # The goal is 5 s on a machine that does nothing else.
        assert took < 30


def test_who_gave_its_leaders_away_answers_for_a_while_that_it_leads_no_more():
    """Clients that find a closed door instead look for the leader at their own pace: a second and more for librdkafka."""
    with Weir(CACHE / "compat" / "lingers", 3) as cluster:
        admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
        admin.create_topics([NewTopic("one", 1, replica_assignment=[[0, 1, 2]])])["one"].result(30)
        others = AdminClient({"bootstrap.servers": ",".join(f"127.0.0.1:{port}" for port in cluster.ports[1:])})
        leaders(others, "one")
        with Line(cluster.ports[0]) as line:
            await_condition("the first broker leads", lambda: line.produce("one", batch())[0] == 0, 30)
            cluster.brokers[0].process.send_signal(signal.SIGTERM)
            # It takes records until it hears of the next leader itself; for a while it says so then.
            while line.produce("one", batch())[0] == 0:
                pass
            until = time.monotonic() + A_WHILE
            while time.monotonic() < until:
                assert line.produce("one", batch())[0] == NOT_LEADER
            await_condition("another leader", lambda: leaders(others, "one")[0] in (1, 2), 60, 0.02)
