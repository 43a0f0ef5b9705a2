import pytest

from proa.core.expression.lexer import LONGEST, Unreadable, tokens


def kinds(text: str, outputs: bool = False) -> list[tuple[str, str]]:
    return [(token.kind, token.text) for token in tokens(text, outputs)[:-1]]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a_1.ü", [("name", "a_1"), ("operator", "."), ("name", "ü")]),
        (
            "1 0x1F .5 1e3 2.",
            [("int", "1"), ("int", "0x1F"), ("float", ".5"), ("float", "1e3"), ("float", "2.")],
        ),
        ("a&&b&^c", [("name", "a"), ("operator", "&&"), ("name", "b"), ("operator", "&^"), ("name", "c")]),
        ("`a\\d\r\n`", [("text", "a\\d\n")]),
        ("a // rest", [("name", "a")]),
        ("a /* b */ + c", [("name", "a"), ("operator", "+"), ("name", "c")]),
        ("a + // b\n c", [("name", "a"), ("operator", "+"), ("name", "c")]),
        ("a\n+ c", [("name", "a"), ("line", ""), ("operator", "+"), ("name", "c")]),
        ("a /* \n */ b", [("name", "a"), ("line", ""), ("name", "b")]),
        ("(\na", [("operator", "("), ("name", "a")]),
        ("interfaces", [("name", "interfaces")]),
    ],
)
def test_tokens(text: str, found: list[tuple[str, str]]) -> None:
    assert kinds(text) == found


def test_outputs_only_where_they_are_asked_for() -> None:
    assert kinds("$out.a", outputs=True)[0] == ("name", "$out")
    with pytest.raises(Unreadable):
        tokens("$out.a", False)
    with pytest.raises(Unreadable):
        tokens("$output", True)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("a # b", 3),
        ('a == "b', 6),
        ("a == 'b", 6),
        ("`a", 1),
        ("a /* b", 3),
        ('"a\nb"', 1),
        ("1e", 1),
        ("1e+", 1),
        ("0x", 1),
        ("007", 1),
        ("a = b", 3),
        ("func", 1),
        ('ab["\\q"]', 5),
        ("`\ud800`", 2),
    ],
)
def test_what_cannot_be_read(text: str, column: int) -> None:
    with pytest.raises(Unreadable) as error:
        tokens(text, False)
    assert error.value.fault.column == column
    assert error.value.fault.hint


def test_length_is_bounded() -> None:
    assert len(tokens("a" * LONGEST, False)) == 2
    with pytest.raises(Unreadable, match="longer"):
        tokens("a" * (LONGEST + 1), False)
