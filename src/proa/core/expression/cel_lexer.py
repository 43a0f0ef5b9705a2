"""Cuts a text in CEL into tokens. Called by `cel_reader`.

Lines mean nothing in CEL. Of its quotes there are `"..."` and `'...'`, either also raw (`r"..."`); bytes, unsigned
numbers and quotes over several lines are not for rules, and say so.
"""

import re
from typing import Final, Literal

import msgspec

from proa.core.expression.lexer import LONGEST, Unreadable
from proa.core.expression.quotes import BadEscape, unescaped

Kind = Literal["name", "int", "float", "text", "operator", "end"]
RESERVED: Final = frozenset(
    (
        *("as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop"),
        *("package", "namespace", "return", "var", "void", "while"),
    )
)
"""Words that CEL keeps for languages around it: no name begins with one, but parts of names may be called so."""


class Token(msgspec.Struct, frozen=True):
    """`text` as written; of quotes, what they mean."""

    kind: Kind
    text: str
    column: int


_SKIPPED = re.compile(r"(?:[ \t\r\n\f]|//[^\n]*)+")
_QUOTED = re.compile(r"\"(?:[^\"\\\r\n]|\\[^\r\n])*\"|'(?:[^'\\\r\n]|\\[^\r\n])*'")
_RAW = re.compile(r"[rR](?P<quote>[\"'])(?P<text>[^\r\n]*?)(?P=quote)")
_OTHER_QUOTES = re.compile(r"[bB][rR]?[\"']|[rR][bB][\"']|[rR]?(?:\"\"\"|''')")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FLOAT = re.compile(r"[0-9]+\.[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.[0-9]+(?:[eE][-+]?[0-9]+)?")
_INT = re.compile(r"0x[0-9a-fA-F]+|[0-9]+")
_OPERATOR = re.compile(r"&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}]")
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


def cel_tokens(text: str) -> list[Token]:
    """The last is an end. Raises Unreadable."""
    if len(text) > LONGEST:
        raise Unreadable(1, f"longer than {LONGEST} characters", "shorten it")
    if half := _HALF_CHARACTER.search(text):
        raise Unreadable(half.start() + 1, "half of a surrogate pair is no character", "remove it")
    found: list[Token] = []
    at = 0
    while True:
        if skipped := _SKIPPED.match(text, at):
            at = skipped.end()
        if at == len(text):
            return [*found, Token("end", "", at + 1)]
        at, token = _next(text, at)
        found.append(token)


def _next(text: str, at: int) -> tuple[int, Token]:
    column = at + 1
    if _OTHER_QUOTES.match(text, at):
        raise Unreadable(column, "only plain and raw texts on one line are read", 'write "..." or r"..."')
    if raw := _RAW.match(text, at):
        return raw.end(), Token("text", raw["text"], column)
    if quoted := _QUOTED.match(text, at):
        try:
            return quoted.end(), Token("text", unescaped(quoted[0], is_cel=True), column)
        except BadEscape as error:
            raise Unreadable(column + error.offset, str(error), error.hint) from None
    if text[at] in "\"'":
        raise Unreadable(column, f"the quote {text[at]} is not closed", "close it on the same line")
    for kind, pattern in (("float", _FLOAT), ("int", _INT)):
        if number := pattern.match(text, at):
            if text[number.end() : number.end() + 1] in ("u", "U"):
                raise Unreadable(column, "numbers without sign are not read", "leave the u away")
            return number.end(), Token(kind, number[0], column)  # type: ignore[arg-type]
    if name := _NAME.match(text, at):
        return name.end(), Token("name", name[0], column)
    if operator := _OPERATOR.match(text, at):
        return operator.end(), Token("operator", operator[0], column)
    hint = {"=": "compare with ==", "|": "|| is or; CEL has no default operator, write has(x) ? x : y"}
    raise Unreadable(column, f"{text[at]!r} cannot stand here", hint.get(text[at], ""))
