"""Consumers scaled by their backlog: a Deployment of real Kafka consumers under a step of load."""

import json
import threading
import time

import pytest
from harness import weir
from harness.base import CACHE, ROOT, await_condition, program, run, say
from harness.java import Load, classpath, tool

from conftest import note

IMAGE = "weir-consumer"
PARTITIONS = 12
POD_RATE = 1_000           # records a second of one pod
INITIAL_PODS = 2
LOAD_RATE = 5_000
LOAD_SECONDS = 75
DRAIN_SECONDS = 60
LIMITED_RATE = 2_500       # what comes in where no more than the first pods do goes out
HOT_RATE = 1_500           # into one partition
# Pods are scheduled, Java starts and groups rebalance on whatever machine this is.
SLACK_SECONDS = 120


@pytest.fixture(scope="module")
def image(lab):
    """The consumers' image on every node; an existing cluster has it where the others are."""
    if lab.kind == "kind":
        builder = ROOT / "e2e" / "images" / "consumer.py"
        out = run("python3", builder, "--classpath", classpath(), "--out", CACHE / "images", "--tag", lab.tag, timeout=600, loud=True)
        run(ROOT / "e2e" / "kind" / "lab", "load", out.strip(), loud=True, timeout=600)
    return f"{lab.image(IMAGE)}:{lab.tag}"


def consumers(kind, name, namespace, replicas, container):
    labels = {"app": name}
    more = {"serviceName": name} if kind == "StatefulSet" else {}
    return {
        "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": namespace},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, **more,
                 "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}},
    }


def container(cluster, image, name, *more):
    bootstrap = f"{cluster.name}-bootstrap.{cluster.namespace}:9092"
    return {
        "name": "worker", "image": image, "imagePullPolicy": "IfNotPresent",
        "args": ["worker", "--bootstrap", bootstrap, "--topic", name, "--group", name, "--rate", str(POD_RATE),
                 "--set", "partition.assignment.strategy=org.apache.kafka.clients.consumer.CooperativeStickyAssignor", *more],
        "securityContext": {"runAsNonRoot": True, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
                            "seccompProfile": {"type": "RuntimeDefault"}},
    }


@pytest.fixture
def workers(cluster, image, name, request):
    """A topic, consumers of it in a Deployment, and a scaler of those. The parameter: what the consumers are told beside that."""
    more = getattr(request, "param", [])
    kube, namespace = cluster.kube, cluster.namespace
    kube.apply(cluster.topic(name, partitions=PARTITIONS, replicationFactor=3, deletionPolicy="Delete"))
    kube.await_ready("topic", name, namespace)
    cluster.await_in_sync(name)
    kube.apply(consumers("Deployment", name, namespace, INITIAL_PODS, container(cluster, image, name, *more)))
    kube.kubectl("rollout", "status", f"deployment/{name}", "-n", namespace, "--timeout=120s")
    kube.apply({
        "apiVersion": "weir.dev/v1alpha1", "kind": "ConsumerScaler", "metadata": {"name": name, "namespace": namespace},
        "spec": {"clusterRef": {"name": cluster.name}, "source": {"kafka": {"group": name, "topics": [name]}},
                 "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                 "minReplicas": 0, "maxReplicas": PARTITIONS, "drainWithin": f"{DRAIN_SECONDS}s",
                 "initialRatePerPod": POD_RATE},
    })
    one = Workers(cluster, name)
    yield one
    for kind in ("consumerscaler", "deployment", "topic"):
        kube.delete(kind, name, namespace, "--wait=false")


class Workers:
    def __init__(self, cluster, name):
        self.cluster, self.kube, self.name = cluster, cluster.kube, name
        self.most = 0

    def replicas(self):
        count = self.kube.get("deployment", self.name, self.cluster.namespace)["spec"]["replicas"]
        self.most = max(self.most, count)
        return count

    def status(self):
        return self.kube.get("consumerscaler", self.name, self.cluster.namespace).get("status", {})

    def offsets(self):
        """Sums of the committed offsets and of the ends, by Kafka's own tool; None before the first commits."""
        out = tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--bootstrap-server", self.cluster.bootstrap(),
                   "--describe", "--offsets", "--group", self.name, check=False)
        rows = [line.split() for line in out.splitlines() if line.startswith(f"{self.name} ")]
        rows = [(int(row[3]), int(row[4])) for row in rows if row[3].isdigit() and row[4].isdigit()]
        return [sum(column) for column in zip(*rows)] if len(rows) == PARTITIONS else None

    def consumed(self, acknowledged):
        """Whether every acknowledged record is committed, and there are no others."""
        return self.offsets() == [acknowledged, acknowledged]

    def explain(self):
        return run(program("weir"), "-n", self.cluster.namespace, "scaler", "explain", self.name, "-o", "json", env=self.kube.env, timeout=60)


