from hypothesis import given
from hypothesis import strategies as st

from proa.core.mixer.verdict.keys import LONGEST, Facts, key_of
from proa.core.mixer.verdict.shapes import Shape

SHAPE = Shape(("c:sub", "h:a", "h:b", "l:aud", "t", "u"))
values = st.none() | st.text(max_size=5)


@st.composite
def requests(draw: st.DrawFn) -> Facts:
    headers = {name: value for name in "ab" if (value := draw(values)) is not None}
    claims: dict[str, object] = {
        "sub": draw(values | st.integers()),
        "aud": draw(values | st.lists(st.text())),
    }
    return Facts(headers=headers, identity=draw(values), claims=claims)


@given(requests(), requests())
def test_two_keys_are_equal_when_all_that_was_read_is(one: Facts, other: Facts) -> None:
    def read(facts: Facts) -> tuple[object, ...]:
        audience = facts.claims["aud"]
        if isinstance(audience, list):
            audience = audience[0] if audience else None
        subject = facts.claims["sub"]
        subject = subject if isinstance(subject, str) else None
        return (facts.headers.get("a"), facts.headers.get("b"), facts.identity, subject, audience)

    assert (key_of(SHAPE, one) == key_of(SHAPE, other)) == (read(one) == read(other))


def test_lengths_are_of_bytes_as_a_proxy_counts_them() -> None:
    assert (
        key_of(Shape(("h:a", "h:b", "a")), Facts(headers={"a": "é"}, address="10.0.0.1"))
        == "2:é,-,8:10.0.0.1"
    )


def test_a_key_that_is_too_long_is_none() -> None:
    assert key_of(Shape(("h:a",)), Facts(headers={"a": "x" * LONGEST})) is None
