"""The operator dies at work, and the work is done."""

import time

import pytest
from conftest import note
from harness import weir
from harness.base import await_condition, program, run


def test_two_replicas_have_one_leader(cluster):
    assert len(weir.operators(cluster.kube)) == 2
    assert weir.leader(cluster.kube)


@pytest.mark.timeout(300)
def test_topics_are_made_though_the_operator_is_killed(cluster, name):
    topics = [cluster.topic(f"{name}-{i}", partitions=2, deletionPolicy="Delete") for i in range(12)]
    before = weir.leader(cluster.kube)
    cluster.kube.apply(topics)
    for pod in weir.operators(cluster.kube):
        cluster.kube.delete("pod", pod["metadata"]["name"], weir.SYSTEM, "--grace-period=0", "--force")
    for one in topics:
        cluster.kube.await_ready("topic", one["metadata"]["name"], cluster.namespace, 120)
    # The lease may be the dead one's for its time still, if all was made before it died.
    await_condition("another leader", lambda: weir.leader(cluster.kube) not in (None, before), 60)
    for one in topics:
        cluster.kube.delete("topic", one["metadata"]["name"], cluster.namespace, "--wait=false")


@pytest.mark.timeout(600)
def test_a_roll_is_finished_by_the_one_that_stood_by(cluster, topic, load):
    uids = {pod["metadata"]["uid"] for pod in cluster.pods().values()}
    producer = load.produce(rate=500)
    producer.wait_for("progress")
    cluster.kube.patch("queuecluster", cluster.name, cluster.namespace, {"spec": {"podTemplate": {"annotations": {"roll": load.run_id}}}})
    await_condition("the first broker replaced", lambda: {p["metadata"]["uid"] for p in cluster.pods().values()} != uids, 120)
    (standby,) = [pod["metadata"]["name"] for pod in weir.operators(cluster.kube) if pod["metadata"]["name"] != weir.leader(cluster.kube)]
    start = time.monotonic()
    weir.kill_leader(cluster.lab)
    assert uids & {p["metadata"]["uid"] for p in cluster.pods().values()}, "the roll was over before its operator was killed"
    await_condition(f"{standby} leads", lambda: weir.leader(cluster.kube) == standby, 120, 0.5)
    took = time.monotonic() - start
    await_condition("every broker replaced", lambda: not uids & {p["metadata"]["uid"] for p in cluster.pods().values()}, 300, 1)
    cluster.await_brokers(3)
    producer.stop()
    sent = producer.result()
    checked = load.consume(members=2, timeout=120).result()
    note(f"the operator's leader killed while it restarts brokers: the other leads after {took:.0f} s; {sent['acknowledged']:,} acknowledged, "
         f"{checked['lost']} lost, {sent['failed']} failed, longest pause {sent['pauses']['partitionMs'] / 1000:.2f} s")
    assert sent["failed"] == 0 and checked["good"], checked


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_roll_that_is_stuck_stops_explains_and_goes_on_when_it_may(cluster, topic):
    """An image that nobody can pull takes one broker down and no second one; the old image brings it back."""
    kube, place = cluster.kube, ("queuecluster", cluster.name, cluster.namespace)
    image = cluster.get()["spec"].get("image")
    uids = {broker: pod["metadata"]["uid"] for broker, pod in cluster.pods().items()}
    kube.patch(*place, {"spec": {"image": "weir-broker:nobody-has-it"}})
    said = await_condition("the stuck broker named", lambda: stuck(cluster), 180, 1)
    (down,) = [broker for broker, pod in cluster.pods().items() if not kube.pod_ready(pod)]
    assert f"broker {down}" in said["message"], said
    assert {b: p["metadata"]["uid"] for b, p in cluster.pods().items() if b != down} == {b: u for b, u in uids.items() if b != down}, "nobody else restarts"
    kube.patch(*place, {"spec": {"image": image}})
    cluster.await_brokers(3, timeout=300)
    cluster.await_in_sync(topic)


def stuck(cluster):
    """What the operator says about a broker whose image is not to be had, once a pod waits for it."""
    waiting = [one["state"].get("waiting", {}).get("reason") for pod in cluster.pods().values()
               for one in pod["status"].get("containerStatuses", [])]
    if not {"ErrImagePull", "ImagePullBackOff"} & set(waiting):
        return None
    found = cluster.kube.condition("queuecluster", cluster.name, cluster.namespace, "Reconciling")
    return found if found and found["status"] == "True" and "broker" in found["message"] else None


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", ["kubectl", "weir"])
def test_a_restart_is_started_by(cluster, topic, how):
    before = {pod["metadata"]["uid"] for pod in cluster.pods().values()}
    if how == "kubectl":
        cluster.kube.kubectl("rollout", "restart", f"statefulset/{cluster.name}-default", "-n", cluster.namespace)
    else:
        run(program("weir"), "-n", cluster.namespace, "-c", cluster.name, "restart", env=cluster.kube.env, timeout=60)
    await_condition("every broker replaced", lambda: len(cluster.pods()) == 3 and not before & {
        p["metadata"]["uid"] for p in cluster.pods().values()}, 300, 1)
    cluster.await_brokers(3)
    cluster.await_in_sync(topic)
