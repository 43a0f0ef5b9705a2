import pytest

from proa.core.config import Json
from tests.unit.core.config.judged import judge


@pytest.mark.parametrize(
    ("kind", "spec", "found"),
    [
        ("rule", {"actions": [{"handler": "a.denier", "instances": ["b.checknothing"]}]}, []),
        (
            "rule",
            {"match": 'a == "b"', "actions": [{"handler": "a.denier", "instances": ["b.checknothing"]}]},
            [],
        ),
        ("rule", {}, ["spec.actions no-effect"]),
        (
            "rule",
            {"match": "a ==", "actions": [{"handler": "a.denier", "instances": ["b.checknothing"]}]},
            ["spec.match bad-value"],
        ),
        (
            "rule",
            {"actions": [{"handler": "", "instances": []}]},
            ["spec.actions[0].handler required", "spec.actions[0].instances required"],
        ),
        (
            "rule",
            {"actions": [{"handler": "a b", "instances": ["a.b", "a.b"]}]},
            ["spec.actions[0].handler bad-value", "spec.actions[0].instances[1] duplicate"],
        ),
        (
            "rule",
            {"badField": 1, "actions": [{"handler": "a.denier", "instances": ["b.checknothing"]}]},
            ["spec.badField unknown-field"],
        ),
        (
            "MixerRule",
            {
                "match": 'request.method in ["GET", "PUT"] && has(a.of.a.manifest)',
                "actions": [{"handler": "a.denier", "instances": ["b.checknothing"]}],
            },
            [],
        ),
        (
            "MixerRule",
            {
                "match": '(request.method | "GET") == "GET"',
                "actions": [{"handler": "a.denier", "instances": ["b.checknothing"]}],
            },
            ["spec.match bad-value"],
        ),
        (
            "rule",
            {
                "match": "has(request.path)",
                "actions": [{"handler": "a.denier", "instances": ["b.checknothing"]}],
            },
            ["spec.match bad-value"],
        ),
    ],
)
def test_what_makes_sense(kind: str, spec: Json, found: list[str]) -> None:
    assert judge(kind, spec) == found
