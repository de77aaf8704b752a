#!/usr/bin/env python3
"""`make bench-operator`: one operator with thousands of resources on a real API server without nodes.

A real broker on loopback stands for the cluster's only pod. The operator starts after the resources
are there. Measured: time until every Topic and every ConsumerScaler has said where it stands, peak
memory with a forced relist, then the writes that the API server counts while nothing changes.
"""

import argparse
import base64
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
from pathlib import Path

from harness.base import CACHE, ROOT, await_condition, program, say
from harness.control_plane import ControlPlane

NAMESPACE, CLUSTER = "bench", "demo"
API = "weir.dev/v1alpha1"
POD, HOST = f"{CLUSTER}-default-0", f"{CLUSTER}-default-0.{CLUSTER}-brokers.{NAMESPACE}.svc"
WRITERS = 8
PAGE = 500


def resources(args):
    cluster = {"apiVersion": API, "kind": "QueueCluster", "metadata": {"name": CLUSTER, "namespace": NAMESPACE},
               "spec": {"replicas": 1, "storage": {"size": "1Gi"}, "config": {"minInsyncReplicas": 1, "defaultReplicationFactor": 1},
                        "listeners": [{"name": "internal", "protocol": "Kafka", "port": 9092, "type": "Internal"}]}}
    topics = [{"apiVersion": API, "kind": "Topic", "metadata": {"name": f"t{i:05}", "namespace": NAMESPACE},
               "spec": {"clusterRef": {"name": CLUSTER}, "partitions": 1, "replicationFactor": 1}} for i in range(args.topics)]
    scalers = [{"apiVersion": API, "kind": "ConsumerScaler", "metadata": {"name": f"s{i:04}", "namespace": NAMESPACE},
                "spec": {"clusterRef": {"name": CLUSTER}, "source": {"kafka": {"group": f"g{i:04}", "topics": [f"t{i:05}"]}},
                         "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"d{i:04}"},
                         "minReplicas": 0, "maxReplicas": 4, "drainWithin": "60s"}} for i in range(args.scalers)]
    deployments = [deployment(f"d{i:04}") for i in range(args.scalers)]
    return cluster, topics, scalers, deployments


def deployment(name):
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"app": name}},
                     "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "none"}]}}}}


def create_all(plane, plural, objects, group="weir.dev/v1alpha1"):
    path = f"/apis/{group}/namespaces/{NAMESPACE}/{plural}"
    with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(lambda one: plane.create(path, one), objects))


def list_all(plane, plural):
    path, items = f"/apis/{API}/namespaces/{NAMESPACE}/{plural}?limit={PAGE}", []
    following = ""
    while True:
        page = plane.json(path + following)
        items += page["items"]
        if not page["metadata"].get("continue"):
            return items
        following = f"&continue={page['metadata']['continue']}"


def condition(resource, kind="Ready"):
    found = [c for c in resource.get("status", {}).get("conditions", []) if c["type"] == kind]
    return found[0] if found else {"status": "Unknown", "reason": "Unknown"}


def settled(resource):
    """It has an answer of this operator: Ready, or the reason that it waits for."""
    return condition(resource)["status"] == "True" or condition(resource)["reason"] not in ("Unknown", "Reconciling", "Pending")


