"""What a broker's metrics endpoint prints, against the list that dashboards and alerts are checked by."""

import os
import re
import urllib.request

import pytest
from harness.base import ROOT, await_condition


@pytest.mark.skipif(os.environ.get("COMPAT_SERVER") == "kafka", reason="Weir's own")
def test_every_metric_is_in_the_list_and_none_is_listed_that_is_not_there(bootstrap):
    host, port = bootstrap.split(":")

    def scrape():
        with urllib.request.urlopen(f"http://{host}:{int(port) + 3}/metrics", timeout=10) as answer:
            return answer.read().decode()

    text = await_condition("metrics of a broker that has started", scrape, 30)
    # By their types: what has a series for each group shows none before there is a group.
    kinds = re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M)
    printed = {name + ("_total" if kind == "counter" else "") for name, kind in kinds}
    listed = set(re.findall(r"^\| `(weir_\w+)` \|", (ROOT / "docs" / "METRICS.md").read_text(encoding="utf-8"), re.M))
    assert printed == {name for name in listed if not name.startswith("weir_operator_")}
