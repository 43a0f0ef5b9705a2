import pytest

from proa.core.config import Json
from tests.unit.core.config.judged import judge


@pytest.mark.parametrize(
    ("kind", "spec", "found"),
    [
        (
            "attributemanifest",
            {"attributes": {"a.b": {"valueType": "STRING"}, "c": {"value_type": "IP_ADDRESS"}}},
            [],
        ),
        (
            "attributemanifest",
            {"attributes": {"a.b": {"valueType": "BAD_TYPE"}}},
            ["spec.attributes[a.b].valueType bad-value"],
        ),
        (
            "attributemanifest",
            {"attributes": {"a b": {"valueType": "BOOL"}, "c": {}}},
            ["spec.attributes.c.valueType required", 'spec.attributes["a b"] bad-value'],
        ),
    ],
)
def test_what_makes_sense(kind: str, spec: Json, found: list[str]) -> None:
    assert judge(kind, spec) == found
