"""aiokafka: a client of its own making, in Python."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic

PATIENCE = 30


def in_time(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, PATIENCE))


async def create(bootstrap, topic, partitions=3):
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, partitions, 1)])
    finally:
        await admin.close()


async def produce(bootstrap, topic, count, **settings):
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, **settings)
    await producer.start()
    try:
        sent = [await producer.send(topic, f"v{i}".encode(), key=f"k{i % 5}".encode(), partition=i % 3) for i in range(count)]
        return await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def consume(bootstrap, topic, count, **settings):
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", **settings)
    await consumer.start()
    try:
        return [await consumer.getone() for _ in range(count)]
    finally:
        await consumer.stop()


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
@pytest.mark.parametrize("acks", [0, 1, "all"])
def test_produce_and_consume(bootstrap, topic, codec, acks):
    async def scenario():
        await create(bootstrap, topic)
        await produce(bootstrap, topic, 3)   # leaders are in place: with acks=0 nobody would say so
        await produce(bootstrap, topic, 100, compression_type=codec, acks=acks)
        got = await consume(bootstrap, topic, 103)
        assert sorted(int(one.value[1:]) for one in got) == sorted([0, 1, 2, *range(100)])
    in_time(scenario())


def test_an_idempotent_producer_keeps_order(bootstrap, topic, group):
    async def scenario():
        await create(bootstrap, topic)
        metadata = await produce(bootstrap, topic, 300, enable_idempotence=True)
        assert sorted(one.offset for one in metadata if one.partition == 0) == list(range(100))
        got = await consume(bootstrap, topic, 300, group_id=group)
        for partition in range(3):
            values = [int(one.value[1:]) for one in got if one.partition == partition]
            assert values == sorted(values)
    in_time(scenario())


def test_a_group_commits_and_resumes(bootstrap, topic, group):
    async def scenario():
        await create(bootstrap, topic, 3)
        await produce(bootstrap, topic, 30)
        await consume(bootstrap, topic, 30, group_id=group)   # commits when it stops
        await produce(bootstrap, topic, 3)
        got = await consume(bootstrap, topic, 3, group_id=group)
        assert [one.value for one in sorted(got, key=lambda one: one.partition)] == [b"v0", b"v1", b"v2"]
    in_time(scenario())


def test_two_members_share_and_one_takes_over(bootstrap, topic, group):
    async def scenario():
        await create(bootstrap, topic, 3)
        settings = {"bootstrap_servers": bootstrap, "group_id": group, "session_timeout_ms": 6000}
        members = [AIOKafkaConsumer(topic, **settings), AIOKafkaConsumer(topic, **settings)]
        for member in members:
            await member.start()
        while not all(member.assignment() for member in members) or len(members[0].assignment() | members[1].assignment()) < 3:
            await asyncio.gather(*(member.getmany(timeout_ms=100) for member in members))
        await members[0].stop()
        while len(members[1].assignment()) < 3:
            await members[1].getmany(timeout_ms=100)
        await members[1].stop()
    in_time(scenario())


def test_offsets_by_time_and_ends(bootstrap, topic):
    async def scenario():
        await create(bootstrap, topic, 3)
        sent = await produce(bootstrap, topic, 30)
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
        await consumer.start()
        partition = TopicPartition(topic, 0)
        assert (await consumer.end_offsets([partition]))[partition] == 10
        third = next(one for one in sent if one.partition == 0 and one.offset == 3)
        found = (await consumer.offsets_for_times({partition: third.timestamp}))[partition]
        assert found.offset <= 3
        await consumer.stop()
    in_time(scenario())


def test_partitions_grow_and_topics_go(bootstrap, topic):
    async def scenario():
        await create(bootstrap, topic, 1)
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        try:
            await admin.create_partitions({topic: NewPartitions(4)})
            (found,) = await admin.describe_topics([topic])
            assert len(found["partitions"]) == 4
            await admin.delete_topics([topic])
            assert topic not in await admin.list_topics()
        finally:
            await admin.close()
    in_time(scenario())
