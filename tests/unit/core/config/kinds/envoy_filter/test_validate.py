import pytest

from proa.core.config import Json
from tests.unit.core.config.judged import judge


@pytest.mark.parametrize(
    ("kind", "spec", "found"),
    [
        ("EnvoyFilter", {}, ["spec.configPatches no-effect"]),
        ("EnvoyFilter", {"configPatches": [{"applyTo": "CLUSTER", "patch": {"operation": "REMOVE"}}]}, []),
        (
            "EnvoyFilter",
            {"configPatches": [{"applyTo": "LISTENER", "patch": {}}]},
            ["spec.configPatches[0].patch.operation required"],
        ),
        (
            "EnvoyFilter",
            {"configPatches": [{}]},
            ["spec.configPatches[0].applyTo required", "spec.configPatches[0].patch required"],
        ),
        (
            "EnvoyFilter",
            {"configPatches": [{"applyTo": "CLUSTER", "patch": {"operation": "MERGE"}}]},
            ["spec.configPatches[0].patch.value required"],
        ),
        (
            "EnvoyFilter",
            {
                "configPatches": [
                    {
                        "applyTo": "CLUSTER",
                        "patch": {"operation": "MERGE", "value": {"any_thing": [1, {"a": None}]}},
                    }
                ]
            },
            [],
        ),
        (
            "EnvoyFilter",
            {"configPatches": [{"applyTo": "CLUSTER", "patch": {"operation": "MERGE", "value": "a"}}]},
            ["spec.configPatches[0].patch.value wrong-type"],
        ),
        (
            "EnvoyFilter",
            {"configPatches": [{"applyTo": "CLUSTER", "patch": {"operation": "REMOVE", "value": {}}}]},
            ["spec.configPatches[0].patch.value no-effect"],
        ),
        (
            "EnvoyFilter",
            {
                "configPatches": [
                    {"applyTo": "CLUSTER", "patch": {"operation": "REMOVE"}, "match": {"listener": {}}}
                ]
            },
            ["spec.configPatches[0].match.listener conflict"],
        ),
        (
            "EnvoyFilter",
            {
                "configPatches": [
                    {
                        "applyTo": "CLUSTER",
                        "patch": {"operation": "REMOVE"},
                        "match": {"cluster": {}, "waypoint": {}},
                    }
                ]
            },
            ["spec.configPatches[0].match conflict", "spec.configPatches[0].match no-effect"],
        ),
        (
            "EnvoyFilter",
            {
                "configPatches": [
                    {
                        "applyTo": "CLUSTER",
                        "patch": {"operation": "REMOVE"},
                        "match": {"proxy": {"proxyVersion": "("}},
                    }
                ]
            },
            ["spec.configPatches[0].match.proxy.proxyVersion bad-regex"],
        ),
        (
            "EnvoyFilter",
            {
                "configPatches": [
                    {
                        "applyTo": "HTTP_FILTER",
                        "patch": {"operation": "REMOVE"},
                        "match": {
                            "listener": {
                                "filterChain": {
                                    "filter": {
                                        "name": "envoy.filters.network.tcp_proxy",
                                        "subFilter": {"name": "a"},
                                    }
                                }
                            }
                        },
                    }
                ]
            },
            ["spec.configPatches[0].match.listener.filterChain.filter.name bad-value"],
        ),
        (
            "EnvoyFilter",
            {
                "configPatches": [
                    {
                        "applyTo": "NETWORK_FILTER",
                        "patch": {"operation": "REMOVE"},
                        "match": {
                            "listener": {"filterChain": {"filter": {"name": "a", "subFilter": {"name": "a"}}}}
                        },
                    }
                ]
            },
            ["spec.configPatches[0].match.listener.filterChain.filter.subFilter conflict"],
        ),
        (
            "EnvoyFilter",
            {
                "configPatches": [{"applyTo": "CLUSTER", "patch": {"operation": "REMOVE"}}],
                "workloadSelector": {"labels": {"a": "b"}},
                "targetRefs": [{"kind": "Gateway", "group": "gateway.networking.k8s.io", "name": "a"}],
            },
            ["spec conflict", "spec.targetRefs[0] no-effect"],
        ),
    ],
)
def test_what_makes_sense(kind: str, spec: Json, found: list[str]) -> None:
    assert judge(kind, spec) == found
