"""How a gRPC call ends: the codes of grpc/status, and their words on the wire.

The response's header blocks are literals that use no compression table. So a block says the same on every connection,
and no setting of the peer's can make one of ours wrong.
"""

from enum import IntEnum
from typing import Final

import msgspec


class Code(IntEnum):
    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class Status(msgspec.Struct, frozen=True):
    code: Code
    message: str = ""


OK: Final = Status(Code.OK)
LONGEST_MESSAGE: Final = 2_000
"""Bytes of an encoded message: clients bound the headers they take, commonly at 8 kB."""

_EMPTY_TABLE: Final = b"\x20"
"""RFC 7541 6.3: the dynamic table has size 0. Said once in the first block of a connection."""


def literal(name: str, value: str) -> bytes:
    """RFC 7541 6.2.2: one field, not for any table."""
    return b"\x00" + _string(name.encode()) + _string(value.encode())


def _string(text: bytes) -> bytes:
    return _length(len(text)) + text


def _length(value: int) -> bytes:
    """RFC 7541 5.1 with a prefix of 7 bits, no Huffman coding."""
    if value < 127:
        return bytes((value,))
    rest, found = value - 127, bytearray((127,))
    while rest >= 128:
        found.append(rest & 127 | 128)
        rest >>= 7
    found.append(rest)
    return bytes(found)


FIRST: Final = _EMPTY_TABLE
HEADERS: Final = (
    b"\x88"  # :status 200, of the static table
    + literal("content-type", "application/grpc")
    + literal("grpc-accept-encoding", "identity")
)


def http_error(status: int) -> bytes:
    """The block of a response to what is no gRPC call."""
    return literal(":status", str(status)) + literal("content-length", "0")


def trailers(status: Status) -> bytes:
    """The block that ends a call."""
    found = literal("grpc-status", str(int(status.code)))
    if status.message:
        found += literal("grpc-message", percent_encoded(status.message))
    return found


def percent_encoded(text: str) -> str:
    """A message as gRPC's HTTP/2 protocol wants it, cut where it would be too long, never within a character."""
    found: list[str] = []
    size = 0
    for character in text:
        encoded = _encoded(character)
        size += len(encoded)
        if size > LONGEST_MESSAGE:
            break
        found.append(encoded)
    return "".join(found)


def _encoded(character: str) -> str:
    if " " <= character <= "~" and character != "%":
        return character
    return "".join(f"%{byte:02X}" for byte in character.encode(errors="replace"))
