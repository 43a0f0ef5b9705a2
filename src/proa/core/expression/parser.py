"""Reads an expression: Go's grammar, of which Mixer takes names, literals, operators, indexes and calls.

The one entry is `parse`. What Go reads and Mixer does not (slices, type assertions, functions of functions) is a
Fault that says so. Length and depth are bounded, so hostile text costs little.
"""

from typing import Literal

from proa.core.attributes.time_texts import parse_span
from proa.core.attributes.value_types import INT64_MAX
from proa.core.expression.lexer import Token, Unreadable, tokens
from proa.core.expression.syntax import (
    CHAINS,
    PRECEDENCE,
    UNARY,
    Attribute,
    Binary,
    Call,
    Expression,
    Fault,
    Index,
    Number,
    Text,
    Truth,
    Unary,
)

DEEPEST = 64

# What the operand at hand is: what may follow depends on it.
_Form = Literal["name", "dotted", "literal", "parentheses", "index", "call"]


def parse(text: str, outputs: bool = False) -> Expression | Fault:
    """`outputs`: in attribute bindings `$out.name` is an attribute, called `$out.name`."""
    try:
        reading = _Reading(tokens(text, outputs))
        expression = reading.binary(1, 0)
        reading.end()
    except Unreadable as error:
        return error.fault
    return expression


class _Reading:
    """Goes over the tokens once. `depth` counts what is open around an operand."""

    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._at = 0

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _is(self, operator: str) -> bool:
        token = self._token
        return token.kind == "operator" and token.text == operator

    def _take(self) -> Token:
        token = self._token
        self._at += 1
        return token

    def _expect(self, operator: str, instead: str) -> None:
        if not self._is(operator):
            raise self._unexpected(f'"{operator}"', instead)
        self._at += 1

    def _unexpected(self, wanted: str, hint: str) -> Unreadable:
        token = self._token
        if token.kind == "line":
            message = "the line ends here, and the expression with it"
            return Unreadable(token.column, message, "break a line behind an operator or a comma")
        found = {"end": "the end", "text": "a quoted text"}.get(token.kind, f'"{token.text}"')
        return Unreadable(token.column, f"expected {wanted}, found {found}", hint)

    def end(self) -> None:
        after_line = self._tokens[self._at + 1] if self._token.kind == "line" else self._token
        if after_line.kind != "end":
            raise self._unexpected("an operator or the end", "join two conditions with && or ||")

    def binary(self, lowest: int, depth: int) -> Expression:
        """Operators that bind at least as `lowest`, all of them from the left."""
        left, inner = self._unary(depth), depth
        while PRECEDENCE.get(self._operator(), 0) >= lowest:
            sign = self._take()
            strength = PRECEDENCE[sign.text]
            # The tree grows at its left: what was read so far lies one level deeper.
            inner += 1
            self._not_too_deep(inner, sign.column)
            operands = [left, self.binary(strength + 1, inner)]
            while sign.text in CHAINS and self._is(sign.text):
                self._at += 1
                operands.append(self.binary(strength + 1, inner))
            left = Binary(sign.text, tuple(operands), sign.column)
        return left

    def _operator(self) -> str:
        return self._token.text if self._token.kind == "operator" else ""

    def _not_too_deep(self, depth: int, column: int) -> None:
        if depth > DEEPEST:
            raise Unreadable(column, f"nested deeper than {DEEPEST} levels", "split it into several rules")

    def _unary(self, depth: int) -> Expression:
        self._not_too_deep(depth, self._token.column)
        if self._token.kind == "operator" and self._token.text in UNARY:
            sign = self._take()
            return Unary(sign.text, self._unary(depth + 1), sign.column)
        return self._primary(depth)

    def _primary(self, depth: int) -> Expression:
        found, form = self._operand(depth)
        while (opener := self._operator()) in (".", "[", "("):
            depth += 1
            self._not_too_deep(depth, self._token.column)
            if opener == ".":
                found, form = self._selected(found, form, depth)
            elif opener == "[":
                column = self._take().column
                key = self.binary(1, depth)
                self._expect("]", 'an index is one value, like map["key"]')
                found, form = Index(found, key, column), "index"
            elif form == "name" and isinstance(found, Attribute):
                found, form = Call(found.name, None, self._arguments(depth), found.column), "call"
            else:
                raise Unreadable(self._token.column, "only a function's name can be called")
        if form == "name" and isinstance(found, Attribute) and found.name.lower() in ("true", "false"):
            return Truth(found.name.lower() == "true", found.column)
        return found

    def _selected(self, target: Expression, form: _Form, depth: int) -> tuple[Expression, _Form]:
        """What stands behind a dot: one more part of a name, or a function that is called on the target."""
        dot = self._take()
        part = self._token
        if part.kind != "name" or part.text.startswith("$"):
            raise self._unexpected("a name behind the dot", "an attribute is like request.path")
        self._at += 1
        if self._is("("):
            if form == "index":
                hint = 'put the target in parentheses, like (a["b"]).startsWith("c")'
                raise Unreadable(dot.column, "a function cannot be called on an indexed value", hint)
            return Call(part.text, target, self._arguments(depth), part.column), "call"
        if form in ("name", "dotted") and isinstance(target, Attribute):
            return Attribute(f"{target.name}.{part.text}", target.column), "dotted"
        raise Unreadable(
            dot.column, "only names have parts", f'call it, like .{part.text}("..."), or remove it'
        )

    def _arguments(self, depth: int) -> tuple[Expression, ...]:
        self._at += 1
        found: list[Expression] = []
        while not self._is(")"):
            found.append(self.binary(1, depth))
            if not self._is(")"):
                self._expect(",", "separate arguments by commas and close the parenthesis")
        self._at += 1
        return tuple(found)

    def _operand(self, depth: int) -> tuple[Expression, _Form]:
        token = self._token
        match token.kind:
            case "name":
                self._at += 1
                return Attribute(token.text, token.column), "name"
            case "int" | "float":
                self._at += 1
                return _number(token), "literal"
            case "text":
                self._at += 1
                return Text(token.text, parse_span(token.text), token.column), "literal"
            case "operator" if token.text == "(":
                self._at += 1
                inner = self.binary(1, depth + 1)
                self._expect(")", "close the parenthesis")
                return inner, "parentheses"
            case _:
                hint = "finish it" if token.kind == "end" else "put texts between double quotes"
                raise self._unexpected("an attribute or a value", hint)


def _number(token: Token) -> Number:
    if token.kind == "float":
        value = float(token.text)
        if value == float("inf"):
            raise Unreadable(token.column, f"{token.text} is too large for a DOUBLE", "write a smaller one")
        return Number(value, token.column)
    whole = int(token.text, 0)
    if whole > INT64_MAX:
        raise Unreadable(
            token.column, f"{token.text} is too large for an INT64", f"the largest is {INT64_MAX}"
        )
    return Number(whole, token.column)
