"""Texts between quotes as Go writes them, `"..."` and, for a single character, `'.'`; and a text put between them."""

import re
from collections.abc import Iterator

_SIMPLE = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92}
_DIGITS = {"x": 2, "u": 4, "U": 8}
_PLAIN = re.compile(r"[^\\]+")
_HEX = re.compile(r"[0-9a-fA-F]*")
_OCTAL = re.compile(r"[0-7]{3}")


class BadEscape(Exception):
    """`offset` counts from the opening quote."""

    def __init__(self, offset: int, message: str, hint: str) -> None:
        super().__init__(message)
        self.offset = offset
        self.hint = hint


def unquote(quoted: str) -> str:
    """`quoted` has its quotes, of one kind. `\\x` and octal escapes are bytes; together the bytes must be UTF-8."""
    text = unescaped(quoted)
    if quoted[0] == "'" and len(text) != 1:
        raise BadEscape(0, "single quotes hold one character", "put texts between double quotes")
    return text


def unescaped(quoted: str, *, is_cel: bool = False) -> str:
    """The same, whichever quotes there are around however many characters. In CEL all escapes are of characters."""
    pieces = list(_pieces(quoted, quoted[0], is_cel))
    try:
        return b"".join(pieces).decode()
    except UnicodeDecodeError:
        message = "the escaped bytes are no UTF-8"
        raise BadEscape(0, message, r"write characters, or \u with their code point") from None


def _pieces(quoted: str, quote: str, is_cel: bool) -> Iterator[bytes]:
    at, end = 1, len(quoted) - 1
    while at < end:
        if plain := _PLAIN.match(quoted, at, end):
            yield plain[0].encode()
            at = plain.end()
            continue
        size, piece = _escape(quoted, at, quote, is_cel)
        yield piece
        at += size


def _escape(quoted: str, at: int, quote: str, is_cel: bool) -> tuple[int, bytes]:
    """How long the escape at `at` is, and what it means."""
    letter = quoted[at + 1]
    if letter == quote or (is_cel and letter in "\"'`?"):
        return 2, letter.encode()
    if letter in _SIMPLE:
        return 2, bytes([_SIMPLE[letter]])
    if letter in _DIGITS:
        width = _DIGITS[letter]
        digits = quoted[at + 2 : min(at + 2 + width, len(quoted) - 1)]
        if len(digits) < width or not _HEX.fullmatch(digits):
            raise BadEscape(at, rf"\{letter} takes {width} hexadecimal digits", "write all of them")
        code = int(digits, 16)
        if letter == "x":
            return 4, chr(code).encode() if is_cel else bytes([code])
        if code > 0x10FFFF or 0xD800 <= code < 0xE000:
            raise BadEscape(at, f"there is no character {digits}", "write one that Unicode has")
        return 2 + width, chr(code).encode()
    if octal := _OCTAL.match(quoted, at + 1, len(quoted) - 1):
        if int(octal[0], 8) < 256:
            code = int(octal[0], 8)
            return 4, chr(code).encode() if is_cel else bytes([code])
    regex = 'in r"..."' if is_cel else "between backquotes"
    hint = rf"a backslash itself is written \\; a regex goes {regex}"
    raise BadEscape(at, rf"\{letter} is no escape of {'CEL' if is_cel else 'Go'}", hint)


def quoted(text: str) -> str:
    """Between double quotes. `unquote` reads it back."""
    return '"' + "".join(_QUOTED.get(char) or _spelled(char) for char in text) + '"'


_QUOTED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _spelled(char: str) -> str:
    return char if char.isprintable() else f"\\U{ord(char):08x}"
