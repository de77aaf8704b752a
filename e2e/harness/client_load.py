"""A steady load by a client that is not Java's: `python -m harness.client_load librdkafka|aiokafka`.

Writes to every partition at the same rate with the client's default settings and acks=all, until
standard input says `stop` or ends; then reads the topic and accounts for every acknowledged record.
Speaks the events of the Java load program: lines of JSON, `progress` and one `result`.
"""

import argparse
import asyncio
import json
import os
import sys
import threading
import time
from collections import Counter

from aiokafka import AIOKafkaProducer
from confluent_kafka import Consumer, Producer, TopicPartition

NOTED_MS = 200
READ_SECONDS_MAX = 120


def emit(event, **fields):
    print(json.dumps({"event": event} | fields), flush=True)


class Account:
    """What was sent to each partition, what of it was acknowledged, and how long none was."""

    def __init__(self, partitions):
        self.sent = [0] * partitions
        self.acknowledged = [set() for _ in range(partitions)]
        self.last = [None] * partitions
        self.longest = [0] * partitions
        self.noted, self.failures = [], Counter()
        self._lock = threading.Lock()

    def next(self, partition):
        with self._lock:
            self.sent[partition] += 1
            return self.sent[partition] - 1

    def answered(self, partition, sequence, error):
        now = time.time() * 1000
        with self._lock:
            if error is not None:
                self.failures[str(error)] += 1
                return
            self.acknowledged[partition].add(sequence)
            pause = now - (self.last[partition] or now)
            self.last[partition] = now
            self.longest[partition] = max(self.longest[partition], pause)
            if pause >= NOTED_MS:
                self.noted.append({"partition": partition, "fromMs": int(now - pause), "toMs": int(now)})

    def count(self):
        return sum(map(len, self.acknowledged))

    def report(self):
        return {"sent": sum(self.sent), "acknowledged": self.count(), "failed": sum(self.failures.values()),
                "failures": dict(self.failures),
                "pauses": {"partitionMs": max(self.longest), "noted": self.noted}}


class Turns:
    """Whose turn it is: every partition `rate` times a second, in turn."""

    def __init__(self, partitions, rate):
        self.partitions, self.rate, self.start, self.given = partitions, rate, time.monotonic(), 0

    def due(self):
        wanted = int((time.monotonic() - self.start) * self.rate * self.partitions)
        while self.given < wanted:
            yield self.given % self.partitions
            self.given += 1


def value(args, partition, sequence):
    return f"{args.run} {partition} {sequence} ".encode().ljust(args.size, b".")


def with_librdkafka(args, account, stop):
    # E2E_CLIENT_DEBUG=topic,metadata,broker: what the client says goes to standard error.
    debug = {"debug": os.environ["E2E_CLIENT_DEBUG"]} if os.environ.get("E2E_CLIENT_DEBUG") else {}
    producer = Producer({"bootstrap.servers": args.bootstrap, "acks": "all"} | debug)
    turns = Turns(args.partitions, args.rate)
    while not stop.is_set():
        for partition in turns.due():
            sequence = account.next(partition)
            producer.produce(args.topic, value(args, partition, sequence), partition=partition,
                             on_delivery=lambda error, _, p=partition, s=sequence: account.answered(p, s, error))
        producer.poll(0.005)
    producer.flush(60)


async def with_aiokafka(args, account, stop):
    producer = AIOKafkaProducer(bootstrap_servers=args.bootstrap, acks="all")
    await producer.start()
    waiting = set()

    async def one(partition, sequence):
        try:
            await (await producer.send(args.topic, value(args, partition, sequence), partition=partition))
            account.answered(partition, sequence, None)
        except Exception as error:  # noqa: BLE001  whatever it is, it counts as a failure
            account.answered(partition, sequence, error)

    turns = Turns(args.partitions, args.rate)
    while not stop.is_set():
        for partition in turns.due():
            task = asyncio.create_task(one(partition, account.next(partition)))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
        await asyncio.sleep(0.005)
    await asyncio.wait_for(asyncio.gather(*waiting), 60)
    await producer.stop()


def check(args, account):
    """Reads all that is there: what is lost, and what stands in the log twice."""
    consumer = Consumer({"bootstrap.servers": args.bootstrap, "group.id": f"check-{args.run}", "enable.auto.commit": False})
    seen = [Counter() for _ in range(args.partitions)]
    left = {}
    for index in range(args.partitions):
        low, high = consumer.get_watermark_offsets(TopicPartition(args.topic, index), timeout=30)
        if high > low:
            left[index] = high
    consumer.assign([TopicPartition(args.topic, index, 0) for index in left])
    until = time.monotonic() + READ_SECONDS_MAX
    while left and time.monotonic() < until:
        for one in consumer.consume(5000, 0.5):
            if one.error():
                continue
            run, partition, sequence, _ = one.value().split(b" ", 3)
            if run.decode() == args.run and int(partition) == one.partition():
                seen[one.partition()][int(sequence)] += 1
            if one.partition() in left and one.offset() + 1 >= left[one.partition()]:
                del left[one.partition()]
    consumer.close()
    lost = sum(len(acknowledged - found.keys()) for acknowledged, found in zip(account.acknowledged, seen))
    duplicated = sum(count - 1 for found in seen for count in found.values())
    return {"lost": lost, "duplicated": duplicated, "complete": not left}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("client", choices=["librdkafka", "aiokafka"])
    for name in ("bootstrap", "topic", "run"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--partitions", type=int, required=True)
    parser.add_argument("--rate", type=float, default=50, help="records a second and partition")
    parser.add_argument("--size", type=int, default=200)
    args = parser.parse_args()
    account, stop = Account(args.partitions), threading.Event()

    def listen():
        sys.stdin.readline()
        stop.set()

    def progress():
        while not stop.wait(1):
            emit("progress", acknowledged=account.count(), failed=sum(account.failures.values()))

    for work in (listen, progress):
        threading.Thread(target=work, daemon=True).start()
    if args.client == "librdkafka":
        with_librdkafka(args, account, stop)
    else:
        asyncio.run(with_aiokafka(args, account, stop))
    emit("result", **account.report(), **check(args, account))


if __name__ == "__main__":
    main()
