"""Dashboards, alerts and the runbook: about metrics that there are, and none forgotten."""

import json
import re
import subprocess

import pytest
import yaml
from conftest import CHART, ROOT, of_kind, program, read, render, the

RULES = CHART / "rules" / "weir.yaml"
DASHBOARDS = sorted((CHART / "dashboards").glob("*.json"))
ALERTS = [rule for group in yaml.safe_load(read(RULES))["groups"] for rule in group["rules"]]
# Of others: Prometheus's own, and the kubelets'.
FOREIGN = {"up", "kubelet_volume_stats_available_bytes", "kubelet_volume_stats_capacity_bytes"}
ALL_ON = [f"metrics.{part}.enabled=true" for part in ("serviceMonitor", "podMonitor", "rules", "dashboards")]


def listed():
    """The metrics of docs/METRICS.md, which the programs' own tests hold to what is printed."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", read(ROOT / "docs" / "METRICS.md"), re.M)
    names = set()
    for name, kind in rows:
        names |= {f"{name}_{part}" for part in ("bucket", "sum", "count")} if kind == "histogram" else {name}
    return names


def used(expression):
    """The names of metrics in an expression: what looks like one of ours, the kubelets', or `up`."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    return set(re.findall(r"\b((?:weir|kubelet)_\w+|up)\b(?=\s*[{\[),<>=*/+-]|\s*$|\s)", bare)) - {"weir_cluster"}


def expressions():
    for alert in ALERTS:
        yield alert["alert"], alert["expr"]
    for path in DASHBOARDS:
        board = json.loads(read(path))
        for panel in board["panels"]:
            for target in panel["targets"]:
                yield f"{board['title']}: {panel['title']}", target["expr"]
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                yield f"{board['title']}: ${variable['name']}", variable["query"]["query"]


@pytest.mark.parametrize("where,expression", list(expressions()), ids=lambda value: value[:60])
def test_every_metric_that_is_used_is_there(where, expression):
    names = used(expression)
    assert names, f"{where} is about nothing"
    assert names <= listed() | FOREIGN, where


def test_every_metric_of_a_broker_is_on_a_dashboard():
    shown = set().union(*(used(expression) for where, expression in expressions() if where.startswith("Weir:")))
    assert listed() - shown <= {"weir_operator_reconcile_seconds_sum", "weir_operator_reconcile_seconds_count"}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_every_alert_has_a_runbook_entry(alert):
    name = alert["alert"]
    runbook = read(ROOT / "docs" / "RUNBOOK.md")
    assert f"\n## {name}\n" in runbook
    entry = runbook.split(f"\n## {name}\n")[1].split("\n## ")[0]
    assert len(entry.split()) > 25 and ("\nDo: " in entry or "what to do" in entry)
    assert alert["annotations"]["runbook"] == f"docs/RUNBOOK.md#{name.lower()}"
    assert alert["labels"]["severity"] in ("warning", "critical")


def test_the_runbook_names_no_alert_that_is_not_there():
    assert set(re.findall(r"^## (\w+)$", read(ROOT / "docs" / "RUNBOOK.md"), re.M)) == {one["alert"] for one in ALERTS}


def test_promtool_takes_the_rules():
    done = subprocess.run([program("promtool"), "check", "rules", str(RULES)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"SUCCESS: {len(ALERTS)} rules found" in done.stdout


def test_alerts_fire_when_they_should():
    tests = ROOT / "e2e" / "chart" / "alerts.yaml"
    done = subprocess.run([program("promtool"), "test", "rules", str(tests)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tried():
    tried = {one["alertname"] for test in yaml.safe_load(read(ROOT / "e2e" / "chart" / "alerts.yaml"))["tests"]
             for one in test["alert_rule_test"] if one["exp_alerts"]}
    assert tried == {alert["alert"] for alert in ALERTS}


def reasons():
    """Every reason that the operator gives for a resource that is not ready or that waits, by its code."""
    sources = sorted((ROOT / "operator" / "src").rglob("*.rs"))
    code = "\n".join(read(path).split("#[cfg(test)]")[0] for path in sources)
    named = re.findall(r'(?:working|stalled|but|Invalid::new)\(\s*"([A-Z]\w+)"', code)
    named += re.findall(r'reason(?:: |\s*=\s*)"([A-Z]\w+)"\.to_owned', code)
    named += re.findall(r'(?:Obstacle|Freeze|Reason)::\w+(?:\([^)]*\)|\s*\{[^}]*\})?\s*=>\s*"([A-Z]\w+)"', code)
    return set(named)


def test_the_runbook_explains_every_reason():
    runbook = read(ROOT / "docs" / "RUNBOOK.md")
    explained = {word for row in re.findall(r"^\| ([A-Z][\w, ]+) \|", runbook, re.M) for word in row.split(", ")}
    assert len(reasons()) > 25
    assert reasons() - {"Ready"} <= explained


def test_the_prometheus_rule_is_the_plain_file():
    rule = the(render(*ALL_ON), "PrometheusRule")
    assert rule["spec"] == yaml.safe_load(read(RULES))


def test_dashboards_come_as_config_maps_for_the_sidecar():
    maps = of_kind(render(*ALL_ON), "ConfigMap")
    assert len(maps) == len(DASHBOARDS)
    for one in maps:
        assert one["metadata"]["labels"]["grafana_dashboard"] == "1"
        for name, text in one["data"].items():
            assert json.loads(text) == json.loads(read(CHART / "dashboards" / name))


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_whole(path):
    board = json.loads(read(path))
    assert board["uid"] and board["title"].startswith("Weir: ")
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    cells = [(panel["gridPos"]["y"] + y, panel["gridPos"]["x"] + x) for panel in board["panels"]
             for y in range(panel["gridPos"]["h"]) for x in range(panel["gridPos"]["w"])]
    assert len(cells) == len(set(cells)) and max(x for _, x in cells) < 24
    for panel in board["panels"]:
        assert panel["datasource"]["uid"] == "${datasource}" and panel["targets"]


def test_monitors_find_what_there_is():
    objects = render(*ALL_ON)
    service, monitor = the(objects, "Service"), the(objects, "ServiceMonitor")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"][0]["port"] in [port["name"] for port in service["spec"]["ports"]]
    # The labels and the port's name of a broker's pod, as the operator's golden text has them.
    golden = read(next((ROOT / "operator" / "src" / "cluster" / "build" / "snapshots").glob("*stateful_set.snap")))
    pods = the(objects, "PodMonitor")["spec"]
    assert all(one["key"] in golden for one in pods["selector"]["matchExpressions"])
    assert re.search(rf"name: {pods['podMetricsEndpoints'][0]['port']}\b", golden)
    assert pods["podMetricsEndpoints"][0]["relabelings"][0]["targetLabel"] == "weir_cluster"


def test_nothing_of_it_is_there_unless_it_is_asked_for():
    kinds = {one["kind"] for one in render()}
    assert not kinds & {"ServiceMonitor", "PodMonitor", "PrometheusRule", "ConfigMap"}
