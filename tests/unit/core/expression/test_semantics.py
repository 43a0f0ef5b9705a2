import pytest

from proa.core.attributes.value_types import INT64_MAX, INT64_MIN, Timestamp
from proa.core.expression import semantics
from proa.core.expression.semantics import EvaluationError


@pytest.mark.parametrize(
    ("text", "pattern", "found"),
    [
        ("abc", "ab*", True),
        ("ab", "ab*", True),
        ("abc", "*bc", True),
        ("abc", "abc", True),
        ("abc", "b", False),
        ("*bc", "*bc*", True),
        ("abcd", "*bc*", False),
        ("a*c", "a*c", True),
        ("abc", "a*c", False),
        ("", "*", True),
        ("x", "", False),
    ],
)
def test_one_star_and_the_one_at_the_end_wins(text: str, pattern: str, found: bool) -> None:
    assert semantics.glob_match(text, pattern) is found


def test_regexes_are_re2_and_look_anywhere() -> None:
    assert semantics.matches("b+", "abbc")
    assert not semantics.matches("^b+", "abbc")
    assert not semantics.matches(r"\d", "٣")
    assert semantics.matches("", "anything")
    for bad in ("[", r"(a)\1", "(?=a)"):
        with pytest.raises(EvaluationError, match="no RE2") as error:
            semantics.matches(bad, "a")
        assert error.value.reason == "bad-value"


@pytest.mark.parametrize(
    ("number", "wrapped"),
    [(INT64_MAX, INT64_MAX), (INT64_MAX + 1, INT64_MIN), (INT64_MIN - 1, INT64_MAX), (2**64 + 5, 5)],
)
def test_integers_wrap(number: int, wrapped: int) -> None:
    assert semantics.wrapped(number) == wrapped


def test_sums() -> None:
    assert semantics.total_int((INT64_MAX, 1, 1)) == INT64_MIN + 1
    assert semantics.total_double((0.1, 0.2, 0.3)) == (0.1 + 0.2) + 0.3


def test_texts() -> None:
    assert semantics.to_lower("ABC") == "abc"
    assert semantics.to_lower("ÄΣ") == "äσ"
    assert len(semantics.to_lower("İ")) == 1
    assert semantics.size("abc") == 3
    assert semantics.size("é😀") == 6
    assert semantics.choose(True, "a", "b") == "a"


def test_conversions() -> None:
    assert semantics.ip("1.2.3.4") == b"\x01\x02\x03\x04"
    assert semantics.timestamp("1970-01-01T00:00:01Z") == Timestamp(1_000_000_000)
    assert semantics.dns_name("Foo.") == "Foo."
    assert semantics.email("a@b") == "a@b"
    assert semantics.uri("a") == "a"
    for convert in (semantics.ip, semantics.timestamp, semantics.dns_name, semantics.email, semantics.uri):
        with pytest.raises(EvaluationError, match="is no"):
            convert(":" * 100)


def test_refusals() -> None:
    with pytest.raises(EvaluationError, match=r"lookup failed: 'a\.b'") as error:
        semantics.refuse(None, "a.b", "STRING")
    assert (error.value.reason, error.value.attribute) == ("absent", "a.b")
    with pytest.raises(EvaluationError, match="'a' is no STRING but a int") as error:
        semantics.refuse(1, "a", "STRING")
    assert error.value.reason == "wrong-type"
