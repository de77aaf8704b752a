"""The chart rendered by helm, on no cluster."""

import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from harness.base import CACHE, ROOT, run

CHART = ROOT / "charts" / "weir"


@functools.cache
def helm():
    """HELM, the one on the path, or the lab's own."""
    found = os.environ.get("HELM") or shutil.which("helm")
    if found:
        return found
    run(ROOT / "e2e" / "kind" / "parts", "helm", timeout=1800, loud=True)
    return str(CACHE / "kind" / "bin" / "helm")


def program(name):
    """A program that make deps provides: on the path, or in the cache."""
    kept = CACHE / "bin" / name
    return shutil.which(name) or (str(kept) if kept.exists() else pytest.fail(f"{name} is not there: make deps"))


def template(*sets, namespace="weir-system", chart=CHART):
    words = [helm(), "template", "weir", str(chart), "-n", namespace, "--kube-version", "1.34.0"]
    for one in sets:
        words += ["--set", one]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)


def render(*sets, **options):
    """The objects that the chart makes of these values."""
    done = template(*sets, **options)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def of_kind(objects, kind):
    return [one for one in objects if one["kind"] == kind]


def the(objects, kind):
    found = of_kind(objects, kind)
    assert len(found) == 1, [one["metadata"]["name"] for one in found]
    return found[0]


def read(path):
    return Path(path).read_text(encoding="utf-8")
