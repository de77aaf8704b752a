"""What the chart makes of its values."""

import pytest
from conftest import CHART, of_kind, read, render, template, the

DEFAULT_KINDS = {"ClusterRole": 4, "ClusterRoleBinding": 4, "Deployment": 1, "PodDisruptionBudget": 1, "Role": 1,
                 "RoleBinding": 1, "Service": 1, "ServiceAccount": 1}
REFUSED = {
    "a misspelt value": ("replica=2", "replica"),
    "no replicas": ("replicas=0", "replicas"),
    "more replicas than anybody needs": ("replicas=6", "replicas"),
    "a pull policy that is none": ("image.pullPolicy=Sometimes", "pullPolicy"),
    "no repository": ("image.repository=", "repository"),
    "no broker image": ("brokerImage=", "brokerImage"),
    "a namespace that is none": ("watchNamespace=Not_One", "watchNamespace"),
    "a port that is none": ("metrics.service.port=70000", "port"),
    "a word where a switch is": ("crds.install=perhaps", "install"),
    "an interval without a unit": ("metrics.podMonitor.interval=30", "interval"),
    "a misspelt monitor": ("metrics.podmonitor.enabled=true", "podmonitor"),
    "a tag that is a number": ("image.tag=1", "tag"),
    "a budget that keeps every eviction off": ("podDisruptionBudget.maxUnavailable=0", "maxUnavailable"),
    "what the chart sets itself": ("extraEnv[0].name=RUST_LOG,extraEnv[0].value=debug", "extraEnv"),
}


def test_defaults_make_one_operator_and_the_definitions():
    objects = render()
    kinds = {kind: len(of_kind(objects, kind)) for kind in {one["kind"] for one in objects}}
    definitions = kinds.pop("CustomResourceDefinition")
    assert kinds == DEFAULT_KINDS
    assert definitions == len(list((CHART.parents[1] / "crds").glob("*.yaml")))


def test_definitions_outlive_the_release_and_can_be_left_out():
    for one in of_kind(render(), "CustomResourceDefinition"):
        assert one["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert not of_kind(render("crds.install=false"), "CustomResourceDefinition")


def test_the_operator_runs_without_privileges():
    spec = the(render(), "Deployment")["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in spec["containers"]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False and context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]


def test_values_reach_the_operator():
    objects = render("image.repository=registry.example/op", "image.tag=v9", "brokerImage=registry.example/b:{version}",
                     "log.level=debug", "watchNamespace=mq", "replicas=1")
    deployment = the(objects, "Deployment")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    environment = {one["name"]: one.get("value") for one in container["env"]}
    assert deployment["spec"]["replicas"] == 1 and container["image"] == "registry.example/op:v9"
    assert environment["WEIR_BROKER_IMAGE"] == "registry.example/b:{version}"
    assert environment["RUST_LOG"] == "debug" and environment["WATCH_NAMESPACE"] == "mq"


def test_where_the_operator_runs_is_the_users():
    term = "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0]"
    objects = render("extraEnv[0].name=HTTPS_PROXY", "extraEnv[0].value=http://proxy:3128", "podLabels.team=mq",
                     "podLabels.app\\.kubernetes\\.io/name=other", f"{term}.key=pool", f"{term}.operator=Exists",
                     "topologySpreadConstraints[0].maxSkew=1")
    template = the(objects, "Deployment")["spec"]["template"]
    labels = template["metadata"]["labels"]
    assert labels["team"] == "mq" and the(objects, "Service")["spec"]["selector"].items() <= labels.items()
    assert list(template["spec"]["affinity"]) == ["nodeAffinity"], "instead of the default"
    assert template["spec"]["topologySpreadConstraints"] == [{"maxSkew": 1}]
    assert {"name": "HTTPS_PROXY", "value": "http://proxy:3128"} in template["spec"]["containers"][0]["env"]
    assert list(the(render(), "Deployment")["spec"]["template"]["spec"]["affinity"]) == ["podAntiAffinity"]


def test_a_budget_stands_for_operators_that_can_take_over():
    budget = the(render(), "PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"]["matchLabels"].items() <= the(render(), "Deployment")["spec"]["template"]["metadata"]["labels"].items()
    for none in ("replicas=1", "podDisruptionBudget.enabled=false"):
        assert not of_kind(render(none), "PodDisruptionBudget")


def test_everything_has_its_place_and_selectors_meet():
    objects = render(namespace="elsewhere")
    cluster_wide = ("ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition")
    for one in objects:
        if one["kind"] not in cluster_wide:
            assert one["metadata"]["namespace"] == "elsewhere", one["metadata"]["name"]
    labels = the(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    for selector in (the(objects, "Deployment")["spec"]["selector"]["matchLabels"], the(objects, "Service")["spec"]["selector"]):
        assert selector.items() <= labels.items()
    account = the(objects, "ServiceAccount")["metadata"]["name"]
    for binding in of_kind(objects, "ClusterRoleBinding") + of_kind(objects, "RoleBinding"):
        assert [one["name"] for one in binding["subjects"]] == [account]


@pytest.mark.parametrize("case", REFUSED)
def test_values_are_refused_with(case):
    value, word = REFUSED[case]
    done = template(value)
    assert done.returncode != 0 and word in done.stderr, done.stderr


def test_every_value_is_in_the_schema():
    assert '"additionalProperties": false' in read(CHART / "values.schema.json")
    assert template().returncode == 0
