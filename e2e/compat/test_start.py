"""How the process starts, and how it says that it cannot: one clear line, an exit code, and nothing touched."""

import os
import re
import signal
import socket
import subprocess

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic
from conftest import dev_port
from harness.base import answers, await_condition, free_ports, weir_broker
from harness.peers import Broker, Weir

pytestmark = pytest.mark.skipif(os.environ.get("COMPAT_SERVER", "weir") != "weir", reason="looks at Weir's process")

CONFIG = """brokerId: 0
dataDir: {folder}/data
peer: {{bind: '127.0.0.1:{ports[1]}', advertised: '127.0.0.1:{ports[1]}'}}
admin: {{bind: '127.0.0.1:{ports[2]}'}}
health: {{bind: '127.0.0.1:{ports[3]}'}}
listeners: [{{name: client, protocol: Kafka, bind: '127.0.0.1:{ports[0]}', advertised: '127.0.0.1:{ports[0]}'}}]
form: weirE2Eclusterid00000Q
"""


def refused(*words):
    """What a broker that must not start says last: one line, and for a file the place in it."""
    done = subprocess.run([str(word) for word in (weir_broker(), *words)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, f"exit code {done.returncode}: {done.stderr}"
    said = re.search(r"^weir-broker: .*", done.stderr, re.MULTILINE | re.DOTALL)
    assert said and said.group().count("weir-broker: ") == 1, done.stderr
    return said.group()


@pytest.fixture
def config(tmp_path):
    """Writes a configuration file, with a line more or another one instead."""
    # Not those that a cluster beside it takes.
    ports = free_ports(8)[4:]

    def written(more="", instead_of=None):
        text = CONFIG.format(folder=tmp_path, ports=ports)
        if instead_of:
            assert instead_of in text
            text = text.replace(instead_of, more)
        else:
            text += more
        path = tmp_path / "broker.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    written.ports, written.data = ports, tmp_path / "data"
    return written


BAD = {
    "an unknown key": ("retention: 1h\n", None, ["retention"]),
    "a wrong type": ("scrubBytesPerSecond: many\n", None, ["scrubBytesPerSecond", "many"]),
    "a wrong unit": ("scrubBytesPerSecond: 4MB\n", None, ["scrubBytesPerSecond", "4MB"]),
    "a negative id": ("brokerId: -1", "brokerId: 0", ["brokerId"]),
    "an unknown config": ("config: {min.insync.replica: '2'}\n", None, ["config", "min.insync.replica"]),
    "a config with a unit": ("config: {log.retention.ms: 1h}\n", None, ["log.retention.ms", "1h", "whole number"]),
    "a config out of its range": ("config: {num.partitions: '0'}\n", None, ["num.partitions", "within 1"]),
}


@pytest.mark.parametrize("wrong", BAD)
def test_a_wrong_configuration_is_named_and_nothing_is_touched(config, wrong):
    more, instead_of, names = BAD[wrong]
    last = refused("--config", config(more, instead_of))
    assert "broker.yaml" in last and all(name in last for name in names), last
    assert not config.data.exists()


def test_a_joining_broker_checks_its_configs_too(config):
    joining = config("seeds: ['127.0.0.1:1']\nconfig: {no.such.config: '1'}\n", "form: weirE2Eclusterid00000Q\n")
    assert "no.such.config" in refused("--config", joining)
    assert not config.data.exists()


def test_a_port_that_is_taken_is_named_and_nothing_is_touched(config):
    with socket.socket() as other:
        other.bind(("127.0.0.1", config.ports[0]))
        other.listen()
        last = refused("--config", config())
    assert f"127.0.0.1:{config.ports[0]}" in last and "in use" in last, last
    assert not config.data.exists()


def test_a_second_broker_on_a_folder_is_refused_and_the_first_goes_on(tmp_path):
    port, other = free_ports(8, together=True)[::4]
    broker = Broker([weir_broker(), "--dev", "--data-dir", tmp_path / "data", "--port", port], tmp_path)
    try:
        await_condition("the first", lambda: answers("127.0.0.1", port), 30, 0.02)
        last = refused("--dev", "--data-dir", tmp_path / "data", "--port", other)
        assert str(tmp_path / "data") in last and "another process" in last, last
        assert broker.process.poll() is None and answers("127.0.0.1", port)
    finally:
        broker.stop()


def test_a_second_broker_with_an_id_is_refused_and_the_first_goes_on(config, tmp_path):
    with Weir(tmp_path / "first") as first:
        peer = re.search(r"peer: {bind: '([^']*)'", (tmp_path / "first" / "0" / "broker.yaml").read_text(encoding="utf-8")).group(1)
        last = refused("--config", config(f"seeds: ['{peer}']\n", "form: weirE2Eclusterid00000Q\n"))
        assert "broker 0" in last and "same id" in last, last
        assert first.brokers[0].process.poll() is None
        assert Weir.get(first.health[0], "/readyz") is not None


def test_a_configuration_that_was_formed_without_its_configs_gets_them(config):
    """The founder was killed between the cluster's first entry and its configs: as if it had had none."""

    def started(path):
        return Broker([weir_broker(), "--config", path], path.parent)

    def ready():
        return Weir.get(config.ports[3], "/readyz") is not None

    def partitions():
        admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{config.ports[0]}"})
        resource = ConfigResource(ConfigResource.Type.BROKER, "0")
        return admin.describe_configs([resource])[resource].result(10)["num.partitions"].value

    for more, expected in (("", "1"), ("config: {num.partitions: '7'}\n", "7"), ("", "7"), ("config: {num.partitions: '9'}\n", "7")):
        broker = started(config(more))
        try:
            await_condition("a broker", ready, 60, 0.1)
            await_condition(f"num.partitions = {expected}", lambda expected=expected: partitions() == expected, 30)
        finally:
            broker.stop()


def test_the_first_answers_after_a_start_are_of_today(tmp_path):
    """A broker that starts again reads its metadata from their beginning: nobody may be told of a cluster that does
    not have his topic yet."""
    port = dev_port()
    words = [weir_broker(), "--dev", "--data-dir", tmp_path / "data", "--port", port]
    broker = Broker(words, tmp_path)
    try:
        await_condition("the broker", lambda: answers("127.0.0.1", port), 60)
        admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}"})
        names = [f"topic-{i}" for i in range(5)]
        for made in admin.create_topics([NewTopic(name, 3, 1) for name in names]).values():
            made.result(30)
        for how in (signal.SIGKILL, signal.SIGTERM) * 3:
            broker.stop(how)
            broker = Broker(words, tmp_path)
            await_condition("the broker", lambda: answers("127.0.0.1", port), 60, 0.005)
            topics = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}"}).list_topics(timeout=30).topics
            assert sorted(topics) == names
            leaders = {part.leader for topic in topics.values() for part in topic.partitions.values()}
            assert leaders == {0}, leaders
    finally:
        broker.stop()


def test_a_broker_for_one_person_is_ready_at_once(tmp_path):
    """The goal is 300 ms for a release build on a machine that does nothing else."""
    took = []
    for turn in range(5):
        folder = tmp_path / str(turn)
        folder.mkdir()
        broker = Broker([weir_broker(), "--dev", "--port", dev_port()], folder)
        try:
            line = await_condition("ready", lambda folder=folder: re.search(
                r"ready in (\d+) ms", (folder / "broker.log").read_text(encoding="utf-8")), 30, 0.02)
            took.append(int(line.group(1)))
        finally:
            broker.stop(signal.SIGTERM)
    print(f"\nready in {sorted(took)} ms")
    assert min(took) < 3000