class Trace(threading.Thread):
    """What the scaler said while the load ran, for whoever reads the run."""

    def __init__(self, workers):
        super().__init__(daemon=True)
        self.workers, self.began, self.lines, self.over = workers, time.monotonic(), [], threading.Event()
        self.said = []

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        note("scaler: " + "; ".join(self.lines))

    def run(self):
        last = None
        while not self.over.wait(1):
            try:
                pods, status = self.workers.replicas(), self.workers.status()
            except Exception:  # noqa: BLE001  looking must not hide what failed
                continue
            said = (pods, status.get("reason"))
            if said != last:
                last = said
                self.said.append(said)
                line = f"{time.monotonic() - self.began:5.0f} s: {pods} pods, {status.get('reason')}, backlog {status.get('backlog')}"
                self.lines.append(line)
                say(line)


@pytest.fixture
def produce(workers, cluster, tmp_path):
    """Produces to the workers' topic; `acknowledged` is of all that was."""
    def one(records, rate, **more):
        load = Load(cluster.bootstrap(), workers.name, tmp_path)
        sent = load.produce(records=records, rate=rate, size=100, **more).result(records / rate * 3 + 60)
        assert sent["failed"] == 0
        one.acknowledged += sent["acknowledged"]

    one.acknowledged = 0
    # Every partition has a commit before anything is scaled: from then on nothing is guessed.
    one(PARTITIONS * 200, 2_000)
    await_condition("the first records consumed", lambda: workers.consumed(one.acknowledged), 120, 1)
    return one


@pytest.mark.timeout(900)
def test_a_step_of_load_is_drained_in_time_and_then_nobody_is_left_until_the_next_record(workers, produce):
    with Trace(workers):
        began = time.monotonic()
        produce(LOAD_RATE * LOAD_SECONDS, LOAD_RATE)
        ended = time.monotonic()
        await_condition("the backlog drained", lambda: workers.consumed(produce.acknowledged), DRAIN_SECONDS + SLACK_SECONDS, 1)
        drained = time.monotonic()
        assert workers.most * POD_RATE > LOAD_RATE, f"{workers.most} pods at most cannot have kept up with {LOAD_RATE} a second"
        decision = json.loads(workers.explain())["decision"]
        assert decision["inputs"]["ratePerPodMilli"] > 0 and decision["message"]
        await_condition("no pods where there is nothing to do", lambda: workers.replicas() == 0, 300, 1)
        idle = time.monotonic()
        produce(500, 1_000)
        await_condition("pods again after the next records", lambda: workers.replicas() >= 1, 60, 0.5)
        await_condition("all acknowledged records consumed", lambda: workers.consumed(produce.acknowledged), 120, 1)
        note(f"scaler: {LOAD_RATE}/s for {ended - began:.0f} s on {INITIAL_PODS} pods of {POD_RATE}/s: {workers.most} pods at most, "
             f"drained {drained - ended:.0f} s after the load, nobody left {idle - drained:.0f} s later")


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_partition_that_is_too_much_for_a_pod_is_named_and_gets_no_pods(workers, produce):
    with Trace(workers) as trace:
        # One key: all of it goes to one partition, of which one pod does less.
        produce(HOT_RATE * 60, HOT_RATE, keys=1)
        await_condition("it named", lambda: any(reason == "PartitionBound" for _, reason in trace.said), 120, 1)
        decision = json.loads(workers.explain())["decision"]
        await_condition("the backlog drained", lambda: workers.consumed(produce.acknowledged), 300, 1)
    assert workers.most <= INITIAL_PODS, "pods that have nothing to do"
    note(f"scaler: one partition with {HOT_RATE}/s: {decision['message']}")


