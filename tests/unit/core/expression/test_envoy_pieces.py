import pytest

from proa.core.attributes.value_types import Span, Timestamp, Value
from proa.core.expression.cel import FALSE, TRUE, Literal, cel_text, path
from proa.core.expression.envoy_attributes import IN_ENVOY
from proa.core.expression.envoy_pieces import (
    EnvoyText,
    Obstacle,
    affix,
    constant,
    has_entry,
    joined,
    looked_up,
    same_text,
    whole,
)

PRINCIPAL = EnvoyText(path("connection.id"), "spiffe://")
PLAIN = EnvoyText(path("request.method"))
HEADERS = IN_ENVOY["request.headers"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (-1, "(-1)"),
        (1.5, "1.5"),
        ("a%b", '"a\\x25b"'),
        (Span(5), 'duration("5ns")'),
        (Timestamp(0), 'timestamp("1970-01-01T00:00:00Z")'),
    ],
)
def test_constants(value: Value, text: str) -> None:
    assert cel_text(constant(value)) == text


@pytest.mark.parametrize("value", [float("inf"), b"\x01\x02\x03\x04", Timestamp(2**62 * 100)])
def test_constants_that_envoy_has_not(value: Value) -> None:
    with pytest.raises(Obstacle):
        constant(value)


def test_a_prefix_goes_to_what_is_compared() -> None:
    assert cel_text(same_text(PRINCIPAL, EnvoyText(Literal("a")), "==")) == '(connection.id == "spiffe://a")'
    assert cel_text(affix(PRINCIPAL, "startsWith", "a")) == 'connection.id.startsWith("spiffe://a")'
    assert cel_text(affix(PRINCIPAL, "endsWith", "a")).startswith("((size(connection.id) >= 10) && ")
    with pytest.raises(Obstacle):
        same_text(PRINCIPAL, PLAIN, "==")
    with pytest.raises(Obstacle):
        whole(PRINCIPAL)
    assert whole(PLAIN) == PLAIN.cel


def test_keys_of_what_is_known_and_of_what_envoy_has() -> None:
    assert (has_entry({"a": "b"}, "a"), has_entry({}, "a")) == (TRUE, FALSE)
    assert looked_up({"a": "b"}, "a", FALSE) == Literal("b")
    assert looked_up({}, "a", FALSE) == FALSE
    assert cel_text(has_entry(HEADERS, "x-a")) == '("x-a" in request.headers)'
    assert has_entry(HEADERS, "X-A") == FALSE, "header names are small in Mixer"


def test_many_are_joined_flat() -> None:
    assert cel_text(joined("||", [TRUE, FALSE, TRUE, FALSE])) == "((true || false) || (true || false))"
