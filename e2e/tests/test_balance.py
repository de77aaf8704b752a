"""What lies unevenly is left alone, proposed, or evened out, as the resource says; under load, with every record accounted for."""

import pytest
from conftest import note
from confluent_kafka.admin import AdminClient, NewTopic
from harness.base import await_condition
from harness.java import Load

PARTITIONS = 24
RATE = 500
pytestmark = [pytest.mark.timeout(600), pytest.mark.long]


@pytest.fixture
def lopsided(cluster, name):
    """A topic whose partitions all lie on broker 0, which no Topic speaks for; nothing is evened out."""
    cluster.change(balance="Disabled")
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap()})
    made = admin.create_topics([NewTopic(name, num_partitions=PARTITIONS, replica_assignment=[[0]] * PARTITIONS)])
    made[name].result(60)
    await_condition("its leaders", lambda: cluster.leaders(name) == {0: list(range(PARTITIONS))}, 60)
    yield name
    admin.delete_topics([name])[name].result(60)
    cluster.change(balance=None)


def test_what_is_uneven_is_proposed_and_evened_out_only_when_asked(cluster, lopsided, tmp_path):
    load = Load(cluster.bootstrap(), lopsided, tmp_path)
    with load.produce(rate=RATE) as producer:
        producer.await_more(4 * RATE)
        assert "balance" not in cluster.get()["status"], "nobody asked"

        cluster.change(balance="Propose")
        said = await_condition("a proposal", lambda: cluster.get()["status"].get("balance"), 60, 0.5)
        assert (said["state"], said["task"]) == ("Proposed", "Spread"), said
        assert said["progress"]["partitionsTotal"] > 0 and said["examples"] and said["message"], said
        producer.await_more(4 * RATE)
        assert cluster.held(lopsided) == {0: PARTITIONS}, "a proposal moves nothing"

        cluster.change(balance="Auto")
        await_condition("its partitions on every broker", lambda: set(cluster.held(lopsided)) == {0, 1, 2}, 120, 1)
        cluster.await_settled(300)
        held = cluster.held(lopsided)
        producer.await_more(RATE)
        account = load.end(producer)
    note(f"{PARTITIONS} partitions of one broker evened out to {held} ({said['message']}): {account}")
    assert max(held.values()) <= PARTITIONS // 2, held
    account.check()
