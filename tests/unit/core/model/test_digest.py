"""Equal values, equal digests."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map

from proa.core.model.digest import combine, digest_bytes, digest_of


class Holder(msgspec.Struct, frozen=True):
    labels: Map[str, str]
    names: frozenset[str]


pairs = st.dictionaries(st.text(max_size=4), st.text(max_size=4))


@given(pairs, pairs, st.frozensets(st.text(max_size=3)))
def test_digests_are_equal_exactly_when_values_are(
    one: dict[str, str], other: dict[str, str], names: frozenset[str]
) -> None:
    left, right = Holder(Map(one), names), Holder(Map(reversed(other.items())), names)
    assert (digest_of(left) == digest_of(right)) == (one == other)


def test_a_digest_is_the_same_on_every_machine() -> None:
    assert digest_of(("a", 1)) == digest_of(["a", 1])
    assert digest_bytes(b"") == "99aa06d3014798d86001c324468d497f"
    assert len(digest_of(None)) == 32


def test_what_has_no_stable_encoding_has_no_digest() -> None:
    with pytest.raises(TypeError):
        digest_of(object())


def test_parts_are_told_apart() -> None:
    assert combine(["ab", "c"]) != combine(["a", "bc"])
    assert combine(["a", "b"]) != combine(["b", "a"])
