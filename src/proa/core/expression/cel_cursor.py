"""Goes over the tokens of a text in CEL, once, and counts what is open around an operand. Read by `cel_reader`."""

from proa.core.expression.cel_lexer import Token
from proa.core.expression.lexer import Unreadable
from proa.core.expression.parser import DEEPEST


class Cursor:
    """At one token. `depth` is the reader's to lower again."""

    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._at = 0
        self._depth = 0

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _is(self, *operators: str) -> bool:
        return self._token.kind == "operator" and self._token.text in operators

    def _took(self, operator: str) -> bool:
        if self._is(operator):
            self._at += 1
            return True
        return False

    def _expect(self, operator: str, hint: str = "") -> None:
        if not self._took(operator):
            raise self._unexpected(f'"{operator}"', hint)

    def _unexpected(self, wanted: str, hint: str = "") -> Unreadable:
        token = self._token
        found = {"end": "the end", "text": "a quoted text"}.get(token.kind, f'"{token.text[:80]}"')
        return Unreadable(token.column, f"expected {wanted}, found {found}", hint)

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            hint = "split it into several rules"
            raise Unreadable(self._token.column, f"nested deeper than {DEEPEST} levels", hint)

    def _took_token(self) -> Token:
        token = self._token
        self._at += 1
        return token
