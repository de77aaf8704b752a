"""`weir` through kubectl's context, as a person uses it."""

import json

from harness.base import await_condition, program, run


def weir(cluster, *words, stdin=None):
    return run(program("weir"), "-n", cluster.namespace, "-c", cluster.name, *words, stdin=stdin, env=cluster.kube.env, timeout=60)


def weir_json(cluster, *words, stdin=None):
    return json.loads(weir(cluster, *words, "-o", "json", stdin=stdin))


def test_status_names_every_broker(cluster):
    out = weir(cluster, "status")
    table = out[out.index("BROKER"):].splitlines()[1:4]
    assert [line.split()[0] for line in table] == ["0", "1", "2"]
    assert all("live" in line for line in table), out
    assert [one["id"] for one in weir_json(cluster, "status")["brokers"]] == [0, 1, 2]


def test_topics_are_made_altered_described_and_deleted(cluster, name):
    made = weir_json(cluster, "topics", "create", name, "--partitions", "3", "--config", "retention.ms=60000")
    assert made == {"topic": name, "done": "created"}
    assert weir(cluster, "topics", "alter", name, "--partitions", "4").strip() == f"topic {name} altered"
    described = weir_json(cluster, "topics", "describe", name)
    assert len(described["partitions"]) == 4 and described["config"]["retention.ms"] == "60000"
    assert all(len(one["replicas"]) == 3 for one in described["partitions"])
    assert "retention.ms = 60000" in weir(cluster, "topics", "describe", name)
    weir(cluster, "topics", "delete", name)
    await_condition("the topic gone", lambda: name not in weir(cluster, "topics"), 30)


def test_records_go_in_and_come_out_and_a_groups_lag_is_counted(cluster, topic, load):
    assert weir_json(cluster, "produce", topic, "--partition", "0", stdin="one\ntwo\n") == {"topic": topic, "written": 2}
    out = weir(cluster, "consume", topic, "--partition", "0", "--max", "2")
    assert "one" in out and "two" in out
    assert topic in weir(cluster, "topics")
    assert load.produce(records=100, rate=1000).result()["acknowledged"] == 100
    load.consume(timeout=60).result()
    group = f"check-{load.run_id}"
    assert group in weir(cluster, "groups")
    weir(cluster, "produce", topic, "--partition", "0", stdin="three\nfour\nfive\n")
    found = weir_json(cluster, "groups", "describe", group)
    lags = {one["partition"]: one["lag"] for one in found["offsets"]}
    assert lags[0] == 3 and sum(lags.values()) == 3, found
    assert "total lag 3" in weir(cluster, "groups", "describe", group)


def test_long_lines_fit_into_batches(cluster, topic):
    lines = "\n".join(f"{at}:" + "x" * 4000 for at in range(600)) + "\n"
    assert weir_json(cluster, "produce", topic, "--partition", "1", stdin=lines)["written"] == 600
