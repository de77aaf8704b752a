"""Least rights: exactly the verbs that each controller needs, and nothing that opens more."""

import pytest
from conftest import of_kind, render

LOOK = {"get", "list", "watch"}
# What each part of the operator does, resource by resource. A new right needs a line here.
CLUSTERS = {
    "weir.dev/queueclusters": LOOK,
    "weir.dev/queueclusters/status": {"patch"},
    # Asked of whoever sets an owner that blocks the owner's deletion.
    "weir.dev/queueclusters/finalizers": {"update"},
    "/services": LOOK | {"create", "patch", "delete"},
    "/configmaps": LOOK | {"create", "patch", "delete"},
    "/secrets": LOOK | {"create", "patch"},
    "/serviceaccounts": LOOK | {"create", "patch"},
    "/pods": LOOK | {"patch", "delete"},
    "/pods/eviction": {"create"},
    # Those of brokers that are gone, where the resource says so.
    "/persistentvolumeclaims": LOOK | {"patch", "delete"},
    "apps/statefulsets": LOOK | {"create", "patch", "delete"},
    "policy/poddisruptionbudgets": LOOK | {"create", "patch"},
}
TOPICS = {
    "weir.dev/queueclusters": LOOK,
    "weir.dev/topics": LOOK | {"patch"},
    "weir.dev/topics/status": {"patch"},
    # The certificate with which it talks to brokers.
    "/secrets": {"get"},
}
SCALERS = {
    "weir.dev/queueclusters": LOOK,
    "weir.dev/consumerscalers": LOOK,
    "weir.dev/consumerscalers/status": {"patch"},
    "/secrets": {"get"},
    # The pods of what it scales, and what a busy one costs.
    "/pods": {"list", "patch"},
    "apps/deployments/scale": {"get", "patch"},
    # To leave alone what another autoscaler scales.
    "autoscaling/horizontalpodautoscalers": {"list"},
}
EVENTS = {"events.k8s.io/events": {"create", "patch"}}
# Nodes have addresses and racks, and go; namespaces have the labels that clusters select by;
# classes say whether volumes grow.
EVERYWHERE = {"/nodes": LOOK, "/namespaces": LOOK, "storage.k8s.io/storageclasses": {"get"}}
LEASE = {"coordination.k8s.io/leases": {"create", "get", "update"}}
ESCALATING = {"bind", "escalate", "impersonate", "*", "deletecollection"}


def union(*tables):
    found = {}
    for table in tables:
        for resource, verbs in table.items():
            found[resource] = found.get(resource, set()) | verbs
    return found


def granted(roles):
    rules = [rule for role in roles for rule in role["rules"]]
    return union(*({f"{group}/{resource}": set(rule["verbs"])} for rule in rules
                   for group in rule["apiGroups"] for resource in rule["resources"]))


CONTROLLERS = {"clusters": CLUSTERS, "topics": TOPICS, "scalers": SCALERS}


def by_controller(roles):
    """Of the roles that controllers have; the one of clusters bears no controller's name."""
    others = ("-nodes", "-lease")
    return {next((one for one in CONTROLLERS if role["metadata"]["name"].endswith(f"-{one}")), "clusters"): granted([role])
            for role in roles if not role["metadata"]["name"].endswith(others)}


def expected(*controllers):
    return {controller: union(CONTROLLERS[controller], EVENTS) for controller in controllers}


def test_each_controller_has_these_rights_and_no_others():
    roles = of_kind(render(), "ClusterRole")
    everywhere = [role for role in roles if role["metadata"]["name"].endswith("-nodes")]
    assert by_controller(roles) == expected(*CONTROLLERS)
    assert granted(everywhere) == EVERYWHERE
    assert len(roles) == len(CONTROLLERS) + len(everywhere), "a role of nobody"
    assert granted(of_kind(render(), "Role")) == LEASE


def test_an_operator_of_one_namespace_writes_nowhere_else():
    objects = render("watchNamespace=mq")
    assert granted(of_kind(objects, "ClusterRole")) == EVERYWHERE
    roles = of_kind(objects, "Role")
    assert by_controller([role for role in roles if role["metadata"]["namespace"] == "mq"]) == expected(*CONTROLLERS)
    assert granted([role for role in roles if role["metadata"]["namespace"] != "mq"]) == LEASE


@pytest.mark.parametrize("value", ["replicas=2", "watchNamespace=mq"])
def test_whoever_scales_nothing_may_scale_nothing(value):
    objects = render(value, "scaler.enabled=false")
    roles = of_kind(objects, "ClusterRole") + of_kind(objects, "Role")
    assert by_controller(roles) == expected("clusters", "topics")
    [operator] = of_kind(objects, "Deployment")
    [container] = operator["spec"]["template"]["spec"]["containers"]
    assert {"name": "CONSUMER_SCALERS", "value": "false"} in container["env"]


@pytest.mark.parametrize("value", ["replicas=2", "watchNamespace=mq"])
def test_every_role_is_bound_to_the_operator(value):
    objects = render(value)
    for kind in ("Role", "ClusterRole"):
        roles = {role["metadata"]["name"] for role in of_kind(objects, kind)}
        bindings = of_kind(objects, kind + "Binding")
        assert {one["roleRef"]["name"] for one in bindings} == roles
        assert all(one["subjects"] == [{"kind": "ServiceAccount", "name": "weir-operator", "namespace": "weir-system"}] for one in bindings)


@pytest.mark.parametrize("value", ["replicas=2", "watchNamespace=mq"])
def test_no_right_opens_more_rights(value):
    objects = render(value)
    for resource, verbs in granted(of_kind(objects, "ClusterRole") + of_kind(objects, "Role")).items():
        assert not verbs & ESCALATING, resource
        assert "*" not in resource and not resource.startswith("rbac.authorization.k8s.io/")
        assert resource not in ("/pods/exec", "/serviceaccounts/token", "/nodes/proxy")


def test_scale_is_given_for_what_the_values_name_and_nothing_else():
    def scales(*sets):
        watched = granted(of_kind(render(*sets), "ClusterRole"))
        return {resource for resource in watched if resource.endswith("/scale")}

    assert scales() == {"apps/deployments/scale"}
    assert scales("scaler.targets[0].group=apps", "scaler.targets[0].resource=statefulsets") == {
        "apps/deployments/scale", "apps/statefulsets/scale"}


def test_the_lease_is_one_by_name():
    [role] = [one for one in of_kind(render(), "Role") if one["metadata"]["name"].endswith("-lease")]
    named = [rule for rule in role["rules"] if set(rule["verbs"]) != {"create"}]
    assert all(rule["resourceNames"] == ["weir-operator"] for rule in named)
