"""Raw trees of documents, and which plain words of YAML are not text.

The words are those of YAML 1.2's core schema: `true`, `false`, `null`, `~`, decimal, 0o and 0x integers, floats.
`yes`, `on`, `12:30:45` and dates are text, and `017` is seventeen. The reader resolves with this; the renderer asks
it which texts need quotes.
"""

import re
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Scalar: TypeAlias = bool | int | float | str | None

_WORDS: dict[str, bool | None] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_NUMBER_START = frozenset("0123456789+-.")
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"[-+]?\.(inf|Inf|INF)")
_NOT_A_NUMBER = re.compile(r"\.(nan|NaN|NAN)")
# More digits than any field can hold; Python itself refuses to read numbers of thousands of digits.
_LONGEST_INTEGER = 100


def resolve_plain(text: str) -> Scalar:
    """The value of an unquoted scalar. A number too long for any use stays text, so that a field refuses it."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_START or len(text) > _LONGEST_INTEGER:
        return text
    if _DECIMAL.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEX.fullmatch(text):
        return int(text[2:], 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITY.fullmatch(text):
        return float(text.replace(".", "", 1))
    if _NOT_A_NUMBER.fullmatch(text):
        return float("nan")
    return text


def type_name(value: Json) -> str:
    """What a value is, in a user's words, shortened: for messages."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int():
            return f"the number {shorten(str(value))}"
        case float():
            return f"the number {value!r}"
        case str():
            return f'the text "{shorten(value)}"'
        case list():
            return "a list"
        case _:
            return "an object"


def shorten(text: str) -> str:
    """At most 60 characters on one line, so that no message floods a terminal."""
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:57] + "..."
