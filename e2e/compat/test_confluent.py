"""confluent-kafka: librdkafka as Python programs have it."""

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic,
                                   OffsetSpec, ResourceType)

PATIENCE = 20


@pytest.fixture
def admin(bootstrap):
    return AdminClient({"bootstrap.servers": bootstrap})


def done(futures):
    return {key: future.result(PATIENCE) for key, future in futures.items()}


@pytest.fixture
def made(admin, topic):
    done(admin.create_topics([NewTopic(topic, num_partitions=3, replication_factor=1)]))
    return topic


def produce(bootstrap, topic, count, **settings):
    reports = []
    producer = Producer({"bootstrap.servers": bootstrap} | settings)
    for i in range(count):
        producer.produce(topic, key=f"k{i % 10}", value=f"v{i}", on_delivery=lambda error, message: reports.append(error))
    assert producer.flush(PATIENCE) == 0
    return reports


def consume(bootstrap, topic, group, count, **settings):
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest"} | settings)
    consumer.subscribe([topic])
    got = []
    try:
        while len(got) < count:
            message = consumer.poll(PATIENCE)
            assert message is not None, f"{len(got)} of {count} came"
            assert message.error() is None, message.error()
            got.append(message)
    finally:
        consumer.close()
    return got


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_idempotent_produce_and_group_consume(bootstrap, made, group, codec):
    reports = produce(bootstrap, made, 500, **{"enable.idempotence": True, "compression.type": codec})
    assert reports == [None] * 500
    got = consume(bootstrap, made, group, 500)
    by_key = {}
    for message in got:
        by_key.setdefault(message.key(), []).append(int(message.value()[1:]))
    assert all(values == sorted(values) for values in by_key.values())
    assert sorted(v for values in by_key.values() for v in values) == list(range(500))


@pytest.mark.parametrize("strategy", ["range", "roundrobin", "cooperative-sticky"])
def test_two_members_share_the_partitions(bootstrap, made, group, strategy):
    settings = {"bootstrap.servers": bootstrap, "group.id": group, "partition.assignment.strategy": strategy,
                "session.timeout.ms": 6000}
    members = [Consumer(settings), Consumer(settings)]
    try:
        for member in members:
            member.subscribe([made])
        for _ in range(200):
            for member in members:
                member.poll(0.1)
            shares = [{p.partition for p in member.assignment()} for member in members]
            if all(shares) and not shares[0] & shares[1] and len(shares[0] | shares[1]) == 3:
                return
        pytest.fail(f"never shared: {shares}")
    finally:
        for member in members:
            member.close()


def test_committed_offsets_are_kept(bootstrap, made, group):
    produce(bootstrap, made, 30)
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False})
    wanted = [TopicPartition(made, p, 5 + p) for p in range(3)]
    consumer.commit(offsets=wanted, asynchronous=False)
    found = consumer.committed([TopicPartition(made, p) for p in range(3)], timeout=PATIENCE)
    consumer.close()
    assert [one.offset for one in found] == [5, 6, 7]


def test_watermarks_and_offsets_for_times(bootstrap, made, group):
    produce(bootstrap, made, 30)
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    ends = [consumer.get_watermark_offsets(TopicPartition(made, p), timeout=PATIENCE) for p in range(3)]
    assert sum(high - low for low, high in ends) == 30
    first = consumer.offsets_for_times([TopicPartition(made, p, 0) for p in range(3)], timeout=PATIENCE)
    consumer.close()
    assert all(one.offset in (0, -1) and one.error is None for one in first)


def test_partitions_grow(admin, made):
    done(admin.create_partitions([NewPartitions(made, 5)]))
    assert len(admin.list_topics(made, timeout=PATIENCE).topics[made].partitions) == 5


def test_topic_configs_are_changed_and_described(admin, made):
    change = ConfigResource(ResourceType.TOPIC, made, incremental_configs=[
        ConfigEntry("retention.ms", "123456", incremental_operation=AlterConfigOpType.SET)])
    done(admin.incremental_alter_configs([change]))
    found = done(admin.describe_configs([ConfigResource(ResourceType.TOPIC, made)]))
    (configs,) = found.values()
    assert configs["retention.ms"].value == "123456"
    assert configs["segment.bytes"].is_default


def test_records_are_deleted_up_to_an_offset(bootstrap, admin, made):
    produce(bootstrap, made, 90)
    partition = TopicPartition(made, 0)
    end = done(admin.list_offsets({partition: OffsetSpec.latest()}))[partition].offset
    assert end > 1
    deleted = done(admin.delete_records([TopicPartition(made, 0, end - 1)]))
    assert [one.low_watermark for one in deleted.values()] == [end - 1]
    assert done(admin.list_offsets({partition: OffsetSpec.earliest()}))[partition].offset == end - 1


def test_groups_are_listed_described_and_deleted(bootstrap, admin, made, group):
    produce(bootstrap, made, 10)
    consume(bootstrap, made, group, 10)
    listed = admin.list_consumer_groups(request_timeout=PATIENCE).result()
    assert group in [one.group_id for one in listed.valid]
    described = done(admin.describe_consumer_groups([group]))[group]
    assert described.state.name == "EMPTY" and described.coordinator.port == int(bootstrap.rsplit(":", 1)[1])
    done(admin.delete_consumer_groups([group]))
    listed = admin.list_consumer_groups(request_timeout=PATIENCE).result()
    assert group not in [one.group_id for one in listed.valid]


def test_a_topic_that_exists_is_not_created_again(admin, made):
    with pytest.raises(KafkaException) as error:
        done(admin.create_topics([NewTopic(made, num_partitions=3, replication_factor=1)]))
    assert error.value.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS


def test_a_deleted_topic_is_gone(admin, made):
    done(admin.delete_topics([made]))
    assert made not in admin.list_topics(timeout=PATIENCE).topics


def test_too_large_a_record_is_refused_by_the_broker(bootstrap, made):
    reports = []
    producer = Producer({"bootstrap.servers": bootstrap, "message.max.bytes": 10_000_000})
    producer.produce(made, value=b"x" * 3_000_000, on_delivery=lambda error, message: reports.append(error))
    producer.flush(PATIENCE)
    assert [error.code() for error in reports] == [KafkaError.MSG_SIZE_TOO_LARGE]
