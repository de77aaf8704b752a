"""kubectl, and what the suites ask of a Kubernetes cluster."""

import json
import subprocess

from .api import Reader, Unreadable
from .base import Failed, await_condition, run


class Kube:
    """A cluster by its kubeconfig; `env` is what its tools need."""

    def __init__(self, env):
        self.env = env
        self._reader = None

    def kubectl(self, *words, stdin=None, check=True, timeout=300):
        return run("kubectl", *words, stdin=stdin, check=check, timeout=timeout, env=self.env)

    def helm(self, *words, timeout=600):
        return run("helm", *words, env=self.env, timeout=timeout)

    def apply(self, *sources):
        """Applies manifests: a dict, a list of them, or a file's path."""
        for source in sources:
            if isinstance(source, (dict, list)):
                items = source if isinstance(source, list) else [source]
                self.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
            else:
                self.kubectl("apply", "-f", source)

    def refused(self, manifest):
        """Applies a manifest that must not be taken, and gives what was said."""
        words = ["kubectl", "apply", "-f", "-"]
        done = subprocess.run(words, input=json.dumps(manifest), capture_output=True, text=True, check=False, env=self.env, timeout=60)
        if done.returncode == 0:
            raise Failed(f"taken, though it must not be: {manifest}")
        return done.stderr

    def _read(self, by_reader, by_kubectl):
        """Over the open connection; whatever that cannot do, by kubectl."""
        try:
            if self._reader is None:
                self._reader = Reader(json.loads(self.kubectl("config", "view", "--minify", "--raw", "-o", "json")))
            return by_reader(self._reader)
        except Unreadable:
            # The cluster may be another one by now.
            self._reader = None
            return by_kubectl()

    def get(self, kind, name, namespace):
        return self._read(lambda api: api.get(kind, name, namespace),
                          lambda: json.loads(self.kubectl("get", kind, name, "-n", namespace, "-o", "json")))

    def list(self, kind, namespace=None, selector=None):
        words = ["get", kind, "-o", "json", *(["-n", namespace] if namespace else ["-A"]), *(["-l", selector] if selector else [])]
        return self._read(lambda api: api.list(kind, namespace, selector), lambda: json.loads(self.kubectl(*words))["items"])

    def exists(self, kind, name, namespace):
        return self._read(lambda api: api.find(kind, name, namespace) is not None,
                          lambda: bool(self.kubectl("get", kind, name, "-n", namespace, "--ignore-not-found", "-o", "name").strip()))

    def delete(self, kind, name, namespace, *words, timeout=180):
        self.kubectl("delete", kind, name, "-n", namespace, "--ignore-not-found", *words, timeout=timeout)

    def patch(self, kind, name, namespace, change):
        self.kubectl("patch", kind, name, "-n", namespace, "--type=merge", "-p", json.dumps(change))

    def namespace(self, name, **labels):
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})

    def condition(self, kind, name, namespace, condition="Ready"):
        """The condition, if it was said of the newest generation."""
        found = self.get(kind, name, namespace)
        for one in found.get("status", {}).get("conditions", []):
            if one["type"] == condition and one.get("observedGeneration", 0) >= found["metadata"]["generation"]:
                return one
        return None

    def await_ready(self, kind, name, namespace, timeout=240):
        return self.await_status(kind, name, namespace, "True", timeout=timeout)

    def await_status(self, kind, name, namespace, status, reason=None, condition="Ready", timeout=120):
        """Waits until a condition has a status (and a reason) for the newest generation."""
        what = f"{condition}={status} {reason or ''} on {kind} {name}"
        seen = {}

        def probe():
            seen["last"] = found = self.condition(kind, name, namespace, condition)
            return found if found and found["status"] == status and reason in (None, found["reason"]) else None

        try:
            return await_condition(what, probe, timeout, 0.5)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; the condition was {seen.get('last')}") from error

    def pod_ready(self, pod):
        conditions = {c["type"]: c["status"] for c in pod.get("status", {}).get("conditions", [])}
        return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]
