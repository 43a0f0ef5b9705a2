"""Whether a text can be an expression of Mixer's language (`source.labels["app"] | "unknown"`). Validators of Mixer's
kinds ask.

Syntax alone: which attributes there are and what type they have is a question for whoever evaluates. Attributes are
dotted names; there are literals, calls, indexes, parentheses and the operators of Go.
"""

import re
from typing import Final

from proa.core.config.tree import shorten

_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<name>[A-Za-z_]\w*)
      | (?P<literal>"(?:[^"\\\n]|\\.)*" | `[^`]*` | '(?:[^'\\\n]|\\.)+' | 0[xX][0-9a-fA-F]+
          | (?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<operator>&&|\|\||==|!=|<=|>=|<<|>>|&\^|[-+*/%&|^<>!()\[\],.])
    )""",
    re.VERBOSE,
)
_BINARY: Final = frozenset(
    ("&&", "||", "==", "!=", "<=", ">=", "<<", ">>", "&^", "<", ">", "+", "-", "*", "/", "%", "&", "|", "^")
)
_UNARY: Final = frozenset(["+", "-", "!", "^", "*"])
_DEEPEST: Final = 100
_LONGEST: Final = 16 * 1024


class _Unreadable(Exception):
    """Its text tells a user what is wrong."""


def expression_fault(text: str) -> str | None:
    """None, or what is wrong with the syntax."""
    if len(text) > _LONGEST:
        return f"longer than {_LONGEST} characters; shorten it"
    try:
        reading = _Reading(_tokens(text))
        reading.expression(0)
        reading.expect("")
    except _Unreadable as error:
        return str(error)
    return None


def _tokens(text: str) -> list[tuple[str, str]]:
    """Kind and text of each; the end is an operator without text."""
    found: list[tuple[str, str]] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise _Unreadable(
                f'no expression: "{shorten(text[at:])}" cannot be read; close quotes, and quote texts'
            )
        found.append((match.lastgroup or "", match[match.lastgroup or 0]))
        at = match.end()
    return [*found, ("operator", "")]


class _Reading:
    """Goes over the tokens once."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def _next(self) -> str:
        kind, text = self._tokens[self._at]
        return text if kind == "operator" else kind

    def expect(self, operator: str) -> None:
        if self._next != operator:
            wanted = f'"{operator}"' if operator else "the end"
            raise _Unreadable(f"no expression: expected {wanted}, found {self._found()}")
        self._at += 1

    def _found(self) -> str:
        text = self._tokens[self._at][1]
        return f'"{shorten(text)}"' if text else "the end"

    def expression(self, depth: int) -> None:
        if depth > _DEEPEST:
            raise _Unreadable(f"nested deeper than {_DEEPEST} levels; flatten it")
        while True:
            while self._next in _UNARY:
                self._at += 1
            self._operand(depth)
            if self._next not in _BINARY:
                return
            self._at += 1

    def _operand(self, depth: int) -> None:
        if self._next == "(":
            self._at += 1
            self.expression(depth + 1)
            self.expect(")")
        elif self._next in ("name", "literal"):
            self._at += 1
        else:
            raise _Unreadable(f"no expression: expected an attribute or a value, found {self._found()}")
        while self._next in (".", "[", "("):
            opened = self._next
            self._at += 1
            if opened == ".":
                self.expect("name")
            elif opened == "[":
                self.expression(depth + 1)
                self.expect("]")
            else:
                self._arguments(depth)

    def _arguments(self, depth: int) -> None:
        while self._next != ")":
            self.expression(depth + 1)
            if self._next != ")":
                self.expect(",")
        self._at += 1