@pytest.mark.timeout(900)
@pytest.mark.long
@pytest.mark.parametrize("workers", [["--downstream", str(INITIAL_PODS * POD_RATE)]], indirect=True)
def test_pods_that_bring_nothing_since_the_limit_is_downstream_are_taken_back(workers, produce):
    """What is behind the consumers takes no more than the first pods do: more of them share it."""
    with Trace(workers) as trace:
        # A quarter more than can be done, for long enough that a step up of busy pods shows what it brings.
        produce(LIMITED_RATE * 100, LIMITED_RATE)
        await_condition("the limit found", lambda: any(reason == "DownstreamBound" for _, reason in trace.said), 180, 1)
        message = json.loads(workers.explain())["decision"]["message"]
        await_condition("pods taken back", lambda: workers.replicas() < workers.most, 60, 1)
        taken_back = workers.replicas()
        assert INITIAL_PODS <= taken_back, (taken_back, workers.most)
        await_condition("the backlog drained all the same", lambda: workers.consumed(produce.acknowledged), 300, 1)
        note(f"scaler: a limit of {INITIAL_PODS * POD_RATE}/s downstream found with {workers.most} pods, taken back to {taken_back}: {message}")


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_stateful_set_elsewhere_wakes_for_records_of_a_group_that_never_committed_and_is_left_to_its_autoscaler(cluster, image, name, tmp_path):
    kube, elsewhere, labels = cluster.kube, f"{name}-consumers", {"consumes": name}
    rule = {"from": "Selector", "selector": {"matchLabels": labels}}
    kube.apply(cluster.topic(name, partitions=3, replicationFactor=3, deletionPolicy="Delete"))
    kube.await_ready("topic", name, cluster.namespace)
    kube.namespace(elsewhere)
    try:
        kube.apply(consumers("StatefulSet", name, elsewhere, 0, container(cluster, image, name)))
        kube.apply({
            "apiVersion": "weir.dev/v1alpha1", "kind": "ConsumerScaler", "metadata": {"name": name, "namespace": elsewhere},
            "spec": {"clusterRef": {"name": cluster.name, "namespace": cluster.namespace},
                     "source": {"kafka": {"group": name, "topics": [name]}}, "minReplicas": 0, "maxReplicas": 3,
                     "targetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": name},
                     "drainWithin": "60s", "initialRatePerPod": POD_RATE},
        })
        scaler = ("consumerscaler", name, elsewhere)

        def replicas():
            return kube.get("statefulset", name, elsewhere)["spec"]["replicas"]

        kube.await_status(*scaler, "False", "NamespaceNotAllowed")
        kube.patch("queuecluster", cluster.name, cluster.namespace, {"spec": {"topicNamespaces": rule}})
        kube.kubectl("label", "namespace", elsewhere, f"consumes={name}")
        # Only Deployments may be scaled unless the chart is told of more.
        kube.await_status(*scaler, "False", "TargetNotAllowed")
        weir.install_by_helm(cluster.lab, "--set", "scaler.targets[0].group=apps", "--set", "scaler.targets[0].resource=statefulsets")
        kube.await_status(*scaler, "False", "GroupNotFound")
        load = Load(cluster.bootstrap(), name, tmp_path)
        assert load.produce(records=3_000, rate=3_000).result()["failed"] == 0
        await_condition("the backlog seen", lambda: kube.get(*scaler)["status"].get("backlog"), 60)
        assert replicas() == 0, "what a partition without a commit means was not said"
        kube.patch(*scaler, {"spec": {"noCommit": "Earliest"}})
        await_condition("a pod for what nobody has read", lambda: replicas() >= 1, 60)
        await_condition("all of it read", lambda: kube.get(*scaler)["status"].get("backlog") == 0, 180)

        # Somebody else's from here on.
        kube.apply({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name, "namespace": elsewhere},
            "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": name}, "minReplicas": 1, "maxReplicas": 2,
                     "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]},
        })
        await_condition("the scaler stands back", lambda: kube.get(*scaler)["status"].get("reason") == "OtherScaler", 90)
        assert f"HorizontalPodAutoscaler {name}" in kube.get(*scaler)["status"]["decision"]["message"]
        kube.delete("hpa", name, elsewhere)
        await_condition("the scaler at work again, down to nobody", lambda: replicas() == 0, 300, 1)
    finally:
        weir.install_by_helm(cluster.lab)
        kube.patch("queuecluster", cluster.name, cluster.namespace, {"spec": {"topicNamespaces": {"from": "Same", "selector": None}}})
        kube.delete("namespace", elsewhere, "default", "--wait=false")
        kube.delete("topic", name, cluster.namespace, "--wait=false")
