import pytest
from immutables import Map

from proa.adapters.policy.otlp.values import any_value, key_values, pairs_of
from proa.core.attributes.value_types import Span, Timestamp
from proa.core.mixer.templates import Field, Instance
from tests.otlp_receivers import attributes, plain


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("text", "text"),
        (200, 200),
        (-(2**63), -(2**63)),
        (0.5, 0.5),
        (True, True),
        (False, False),
        (Span(13_600_000), "13.6ms"),
        (Timestamp(0), "1970-01-01T00:00:00Z"),
        (b"\x0a\x00\x00\x01", "10.0.0.1"),
        (Map(b="2", a="1"), {"a": "1", "b": "2"}),
        (float("inf"), "inf"),
        ("\ud800", "?"),
        ("", ""),
    ],
)
def test_values_are_what_they_are(value: Field, told: object) -> None:
    found = plain(any_value(value))
    assert (found, type(found)) == (told, type(told))


def test_pairs_are_in_order() -> None:
    instance = Instance(name="a", template="logentry", fields=Map(variables=Map(b=1, a="x"), severity="info"))
    told = list(key_values(pairs_of(instance, "variables").items()))
    assert [pair.key for pair in told] == ["a", "b"]
    assert attributes(told) == {"a": "x", "b": 1}
    assert not pairs_of(instance, "severity")
    assert not pairs_of(instance, "dimensions")
