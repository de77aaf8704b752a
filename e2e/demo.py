#!/usr/bin/env python3
"""`make demo`: two resources become three brokers; a million records go through; one broker dies."""

import json
import shutil
import sys
import time

from harness import weir
from harness.base import CACHE, ROOT, Failed, await_condition, say
from harness.java import Load, classpath
from harness.lab import Lab

RECORDS, RATE, KILL_AT = 1_000_000, 20_000, 0.4
TOPIC = "Orders.v1"
SAMPLES = ROOT / "e2e" / "samples"


class Progress:
    """One line that is written over on a terminal, and now and then a new one elsewhere."""

    def __init__(self):
        self.shown = 0.0

    def __call__(self, text, last=False):
        if sys.stderr.isatty():
            print(f"\r    {text:<76}", end="\n" if last else "", file=sys.stderr, flush=True)
        elif last or time.monotonic() - self.shown > 5:
            self.shown = time.monotonic()
            print(f"    {text}", file=sys.stderr, flush=True)


def bring_up(lab):
    say("Kubernetes: one control plane, three workers")
    lab.up()
    say("operator: helm install")
    weir.install_by_helm(lab)
    say("kubectl apply -f e2e/samples/")
    cluster = weir.QueueCluster(lab)
    lab.kube.apply(SAMPLES / "queuecluster.yaml", SAMPLES / "topics.yaml")
    cluster.await_ready()
    for topic in ("orders", "clicks"):
        lab.kube.await_ready("topic", topic, "shop", 120)
    cluster.await_in_sync(TOPIC)
    print(lab.kube.kubectl("get", "queueclusters,topics,pods", "-A", "-l", "!k8s-app,!component"), file=sys.stderr)
    return cluster


def produce(cluster, load):
    """Sends everything; kills the busiest broker on the way. Gives the result and the kill's times."""
    progress = Progress()
    kill = {}

    def show(event):
        if event["event"] == "progress":
            progress(f"{event['acknowledged']:>9,} of {RECORDS:,} acknowledged, {event['failed']} failed")

    # Asked beforehand: the question takes a while, and leaders do not move on a quiet cluster.
    victim = cluster.busiest(TOPIC)
    pod = cluster.pod(victim)
    restarts = restart_count(pod)
    producer = load.produce(records=RECORDS, rate=RATE, mark_at=KILL_AT, on_event=show)
    producer.wait_for("mark", timeout=RECORDS * KILL_AT / RATE + 120)
    say(f"SIGKILL to the process of broker {victim}, which leads most partitions")
    cluster.lab.kill_process(pod)
    kill["ms"] = time.time() * 1000
    back = await_condition("the broker back", lambda: is_back(cluster, victim, restarts), 180, 0.2)
    kill["backMs"] = back
    result = producer.result(timeout=RECORDS / RATE + 300)
    progress(f"{result['acknowledged']:>9,} of {RECORDS:,} acknowledged, {result['failed']} failed", last=True)
    return result, kill


def restart_count(pod):
    return pod["status"]["containerStatuses"][0]["restartCount"]


def is_back(cluster, broker, restarts):
    """The time at which the broker was seen serving again."""
    pod = cluster.pod(broker)
    return time.time() * 1000 if restart_count(pod) > restarts and cluster.kube.pod_ready(pod) else None


def resumed_ms(result, kill):
    """When the last partition that the kill interrupted took writes again."""
    cut = [one["toMs"] for one in result["pauses"]["noted"] if one["fromMs"] <= kill["ms"] + 500 and one["toMs"] >= kill["ms"]]
    return max(cut, default=kill["ms"])


def consume(load):
    say("a consumer group reads everything back, and every record is checked by key and sequence")
    progress = Progress()

    def show(event):
        if event["event"] == "progress":
            progress(f"{event['received']:>9,} received and checked")

    result = load.consume(members=3, timeout=600, on_event=show).result(timeout=660)
    progress(f"{result['received']:>9,} received and checked", last=True)
    return result


def table(sent, received, kill):
    pause, back = (resumed_ms(sent, kill) - kill["ms"]) / 1000, (kill["backMs"] - kill["ms"]) / 1000
    rows = [
        ("records sent", f"{sent['sent']:,}"),
        ("acknowledged", f"{sent['acknowledged']:,}"),
        ("received", f"{received['received']:,}"),
        ("lost", f"{received['lost']:,}"),
        ("duplicated", f"{received['duplicated']:,}"),
        ("out of order or damaged", f"{received['outOfOrder'] + received['damaged']:,}"),
        ("longest pause of writes", f"{sent['pauses']['partitionMs'] / 1000:.2f} s in one partition, {sent['pauses']['overallMs'] / 1000:.2f} s in all"),
        ("after the kill", f"writes everywhere again after {pause:.2f} s, the broker back after {back:.2f} s"),
        ("throughput", f"{sent['perSecond']:,.0f}/s written, {received['perSecond']:,.0f}/s read and checked"),
    ]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"  {name:<{width}}  {value}")
    return pause < back


def by_hand(cluster):
    bootstrap = cluster.bootstrap()
    print(f"""
The cluster is left running. How to go on by hand:
  eval "$(e2e/kind/lab env)"
  kubectl get queueclusters,topics -A
  kubectl describe queuecluster demo -n mq
  kcat -b {bootstrap} -L
  kcat -b {bootstrap} -t {TOPIC} -C -o -5 -e
  target/release/weir -n mq status
  target/release/weir -n mq groups
make demo-down removes every trace.""")


def main():
    lab = Lab()
    folder = CACHE / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    classpath()
    cluster = bring_up(lab)
    load = Load(cluster.bootstrap(), TOPIC, folder)
    say(f"{RECORDS:,} records of about 200 bytes, {RATE:,} a second, acks=all; a kill at {KILL_AT:.0%}")
    sent, kill = produce(cluster, load)
    received = consume(load)
    print()
    resumed_first = table(sent, received, kill)
    (folder / "result.json").write_text(json.dumps({"sent": sent, "received": received, "kill": kill}, indent=1), encoding="utf-8")
    good = received["good"] and sent["failed"] == 0 and sent["acknowledged"] == RECORDS
    by_hand(cluster)
    if not good:
        print("\nNOT GOOD: see the table", *received["examples"], sep="\n  ", file=sys.stderr)
    if not resumed_first:
        print("\nwrites resumed only when the broker was back", file=sys.stderr)
    return 0 if good and resumed_first else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failed, TimeoutError) as error:
        sys.exit(f"error: {error}")
