"""Manifests that contradict themselves are refused when they are applied, with a line that says why."""

import copy

import pytest

NAMESPACE = "refused"


@pytest.fixture(scope="module")
def kube(operator):
    operator.kube.namespace(NAMESPACE)
    return operator.kube


def queue_cluster(**changes):
    spec = {"replicas": 3, "storage": {"size": "1Gi"}} | changes
    return {"apiVersion": "weir.dev/v1alpha1", "kind": "QueueCluster", "metadata": {"name": "bad", "namespace": NAMESPACE}, "spec": spec}


def topic(**changes):
    spec = {"clusterRef": {"name": "nobody"}} | changes
    return {"apiVersion": "weir.dev/v1alpha1", "kind": "Topic", "metadata": {"name": "bad", "namespace": NAMESPACE}, "spec": spec}


def scaler(**changes):
    spec = {"clusterRef": {"name": "nobody"}, "source": {"kafka": {"group": "g", "topics": ["t"]}},
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
            "minReplicas": 0, "maxReplicas": 4, "drainWithin": "60s"} | changes
    return {"apiVersion": "weir.dev/v1alpha1", "kind": "ConsumerScaler", "metadata": {"name": "bad", "namespace": NAMESPACE}, "spec": spec}


CLUSTERS = {
    "no brokers": ({"replicas": 0}, "spec.replicas"),
    "no size": ({"storage": {}}, "size"),
    "a size that is none": ({"storage": {"size": "much"}}, "size"),
    "more in sync than there are": ({"config": {"minInsyncReplicas": 4}}, "minInsyncReplicas"),
    "more replicas than brokers": ({"config": {"defaultReplicationFactor": 5}}, "defaultReplicationFactor"),
    "an unknown setting": ({"config": {"minInsyncReplica": 2}}, "minInsyncReplica"),
    "a wrong unit": ({"config": {"retention": "7 weeks"}}, "retention"),
    "an unknown listener type": ({"listeners": [{"name": "a", "port": 9092, "type": "Nowhere"}]}, "type"),
    "no inner listener": ({"listeners": [{"name": "a", "port": 9092, "type": "NodePort"}]}, "Internal"),
    "two listeners on a port": ({"listeners": [{"name": "a", "port": 9092, "type": "Internal"},
                                               {"name": "b", "port": 9092, "type": "NodePort"}]}, "ports"),
    "a port of the brokers' own": ({"listeners": [{"name": "a", "port": 9191, "type": "Internal"}]}, "9190"),
    "a selector without from": ({"topicNamespaces": {"selector": {"matchLabels": {"a": "b"}}}}, "selector"),
}

TOPICS = {
    "no cluster": ({"clusterRef": {}}, "name"),
    "no partitions": ({"partitions": 0}, "partitions"),
    "a name that is none": ({"name": "a/b"}, "name"),
    "an internal name": ({"name": "__mine"}, "internal"),
    "more in sync than replicas": ({"replicationFactor": 1, "config": {"minInsyncReplicas": 2}}, "minInsyncReplicas"),
    "an unknown setting": ({"config": {"retain": "1h"}}, "retain"),
    "a flush that is none": ({"config": {"flush": "Sometimes"}}, "flush"),
    "a deletion policy that is none": ({"deletionPolicy": "Perhaps"}, "deletionPolicy"),
}

SCALERS = {
    "no source": ({"source": {}}, "kafka"),
    "no group": ({"source": {"kafka": {"group": "", "topics": ["t"]}}}, "group"),
    "more at least than at most": ({"minReplicas": 5}, "minReplicas"),
    "no maximum": ({"maxReplicas": 0}, "maxReplicas"),
    "a deadline without a unit": ({"drainWithin": "sixty"}, "drainWithin"),
    "a target without a name": ({"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": ""}}, "name"),
    "a noCommit that is none": ({"noCommit": "Perhaps"}, "noCommit"),
}


@pytest.mark.parametrize("case", CLUSTERS)
def test_a_queue_cluster_is_refused_with(kube, case):
    changes, word = CLUSTERS[case]
    assert word in kube.refused(queue_cluster(**changes))


@pytest.mark.parametrize("case", TOPICS)
def test_a_topic_is_refused_with(kube, case):
    changes, word = TOPICS[case]
    assert word in kube.refused(topic(**changes))


@pytest.mark.parametrize("case", SCALERS)
def test_a_consumer_scaler_is_refused_with(kube, case):
    changes, word = SCALERS[case]
    assert word in kube.refused(scaler(**changes))


def test_what_may_not_change_is_refused(kube):
    first = topic(name="fixed", partitions=3, replicationFactor=3)
    kube.apply(first)
    for change, word in (({"name": "other"}, "immutable"), ({"clusterRef": {"name": "another"}}, "immutable"),
                         ({"partitions": 2}, "grow"), ({"replicationFactor": 2}, "immutable")):
        changed = copy.deepcopy(first)
        changed["spec"] |= change
        assert word in kube.refused(changed)
    kube.delete("topic", "bad", NAMESPACE)


def test_a_topic_without_its_cluster_says_so(kube):
    kube.apply(topic(partitions=1))
    kube.await_status("topic", "bad", NAMESPACE, "False", "ClusterNotFound")
    kube.delete("topic", "bad", NAMESPACE)
