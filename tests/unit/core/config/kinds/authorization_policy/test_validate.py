import pytest

from proa.core.config import Document, Json, examine
from proa.core.config.yaml_reader import NO_MARKS
from tests.unit.core.config.judged import judge


@pytest.mark.parametrize(
    ("kind", "spec", "found"),
    [
        ("AuthorizationPolicy", {}, []),
        ("AuthorizationPolicy", None, []),
        (
            "AuthorizationPolicy",
            {"selector": {"matchLabels": {"app": "a"}}, "action": "AUDIT", "rules": [{}]},
            [],
        ),
        ("AuthorizationPolicy", {"action": "DENY"}, ["spec.rules required"]),
        ("AuthorizationPolicy", {"action": "CUSTOM", "rules": [{}]}, ["spec.provider.name required"]),
        ("AuthorizationPolicy", {"provider": {"name": "a"}}, ["spec.provider conflict"]),
        (
            "AuthorizationPolicy",
            {"selector": {"matchLabels": {"app": "a"}}, "targetRefs": [{"kind": "Service", "name": "a"}]},
            ["spec conflict", "spec.targetRefs[0] no-effect"],
        ),
        ("AuthorizationPolicy", {"rules": [{"from": []}]}, ["spec.rules[0].from required"]),
        ("AuthorizationPolicy", {"rules": [{"from": [{}]}]}, ["spec.rules[0].from[0].source required"]),
        (
            "AuthorizationPolicy",
            {"rules": [{"from": [{"source": {}}]}]},
            ["spec.rules[0].from[0].source required"],
        ),
        (
            "AuthorizationPolicy",
            {"rules": [{"from": [{"source": {"principals": ["a", ""], "ipBlocks": ["1.2.3.4", "a"]}}]}]},
            [
                "spec.rules[0].from[0].source.ipBlocks[1] bad-value",
                "spec.rules[0].from[0].source.principals[1] bad-value",
            ],
        ),
        (
            "AuthorizationPolicy",
            {"rules": [{"from": [{"source": {"serviceAccounts": ["b/a"], "namespaces": ["b"]}}]}]},
            ["spec.rules[0].from[0].source conflict"],
        ),
        (
            "AuthorizationPolicy",
            {"rules": [{"from": [{"source": {"serviceAccounts": ["b/a"], "notPrincipals": ["b"]}}]}]},
            ["spec.rules[0].from[0].source conflict"],
        ),
        (
            "AuthorizationPolicy",
            {"rules": [{"from": [{"source": {"serviceAccounts": ["b/a*", "a"]}}]}]},
            ["spec.rules[0].from[0].source.serviceAccounts[0] bad-value"],
        ),
        (
            "AuthorizationPolicy",
            {
                "rules": [
                    {
                        "from": [
                            {
                                "source": {
                                    "serviceAccounts": [
                                        "a",
                                        "a",
                                        "a",
                                        "a",
                                        "a",
                                        "a",
                                        "a",
                                        "a",
                                        "a",
                                        "a",
                                        "a",
                                        "a",
                                        "a",
                                        "a",
                                        "a",
                                        "a",
                                        "a",
                                    ]
                                }
                            }
                        ]
                    }
                ]
            },
            ["spec.rules[0].from[0].source.serviceAccounts too-large"],
        ),
        (
            "AuthorizationPolicy",
            {"rules": [{"to": [{"operation": {}}]}]},
            ["spec.rules[0].to[0].operation required"],
        ),
        (
            "AuthorizationPolicy",
            {"rules": [{"to": [{"operation": {"ports": ["80", "http"], "paths": ["/{*}", "/a{b}"]}}]}]},
            [
                "spec.rules[0].to[0].operation.paths[1] bad-value",
                "spec.rules[0].to[0].operation.ports[1] bad-value",
            ],
        ),
        ("AuthorizationPolicy", {"rules": [{"when": [{"key": "source.ip", "values": ["10.0.0.0/8"]}]}]}, []),
        (
            "AuthorizationPolicy",
            {"rules": [{"when": [{"values": ["a"]}]}]},
            ["spec.rules[0].when[0].key required"],
        ),
        (
            "AuthorizationPolicy",
            {
                "rules": [
                    {
                        "from": [
                            {"source": {"principals": ["spiffe://cluster.local/ns/a/sa/b", "a*b"]}},
                            {"source": {"principals": [], "namespaces": ["a"]}},
                        ],
                        "to": [
                            {
                                "operation": {
                                    "hosts": ["http://a"],
                                    "methods": ["get", "GET POST"],
                                    "paths": ["a", "/a?b=c", "{*}/a", "/a b", "/a*b"],
                                }
                            }
                        ],
                        "when": [{"key": "source.principal", "notValues": ["spiffe://a"]}],
                    }
                ]
            },
            [
                "spec.rules[0].from[0].source.principals[0] bad-value",
                "spec.rules[0].from[0].source.principals[1] no-effect",
                "spec.rules[0].from[1].source.principals required",
                "spec.rules[0].to[0].operation.hosts[0] bad-value",
                "spec.rules[0].to[0].operation.methods[0] no-effect",
                "spec.rules[0].to[0].operation.methods[1] bad-value",
                "spec.rules[0].to[0].operation.paths[0] bad-value",
                "spec.rules[0].to[0].operation.paths[1] bad-value",
                "spec.rules[0].to[0].operation.paths[2] bad-value",
                "spec.rules[0].to[0].operation.paths[3] bad-value",
                "spec.rules[0].to[0].operation.paths[4] no-effect",
                "spec.rules[0].when[0].notValues[0] bad-value",
            ],
        ),
    ],
)
def test_what_makes_sense(kind: str, spec: Json, found: list[str]) -> None:
    assert judge(kind, spec) == found


@pytest.mark.parametrize(
    ("annotation", "action", "is_fine"),
    [("true", "DENY", True), ("yes", "ALLOW", False), ("true", "AUDIT", False)],
)
def test_a_dry_run(annotation: str, action: str, is_fine: bool) -> None:
    value: dict[str, Json] = {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "a", "annotations": {"istio.io/dry-run": annotation}},
        "spec": {"action": action, "rules": [{}]},
    }
    examined = examine(Document(file="f", line=1, value=value, marks=NO_MARKS), only_in_force=False)
    assert (examined.config is not None) == is_fine
