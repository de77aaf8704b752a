"""One Kubernetes cluster for the whole run, one operator, one QueueCluster; suites in a fixed order.

E2E_ALL=1 runs those too that are marked as long. E2E_KEEP=1 leaves everything running, E2E_REUSE=1 takes what was left.
After a failure the logs lie in the cache folder, e2e/."""

import os
import shutil
import uuid

import pytest
from harness import weir
from harness.base import CACHE, Failed, say
from harness.java import Load, LoadProcess, topic_admin
from harness.lab import Lab

NAMESPACE = "e2e"
ARTIFACTS = CACHE / "e2e"
# Installing comes first, on an empty cluster; what only looks comes before what breaks things.
ORDER = ["test_install", "test_upgrade", "test_bad_manifests", "test_topics", "test_gitops", "test_command_line", "test_consumers",
         "test_scaler", "test_operator", "test_rolls", "test_balance", "test_scaling", "test_keeping", "test_volumes", "test_nodes", "test_spare", "test_crowded", "test_faults"]
pauses = []


def pytest_collection_modifyitems(config, items):
    items.sort(key=lambda item: ORDER.index(item.module.__name__))
    if not os.environ.get("E2E_ALL"):
        left_out = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter):
    if pauses:
        terminalreporter.section("writes under faults")
        for line in pauses:
            terminalreporter.write_line(line)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    report = outcome.get_result()
    lab = item.session.stash.get(LAB_KEY, None)
    if report.failed and lab is not None:
        collect(lab, item.name)


LAB_KEY = pytest.StashKey()


def collect(lab, name):
    """What a person would look at first, into files."""
    folder = ARTIFACTS / name.replace("/", "_")[:80]
    folder.mkdir(parents=True, exist_ok=True)

    def keep(file, *words):
        try:
            (folder / file).write_text(lab.kube.kubectl(*words, timeout=30), encoding="utf-8")
        except Exception as error:  # noqa: BLE001  looking must not hide what failed
            (folder / file).write_text(str(error), encoding="utf-8")

    keep("all.txt", "get", "all,pvc,nodes", "-A", "-o", "wide")
    keep("resources.yaml", "get", "queueclusters,topics,consumerscalers", "-A", "-o", "yaml")
    keep("events.txt", "get", "events", "-A", "--sort-by=.lastTimestamp")
    try:
        pods = lab.kube.list("pods")
    except Exception as error:  # noqa: BLE001  as above
        (folder / "pods.txt").write_text(str(error), encoding="utf-8")
        return
    for pod in pods:
        labels, meta = pod["metadata"].get("labels", {}), pod["metadata"]
        if any(key.startswith(("weir.dev/", "app.kubernetes.io/")) for key in labels):
            for previous in ("", "--previous"):
                keep(f"{meta['name']}{previous}.log", "logs", meta["name"], "-n", meta["namespace"], "--tail=3000", *([previous] if previous else []))


@pytest.fixture(autouse=True)
def no_load_left():
    # A module's load was started before its first test.
    before = len(LoadProcess.started)
    yield
    LoadProcess.leave_none(before)


@pytest.fixture(scope="session")
def lab(request):
    shutil.rmtree(ARTIFACTS, ignore_errors=True)
    ARTIFACTS.mkdir(parents=True)
    one = Lab(workers=4)
    one.up(fresh="E2E_REUSE" not in os.environ)
    request.session.stash[LAB_KEY] = one
    yield one
    if not os.environ.get("E2E_KEEP"):
        one.delete()


@pytest.fixture(scope="session")
def operator(lab):
    """The operator by its chart; the suite of installing has had the cluster before."""
    weir.install_by_helm(lab)
    return lab


@pytest.fixture(scope="session")
def cluster(operator):
    """Three brokers, in a namespace that enforces the restricted pod security standard."""
    operator.kube.namespace(NAMESPACE, **{"pod-security.kubernetes.io/enforce": "restricted"})
    one = weir.QueueCluster(operator, NAMESPACE, "main")
    operator.kube.apply(one.manifest(podTemplate={"antiAffinity": "Required"}))
    one.await_brokers(3)
    return one


@pytest.fixture
def name():
    return f"t-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def topic(cluster, name):
    """A topic of six partitions on all three brokers, made by its resource."""
    cluster.kube.apply(cluster.topic(name, partitions=6, replicationFactor=3, deletionPolicy="Delete"))
    cluster.kube.await_ready("topic", name, cluster.namespace)
    cluster.await_in_sync(name)
    yield name
    cluster.kube.delete("topic", name, cluster.namespace, "--wait=false")


@pytest.fixture
def load(cluster, topic, tmp_path):
    return Load(cluster.bootstrap(), topic, tmp_path)


@pytest.fixture
def admin(cluster):
    """Kafka's Admin client behind the operator's back."""
    def call(verb, topic, *configs, **options):
        return topic_admin(cluster.bootstrap(), verb, topic, *configs, **options)
    return call


@pytest.fixture
def nodes(lab):
    """Suites that need the nodes themselves are skipped by name where we did not make them."""
    if not lab.owns_nodes:
        pytest.skip("this cluster's nodes cannot be stopped or entered")
    return lab


def note(text):
    pauses.append(text)
    say(text)


__all__ = ["Failed", "note"]
