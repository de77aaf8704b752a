"""Java programs: the load program and Kafka's own tools, all on one classpath."""

import functools
import json
import os
import subprocess
import sys
import threading
import time
import uuid

from .base import CACHE, ROOT, Failed, await_condition, run

# What payloads are cut from: the repository's own documents and sources.
TEXTS = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "docs", "broker", "operator", "crds", "cli")]


@functools.cache
def classpath():
    return run(ROOT / "e2e" / "java" / "jars", timeout=1800, loud=True).strip()


def command(main, *args, heap="256m", options=()):
    return ["java", f"-Xmx{heap}", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", *options, "-cp", classpath(), main, *map(str, args)]


def tool(main, *args, timeout=300, check=True, stdin=None):
    """Runs one of Kafka's tools by its class and gives what it printed."""
    return run(*command(main, *args), timeout=timeout, check=check, stdin=stdin)


class LoadProcess:
    """A running load program; `events` grows while it runs. A `with` block leaves none behind, also where a test fails."""

    started = []

    def __init__(self, words, on_event=None, env=None):
        self.events = []
        self._on_event = on_event
        self._log = open(CACHE / "load.log", "a", encoding="utf-8")  # noqa: SIM115
        self.process = subprocess.Popen(
            [str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True, env=env)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.started.append(self)

    @classmethod
    def leave_none(cls, since):
        """Kills what a test that failed left running, which would disturb the next one: those started as number `since` or later."""
        for one in cls.started[since:]:
            if one.process.poll() is None:
                one.kill()
        del cls.started[since:]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def _read(self):
        for line in self.process.stdout:
            event = json.loads(line)
            self.events.append(event)
            if self._on_event:
                self._on_event(event)

    def of_kind(self, kind):
        return [event for event in list(self.events) if event["event"] == kind]

    def last(self, kind):
        found = self.of_kind(kind)
        return found[-1] if found else None

    def acknowledged(self):
        return (self.last("progress") or {}).get("acknowledged", 0)

    def await_more(self, records, timeout=120):
        """Waits until so many more records are acknowledged than now."""
        start = self.acknowledged()
        await_condition(f"{records} more records acknowledged after {start}", lambda: self.acknowledged() > start + records, timeout)

    def stop(self):
        """Asks it to end, where it runs until it is told."""
        try:
            self.process.stdin.write("stop\n")
            self.process.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass

    def kill(self):
        self.process.kill()

    def result(self, timeout=300):
        """Its result once it has ended by itself or by `stop`."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            self.process.kill()
            raise Failed(f"the load program did not end within {timeout} s: {self.events[-3:]}") from error
        self._reader.join(10)
        self._log.close()
        result = self.last("result")
        if result is None:
            raise Failed(f"the load program ended with {self.process.returncode}; see {CACHE / 'load.log'}: {self.events[-3:]}")
        return result

    def wait_for(self, kind, timeout=60):
        until = time.monotonic() + timeout
        while not self.of_kind(kind):
            if self.process.poll() is not None and not self.of_kind(kind):
                raise Failed(f"the load program ended before {kind}: {self.events[-3:]}")
            if time.monotonic() > until:
                raise Failed(f"no {kind} within {timeout} s: {self.events[-3:]}")
            time.sleep(0.05)
        return self.last(kind)


def java_load(mode, *args, on_event=None):
    heap = "768m" if mode in ("produce", "consume") else "192m"
    return LoadProcess(command("dev.weir.load.Main", mode, *args, heap=heap), on_event)


class ClientLoad(LoadProcess):
    """A steady load by librdkafka or aiokafka, which checks itself once it is stopped."""

    def __init__(self, client, bootstrap, topic, partitions, rate):
        environment = os.environ | {"PYTHONPATH": str(ROOT / "e2e")}
        super().__init__(
            [sys.executable, "-m", "harness.client_load", client, "--bootstrap", bootstrap, "--topic", topic,
             "--run", uuid.uuid4().hex[:8], "--partitions", partitions, "--rate", rate], env=environment)


class Account:
    """What a run sent, and what was found of it."""

    def __init__(self, sent, checked):
        self.sent, self.checked = sent, checked
        self.pause_s = sent["pauses"]["partitionMs"] / 1000

    def __str__(self):
        return (f"{self.sent['acknowledged']:,} acknowledged, {self.checked['lost']} lost, {self.checked['duplicated']} duplicated, "
                f"{self.sent['failed']} failed, longest pause {self.pause_s:.2f} s in a partition")

    def check(self, failures_allowed=False):
        """Nothing acknowledged is missing, and nothing failed."""
        assert self.checked["good"], self.checked
        assert failures_allowed or self.sent["failed"] == 0, self.sent["failures"]


class Load:
    """One run: records produced to a topic, and later looked for. Files of it lie in `folder`."""

    def __init__(self, bootstrap, topic, folder, run_id=None):
        self.bootstrap, self.topic = bootstrap, topic
        self.run_id = run_id or uuid.uuid4().hex[:8]
        self.folder = folder
        self.ledger = folder / f"{self.run_id}.ledger"

    def produce(self, on_event=None, **options):
        """Starts a producer; without `records` it runs until it is stopped."""
        texts = [word for text in TEXTS if text.exists() for word in ("--text", text)]
        return java_load(
            "produce", "--bootstrap", self.bootstrap, "--topic", self.topic, "--run", self.run_id,
            "--ledger", self.ledger, *texts, *_named(options), on_event=on_event)

    def consume(self, group=None, on_event=None, **options):
        group = group or f"check-{self.run_id}"
        return java_load(
            "consume", "--bootstrap", self.bootstrap, "--topic", self.topic, "--ledger", self.ledger,
            "--group", group, *_named(options), on_event=on_event)

    def end(self, producer, timeout=180):
        """Ends its producer and looks for every acknowledged record."""
        producer.stop()
        sent = producer.result()
        with self.consume(members=3, timeout=timeout) as check:
            return Account(sent, check.result())


def _named(options):
    for name, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            yield f"--{name.replace('_', '-')}"
            yield one


def topic_admin(bootstrap, verb, topic, *configs, **options):
    """Creates, grows, alters, deletes or describes a topic with Kafka's Admin client."""
    out = tool("dev.weir.load.Main", "admin", verb, topic, *configs, "--bootstrap", bootstrap, *_named(options))
    return json.loads(out.splitlines()[-1]) if out.strip() else None
