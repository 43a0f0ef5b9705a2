"""Cuts a text into Go's tokens, as Go's scanner does: names, numbers, three kinds of quotes, operators, comments.

A line that ends behind an operand ends the expression (Go puts a semicolon there), so a long one is broken behind an
operator. Called by the parser.
"""

import re
from typing import Literal

import msgspec

from proa.core.expression.quotes import BadEscape, unquote
from proa.core.expression.syntax import GO_WORDS, Fault

LONGEST = 16 * 1024

Kind = Literal["name", "int", "float", "text", "operator", "line", "end"]


class Token(msgspec.Struct, frozen=True):
    """`text` as written; of quotes, what stands within."""

    kind: Kind
    text: str
    column: int


class Unreadable(Exception):
    """Carries the Fault. Raised within reading, caught by `parse`."""

    def __init__(self, column: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.fault = Fault(column, message, hint)


_SPACE = re.compile(r"[ \t\r]+")
_NAME = re.compile(r"[^\W\d]\w*")
_OUTPUT = re.compile(r"\$out\b")
_NUMBER = re.compile(
    r"(?P<hex>0[xX][0-9a-fA-F]*)|(?P<float>[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]*)?|\.[0-9]+(?:[eE][-+]?[0-9]*)?"
    r"|[0-9]+[eE][-+]?[0-9]*)|(?P<int>[0-9]+)"
)
_OPERATOR = re.compile(r"&&|\|\||==|!=|<=|>=|<<|>>|&\^|[-+*/%&|^<>!()\[\],.]")
_QUOTED = re.compile(
    r'(?P<string>"(?:[^"\\\n]|\\[^\n])*")|(?P<raw>`[^`]*`)|(?P<char>\'(?:[^\'\\\n]|\\[^\n])*\')'
)
_LINE_COMMENT = re.compile(r"//[^\n]*")
_BLOCK_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_CLOSERS = frozenset((")", "]"))


def tokens(text: str, outputs: bool) -> list[Token]:
    """The last is an end. `outputs`: `$out.name` is an attribute too. Raises Unreadable."""
    if len(text) > LONGEST:
        raise Unreadable(1, f"longer than {LONGEST} characters", "shorten it")
    if half := _HALF_CHARACTER.search(text):
        raise Unreadable(half.start() + 1, "half of a surrogate pair is no character", "remove it")
    found: list[Token] = []
    at = 0
    while at < len(text):
        at, token = _next(text, at, outputs)
        if token is None:
            continue
        if token.kind != "line" or (found and _ends_operand(found[-1])):
            found.append(token)
    found.append(Token("end", "", len(text) + 1))
    return found


def _ends_operand(token: Token) -> bool:
    return token.kind in ("name", "int", "float", "text") or (
        token.kind == "operator" and token.text in _CLOSERS
    )


def _next(text: str, at: int, outputs: bool) -> tuple[int, Token | None]:
    """Where the next one begins, and what stands at `at` if that is a token."""
    column = at + 1
    char = text[at]
    if char == "\n":
        return at + 1, Token("line", "", column)
    if space := _SPACE.match(text, at):
        return space.end(), None
    if comment := _LINE_COMMENT.match(text, at):
        return comment.end(), None
    if text.startswith("/*", at):
        block = _BLOCK_COMMENT.match(text, at)
        if block is None:
            raise Unreadable(column, "the comment is not closed", "write */ behind it")
        return block.end(), Token("line", "", column) if "\n" in block[0] else None
    if name := (_NAME.match(text, at) or (_OUTPUT.match(text, at) if outputs else None)):
        if name[0] in GO_WORDS:
            hint = "it is a word of Go; such an attribute cannot be written in an expression"
            raise Unreadable(column, f'"{name[0]}" cannot be a name', hint)
        return name.end(), Token("name", name[0], column)
    if char in "\"`'":
        return _quoted(text, at)
    if number := _NUMBER.match(text, at):
        return number.end(), _number(number, column)
    if operator := _OPERATOR.match(text, at):
        return operator.end(), Token("operator", operator[0], column)
    if text[at] == "=":
        raise Unreadable(column, '"=" is no operator here', "compare with ==")
    raise Unreadable(column, f"{char!r} cannot stand here", "put texts between double quotes")


def _number(number: re.Match[str], column: int) -> Token:
    text = number[0]
    if number["float"] is not None:
        if text[-1] in "eE+-":
            raise Unreadable(column, f"{text} lacks its exponent", "write digits behind it")
        return Token("float", text, column)
    if number["hex"] is not None and len(text) == 2:
        raise Unreadable(column, f"{text} has no digits", "write them behind it")
    if number["int"] is not None and len(text) > 1 and text.startswith("0"):
        hint = "Go would read it as octal, Mixer read it as decimal; write it without the zero in front"
        raise Unreadable(column, f"{text} begins with 0", hint)
    return Token("int", text, column)


def _quoted(text: str, at: int) -> tuple[int, Token]:
    match = _QUOTED.match(text, at)
    column = at + 1
    if match is None:
        raise Unreadable(column, f"the quote {text[at]} is not closed", "close it on the same line")
    if match["raw"] is not None:
        return match.end(), Token("text", match[0][1:-1].replace("\r", ""), column)
    try:
        content = unquote(match[0])
    except BadEscape as error:
        raise Unreadable(column + error.offset, str(error), error.hint) from None
    return match.end(), Token("text", content, column)
