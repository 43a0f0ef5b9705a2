"""Cuts what a peer sends into frames, however the bytes come in pieces."""

from typing import Final

from proa.core.grpc_wire.frames import HEAD, HEAD_SIZE, PREFACE, SMALLEST_MAX_FRAME, ErrorCode, Misbehaved
from proa.core.grpc_wire.frames import STREAM_MASK as _STREAM_MASK

Frame = tuple[int, int, int, bytes]
"""(type, flags, stream, payload): a tuple, because there are so many of them."""
LARGEST_FRAME: Final = SMALLEST_MAX_FRAME


class FrameCutter:
    """Keeps less than one frame. Pieces are joined once there are enough, so that many small ones cost no more. A
    server, unlike a client, sends no preface: `is_greeted` from the start."""

    __slots__ = ("_has_preface", "_have", "_needed", "_pieces")

    def __init__(self, *, is_greeted: bool = False) -> None:
        self._pieces: list[bytes] = []
        self._have = 0
        self._needed = HEAD_SIZE if is_greeted else len(PREFACE)
        self._has_preface = is_greeted

    def feed(self, data: bytes) -> list[Frame]:
        """Raises Misbehaved; there is no going on after that."""
        self._have += len(data)
        if self._have < self._needed:
            self._pieces.append(data)
            return []
        if self._pieces:
            data = b"".join((*self._pieces, data))
            self._pieces.clear()
        at = 0 if self._has_preface else self._greeting(data)
        found: list[Frame] = []
        there, self._needed = len(data), HEAD_SIZE
        while there - at >= HEAD_SIZE:
            high, low, kind, flags, number = HEAD.unpack_from(data, at)
            size = high << 8 | low
            if size > LARGEST_FRAME:
                raise Misbehaved(ErrorCode.FRAME_SIZE_ERROR, f"a frame of {size} bytes")
            end = at + HEAD_SIZE + size
            if end > there:
                self._needed = HEAD_SIZE + size
                break
            found.append((kind, flags, number & _STREAM_MASK, data[at + HEAD_SIZE : end]))
            at = end
        self._have = there - at
        if at < there:
            self._pieces.append(data[at:])
        return found

    def _greeting(self, data: bytes) -> int:
        if not data.startswith(PREFACE):
            raise Misbehaved(ErrorCode.PROTOCOL_ERROR, "this is no HTTP/2")
        self._has_preface = True
        return len(PREFACE)
