import pytest

from proa.core.config import Json
from tests.unit.core.config.judged import judge


@pytest.mark.parametrize(
    ("kind", "spec", "found"),
    [
        (
            "AuthorizationPolicy",
            {"rules": [{"when": [{"key": "request.headers[x-a]", "values": ["a"]}]}]},
            [],
        ),
        (
            "AuthorizationPolicy",
            {"rules": [{"when": [{"key": "request.auth.claims[a][b]", "values": ["a"]}]}]},
            [],
        ),
        (
            "AuthorizationPolicy",
            {"rules": [{"when": [{"key": "experimental.envoy.filters.a.b[c]", "values": ["a"]}]}]},
            [],
        ),
        (
            "AuthorizationPolicy",
            {"rules": [{"when": [{"key": "request.headers", "values": ["a"]}]}]},
            ["spec.rules[0].when[0].key bad-value"],
        ),
        (
            "AuthorizationPolicy",
            {"rules": [{"when": [{"key": "request.headers[]", "values": ["a"]}]}]},
            ["spec.rules[0].when[0].key bad-value"],
        ),
        (
            "AuthorizationPolicy",
            {"rules": [{"when": [{"key": "request.headers[a b]", "values": ["a"]}]}]},
            ["spec.rules[0].when[0].key bad-value"],
        ),
        (
            "AuthorizationPolicy",
            {"rules": [{"when": [{"key": "source.ip[a]", "values": ["a"]}]}]},
            ["spec.rules[0].when[0].key bad-value"],
        ),
        (
            "AuthorizationPolicy",
            {"rules": [{"when": [{"key": "source.user", "values": ["a"]}]}]},
            ["spec.rules[0].when[0].key bad-value"],
        ),
        (
            "AuthorizationPolicy",
            {"rules": [{"when": [{"key": "source.princpal", "values": ["a"]}]}]},
            ["spec.rules[0].when[0].key bad-value"],
        ),
        (
            "AuthorizationPolicy",
            {"rules": [{"when": [{"key": "source.ip", "values": ["a"]}]}]},
            ["spec.rules[0].when[0].values[0] bad-value"],
        ),
        (
            "AuthorizationPolicy",
            {"rules": [{"when": [{"key": "destination.port", "values": ["80", "0"]}]}]},
            ["spec.rules[0].when[0].values[1] bad-value"],
        ),
        (
            "AuthorizationPolicy",
            {"rules": [{"when": [{"key": "source.serviceAccount", "values": ["a", "*"]}]}]},
            ["spec.rules[0].when[0].values[1] bad-value"],
        ),
        (
            "AuthorizationPolicy",
            {"rules": [{"when": [{"key": "source.ip", "values": []}]}]},
            ["spec.rules[0].when[0] required"],
        ),
    ],
)
def test_what_makes_sense(kind: str, spec: Json, found: list[str]) -> None:
    assert judge(kind, spec) == found
