import math

import pytest

from proa.core.config.tree import Json, Scalar, resolve_plain, shorten, type_name


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("FALSE", False),
        ("0", 0),
        ("-12", -12),
        ("017", 17),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-.inf", -math.inf),
    ],
)
def test_words_of_the_core_schema(text: str, value: Scalar) -> None:
    resolved = resolve_plain(text)
    assert (resolved, type(resolved)) == (value, type(value))


@pytest.mark.parametrize(
    "text", ["yes", "on", "off", "No", "12:30:45", "2001-01-01", "1_000", "0b1", "-", ".", "7s"]
)
def test_other_words_are_text(text: str) -> None:
    assert resolve_plain(text) == text


def test_not_a_number_and_numbers_without_end() -> None:
    value = resolve_plain(".nan")
    assert isinstance(value, float)
    assert math.isnan(value)
    assert resolve_plain("9" * 5000) == "9" * 5000


def test_values_in_a_users_words() -> None:
    values: list[Json] = [None, True, 3, 1.5, "a", [], {}]
    assert [type_name(value) for value in values] == [
        "nothing",
        "true",
        "the number 3",
        "the number 1.5",
        'the text "a"',
        "a list",
        "an object",
    ]


def test_long_text_is_cut_to_one_line() -> None:
    assert shorten("a\nb") == "a b"
    assert len(shorten("x" * 1000)) == 60
