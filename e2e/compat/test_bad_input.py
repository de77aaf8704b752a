"""What no client library sends, by hand, to a real broker: each gets the protocol's error or a closed connection,
others go on, and memory stays bounded."""

import os
import socket
import struct
import threading
import time
from pathlib import Path

import pytest
from conftest import dev_port, kcat
from harness.base import CACHE, answers, await_condition, weir_broker
from harness.peers import Broker

PRODUCE, METADATA = 0, 3
CORRUPT, INVALID_RECORD, TOO_LARGE, UNSUPPORTED_CODEC = 2, 87, 10, 76

pytestmark = pytest.mark.skipif(os.environ.get("COMPAT_SERVER", "weir") != "weir", reason="looks at Weir's process")


def table():
    entries = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        entries.append(byte)
    return entries


TABLE = table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def varint(n):
    n = n << 1 ^ n >> 63
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out) + bytes([n])


def record(delta, value):
    body = b"\0" + varint(0) + varint(delta) + varint(-1) + varint(len(value)) + value + varint(0)
    return varint(len(body)) + body


def batch(count=None, last_delta=None, values=(b"a", b"b"), attributes=0, magic=2, base=0, crc_off=0, length_off=0, body=None):
    """A record batch, of which each part may lie."""
    body = b"".join(record(i, v) for i, v in enumerate(values)) if body is None else body
    count = len(values) if count is None else count
    last_delta = len(values) - 1 if last_delta is None else last_delta
    now = int(time.time() * 1000)
    covered = struct.pack(">hiqqqhii", attributes, last_delta, now, now, -1, -1, -1, count) + body
    rest = struct.pack(">ibI", 0, magic, (crc32c(covered) + crc_off) % 2 ** 32) + covered
    return struct.pack(">qi", base, len(rest) + length_off) + rest


def text(string):
    return struct.pack(">h", len(string)) + string.encode()


def request(key, version, body, correlation=7):
    head = struct.pack(">hhi", key, version, correlation) + text("by-hand")
    return struct.pack(">i", len(head) + len(body)) + head + body


def produce_request(topic, records, acks=1):
    """Produce version 7, the newest that is not flexible but one."""
    body = struct.pack(">hhii", -1, acks, 10_000, 1) + text(topic) + struct.pack(">iii", 1, 0, len(records)) + records
    return request(PRODUCE, 7, body)


class Line:
    """One connection."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def answer(self):
        """The next frame's body, or None when the broker closed the connection."""
        try:
            head = self.take(4)
            return head and self.take(struct.unpack(">i", head)[0])
        except ConnectionResetError:
            return None

    def take(self, count):
        got = b""
        while len(got) < count:
            part = self.socket.recv(count - len(got))
            if not part:
                return None
            got += part
        return got

    def produce(self, topic, records):
        """The partition's error and base offset."""
        self.socket.sendall(produce_request(topic, records))
        answer = self.answer()
        assert answer is not None, "the connection was closed"
        at = 4 + 4 + 2 + len(topic) + 4 + 4
        return struct.unpack_from(">hq", answer, at)


@pytest.fixture(scope="module")
def server():
    """A broker of its own: what it takes of memory is looked at."""
    folder = CACHE / "bad-input"
    folder.mkdir(parents=True, exist_ok=True)
    port = dev_port()
    broker = Broker([weir_broker(), "--dev", "--port", port], folder)
    try:
        await_condition("weir-broker --dev", lambda: answers("127.0.0.1", port), 30, 0.02)
        yield broker, port
        assert broker.process.poll() is None, "the broker died under the suite"
    finally:
        broker.stop()


@pytest.fixture
def line(server):
    with Line(server[1]) as line:
        yield line


@pytest.fixture
def made(server, topic):
    kcat(f"127.0.0.1:{server[1]}", "-P", "-t", topic, stdin="first\n")
    return topic


def assert_alive(server, topic):
    got = kcat(f"127.0.0.1:{server[1]}", "-C", "-t", topic, "-e", "-q", "-o", "beginning")
    assert got.startswith("first\n")
    return got.splitlines()


def resident_mb(broker):
    for row in Path(f"/proc/{broker.process.pid}/status").read_text(encoding="ascii").splitlines():
        if row.startswith("VmRSS"):
            return int(row.split()[1]) / 1000
    raise AssertionError("no such process")


def test_a_good_batch_is_taken(line, made):
    assert line.produce(made, batch()) == (0, 1)


