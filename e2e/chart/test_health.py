"""Argo CD's health checks in Lua, over the statuses that the operator writes."""

import json
import subprocess

import pytest
import yaml
from conftest import ROOT, program, read

CHECKS = {key.rsplit("weir.dev_", 1)[1]: text
          for key, text in yaml.safe_load(read(ROOT / "docs" / "argocd" / "health.yaml"))["data"].items()}
# Kept by the operator's own tests, with what kstatus makes of each.
WRITTEN = json.loads(read(ROOT / "e2e" / "fixtures" / "statuses.json"))
EXPECTED = {"Current": "Healthy", "InProgress": "Progressing", "Failed": "Degraded"}
# Argo CD knows a word for what waits on purpose; kstatus does not.
WAITS = ("Paused", "AdoptionPreview")


def literal(value):
    """A JSON value as Lua writes it."""
    if isinstance(value, dict):
        return "{" + ",".join(f"[{literal(key)}]={literal(one)}" for key, one in value.items() if one is not None) + "}"
    if isinstance(value, list):
        return "{" + ",".join(literal(one) for one in value) + "}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)


def health(kind, resource):
    """The check as Argo CD runs it: Lua 5.1, the resource in `obj`, a table given back."""
    script = f"local obj = {literal(resource)}\nlocal found = (function()\n{CHECKS[kind]}\nend)()\n" \
             "print(found.status)\nprint(found.message)"
    done = subprocess.run([program("lua5.1"), "-"], input=script, capture_output=True, text=True, check=False, timeout=10)
    assert done.returncode == 0, done.stderr
    status, message = done.stdout.split("\n", 1)
    return status, message.strip()


def condition(kind, status, reason="Some", message="a message"):
    return {"type": kind, "status": status, "reason": reason, "message": message}


def resource(*conditions, observed=1):
    return {"metadata": {"generation": 1}, "status": {"observedGeneration": observed, "conditions": list(conditions)}}


def test_there_is_a_check_for_each_resource():
    assert set(CHECKS) == {"QueueCluster", "Topic", "ConsumerScaler"}


@pytest.mark.parametrize("case", [one for one in WRITTEN if one["kstatus"] in EXPECTED], ids=lambda case: case["what"])
def test_health_agrees_with_kstatus(case):
    found = case["object"]
    status, message = health(found["kind"], found)
    told = [one for one in found["status"]["conditions"] if one["status"] == "True"]
    expected = "Suspended" if any(one["reason"] in WAITS for one in told) else EXPECTED[case["kstatus"]]
    assert status == expected, case
    assert message


@pytest.mark.parametrize("kind", CHECKS)
def test_every_state_of_each_resource(kind):
    ready = condition("Ready", "True", "Ready", "12 partitions")
    assert health(kind, {"metadata": {"generation": 1}})[0] == "Progressing"
    assert health(kind, resource(condition("Ready", "Unknown"), observed=-1))[0] == "Progressing"
    assert health(kind, resource(ready)) == ("Healthy", "12 partitions")
    assert health(kind, resource(ready, observed=0))[0] == "Progressing"
    assert health(kind, resource(condition("Ready", "False", "Starting", "two of three"))) == ("Progressing", "two of three")
    assert health(kind, resource(ready, condition("Reconciling", "True", "Rolling", "broker 1"))) == ("Progressing", "broker 1")
    assert health(kind, resource(condition("Ready", "False"), condition("Stalled", "True", "Conflict", "whose"))) == ("Degraded", "whose")
    assert health(kind, resource(condition("Ready", "False"), condition("Reconciling", "True", "Paused")))[0] == "Suspended"
