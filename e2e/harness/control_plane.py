"""A Kubernetes API without nodes: kube-apiserver and etcd on loopback, for what needs many objects
and no pods. The programs are those of the lab."""

import json
import os
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request

from .base import CACHE, ROOT, await_condition, free_ports, run

TOKEN = "loopback-only"
BIN = CACHE / "kind" / "bin"


class ControlPlane:
    """Both processes and a kubeconfig in a folder; gone with the `with` block."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = {}

    def __enter__(self):
        if not (BIN / "etcd").exists() or not (BIN / "kubernetes").exists():
            run(ROOT / "e2e" / "kind" / "parts", timeout=3600, loud=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.api, self.etcd, peer = free_ports(3)
        self.url = f"https://127.0.0.1:{self.api}"
        (self.folder / "tokens.csv").write_text(f"{TOKEN},admin,admin,system:masters\n", encoding="ascii")
        run("openssl", "genrsa", "-out", self.folder / "accounts.key", "2048")
        self.kubeconfig = self.folder / "kubeconfig"
        self.kubeconfig.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "bench",
            "clusters": [{"name": "bench", "cluster": {"server": self.url, "insecure-skip-tls-verify": True}}],
            "users": [{"name": "bench", "user": {"token": TOKEN}}],
            "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}]}), encoding="ascii")
        etcd = f"http://127.0.0.1:{self.etcd}"
        self._run("etcd", [BIN / "etcd", "--data-dir", self.folder / "etcd", "--listen-client-urls", etcd,
                           "--advertise-client-urls", etcd, "--listen-peer-urls", f"http://127.0.0.1:{peer}",
                           "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
                           "--initial-cluster", f"default=http://127.0.0.1:{peer}", "--unsafe-no-fsync"])
        self.start_api()
        return self

    def __exit__(self, *_):
        for name in ("api", "etcd"):
            self.stop(name)

    def start_api(self):
        key = self.folder / "accounts.key"
        self._run("api", [BIN / "kubernetes", "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{self.etcd}",
                          "--bind-address=127.0.0.1", f"--secure-port={self.api}", f"--cert-dir={self.folder}/certs",
                          f"--token-auth-file={self.folder}/tokens.csv", "--authorization-mode=RBAC",
                          f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
                          "--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range=10.0.0.0/16",
                          "--disable-admission-plugins=ServiceAccount", "--endpoint-reconciler-type=none"])
        await_condition("the API", lambda: self.get("/readyz") == "ok", 60)

    def stop(self, name, at_once=False):
        process = self.processes.pop(name, None)
        if process:
            process.kill() if at_once else process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _run(self, name, words):
        with open(self.folder / f"{name}.log", "a", encoding="utf-8") as log:
            self.processes[name] = subprocess.Popen([str(word) for word in words], stdout=log, stderr=log)

    def request(self, method, path, body=None, kind="application/json"):
        data = None if body is None else json.dumps(body).encode()
        ask = urllib.request.Request(self.url + path, data=data, method=method,
                                     headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": kind})
        with urllib.request.urlopen(ask, timeout=60, context=ssl._create_unverified_context()) as answer:  # noqa: S323
            return answer.read().decode()

    def get(self, path):
        return self.request("GET", path)

    def json(self, path):
        return json.loads(self.get(path))

    def create(self, path, body):
        try:
            return json.loads(self.request("POST", path, body))
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"POST {path}: {error.code} {error.read().decode()[:500]}") from error

    def kubectl(self, *words):
        return run(BIN / "kubernetes", "kubectl", "--kubeconfig", self.kubeconfig, *words,
                   env=os.environ | {"KUBECONFIG": str(self.kubeconfig)})

    def mutations(self):
        """Writes so far by (verb, resource), as the API server counts them."""
        found = {}
        for line in self.get("/metrics").splitlines():
            if not line.startswith("apiserver_request_total{"):
                continue
            labels = dict(pair.split("=", 1) for pair in line[line.index("{") + 1:line.rindex("}")].split(","))
            verb, resource = labels.get("verb", "").strip('"'), labels.get("resource", "").strip('"')
            if verb in ("POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"):
                key = (verb, resource)
                found[key] = found.get(key, 0) + float(line.rsplit(" ", 1)[1])
        return found
