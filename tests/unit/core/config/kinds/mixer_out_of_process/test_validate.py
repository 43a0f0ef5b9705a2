import pytest

from proa.core.config import Json
from tests.unit.core.config.judged import judge


@pytest.mark.parametrize(
    ("kind", "spec", "found"),
    [
        ("handler", {"adapter": "a", "params": {"b": 1}, "connection": {"address": "c:1"}}, []),
        ("handler", {}, ["spec.adapter required"]),
        (
            "handler",
            {"adapter": "a", "compiledAdapter": "noop", "connection": {}},
            ["spec conflict", "spec.connection.address required"],
        ),
        ("instance", {"compiledTemplate": "metric", "params": {}}, []),
        ("instance", {}, ["spec.template required"]),
        ("adapter", {"templates": ["a"], "config": "Cg=="}, []),
        ("adapter", {"config": "!"}, ["spec.config bad-value"]),
        ("adapter", {"config": "é"}, ["spec.config bad-value"]),
        ("template", {"descriptor": "Cg=\n="}, []),
        ("template", {"descriptor": ""}, ["spec.descriptor required"]),
    ],
)
def test_what_makes_sense(kind: str, spec: Json, found: list[str]) -> None:
    assert judge(kind, spec) == found