class Pod:
    """The pod that no kubelet makes: its object in the API, its process here."""

    def __init__(self, plane, folder):
        self.plane, self.folder = plane, folder
        self.process = None

    def create(self):
        plane = self.plane
        sets = f"/apis/apps/v1/namespaces/{NAMESPACE}/statefulsets/{CLUSTER}-default"
        stateful = await_condition("the StatefulSet", lambda: self._json(sets), 60)
        template = stateful["spec"]["template"]
        owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": stateful["metadata"]["name"],
                 "uid": stateful["metadata"]["uid"], "controller": True}
        labels = template["metadata"]["labels"] | {"statefulset.kubernetes.io/pod-name": POD, "controller-revision-hash": "bench"}
        plane.create(f"/api/v1/namespaces/{NAMESPACE}/pods", {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": POD, "namespace": NAMESPACE, "labels": labels, "ownerReferences": [owner],
                         "annotations": template["metadata"].get("annotations", {})},
            "spec": {"containers": [{"name": "broker", "image": "none"}], "nodeName": "none"}})
        self.start(stateful)
        ready = [{"type": kind, "status": "True"} for kind in ("Ready", "ContainersReady", "Initialized", "PodScheduled")]
        self._patch(f"/api/v1/namespaces/{NAMESPACE}/pods/{POD}/status", {"status": {
            "phase": "Running", "podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}], "conditions": ready,
            "containerStatuses": [{"name": "broker", "image": "none", "imageID": "none", "ready": True, "restartCount": 0,
                                   "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]}})
        self._patch(sets + "/status", {"status": {
            "replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "currentReplicas": 1, "updatedReplicas": 1,
            "currentRevision": "bench", "updateRevision": "bench", "observedGeneration": stateful["metadata"]["generation"]}})

    def start(self, stateful):
        volumes = stateful["spec"]["template"]["spec"]["volumes"]
        parts = [part for v in volumes for part in [v, *v.get("projected", {}).get("sources", [])]]
        name = next(part["configMap"]["name"] for part in parts if "configMap" in part)
        config = self.plane.json(f"/api/v1/namespaces/{NAMESPACE}/configmaps/{name}")["data"]["broker.yaml"]
        secret = self.plane.json(f"/api/v1/namespaces/{NAMESPACE}/secrets/{CLUSTER}-broker-tls")["data"]
        etc = self.folder / "etc"
        (etc / "tls").mkdir(parents=True)
        for file, text in secret.items():
            (etc / "tls" / file).write_bytes(base64.b64decode(text))
        config = config.replace("/etc/weir", str(etc)).replace("/var/lib/weir", str(self.folder / "data"))
        (etc / "broker.yaml").write_text(config, encoding="utf-8")
        self.process = in_hosts(self.folder, [program("weir-broker"), "--config", etc / "broker.yaml"],
                                "broker", POD_NAME=POD, HOSTNAME=POD)

    def _json(self, path):
        try:
            return self.plane.json(path)
        except urllib.error.HTTPError:
            return None

    def _patch(self, path, body):
        self.plane.request("PATCH", path, body, "application/merge-patch+json")


def in_hosts(folder, words, name, **env):
    """Runs a program in a mount namespace of its own, where the pod's name means loopback."""
    hosts = folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {HOST} {POD}\n", encoding="ascii")
    script = f"mount --bind {hosts} /etc/hosts && exec \"$@\""
    with open(folder / f"{name}.log", "a", encoding="utf-8") as log:
        return subprocess.Popen(["unshare", "--mount", "--uts", "sh", "-c", f"hostname {POD}; {script}", "sh", *map(str, words)],
                                stdout=log, stderr=log, env=os.environ | env)


def peak_mb(process):
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def measure(args, plane, folder):
    cluster, topics, scalers, deployments = resources(args)
    plane.kubectl("apply", "--server-side", "-f", ROOT / "crds")
    plane.kubectl("create", "namespace", NAMESPACE)
    await_condition("the CRDs", lambda: list_all(plane, "topics") == [], 60)
    say(f"creating {args.topics:,} Topics and {args.scalers:,} ConsumerScalers")
    create_all(plane, "queueclusters", [cluster])
    create_all(plane, "topics", topics)
    create_all(plane, "deployments", deployments, "apps/v1")
    create_all(plane, "consumerscalers", scalers)
    start = time.monotonic()
    operator = in_hosts(folder, [program("weir-operator"), "--namespace", "default", "--http", "127.0.0.1:0"],
                        "operator", KUBECONFIG=str(plane.kubeconfig), POD_NAME="bench")
    pod = Pod(plane, folder)
    try:
        pod.create()
        say("the operator and its broker run")
        await_condition("every Topic ready", lambda: all(condition(t)["status"] == "True" for t in list_all(plane, "topics")), args.timeout, 2)
        if args.scalers:
            await_condition("every ConsumerScaler settled", lambda: all(map(settled, list_all(plane, "consumerscalers"))), args.timeout, 2)
        converged = time.monotonic() - start
        say(f"converged after {converged:.0f} s, peak memory {peak_mb(operator):.0f} MiB; now the API server restarts")
        plane.stop("api", at_once=True)   # an orderly stop takes longer than the operator's lease
        plane.start_api()
        time.sleep(args.settle)   # nothing to await: the relist has no end that can be seen from outside
        relist = peak_mb(operator)
        before = plane.mutations()
        say(f"peak with the relist {relist:.0f} MiB; counting writes for {args.idle} s")
        time.sleep(args.idle)
        after = plane.mutations()
        writes = {f"{verb} {resource}": int(count - before.get((verb, resource), 0)) for (verb, resource), count in after.items()
                  if count > before.get((verb, resource), 0)}
        return {"topics": args.topics, "scalers": args.scalers, "converged_s": round(converged, 1), "peak_mib": round(peak_mb(operator), 1),
                "idle_s": args.idle, "idle_writes": writes}
    finally:
        for process in (operator, pod.process):
            if process:
                process.terminate()
                process.wait(60)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--topics", type=int, default=10_000)
    parser.add_argument("--scalers", type=int, default=1_000)
    parser.add_argument("--idle", type=int, default=600, help="seconds in which nothing changes")
    parser.add_argument("--settle", type=int, default=60, help="seconds after the API server's restart")
    parser.add_argument("--timeout", type=int, default=1800)
    args = parser.parse_args()
    folder = CACHE / "bench-operator"
    shutil.rmtree(folder, ignore_errors=True)
    with ControlPlane(folder / "plane") as plane:
        (folder / "pod").mkdir(exist_ok=True)
        found = measure(args, plane, folder / "pod")
    print(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
