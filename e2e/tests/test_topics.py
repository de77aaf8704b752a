"""The life of a Topic: created, altered, grown, adopted, repaired, given up, deleted, contested."""

import json

import pytest
from harness.base import Failed, await_condition


def described(admin, topic):
    """The topic as its clients see it, or None where it is not."""
    try:
        return admin("describe", topic)
    except Failed as error:
        if "UnknownTopicOrPartition" in str(error):
            return None
        raise


def test_a_topic_is_created_as_its_resource_says(cluster, admin, name):
    spec = {"name": "Created.v1", "partitions": 4, "replicationFactor": 3, "config": {"retention": "2h", "flush": "Sync"}}
    cluster.kube.apply(cluster.topic(name, deletionPolicy="Delete", **spec))
    cluster.kube.await_ready("topic", name, cluster.namespace)
    found = admin("describe", "Created.v1")
    assert len(found["partitions"]) == 4 and all(len(one["replicas"]) == 3 for one in found["partitions"])
    assert found["configs"]["retention.ms"] == "7200000"
    status = cluster.kube.get("topic", name, cluster.namespace)["status"]
    assert status["partitions"] == 4 and status["topicName"] == "Created.v1"
    cluster.kube.delete("topic", name, cluster.namespace)
    await_condition("the topic gone", lambda: described(admin, "Created.v1") is None, 60)


def test_a_topic_grows_and_its_config_changes(cluster, admin, topic):
    cluster.kube.patch("topic", topic, cluster.namespace, {"spec": {"partitions": 8, "config": {"retention": "3h"}}})
    cluster.kube.await_ready("topic", topic, cluster.namespace)
    found = admin("describe", topic)
    assert len(found["partitions"]) == 8 and found["configs"]["retention.ms"] == "10800000"
    # What the resource no longer names goes back to the default.
    cluster.kube.patch("topic", topic, cluster.namespace, {"spec": {"config": {"retention": None}}})
    await_condition("the default again", lambda: "retention.ms" not in admin("describe", topic)["configs"], 60)


def test_a_setting_changed_behind_the_operators_back_is_repaired(cluster, admin, topic):
    cluster.kube.patch("topic", topic, cluster.namespace, {"spec": {"config": {"retention": "5h"}}})
    cluster.kube.await_ready("topic", topic, cluster.namespace)
    admin("alter", topic, "retention.ms=1000", "max.message.bytes=123456")
    await_condition("the setting as the resource says", lambda: admin("describe", topic)["configs"].get("retention.ms") == "18000000", 60)
    assert admin("describe", topic)["configs"]["max.message.bytes"] == "123456", "what no resource names is left alone"


def test_a_topic_deleted_behind_the_operators_back_is_said_or_made_again(cluster, admin, topic):
    before = admin("describe", topic)["id"]
    admin("delete", topic)
    found = await_condition("the topic again", lambda: described(admin, topic), 90)
    assert found["id"] != before
    cluster.kube.await_ready("topic", topic, cluster.namespace)


def test_adoption_previews_before_it_overwrites(cluster, admin, name):
    admin("create", name, "retention.ms=5000", partitions=2)
    cluster.kube.apply(cluster.topic(name, partitions=4, config={"retention": "1h"}, deletionPolicy="Delete"))
    said = cluster.kube.await_status("topic", name, cluster.namespace, "False", "AdoptionPreview")
    assert "retention" in said["message"] or "partitions" in said["message"], said
    assert len(admin("describe", name)["partitions"]) == 2, "a preview changes nothing"
    cluster.kube.patch("topic", name, cluster.namespace, {"spec": {"adopt": "Overwrite"}})
    cluster.kube.await_ready("topic", name, cluster.namespace)
    found = admin("describe", name)
    assert len(found["partitions"]) == 4 and found["configs"]["retention.ms"] == "3600000"
    cluster.kube.delete("topic", name, cluster.namespace)


def test_a_topic_that_is_as_wished_is_adopted_at_once(cluster, admin, name):
    admin("create", name, partitions=2)
    cluster.kube.apply(cluster.topic(name, partitions=2, deletionPolicy="Delete"))
    cluster.kube.await_ready("topic", name, cluster.namespace)
    cluster.kube.delete("topic", name, cluster.namespace)


def test_by_default_a_deleted_resource_leaves_its_topic(cluster, admin, name):
    cluster.kube.apply(cluster.topic(name, partitions=1))
    cluster.kube.await_ready("topic", name, cluster.namespace)
    cluster.kube.delete("topic", name, cluster.namespace, timeout=60)
    assert described(admin, name) is not None
    # and a resource that comes back finds it
    cluster.kube.apply(cluster.topic(name, partitions=1, deletionPolicy="Delete"))
    cluster.kube.await_ready("topic", name, cluster.namespace)
    cluster.kube.delete("topic", name, cluster.namespace)
    await_condition("the topic gone", lambda: described(admin, name) is None, 60)


def test_a_second_resource_for_a_name_is_told_whose_it_is(cluster, name):
    first, second = f"{name}-first", f"{name}-second"
    cluster.kube.apply(cluster.topic(first, name=name, partitions=1, deletionPolicy="Delete"))
    cluster.kube.await_ready("topic", first, cluster.namespace)
    cluster.kube.apply(cluster.topic(second, name=name, partitions=1))
    said = cluster.kube.await_status("topic", second, cluster.namespace, "False")
    assert first in said["message"], said
    assert cluster.kube.condition("topic", first, cluster.namespace)["status"] == "True"
    for one in (second, first):
        cluster.kube.delete("topic", one, cluster.namespace)


@pytest.fixture
def stranger(cluster):
    cluster.kube.namespace("stranger")
    yield "stranger"
    cluster.kube.delete("namespace", "stranger", "default")


def test_a_namespace_that_the_cluster_does_not_accept_is_told_so(cluster, stranger, name):
    cluster.kube.apply(cluster.topic(name, namespace=stranger, partitions=1))
    cluster.kube.await_status("topic", name, stranger, "False", "NamespaceNotAllowed")


def test_status_is_small_and_idle_topics_are_not_written(cluster, topic):
    def version():
        found = cluster.kube.get("topic", topic, cluster.namespace)
        assert len(json.dumps(found["status"])) < 32 * 1024
        return found["metadata"]["resourceVersion"]

    # Another topic's life must not touch this one: its end is the moment to look again.
    before = version()
    other = f"{topic}-other"
    cluster.kube.apply(cluster.topic(other, partitions=1, deletionPolicy="Delete"))
    cluster.kube.await_ready("topic", other, cluster.namespace)
    cluster.kube.delete("topic", other, cluster.namespace)
    assert version() == before
