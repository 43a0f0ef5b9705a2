"""Redis' protocol (RESP2) as far as commands and their answers need it: bytes out of words, values out of a stream.

Bounds: an answer nests at most a few levels and holds few items and short texts; ours are far below them, and a server
that sends more is not the one that we think it is.
"""

import asyncio
from collections.abc import Iterable
from typing import Final, TypeAlias

import msgspec

_LONGEST_TEXT: Final = 64 * 1024
_MOST_ITEMS: Final = 1024
_DEEPEST: Final = 4


class RedisError(msgspec.Struct, frozen=True):
    """An answer that is an error: `code` is its first word, in capitals by custom."""

    code: str
    text: str


Answer: TypeAlias = "int | bytes | RedisError | list[Answer] | None"


class WireError(Exception):
    """What came is no answer of Redis'."""


def command(words: Iterable[str | int]) -> bytes:
    texts = [str(word).encode() for word in words]
    parts = [b"*%d\r\n" % len(texts)]
    parts += [b"$%d\r\n%b\r\n" % (len(text), text) for text in texts]
    return b"".join(parts)


async def read_answer(reader: asyncio.StreamReader, depth: int = 0) -> Answer:
    """One answer. Raises WireError, and EOFError when the stream ends within it."""
    line = await reader.readuntil(b"\r\n")
    sort, rest = line[:1], line[1:-2]
    match sort:
        case b"+":
            return rest
        case b"-":
            text = rest.decode(errors="replace")
            return RedisError(text.split(" ", 1)[0], text)
        case b":":
            return _number(rest)
        case b"$":
            return await _text(reader, _number(rest))
        case b"*" if depth < _DEEPEST:
            count = _number(rest)
            if count > _MOST_ITEMS:
                raise WireError(f"an answer of {count} items")
            return None if count < 0 else [await read_answer(reader, depth + 1) for _ in range(count)]
        case _:
            raise WireError(f"an answer that begins with {sort!r}")


def _number(text: bytes) -> int:
    try:
        return int(text[:20])
    except ValueError:
        raise WireError(f"{text[:20]!r} where a number is due") from None


async def _text(reader: asyncio.StreamReader, length: int) -> bytes | None:
    if length < 0:
        return None
    if length > _LONGEST_TEXT:
        raise WireError(f"a text of {length} bytes")
    return (await reader.readexactly(length + 2))[:-2]
