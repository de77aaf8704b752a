"""Today's chart beside the one that was first released: what cannot change did not change."""

import pytest
from conftest import ROOT, of_kind, render, the

OLD = ROOT / "e2e" / "fixtures" / "chart-0.1.0" / "weir"


@pytest.fixture(scope="module")
def both():
    return render(chart=OLD), render()


def test_names_and_selectors_stay(both):
    old, new = both
    names = [{(one["kind"], one["metadata"]["name"]) for one in objects} for objects in both]
    assert names[0] <= names[1]
    # The API server refuses another selector.
    assert the(old, "Deployment")["spec"]["selector"] == the(new, "Deployment")["spec"]["selector"]
    for kind in ("ClusterRoleBinding", "RoleBinding"):
        references = [{one["metadata"]["name"]: one["roleRef"] for one in of_kind(objects, kind)} for objects in both]
        assert references[0].items() <= references[1].items()


def shrunk(old, new, path):
    """What a schema allowed and its successor does not."""
    if old.get("type") != new.get("type"):
        yield f"{path}: {old.get('type')} is {new.get('type')}"
    yield from (f"{path}: {value} is gone" for value in old.get("enum", []) if value not in new.get("enum", [value]))
    yield from (f"{path}.{name} is required" for name in new.get("required", []) if name not in old.get("required", []))
    for bound, worse in (("maxLength", -1), ("maxItems", -1), ("maxProperties", -1), ("maximum", -1),
                         ("minLength", 1), ("minItems", 1), ("minProperties", 1), ("minimum", 1)):
        if bound in new and (bound not in old or (new[bound] - old[bound]) * worse > 0):
            yield f"{path}: {bound} {old.get(bound)} is {new[bound]}"
    if "default" in old and old["default"] != new.get("default"):
        yield f"{path}: another default"
    for name, inner in old.get("properties", {}).items():
        if name in new.get("properties", {}):
            yield from shrunk(inner, new["properties"][name], f"{path}.{name}")
        else:
            yield f"{path}.{name} is gone"
    for part in ("items", "additionalProperties"):
        if isinstance(old.get(part), dict) and isinstance(new.get(part), dict):
            yield from shrunk(old[part], new[part], f"{path}[]")


def test_definitions_only_grow(both):
    old, new = ({one["metadata"]["name"]: one for one in of_kind(objects, "CustomResourceDefinition")} for objects in both)
    assert old.keys() <= new.keys()
    for name, definition in old.items():
        [before], after = definition["spec"]["versions"], new[name]["spec"]["versions"]
        found = next(one for one in after if one["name"] == before["name"])
        assert found["served"] and found["storage"] and definition["spec"]["scope"] == new[name]["spec"]["scope"]
        lost = list(shrunk(before["schema"]["openAPIV3Schema"], found["schema"]["openAPIV3Schema"], name))
        assert not lost, lost


def test_old_values_are_still_taken():
    render("replicas=2", "metrics.service.enabled=false", "metrics.service.port=9090", "log.json=true", "namespace.create=true",
           "crds.install=true", "podAnnotations.a=b", "priorityClassName=high", "nodeSelector.disk=fast")
