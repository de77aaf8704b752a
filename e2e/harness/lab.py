"""The Kubernetes cluster that everything runs on: a kind cluster of our own, or one that is given."""

import json
import os
import re

from .base import ROOT, Failed, run, say
from .kube import Kube

LAB = ROOT / "e2e" / "kind" / "lab"
DISPOSABLE = "weir.dev/disposable"


class Lab:
    """`E2E_CLUSTER=kind` (default) makes its own; `existing` takes the current context."""

    def __init__(self, workers=3):
        self.workers = workers
        self.kind = os.environ.get("E2E_CLUSTER", "kind")
        if self.kind not in ("kind", "existing"):
            raise Failed(f"E2E_CLUSTER is kind or existing, not {self.kind}")
        self.tag = os.environ.get("E2E_TAG", "e2e")
        self.kube = Kube(self._environment())

    def _environment(self):
        env = dict(os.environ)
        if self.kind == "kind":
            for name, value in re.findall(r"(\w+)=(\S+)", run(LAB, "env")):
                env[name] = value.replace("$PATH", env["PATH"])
        return env

    def up(self, fresh=True):
        if self.kind == "existing":
            self._check_disposable()
        elif fresh or not self.is_up():
            run(LAB, "create", timeout=3600, loud=True, env=self.kube.env | {"WORKERS": str(self.workers)})
        self._load_images()

    def is_up(self):
        return "Ready" in run(LAB, "status", check=False)

    def delete(self):
        if self.kind == "kind":
            run(LAB, "delete")

    def _check_disposable(self):
        namespace = json.loads(self.kube.kubectl("get", "namespace", "kube-system", "-o", "json"))
        if namespace["metadata"].get("labels", {}).get(DISPOSABLE) != "true":
            context = self.kube.kubectl("config", "current-context").strip()
            raise Failed(f"{context} is not marked as disposable: kubectl label namespace kube-system {DISPOSABLE}=true")

    def image(self, name):
        """weir-broker or weir-operator; E2E_IMAGES is the place an existing cluster has them from."""
        place = os.environ.get("E2E_IMAGES", "")
        return f"{place.rstrip('/')}/{name}" if place else name

    def _load_images(self):
        if self.kind == "existing":
            say("images are taken from " + os.environ.get("E2E_IMAGES", "the nodes"))
            return
        archives = run(ROOT / "e2e" / "images" / "build", self.tag, timeout=3600, loud=True).split()
        for archive in archives:
            run(LAB, "load", archive, loud=True)

    def growing_class(self):
        """A storage class whose volumes grow; None where nobody has named one."""
        if self.kind == "existing":
            return os.environ.get("E2E_GROWING_CLASS")
        run(LAB, "volumes", timeout=600, loud=True)
        return "weir-loop"

    # What happens to nodes from outside. Only where we made them.

    @property
    def owns_nodes(self):
        return self.kind == "kind"

    def on_node(self, node, script, check=True):
        return run("docker", "exec", node, "sh", "-c", script, env=self.kube.env, check=check)

    def stop_node(self, node):
        run("docker", "kill", node, env=self.kube.env)

    def start_node(self, node):
        run("docker", "start", node, env=self.kube.env)

    def kill_process(self, pod, program="weir-broker", signal="KILL"):
        """Sends a signal to a pod's process from its node; the container's other processes live."""
        uid = pod["metadata"]["uid"]
        wanted = f"{uid}|{uid.replace('-', '_')}"   # as the two cgroup drivers write it
        found = self.on_node(pod["spec"]["nodeName"], f"""
            for p in /proc/[0-9]*; do
              [ "$(cat $p/comm 2>/dev/null)" = {program[:15]} ] && grep -qE '{wanted}' $p/cgroup 2>/dev/null &&
                kill -{signal} "${{p#/proc/}}" && echo "${{p#/proc/}}"
            done; true""").split()
        if not found:
            raise Failed(f"no process {program} in pod {pod['metadata']['name']}")
