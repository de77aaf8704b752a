"""What an idle partition costs: creates many of them in one `weir-broker --dev` and prints the memory, open files and
threads for each step. `make build` first; PARTITIONS=10000 is the default."""

import os
import shutil
import sys
import time
import urllib.request
from pathlib import Path

from confluent_kafka.admin import AdminClient, NewTopic
from harness.base import CACHE, answers, await_condition, free_ports, weir_broker
from harness.peers import Broker

PARTITIONS = int(os.environ.get("PARTITIONS", "10000"))
PER_TOPIC = 1000


def resident(pid):
    """Bytes that are the process's own, files of the page cache not counted."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    return 0


def look(pid):
    return resident(pid), len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task"))


def settled(pid):
    """Waits until the memory has not grown for a while."""
    last, since = resident(pid), time.monotonic()
    while time.monotonic() - since < 3:
        now = resident(pid)
        if abs(now - last) > 1 << 20:
            last, since = now, time.monotonic()
        time.sleep(0.2)


def leads(port, count):
    """Whether the broker serves that many partitions; the health port is the third after Kafka's."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port + 3}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return any(line.startswith("weir_leaders ") and float(line.split()[1]) >= count for line in lines)


def start(folder, port, count=0):
    broker = Broker([weir_broker(), "--dev", "--data-dir", folder / "data", "--port", port], folder)
    began = time.monotonic()
    await_condition("the broker", lambda: answers("127.0.0.1", port) and leads(port, count), 300, 0.05)
    return broker, time.monotonic() - began


def show(what, now, empty, partitions):
    memory, files, threads = now
    each = (memory - empty) / partitions if partitions else 0
    print(f"{what:34} {memory / 1e6:9.1f} MB {each:9.0f} B each {files:7} files {threads:5} threads", flush=True)


def main():
    folder = CACHE / "partitions"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    port = next(port for port in free_ports(200) if port % 4 == 0)
    broker, _ = start(folder, port)
    try:
        settled(broker.process.pid)
        first = look(broker.process.pid)
        show("empty", first, first[0], 0)
        admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}"})
        for made in range(0, PARTITIONS, PER_TOPIC):
            count = min(PER_TOPIC, PARTITIONS - made)
            name = f"t{made // PER_TOPIC}"
            admin.create_topics([NewTopic(name, count, 1)], operation_timeout=60, request_timeout=120)[name].result(180)
            settled(broker.process.pid)
            show(f"{made + count} partitions", look(broker.process.pid), first[0], made + count)
        began = time.monotonic()
        broker.stop(timeout=300)
        print(f"stopped in {time.monotonic() - began:.1f} s", flush=True)
        broker, took = start(folder, port, PARTITIONS)
        settled(broker.process.pid)
        show(f"all led again in {took:.1f} s", look(broker.process.pid), first[0], PARTITIONS)
    finally:
        broker.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
