"""One server for all: `weir-broker --dev`. COMPAT_SERVER=kafka takes a real Kafka instead, to see
that the suite asks for nothing that Kafka does not do."""

import os
import shutil
import subprocess
import uuid

import pytest
from harness.base import CACHE, WORKER, answers, await_condition, free_ports, weir_broker
from harness.peers import Broker, Kafka


@pytest.fixture(scope="session")
def bootstrap():
    folder = CACHE / "compat" / f"worker-{WORKER}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if os.environ.get("COMPAT_SERVER", "weir") == "kafka":
        with Kafka(folder / "kafka") as cluster:
            yield cluster.bootstrap
        return
    port = dev_port()
    broker = Broker([weir_broker(), "--dev", "--data-dir", folder / "data", "--port", port], folder)
    try:
        await_condition("weir-broker --dev", lambda: answers("127.0.0.1", port), 30, 0.02)
        yield f"127.0.0.1:{port}"
        assert broker.process.poll() is None, "the broker died under the suite"
    finally:
        broker.stop()


def dev_port():
    """A port with three free ones above it, for the broker's other listeners."""
    return free_ports(4, together=True)[0]


@pytest.fixture
def topic():
    """A name that no other test has."""
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def group():
    return f"g-{uuid.uuid4().hex[:12]}"


def kcat(bootstrap, *words, stdin=None, timeout=60):
    done = subprocess.run(["kcat", "-b", bootstrap, *map(str, words)], input=stdin, capture_output=True,
                          text=True, timeout=timeout, check=False)
    assert done.returncode == 0, f"kcat {words}: {done.stderr}"
    return done.stdout
