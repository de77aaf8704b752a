"""`weir` through kubectl's context, as a person uses it."""

import json

from harness.base import run, target_dir


def weir(cluster, *words, stdin=None):
    program = target_dir() / "release" / "weir"
    return run(program, "-n", cluster.namespace, "-c", cluster.name, *words, stdin=stdin, env=cluster.kube.env, timeout=60)


def test_status_names_every_broker(cluster):
    out = weir(cluster, "status")
    assert len([line for line in out.splitlines() if any(word in line for word in ("0", "1", "2"))]) >= 3
    assert len(json.loads(weir(cluster, "status", "-o", "json"))["brokers"]) == 3


def test_topics_records_and_groups_can_be_looked_at(cluster, topic, load):
    weir(cluster, "produce", topic, stdin="one\ntwo\n")
    assert topic in weir(cluster, "topics")
    assert load.produce(records=100, rate=1000).result()["acknowledged"] == 100
    load.consume(timeout=60).result()
    assert f"check-{load.run_id}" in weir(cluster, "groups")
