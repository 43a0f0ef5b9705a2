"""What the golden files (golden/config/envoy_filter) leave to examples."""

from pathlib import Path

import pytest

from proa.core.config import Json, load_all
from proa.core.config.kinds.envoy_filter.validate import OPERATIONS
from tests.unit.core.config.judged import judge


def judge_patch(patch: dict[str, Json]) -> list[str]:
    return [
        each.removeprefix("spec.configPatches[0].")
        for each in judge("EnvoyFilter", {"configPatches": [patch]})
    ]


@pytest.mark.parametrize("apply_to", sorted(OPERATIONS))
def test_what_can_be_done_to_what(apply_to: str) -> None:
    for operation in ("MERGE", "ADD", "REMOVE", "REPLACE", "INSERT_FIRST"):
        patch: dict[str, Json] = {"operation": operation}
        if operation != "REMOVE":
            patch["value"] = {} if apply_to == "LISTENER_FILTER" else {"name": "a"}
            if apply_to == "FILTER_CHAIN":
                patch["value"] = {"name": "chain"}
        told = judge_patch({"applyTo": apply_to, "patch": patch})
        expected = [] if operation in OPERATIONS[apply_to] else ["patch.operation no-effect"]
        assert told == expected, (apply_to, operation)


def test_a_value_is_judged_as_what_it_is_applied_to() -> None:
    value: Json = {"routes": []}
    assert judge_patch({"applyTo": "VIRTUAL_HOST", "patch": {"operation": "MERGE", "value": value}}) == []
    assert judge_patch({"applyTo": "CLUSTER", "patch": {"operation": "MERGE", "value": value}}) == [
        "patch.value.routes unknown-field"
    ]


def test_waypoints_are_a_warning() -> None:
    patch: Json = {"operation": "REMOVE"}
    assert judge_patch({"applyTo": "CLUSTER", "match": {"context": "WAYPOINT"}, "patch": patch}) == [
        "match.context no-effect"
    ]


def test_the_example_of_the_docs() -> None:
    page = (Path(__file__).parents[6] / "docs/envoy-filter.md").read_text()
    examples = [block.partition("```")[0] for block in page.split("```yaml\n")[1:]]
    assert examples
    for text in examples:
        loaded = load_all(text, "envoy-filter.md")
        assert loaded.configs
        assert not loaded.problems


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ({"kind": "Service", "name": "a"}, []),
        ({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "a"}, []),
        ({"kind": "Gateway", "name": "a"}, ["spec.targetRefs[0].kind bad-value"]),
        ({"kind": "Service", "name": "a", "namespace": "b"}, ["spec.targetRefs[0].namespace bad-value"]),
        (
            {"group": "networking.istio.io", "kind": "ServiceEntry", "name": "a"},
            ["spec.targetRefs[0].kind no-equivalent"],
        ),
    ],
)
def test_who_can_be_a_target(target: dict[str, Json], found: list[str]) -> None:
    patches: Json = [{"applyTo": "CLUSTER", "patch": {"operation": "REMOVE"}}]
    assert judge("EnvoyFilter", {"targetRefs": [target], "configPatches": patches}) == found


def test_targets_and_a_selector_exclude_each_other() -> None:
    target: Json = {"kind": "Service", "name": "a"}
    patches: Json = [{"applyTo": "CLUSTER", "patch": {"operation": "REMOVE"}}]
    spec: Json = {
        "targetRefs": [target],
        "workloadSelector": {"labels": {"a": "b"}},
        "configPatches": patches,
    }
    assert judge("EnvoyFilter", spec) == ["spec conflict"]


def test_only_gateways_ports_have_names() -> None:
    match: Json = {"context": "SIDECAR_OUTBOUND", "routeConfiguration": {"portName": "http"}}
    patch: dict[str, Json] = {"applyTo": "HTTP_ROUTE", "match": match, "patch": {"operation": "REMOVE"}}
    assert judge_patch(patch) == ["match.routeConfiguration.portName no-effect"]
