"""Weir on Kubernetes: the operator installed, QueueClusters and Topics made and looked at."""

import copy
import re

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from .base import ROOT, Failed, await_condition

SYSTEM = "weir-system"
RELEASE = "weir"
API = "weir.dev/v1alpha1"


CHART = ROOT / "charts" / "weir"
INSTALL = ROOT / "charts" / "install.yaml"


def values(lab):
    return ["--set", f"image.repository={lab.image('weir-operator')}", "--set", f"image.tag={lab.tag}",
            "--set", f"brokerImage={lab.image('weir-broker')}:{lab.tag}"]


def install_by_helm(lab, *extra):
    lab.kube.helm("upgrade", "--install", RELEASE, CHART, "-n", SYSTEM, "--create-namespace", *values(lab), *extra,
                  "--wait", "--timeout", "180s")


def install_yaml(lab):
    """The generated manifests as they are committed, with the images of this run."""
    text = INSTALL.read_text(encoding="utf-8")
    text, operators = re.subn(r'image: "?weir-operator:[^"\s]+"?', f"image: {lab.image('weir-operator')}:{lab.tag}", text)
    text, brokers = re.subn(r'value: "?weir-broker:[^"\s]+"?', f"value: {lab.image('weir-broker')}:{lab.tag}", text)
    if operators != 1 or brokers != 1:
        raise Failed(f"{INSTALL} names no images that can be replaced")
    return text


def uninstall_by_helm(lab):
    lab.kube.helm("uninstall", RELEASE, "-n", SYSTEM, "--ignore-not-found", "--wait", "--timeout", "120s")


def operators(kube):
    """The operator's pods that are not on their way out."""
    found = kube.list("pods", SYSTEM, "app.kubernetes.io/name=weir-operator")
    return [one for one in found if "deletionTimestamp" not in one["metadata"]]


def leader(kube):
    """The operator's pod that holds the lease; None while nobody does."""
    leases = kube.list("leases", SYSTEM)
    return next((one["spec"].get("holderIdentity") for one in leases if one["spec"].get("holderIdentity")), None)


def kill_leader(lab):
    """The operator's leader dies without a word, and its pod goes; gives its name."""
    name = leader(lab.kube)
    if lab.owns_nodes:
        lab.kill_process(lab.kube.get("pod", name, SYSTEM), "weir-operator")
    lab.kube.delete("pod", name, SYSTEM, "--grace-period=0", "--force")
    return name


class QueueCluster:
    """A cluster's resource, its pods, and how clients outside reach it."""

    def __init__(self, lab, namespace="mq", name="demo"):
        self.lab, self.kube, self.namespace, self.name = lab, lab.kube, namespace, name

    def manifest(self, **spec):
        base = {
            "replicas": 3,
            "storage": {"size": "2Gi", "whenDeleted": "Delete"},
            "racks": {"topologyKey": "topology.kubernetes.io/zone"},
            "config": {"minInsyncReplicas": 2, "defaultReplicationFactor": 3},
            "listeners": [{"name": "internal", "protocol": "Kafka", "port": 9092, "type": "Internal"},
                          {"name": "outside", "protocol": "Kafka", "port": 9094, "type": "NodePort"}],
        }
        return {"apiVersion": API, "kind": "QueueCluster", "metadata": {"name": self.name, "namespace": self.namespace},
                "spec": copy.deepcopy(base) | spec}

    def get(self):
        return self.kube.get("queuecluster", self.name, self.namespace)

    def await_ready(self, timeout=240):
        return self.kube.await_ready("queuecluster", self.name, self.namespace, timeout)

    def bootstrap(self, listener="outside"):
        def probe():
            found = [one for one in self.get()["status"]["listeners"] if one["name"] == listener]
            return found[0].get("bootstrap")
        return await_condition(f"address of listener {listener}", probe, 120)

    def pods(self):
        """Pods of the brokers by broker id, which is their ordinal."""
        selector = f"app.kubernetes.io/name=weir,app.kubernetes.io/instance={self.name}"
        pods = self.kube.list("pods", self.namespace, selector)
        return {int(pod["metadata"]["name"].rsplit("-", 1)[1]): pod for pod in pods}

    def pod(self, broker):
        return self.pods()[broker]

    def await_brokers(self, count=3, timeout=180):
        """Waits until so many brokers are ready and the operator says that nothing is missing."""
        def probe():
            ready = [pod for pod in self.pods().values() if self.kube.pod_ready(pod)]
            return len(ready) == count
        await_condition(f"{count} brokers ready", probe, timeout, 0.5)
        self.await_ready(timeout)

    def partitions(self, topic):
        """The topic's partitions as its clients see them."""
        try:
            found = AdminClient({"bootstrap.servers": self.bootstrap(), "log_level": 0}).list_topics(topic, timeout=10).topics[topic]
        except KafkaException as error:
            raise Failed(f"nobody describes {topic}: {error}") from error
        return [{"partition": index, "leader": one.leader, "replicas": one.replicas, "isr": one.isrs}
                for index, one in sorted(found.partitions.items())]

    def leaders(self, topic):
        """Broker id → the partitions of `topic` that it leads."""
        led = {}
        for one in self.partitions(topic):
            led.setdefault(one["leader"], []).append(one["partition"])
        return led

    def busiest(self, topic):
        led = self.leaders(topic)
        return max(led, key=lambda broker: (len(led[broker]), -broker))

    def await_in_sync(self, topic, timeout=180):
        """Waits until every replica of `topic` is in sync, as its clients see it."""
        def probe():
            partitions = self.partitions(topic)
            return partitions and all(sorted(one["isr"]) == sorted(one["replicas"]) and one["leader"] >= 0 for one in partitions)
        await_condition(f"every replica of {topic} in sync", probe, timeout, 1)

    def held(self, topic):
        """Broker id → how many replicas of `topic` it has."""
        counts = {}
        for one in self.partitions(topic):
            for broker in one["replicas"]:
                counts[broker] = counts.get(broker, 0) + 1
        return counts

    def change(self, **spec):
        self.kube.patch("queuecluster", self.name, self.namespace, {"spec": spec})

    def await_settled(self, timeout):
        """Waits until nothing is under way: no move, no restart, no broker that comes or goes."""
        return self.kube.await_status("queuecluster", self.name, self.namespace, "False", condition="Reconciling", timeout=timeout)

    def topic(self, resource, namespace=None, **spec):
        reference = {"name": self.name} if namespace in (None, self.namespace) else {"name": self.name, "namespace": self.namespace}
        return {"apiVersion": API, "kind": "Topic", "metadata": {"name": resource, "namespace": namespace or self.namespace},
                "spec": {"clusterRef": reference} | spec}
