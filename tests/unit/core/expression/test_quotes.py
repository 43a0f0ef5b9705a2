import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.core.expression.quotes import BadEscape, quoted, unquote


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ('"abc"', "abc"),
        (r'"\a\b\f\n\r\t\v\\\""', '\a\b\f\n\r\t\v\\"'),
        (r'"\x41\101é\U0001F600"', "AAé😀"),
        (r'"\xc3\xa9"', "é"),
        ("'a'", "a"),
        (r"'\''", "'"),
        (r"'\xc3\xa9'", "é"),
        ('"\'"', "'"),
        ("'\"'", '"'),
        ('"é"', "é"),
    ],
)
def test_escapes(text: str, means: str) -> None:
    assert unquote(text) == means


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        (r'"ab\q"', 3),
        (r'"\'"', 1),
        (r"'\"'", 1),
        (r'"\x4"', 1),
        (r'"\u12"', 1),
        (r'"\ud800"', 1),
        (r'"\U00110000"', 1),
        (r'"\400"', 1),
        (r'"\08"', 1),
        (r'"\xff"', 0),
        ("''", 0),
        ("'ab'", 0),
    ],
)
def test_bad_escapes(text: str, offset: int) -> None:
    with pytest.raises(BadEscape) as error:
        unquote(text)
    assert error.value.offset == offset
    assert error.value.hint


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_quoted_is_read_back(text: str) -> None:
    assert unquote(quoted(text)) == text
    assert "\n" not in quoted(text)
