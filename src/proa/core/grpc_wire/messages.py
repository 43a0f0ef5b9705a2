"""Cuts a stream's bytes into gRPC messages: a byte that says whether it is compressed, four of length, the body."""

import struct
from typing import Final

from proa.core.grpc_wire.status import Code, Status

PREFIX: Final = struct.Struct(">BI")
PREFIX_SIZE: Final = 5
LARGEST: Final = 16 * 1024 * 1024


class NotAMessage(Exception):
    """The call ends with this status."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.message)
        self.status = status


class Messages:
    """Of one stream. `is_compressed`: the request said that messages may be, which decides whose mistake one is."""

    __slots__ = ("_needed", "_rest", "is_compressed")

    def __init__(self, is_compressed: bool = False) -> None:
        self.is_compressed = is_compressed
        self._rest = bytearray()
        self._needed = PREFIX_SIZE

    @property
    def unfinished(self) -> int:
        """Bytes of a message that is not whole yet."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        """The bodies that are whole now. Raises NotAMessage."""
        rest = self._rest
        if not rest and len(data) >= PREFIX_SIZE and self._size_of(data, 0) == len(data) - PREFIX_SIZE:
            return [data[PREFIX_SIZE:]]  # as nearly all come: one message, one frame
        rest += data
        if len(rest) < self._needed:
            return []
        found: list[bytes] = []
        at = 0
        while len(rest) - at >= PREFIX_SIZE:
            end = at + PREFIX_SIZE + self._size_of(rest, at)
            if end > len(rest):
                self._needed = end - at
                break
            found.append(bytes(rest[at + PREFIX_SIZE : end]))
            at = end
        else:
            self._needed = PREFIX_SIZE
        del rest[:at]
        return found

    def _size_of(self, data: bytes | bytearray, at: int) -> int:
        flag: int
        size: int
        flag, size = PREFIX.unpack_from(data, at)
        if flag == 1 and self.is_compressed:
            raise NotAMessage(Status(Code.UNIMPLEMENTED, "no compression is known here"))
        if flag:
            raise NotAMessage(Status(Code.INTERNAL, f"a message begins with {flag}"))
        if size > LARGEST:
            text = f"a message of {size} bytes is larger than the {LARGEST} that are taken"
            raise NotAMessage(Status(Code.RESOURCE_EXHAUSTED, text))
        return size
