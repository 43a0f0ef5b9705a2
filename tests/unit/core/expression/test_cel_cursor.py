import pytest

from proa.core.expression.cel_cursor import Cursor
from proa.core.expression.cel_lexer import cel_tokens
from proa.core.expression.lexer import Unreadable


class Pairs(Cursor):
    """`(a, b)`: enough to go over tokens with."""

    def read(self) -> list[str]:
        self._deeper()
        self._expect("(", "begin with a parenthesis")
        found = [self._took_token().text]
        while self._took(","):
            found.append(self._took_token().text)
        self._expect(")")
        return found


def test_tokens_are_taken_in_order() -> None:
    assert Pairs(cel_tokens("(a, b, c)")).read() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a, b", 'column 1: expected "(", found "a"; begin with a parenthesis'),
        ("(a b)", 'column 4: expected ")", found "b"'),
        ('(a "b")', 'column 4: expected ")", found a quoted text'),
        ("(a", 'column 3: expected ")", found the end'),
    ],
)
def test_what_is_not_there_is_told_with_its_place(text: str, message: str) -> None:
    with pytest.raises(Unreadable) as refused:
        Pairs(cel_tokens(text)).read()
    assert str(refused.value.fault) == message
