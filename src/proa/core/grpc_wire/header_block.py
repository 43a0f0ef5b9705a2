"""The fields of a HEADERS frame and what continues it: gathered within bounds, then unpacked."""

from typing import Final

import hpack

from proa.core.grpc_wire import frames
from proa.core.grpc_wire.frames import ErrorCode, Misbehaved, check

MOST_HEADERS: Final = 16 * 1024
"""Bytes of one request's fields, unpacked, as SETTINGS_MAX_HEADER_LIST_SIZE counts them."""
MOST_PACKED: Final = 32 * 1024
MOST_CONTINUATIONS: Final = 16
"""CVE-2024-27316 and its kin: continuations without end, or with nothing in them."""
_PRIORITY_SIZE: Final = 5

Fields = list[tuple[bytes, bytes]]


class HeaderBlock:
    """Begins with the HEADERS frame's flags and payload. Raises Misbehaved, as `add` does."""

    def __init__(self, flags: int, number: int, payload: bytes) -> None:
        check(number & 1 == 1, "clients open streams with odd numbers")
        payload = frames.unpadded(flags, payload)
        if flags & frames.WITH_PRIORITY:
            check(len(payload) >= _PRIORITY_SIZE, "a priority is cut short", ErrorCode.FRAME_SIZE_ERROR)
            payload = payload[_PRIORITY_SIZE:]
        self.number = number
        self.ends_stream = bool(flags & frames.END_STREAM)
        self._pieces = [payload]
        self._size = len(payload)

    def add(self, payload: bytes) -> None:
        self._pieces.append(payload)
        self._size += len(payload)
        if self._size > MOST_PACKED or len(self._pieces) > MOST_CONTINUATIONS:
            raise Misbehaved(ErrorCode.ENHANCE_YOUR_CALM, "headers without end")

    def unpack(self, decoder: hpack.Decoder) -> Fields:
        """Every block has to go through here, also one that nobody wants: the tables of both ends must agree."""
        try:
            fields = decoder.decode(b"".join(self._pieces), raw=True)
        except hpack.OversizedHeaderListError:
            raise Misbehaved(ErrorCode.ENHANCE_YOUR_CALM, "too large headers") from None
        except hpack.HPACKError:
            raise Misbehaved(ErrorCode.COMPRESSION_ERROR, "headers that cannot be unpacked") from None
        return [(bytes(name), bytes(value)) for name, value in fields]