LIES = {
    "more records than it holds": (batch(count=3), INVALID_RECORD),
    "fewer records than it holds": (batch(count=1), INVALID_RECORD),
    "two thousand million records": (batch(count=2**31 - 1, last_delta=2**31 - 2), INVALID_RECORD),
    "a last offset too high": (batch(last_delta=9), INVALID_RECORD),
    "a last offset too low": (batch(last_delta=0), INVALID_RECORD),
    "no records": (batch(values=(), last_delta=0), INVALID_RECORD),
    "a base offset of its own": (batch(base=5), INVALID_RECORD),
    "a wrong CRC": (batch(crc_off=1), CORRUPT),
    "an unknown codec": (batch(attributes=6), UNSUPPORTED_CODEC),
    "gzip that is none": (batch(attributes=1), INVALID_RECORD),
    "a record longer than the batch": (batch(body=varint(1_000_000) + b"x" * 30, values=(b"", b"")), INVALID_RECORD),
    "the control bit": (batch(attributes=0x20), INVALID_RECORD),
    "format 1": (batch(magic=1), INVALID_RECORD),
    "a format of the future": (batch(magic=9), CORRUPT),
    "two batches": (batch() + batch(), INVALID_RECORD),
    "a length beyond its end": (batch(length_off=100), INVALID_RECORD),
    "a length of nothing": (struct.pack(">qi", 0, 0) + b"\0" * 60, CORRUPT),
    "a negative length": (struct.pack(">qi", 0, -5) + b"\0" * 60, CORRUPT),
    "no bytes": (b"", INVALID_RECORD),
    "sixteen bytes": (b"\0" * 16, INVALID_RECORD),
    "two megabytes": (batch(values=(b"x" * 2_000_000,)), TOO_LARGE),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_batch_that_lies_gets_its_error_and_leaves_nothing(server, line, made, lie):
    records, expected = LIES[lie]
    assert line.produce(made, records) == (expected, -1)
    assert line.produce(made, batch(values=(b"after",))) == (0, 1), "the connection goes on, and nothing was written"
    assert assert_alive(server, made) == ["first", "after"]


def test_bytes_of_a_cut_off_batch_behind_a_whole_one_are_left_out(server, line, made):
    assert line.produce(made, batch(values=(b"one",)) + batch()[:40]) == (0, 1)
    assert assert_alive(server, made) == ["first", "one"]


FRAMES = {
    "an oversized frame": struct.pack(">i", 2**31 - 1),
    "one byte more than is allowed": struct.pack(">i", 100 * 1024 * 1024 + 1),
    "a negative length": struct.pack(">i", -1),
    "an empty frame": struct.pack(">i", 0),
    "a request of another protocol": b"GET / HTTP/1.1\r\n\r\n",
    "an unknown API": request(999, 0, b""),
    "a negative API": request(-1, 0, b""),
    "a version of the future": request(METADATA, 99, b""),
    "two thousand million topics": request(METADATA, 1, struct.pack(">i", 2**31 - 1)),
    "two thousand million partitions": request(
        PRODUCE, 7, struct.pack(">hhii", -1, 1, 1000, 1) + text("t") + struct.pack(">i", 2**31 - 1)),
    "records longer than the frame": request(
        PRODUCE, 7, struct.pack(">hhii", -1, 1, 1000, 1) + text("t") + struct.pack(">iii", 1, 0, 2**31 - 1)),
    "a string that is not UTF-8": request(METADATA, 1, struct.pack(">ih", 1, 2) + b"\xc3\x28"),
}


@pytest.mark.parametrize("frame", FRAMES)
def test_a_frame_that_cannot_be_understood_closes_its_connection_only(server, line, made, frame):
    with Line(server[1]) as other:
        line.socket.sendall(FRAMES[frame])
        assert line.answer() is None
        assert other.produce(made, batch(values=(b"other",))) == (0, 1)
    assert_alive(server, made)


def test_a_client_that_leaves_in_the_middle_leaves_nothing(server, made):
    whole = produce_request(made, batch(values=(b"x" * 5000,)))
    for cut in (2, 4, 20, 1000, len(whole) - 1):
        with Line(server[1]) as line:
            line.socket.sendall(whole[:cut])
    assert assert_alive(server, made) == ["first"]


def test_memory_is_bounded_whatever_is_claimed_and_the_others_go_on(server, made):
    broker, port = server
    before = resident_mb(broker)
    claim = struct.pack(">i", 100 * 1024 * 1024)
    lines = [Line(port) for _ in range(40)]
    try:
        for line in lines:
            line.socket.sendall(claim)
        await_condition("the others to go on", lambda: assert_alive(server, made), 30)
        grown = resident_mb(broker) - before
        assert grown < 50, f"{grown:.0f} MB for claims alone"
        # Four thousand megabytes of frames that never end, as fast as the broker takes them.
        threads = [threading.Thread(target=push, args=(line.socket, 99 * 1024 * 1024), daemon=True) for line in lines]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 10
        worst = 0
        while time.monotonic() < deadline:
            worst = max(worst, resident_mb(broker) - before)
            with Line(port) as other:
                assert other.produce(made, batch(values=(b"meanwhile",)))[0] == 0
            time.sleep(0.1)
        assert worst < 700, f"{worst:.0f} MB"
    finally:
        for line in lines:
            line.socket.close()
    assert_alive(server, made)


def push(connection, size):
    part = b"\0" * 65536
    try:
        while size > 0:
            size -= connection.send(part[:size])
    except OSError:
        pass  # closed by either side: that is how it ends
