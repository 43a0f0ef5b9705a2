import pytest

from proa.core.config import Json
from tests.unit.core.config.judged import judge


@pytest.mark.parametrize(
    ("kind", "spec", "found"),
    [
        ("TrafficExtension", {"lua": {"inlineCode": "function envoy_on_request(h) end"}}, []),
        ("TrafficExtension", {"wasm": {"url": "a"}}, []),
        ("TrafficExtension", {}, ["spec required"]),
        ("TrafficExtension", {"wasm": {"url": "a"}, "lua": {"inlineCode": "a"}}, ["spec conflict"]),
        ("TrafficExtension", {"lua": {"inlineCode": " "}}, ["spec.lua.inlineCode required"]),
        (
            "TrafficExtension",
            {"lua": {"inlineCode": "a" * 70_000}},
            ["spec.lua.inlineCode too-large"],
        ),
    ],
)
def test_what_makes_sense(kind: str, spec: Json, found: list[str]) -> None:
    assert judge(kind, spec) == found
