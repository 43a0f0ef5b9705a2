import pytest

from proa.core.config import Json
from tests.unit.core.config.judged import judge


@pytest.mark.parametrize(
    ("kind", "spec", "found"),
    [
        ("WasmPlugin", {"url": "oci://a/b:1", "pluginConfig": {"a": [1]}, "priority": -1}, []),
        ("WasmPlugin", {}, ["spec.url required"]),
        ("WasmPlugin", {"url": ""}, ["spec.url required"]),
        (
            "WasmPlugin",
            {"url": "a", "match": [{"ports": [{"number": 0}]}]},
            ["spec.match[0].ports[0].number out-of-range"],
        ),
    ],
)
def test_what_makes_sense(kind: str, spec: Json, found: list[str]) -> None:
    assert judge(kind, spec) == found
