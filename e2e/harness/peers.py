"""Brokers on loopback, one process or three, of Weir and of Kafka, behind one shape."""

import os
import shutil
import signal
import subprocess
import urllib.request
from pathlib import Path

from .base import answers, await_condition, free_ports, weir_broker
from .java import classpath, tool

CLUSTER_ID = "weirE2Eclusterid00000Q"


class Broker:
    """One process with its log file, and what the kernel counts of it."""

    def __init__(self, command, folder, env=None):
        self.log = open(folder / "broker.log", "a", encoding="utf-8")  # noqa: SIM115
        self.process = subprocess.Popen([str(word) for word in command], stdout=self.log, stderr=self.log, env=env)

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self):
        for line in Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1000
        return 0.0

    def stop(self, how=signal.SIGTERM, timeout=60):
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


class Cluster:
    """Brokers of one kind; subclasses say how one starts."""

    name = "?"

    def __init__(self, folder, count=1):
        self.folder, self.count = Path(folder), count
        self.brokers, self.ports = [], []

    def __enter__(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.prepare()
        self.brokers = [self.start(i) for i in range(self.count)]
        try:
            for port in self.ports:
                await_condition(f"{self.name} on port {port}", lambda port=port: answers("127.0.0.1", port), 60, 0.05)
            self.await_formed()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for broker in self.brokers:
            broker.stop()

    @property
    def bootstrap(self):
        return ",".join(f"127.0.0.1:{port}" for port in self.ports)

    def cpu_seconds(self):
        return sum(broker.cpu_seconds() for broker in self.brokers)

    def memory_mb(self):
        return sum(broker.memory_mb() for broker in self.brokers)

    def syncs(self):
        """Calls of fdatasync so far; None where nobody counts them."""
        return None

    def prepare(self):
        raise NotImplementedError

    def start(self, index):
        raise NotImplementedError

    def await_formed(self):
        pass


class Kafka(Cluster):
    """Kafka as it comes, every process a broker and a controller."""

    name = "kafka"

    def prepare(self):
        self.ports = free_ports(2 * self.count)
        self.ports, self._controllers = self.ports[:self.count], self.ports[self.count:]
        voters = ",".join(f"{i}@127.0.0.1:{port}" for i, port in enumerate(self._controllers))
        replicas = min(self.count, 3)
        for index in range(self.count):
            folder = self.folder / str(index)
            folder.mkdir()
            (folder / "server.properties").write_text("\n".join([
                "process.roles=broker,controller", f"node.id={index}", f"controller.quorum.voters={voters}",
                f"listeners=PLAINTEXT://127.0.0.1:{self.ports[index]},CONTROLLER://127.0.0.1:{self._controllers[index]}",
                "controller.listener.names=CONTROLLER", f"log.dirs={folder}/data",
                f"offsets.topic.replication.factor={replicas}", f"transaction.state.log.replication.factor={replicas}",
                f"min.insync.replicas={min(2, replicas)}", "group.initial.rebalance.delay.ms=0", ""]), encoding="utf-8")
            tool("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", folder / "server.properties")

    def start(self, index):
        folder = self.folder / str(index)
        return Broker(["java", "-Xmx1g", "-cp", classpath(), "kafka.Kafka", folder / "server.properties"], folder)


class Weir(Cluster):
    """Weir without Kubernetes: a configuration file a process, the first one forms the cluster."""

    name = "weir"

    def prepare(self):
        ports = free_ports(4 * self.count)
        self.ports, peers, admins, self.health = (ports[i * self.count:(i + 1) * self.count] for i in range(4))
        seeds = ", ".join(f"'127.0.0.1:{port}'" for port in peers)
        replicas = min(self.count, 3)
        for index in range(self.count):
            folder = self.folder / str(index)
            folder.mkdir()
            address = f"127.0.0.1:{self.ports[index]}"
            (folder / "broker.yaml").write_text("\n".join([
                f"brokerId: {index}", f"dataDir: {folder}/data", f"seeds: [{seeds}]",
                f"peer: {{bind: '127.0.0.1:{peers[index]}', advertised: '127.0.0.1:{peers[index]}'}}",
                f"admin: {{bind: '127.0.0.1:{admins[index]}'}}", f"health: {{bind: '127.0.0.1:{self.health[index]}'}}",
                f"listeners: [{{name: client, protocol: Kafka, bind: '{address}', advertised: '{address}'}}]",
                *([f"form: {CLUSTER_ID}"] if index == 0 else []),
                f"config: {{offsets.topic.replication.factor: '{replicas}', min.insync.replicas: '{min(2, replicas)}', "
                "group.initial.rebalance.delay.ms: '0', auto.create.topics.enable: 'true'}", ""]), encoding="utf-8")

    def start(self, index):
        folder = self.folder / str(index)
        return Broker([weir_broker(), "--config", folder / "broker.yaml"], folder)

    def await_formed(self):
        for port in self.health:
            await_condition(f"ready on {port}", lambda port=port: self.get(port, "/readyz") is not None, 60, 0.1)

    @staticmethod
    def get(port, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.read().decode()

    def metric(self, name):
        """The sum of a metric over all brokers and label sets."""
        total = 0.0
        for port in self.health:
            for line in self.get(port, "/metrics").splitlines():
                if line.startswith((name + " ", name + "{")):
                    total += float(line.rsplit(" ", 1)[1])
        return total

    def syncs(self):
        return int(self.metric("weir_fdatasyncs_total"))
