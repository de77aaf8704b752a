#!/usr/bin/env python3
"""`make bench-kafka`: Weir beside Kafka, in turn, in one run, with Kafka's own performance tools.

Every figure is the median of the runs; ratios are Weir to Kafka, run by run, and their median. Weir
syncs before it acknowledges; Kafka is as it comes and does not. The null broker acknowledges and
keeps nothing: no producer of this kind can be faster on this machine.
"""

import argparse
import json
import re
import shutil
import statistics
import sys
from pathlib import Path

from harness.base import CACHE, ROOT, answers, await_condition, free_ports, run, say
from harness.java import command, topic_admin
from harness.peers import Broker, Kafka, Weir

PARTITIONS = 6
CLIENT = {"acks": "all", "batch.size": "65536", "linger.ms": "5"}
# Enough for some ten seconds each; what 2 cores write in that time.
RECORDS = {(1, 100): 4_000_000, (1, 1024): 1_000_000, (3, 100): 1_500_000, (3, 1024): 400_000}
WARM_UP = 10


def produce(bootstrap, topic, records, size):
    """Messages a second, and latencies in milliseconds, as ProducerPerformance says at its end."""
    props = [f"bootstrap.servers={bootstrap}", *(f"{name}={value}" for name, value in CLIENT.items())]
    words = command("org.apache.kafka.tools.ProducerPerformance", "--topic", topic, "--num-records", records,
                    "--record-size", size, "--throughput", -1, "--producer-props", *props, heap="512m")
    out = perf(words)
    last = out.strip().splitlines()[-1]
    rate = float(re.search(r"([\d.]+) records/sec", last).group(1))
    latency = {f"p{p.replace('.', '_')}": int(ms) for ms, p in re.findall(r"(\d+) ms ([\d.]+)th", last)}
    return rate, latency


def consume(bootstrap, topic, records):
    words = command("org.apache.kafka.tools.ConsumerPerformance", "--bootstrap-server", bootstrap, "--topic", topic,
                    "--messages", records, "--timeout", 60_000, heap="512m")
    out = perf(words)
    head, row = [line.split(", ") for line in out.strip().splitlines()[-2:]]
    fields = dict(zip((name.strip() for name in head), (value.strip() for value in row)))
    return float(fields["fetch.nMsg.sec"])


def perf(words):
    """The tools run as people run them: with the whole compiler."""
    return run(*[word for word in words if "TieredStop" not in word and "SerialGC" not in word], timeout=600)


def measure(peer, folder, replicas, size, records):
    with peer(folder, 3 if replicas == 3 else 1) as cluster:
        topic_admin(cluster.bootstrap, "create", "bench", f"min.insync.replicas={min(2, replicas)}",
                    partitions=PARTITIONS, replicas=replicas)
        produce(cluster.bootstrap, "bench", records // WARM_UP, size)
        cpu, syncs = cluster.cpu_seconds(), cluster.syncs()
        written, latency = produce(cluster.bootstrap, "bench", records, size)
        cpu_write = cluster.cpu_seconds() - cpu
        synced = None if syncs is None else cluster.syncs() - syncs
        cpu = cluster.cpu_seconds()
        read = consume(cluster.bootstrap, "bench", records)
        found = {"written": written, "read": read, "cpu_write": cpu_write, "cpu_read": cluster.cpu_seconds() - cpu,
                 "memory_mb": cluster.memory_mb(), "syncs": synced, "latency": latency}
    shutil.rmtree(folder, ignore_errors=True)
    return found


def ceiling(folder, size, records):
    """The same producer against a broker that does nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)
    broker = Broker(command("dev.weir.bench.NullBroker", port, PARTITIONS, heap="512m"), folder)
    try:
        await_condition("the null broker", lambda: answers("127.0.0.1", port), 30, 0.05)
        produce(f"127.0.0.1:{port}", "bench", records // WARM_UP, size)
        return produce(f"127.0.0.1:{port}", "bench", records, size)[0]
    finally:
        broker.stop()


def compare(args, replicas, size):
    records = max(10_000, int(RECORDS[replicas, size] * args.scale))
    runs = {"weir": [], "kafka": []}
    folder = CACHE / "bench"
    for number in range(args.runs):
        # Whoever goes first has the colder disk, so they take turns.
        order = [Weir, Kafka] if number % 2 == 0 else [Kafka, Weir]
        for peer in order:
            found = measure(peer, folder / peer.name, replicas, size, records)
            runs[peer.name].append(found)
            say(f"RF {replicas}, {size} B, run {number + 1} of {args.runs}, {peer.name}: "
                f"{found['written']:,.0f} written/s, {found['read']:,.0f} read/s")
    return {"replicas": replicas, "size": size, "records": records, "runs": runs,
            "ceiling": ceiling(folder / "null", size, records)}


def median(runs, key):
    values = [run[key] for run in runs if run[key] is not None]
    return statistics.median(values) if values else None


def ratio(runs, key):
    return statistics.median(w[key] / k[key] for w, k in zip(runs["weir"], runs["kafka"]))


COLUMNS = ["RF", "bytes", "peer", "written/s", "ratio", "of ceiling", "p99 ms", "read/s", "ratio", "CPU s write", "CPU s read", "MB", "fdatasyncs"]


def rows(result):
    for name in ("weir", "kafka"):
        runs = result["runs"][name]
        ours = name == "weir"
        syncs = median(runs, "syncs")
        yield [str(result["replicas"]), str(result["size"]), name, f"{median(runs, 'written'):,.0f}",
               f"{ratio(result['runs'], 'written'):.2f}" if ours else "",
               f"{median(runs, 'written') / result['ceiling']:.0%}",
               f"{statistics.median(run['latency'].get('p99', 0) for run in runs):.0f}",
               f"{median(runs, 'read'):,.0f}", f"{ratio(result['runs'], 'read'):.2f}" if ours else "",
               f"{median(runs, 'cpu_write'):.1f}", f"{median(runs, 'cpu_read'):.1f}", f"{median(runs, 'memory_mb'):,.0f}",
               "none" if syncs is None else f"{syncs:,.0f}"]


def print_table(results):
    table = [COLUMNS, *(row for result in results for row in rows(result))]
    widths = [max(len(row[i]) for row in table) for i in range(len(COLUMNS))]
    for row in table:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of records")
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 3], choices=[1, 3])
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1024], choices=[100, 1024])
    parser.add_argument("--out", default=str(ROOT / "bench" / "out" / "kafka.json"))
    args = parser.parse_args()
    results = [compare(args, replicas, size) for replicas in args.replicas for size in args.sizes]
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    Path(args.out).write_text(json.dumps(results, indent=1), encoding="utf-8")
    print_table(results)
    ceilings = ", ".join(f"{one['size']} B: {one['ceiling']:,.0f}/s" for one in results)
    print(f"\nceilings of the client, {ceilings}; details in {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
