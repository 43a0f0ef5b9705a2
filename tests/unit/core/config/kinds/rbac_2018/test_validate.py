import pytest

from proa.core.config import Json
from tests.unit.core.config.judged import judge


@pytest.mark.parametrize(
    ("kind", "spec", "found"),
    [
        (
            "ServiceRole",
            {
                "rules": [
                    {
                        "services": ["*.a"],
                        "paths": ["/a*"],
                        "methods": ["*"],
                        "constraints": [{"key": "destination.labels[a]", "values": ["b"]}],
                    }
                ]
            },
            [],
        ),
        ("ServiceRole", {}, ["spec.rules required"]),
        ("ServiceRole", {"rules": []}, ["spec.rules required"]),
        ("ServiceRole", {"rules": [{"services": []}]}, ["spec.rules[0].services required"]),
        (
            "ServiceRole",
            {"rules": [{"services": ["*"], "constraints": [{"key": "destination.lables[a]", "values": []}]}]},
            ["spec.rules[0].constraints[0].key bad-value", "spec.rules[0].constraints[0].values required"],
        ),
        (
            "ServiceRoleBinding",
            {
                "subjects": [{"user": "*"}],
                "roleRef": {"kind": "ServiceRole", "name": "a"},
                "mode": "PERMISSIVE",
            },
            [],
        ),
        (
            "ServiceRoleBinding",
            {"subjects": [], "roleRef": {"kind": "Role", "name": ""}},
            ["spec.roleRef.kind bad-value", "spec.roleRef.name required", "spec.subjects required"],
        ),
        (
            "ServiceRoleBinding",
            {
                "subjects": [
                    {},
                    {"group": "a"},
                    {"properties": {"source.namespace": "a", "source.nmespace": "b"}},
                ],
                "role_ref": {"kind": "ServiceRole", "name": "a"},
            },
            [
                "spec.subjects[0] required",
                "spec.subjects[2].properties[source.nmespace] bad-value",
            ],
        ),
        ("RbacConfig", {"mode": "ON"}, ["metadata.name bad-value"]),
        (
            "ClusterRbacConfig",
            {"mode": "ON_WITH_INCLUSION", "exclusion": {"services": ["a b"], "namespaces": ["A"]}},
            [
                "metadata.name bad-value",
                "spec.exclusion no-effect",
                "spec.exclusion.namespaces[0] bad-value",
                "spec.exclusion.services[0] bad-value",
                "spec.inclusion required",
            ],
        ),
        (
            "ServiceRole",
            {
                "rules": [
                    {
                        "services": ["a", "a b", "*.a*"],
                        "paths": ["a", "/a?b"],
                        "methods": ["get", "GET POST"],
                    },
                    {"services": ["*"], "constraints": [{"key": "request.headers[a b]", "values": ["c*d"]}]},
                ]
            },
            [
                "spec.rules[0].methods[0] no-effect",
                "spec.rules[0].methods[1] bad-value",
                "spec.rules[0].paths[0] bad-value",
                "spec.rules[0].paths[1] bad-value",
                "spec.rules[0].services[0] no-effect",
                "spec.rules[0].services[1] bad-value",
                "spec.rules[0].services[1] no-effect",
                "spec.rules[0].services[2] no-effect",
                "spec.rules[1].constraints[0].key bad-value",
                "spec.rules[1].constraints[0].values[0] no-effect",
            ],
        ),
        (
            "ServiceRoleBinding",
            {
                "subjects": [
                    {"user": "spiffe://cluster.local/ns/a/sa/b", "group": "*a*"},
                    {"user": "a*b", "properties": {"request.headers[a b]": "c"}},
                ],
                "roleRef": {"kind": "ServiceRole", "name": "a"},
            },
            [
                "spec.subjects[0].group no-effect",
                "spec.subjects[0].user bad-value",
                'spec.subjects[1].properties["request.headers[a b]"] bad-value',
                "spec.subjects[1].user no-effect",
            ],
        ),
        (
            "RbacConfig",
            {"mode": "ON_WITH_INCLUSION", "inclusion": {}, "exclusion": {"services": ["reviews"]}},
            [
                "metadata.name bad-value",
                "spec.exclusion no-effect",
                "spec.exclusion.services[0] no-effect",
                "spec.inclusion no-effect",
            ],
        ),
    ],
)
def test_what_makes_sense(kind: str, spec: Json, found: list[str]) -> None:
    assert judge(kind, spec) == found
