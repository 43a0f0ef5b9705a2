import pytest

from proa.core.expression.cel_lexer import cel_tokens
from proa.core.expression.lexer import LONGEST, Unreadable


def kinds(text: str) -> list[tuple[str, str]]:
    return [(str(token.kind), token.text) for token in cel_tokens(text)][:-1]


def test_tokens() -> None:
    assert kinds("a.b_1 >= 0x1F && !c[\n'k'] // end") == [
        *(("name", "a"), ("operator", "."), ("name", "b_1"), ("operator", ">="), ("int", "0x1F")),
        *(("operator", "&&"), ("operator", "!"), ("name", "c"), ("operator", "["), ("text", "k")),
        ("operator", "]"),
    ]
    assert kinds("1.5 2e3 .5 7") == [("float", "1.5"), ("float", "2e3"), ("float", ".5"), ("int", "7")]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (r'"a\"b"', 'a"b'),
        (r"'a\'b'", "a'b"),
        (r'"\x41\u00e9\101"', "AéA"),
        (r'"\xff"', "ÿ"),
        (r'r"a\d+"', r"a\d+"),
        ("R'a\"b'", 'a"b'),
        ('""', ""),
        (r'"\?\`"', "?`"),
    ],
)
def test_quotes(text: str, meant: str) -> None:
    assert kinds(text) == [("text", meant)]


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ('a == "b', 6, "is not closed"),
        ('"""a"""', 1, "on one line"),
        ('b"a"', 1, "on one line"),
        ("5u", 1, "without sign"),
        ("a | b", 3, "cannot stand here"),
        ("a = b", 3, "cannot stand here"),
        (r'"\q"', 2, "no escape of CEL"),
        ("a \ud800", 3, "surrogate"),
        ("a" * (LONGEST + 1), 1, "longer than"),
    ],
)
def test_what_cannot_be_read_has_a_place(text: str, column: int, message: str) -> None:
    with pytest.raises(Unreadable, match=message) as found:
        cel_tokens(text)
    assert found.value.fault.column == column
