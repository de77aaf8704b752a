"""`weir-broker --dev` on a volume of its own: one that is full, one that somebody else filled, one that fails to
sync. The volumes are mounted, which needs root; COMPAT_NO_MOUNT=1 leaves these tests out, loudly."""

import contextlib
import errno
import os
import signal
import subprocess
import urllib.request

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from conftest import dev_port
from harness.base import CACHE, Failed, answers, await_condition, run, weir_broker
from harness.peers import Broker

PATIENCE = 30
VALUE_BYTES = 20_000

pytestmark = [
    pytest.mark.skipif(os.environ.get("COMPAT_SERVER", "weir") != "weir", reason="about Weir's own folder"),
    pytest.mark.skipif("COMPAT_NO_MOUNT" in os.environ, reason="COMPAT_NO_MOUNT is set: full and failing volumes are NOT tested"),
]


def mount(*words):
    try:
        run("mount", *words)
    except (Failed, OSError) as error:
        raise Failed(f"this test mounts a volume and needs root for it (COMPAT_NO_MOUNT=1 leaves it out): {error}") from error


def unmount(folder):
    # Lazily: whatever a test left open must not keep the volume.
    subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


@pytest.fixture
def place(request):
    folder = CACHE / "volumes" / request.node.name
    for part in ("disk", "store"):
        unmount(folder / part)
    run("rm", "-rf", folder)
    folder.mkdir(parents=True)
    yield folder
    for part in ("disk", "store"):
        unmount(folder / part)


@pytest.fixture
def disk(place):
    """A volume of 96 MB."""
    disk = place / "disk"
    disk.mkdir()
    mount("-t", "tmpfs", "-o", "size=96m", "weir-test", disk)
    return disk


class Dev:
    """One broker on a folder, started again as often as one likes."""

    def __init__(self, place, data):
        self.place, self.data, self.port = place, data, dev_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.broker = None

    def start(self):
        self.broker = Broker([weir_broker(), "--dev", "--data-dir", self.data, "--port", self.port], self.place)
        await_condition("the broker", self.is_up, 180, 0.05)

    def is_up(self):
        assert self.broker.process.poll() is None, f"it ended with {self.broker.process.returncode}: {self.said()[-2000:]}"
        return answers("127.0.0.1", self.port)

    def stop(self, how=signal.SIGTERM):
        if self.broker:
            self.broker.stop(how)

    def said(self):
        return (self.place / "broker.log").read_text(encoding="utf-8")

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port + 3}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + " "))


@contextlib.contextmanager
def dev(place, data):
    one = Dev(place, data)
    try:
        one.start()
        yield one
    finally:
        one.stop(signal.SIGKILL)


def create(one, topic):
    admin = AdminClient({"bootstrap.servers": one.bootstrap})
    made = admin.create_topics([NewTopic(topic, 1, 1, config={"segment.bytes": str(1 << 20)})])
    made[topic].result(PATIENCE)


class Writer:
    """Numbered records, and which of them were acknowledged at which offset."""

    def __init__(self, one, topic):
        self.topic, self.next = topic, 0
        self.acknowledged, self.errors = {}, []
        # No retries: a test wants to see what the broker answers.
        self.producer = Producer({"bootstrap.servers": one.bootstrap, "acks": "all", "retries": 0, "linger.ms": 5,
                                  "message.timeout.ms": 15_000, "log_level": 0})

    def send(self, count):
        for _ in range(count):
            value = f"{self.next}:".ljust(VALUE_BYTES, "x")
            self.producer.produce(self.topic, value=value, on_delivery=self.heard)
            self.next += 1
        self.producer.flush(PATIENCE)

    def heard(self, error, message):
        if error is None:
            self.acknowledged[message.offset()] = message.value()
        else:
            self.errors.append(error)

    def fill(self, limit=20_000):
        while not self.errors:
            assert self.next < limit, "it never got full"
            self.send(50)
        return self.errors[0]

    def resumes(self):
        before = len(self.acknowledged)
        self.send(1)
        return len(self.acknowledged) > before


def bounds(consumer, part):
    """Log start and high watermark; None while nobody leads the partition."""
    try:
        return consumer.get_watermark_offsets(part, timeout=PATIENCE)
    except KafkaException:
        return None


def read_all(one, topic):
    """offset → value, from the log's start to its end now."""
    consumer = Consumer({"bootstrap.servers": one.bootstrap, "group.id": "nobody", "enable.auto.commit": False})
    try:
        part = TopicPartition(topic, 0)
        low, high = await_condition("the partition led again", lambda: bounds(consumer, part), PATIENCE)
        consumer.assign([TopicPartition(topic, 0, low)])
        got = {}
        while low + len(got) < high:
            message = consumer.poll(PATIENCE)
            assert message is not None and message.error() is None, message and message.error()
            got[message.offset()] = message.value()
        return low, got
    finally:
        consumer.close()


