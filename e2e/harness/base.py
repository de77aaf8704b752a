"""Folders, processes, and waiting for things instead of sleeping."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("WEIR_CACHE", Path.home() / ".cache" / "weir"))
# Of the processes that share a suite (pytest-xdist), which one this is.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


class Failed(Exception):
    """A command that did not do what it was asked, with what it said."""


def say(text):
    print(f"==> {text}", file=sys.stderr, flush=True)


def run(*command, stdin=None, check=True, timeout=300, env=None, loud=False):
    """Runs a command and gives its standard output; a loud one shows its standard error as it comes."""
    words = [str(word) for word in command]
    done = subprocess.run(words, input=stdin, stdout=subprocess.PIPE, stderr=None if loud else subprocess.PIPE,
                          text=True, check=False, timeout=timeout, env=env)
    if check and done.returncode != 0:
        said = done.stdout[-4000:] + (done.stderr or "")[-4000:]
        raise Failed(f"{' '.join(words)} ended with {done.returncode}:\n{said}")
    return done.stdout


def await_condition(what, probe, timeout=120, interval=0.25):
    """Calls `probe` until it gives something true, and gives that; its errors mean not yet."""
    until = time.monotonic() + timeout
    last = None
    while True:
        try:
            found = probe()
            if found:
                return found
            last = found
        except (Failed, OSError, subprocess.TimeoutExpired, KeyError, IndexError, json.JSONDecodeError) as error:
            last = error
        if time.monotonic() > until:
            raise TimeoutError(f"no {what} within {timeout} s; last seen: {last}")
        time.sleep(interval)


def target_dir():
    """Where cargo puts what it builds."""
    manifest = ROOT / "Cargo.toml"
    out = run("cargo", "metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path", manifest)
    return Path(json.loads(out)["target_directory"])


def program(name):
    """One of our programs: of the folder WEIR_PROGRAMS, or as they are shipped (make build)."""
    folder = Path(os.environ.get("WEIR_PROGRAMS") or target_dir() / "release")
    if not (folder / name).exists():
        raise Failed(f"{folder / name} is not built: make build")
    return folder / name


def weir_broker():
    """The broker's program: WEIR_BROKER, or the one that was built."""
    named = os.environ.get("WEIR_BROKER")
    return Path(named) if named else program("weir-broker")


def free_ports(count, together=False):
    """Ports of loopback that nobody listens on now, far from those that the kernel gives away; `together`: one after another."""
    found, held = [], []
    try:
        # Workers begin far from each other.
        for port in range(19000 + (os.getpid() + 500 * WORKER) % 1000 * 10, 32000):
            with_socket = socket.socket()
            try:
                with_socket.bind(("127.0.0.1", port))
                held.append(with_socket)
                found.append(port)
            except OSError:
                with_socket.close()
                if together:
                    found.clear()
            if len(found) == count:
                return found
    finally:
        for one in held:
            one.close()
    raise Failed("no free ports")


def answers(host, port):
    with socket.create_connection((host, port), timeout=1):
        return True