def assert_nothing_lost(one, writer):
    start, got = read_all(one, writer.topic)
    expected = {offset: value for offset, value in writer.acknowledged.items() if offset >= start}
    lost = [offset for offset, value in expected.items() if got.get(offset) != value]
    assert not lost, f"{len(lost)} of {len(expected)} acknowledged records are lost, the first at {min(lost)}"
    return start


def test_a_full_volume_refuses_writes_serves_reads_and_resumes(place, disk, topic):
    with dev(place, disk / "data") as one:
        create(one, topic)
        writer = Writer(one, topic)
        error = writer.fill()
        assert error.code() == KafkaError.KAFKA_STORAGE_ERROR, error
        assert len(writer.acknowledged) * VALUE_BYTES > 48_000_000, "it was refused long before the volume was full"
        await_condition("the gauge", lambda: one.metric("weir_folder_full") == 1)
        assert_nothing_lost(one, writer)
        assert not writer.resumes(), "there is no more room than before"

        newest = max(writer.acknowledged)
        admin = AdminClient({"bootstrap.servers": one.bootstrap})
        part = TopicPartition(topic, 0, newest // 2)
        admin.delete_records([part])[part].result(PATIENCE)
        await_condition("writes to resume", writer.resumes, 30)
        start = assert_nothing_lost(one, writer)
        assert start == newest // 2
        assert one.metric("weir_folder_full") == 0
        assert "the volume is full" in one.said() and "has room again" in one.said()

        writer.errors.clear()
        writer.fill()
        one.stop()
        one.start()
        assert_nothing_lost(one, writer)


def test_a_broker_starts_on_a_volume_that_somebody_else_filled(place, disk, topic):
    with dev(place, disk / "data") as one:
        create(one, topic)
        writer = Writer(one, topic)
        writer.send(200)
        assert len(writer.acknowledged) == 200
        # What it starts on again is laid aside a moment after its first start.
        await_condition("the reserve", lambda: (disk / "data" / "reserve").stat().st_size > 0, PATIENCE)
        one.stop(signal.SIGKILL)
        fill_up(disk / "filler")
        one.start()
        assert_nothing_lost(one, writer)
        writer.send(1)
        assert [error.code() for error in writer.errors] == [KafkaError.KAFKA_STORAGE_ERROR]
        (disk / "filler").unlink()
        await_condition("writes to resume", writer.resumes, 30)
        assert_nothing_lost(one, writer)


def test_a_volume_that_is_filled_under_a_running_broker_does_not_end_it(place, disk, topic):
    with dev(place, disk / "data") as one:
        create(one, topic)
        writer = Writer(one, topic)
        writer.send(200)
        fill_up(disk / "filler")
        await_condition("the gauge", lambda: one.metric("weir_folder_full") == 1)
        writer.send(1)
        assert [error.code() for error in writer.errors] == [KafkaError.KAFKA_STORAGE_ERROR]
        assert_nothing_lost(one, writer)
        # Metadata has the reserve to live on.
        create(one, topic + "-more")
        (disk / "filler").unlink()
        await_condition("writes to resume", writer.resumes, 30)
        assert_nothing_lost(one, writer)


def fill_up(path):
    """Takes every page that is free, at one blow: what a broker gives up of its reserve afterwards stays its own."""
    with open(path, "wb") as file:
        while True:
            room = os.statvfs(path.parent)
            try:
                return os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize)
            except OSError as error:
                # Somebody was faster.
                if error.errno != errno.ENOSPC:
                    raise


def test_a_failing_fdatasync_ends_the_broker_which_says_why_and_nothing_acknowledged_is_lost(place, topic):
    """A file system on a loop device whose file has no room to grow: the kernel takes writes into its cache and
    fails to write them back."""
    store, disk = place / "store", place / "disk"
    store.mkdir()
    disk.mkdir()
    mount("-t", "tmpfs", "-o", "size=64m", "weir-test", store)
    image = store / "image"
    run("truncate", "-s", "512M", image)
    run("mkfs.ext4", "-q", "-F", "-E", "nodiscard", image)
    mount("-o", "loop,errors=remount-ro", image, disk)
    with dev(place, disk / "data") as one:
        create(one, topic)
        writer = Writer(one, topic)
        writer.fill()
        assert one.broker.process.wait(60) == 1
        last = one.said().strip().splitlines()[-1]
        assert last.startswith("weir-broker: ") and "sync" in last and "failed" in last, last
        assert len(writer.acknowledged) > 100

        # The same volume, healed.
        run("umount", disk)
        mount("-o", "remount,size=600m", store)
        subprocess.run(["e2fsck", "-fy", str(image)], check=False, capture_output=True)
        mount("-o", "loop", image, disk)
        one.start()
        assert_nothing_lost(one, writer)
        assert writer.resumes()
