"""What goes out on one connection: the two windows of RFC 9113 5.2, and messages that wait for them.

A message whose windows are open is two references in a list: its frame's header with the gRPC prefix, and its body,
which all streams that get it may share. Anything else waits at its stream, one message at most, and is sent in
frames, a frame per stream in turn.
"""

import struct
from typing import Final

from proa.core.grpc_wire import frames
from proa.core.grpc_wire.frames import HEAD, LARGEST_WINDOW, ErrorCode, Misbehaved
from proa.core.grpc_wire.messages import PREFIX, PREFIX_SIZE
from proa.core.grpc_wire.stream import Stream

HIGH_WATER: Final = 256 * 1024
"""Bytes that wait to be taken, beyond which messages are held back."""
FLOODED: Final = 1024 * 1024
"""Beyond this the peer makes us say things and does not listen: answers are never held back."""
_HEAD_AND_PREFIX: Final = struct.Struct(">HBBBIBI")


class Sending:
    """Owner of what is to be written and of the peer's windows. `is_held_back`: the socket takes no more for now."""

    def __init__(self) -> None:
        self.is_held_back = False
        self.initial_window = frames.DEFAULT_WINDOW
        self.largest_frame = frames.SMALLEST_MAX_FRAME
        self._window = frames.DEFAULT_WINDOW
        self._out: list[bytes | memoryview] = []
        self._size = 0
        self._waiting: dict[int, Stream] = {}

    @property
    def output(self) -> int:
        """Bytes that `take` would give."""
        return self._size

    @property
    def is_flooded(self) -> bool:
        return self._size > FLOODED

    def take(self) -> bytes:
        """Everything to be written now."""
        data = b"".join(self._out)
        self._out.clear()
        self._size = 0
        return data

    def control(self, frame: bytes) -> None:
        self._out.append(frame)
        self._size += len(frame)

    def message(self, stream: Stream, body: bytes) -> bool:
        """Whether it is on its way; else `pump` tells when. One message of a stream at a time."""
        length = len(body)
        size = length + PREFIX_SIZE
        if (
            size <= self._window
            and size <= stream.window
            and size <= self.largest_frame
            and self._size < HIGH_WATER
            and not self.is_held_back
        ):
            self._window -= size
            stream.window -= size
            self._size += size + 9
            self._out.append(_HEAD_AND_PREFIX.pack(size >> 8, size & 0xFF, 0, 0, stream.number, 0, length))
            self._out.append(body)
            return True
        stream.pending = memoryview(PREFIX.pack(0, length) + body)
        while stream.pending is not None and self._may_send():
            if not self._send_piece(stream):
                break
        if stream.pending is None:
            return True
        self._waiting[stream.number] = stream
        return False

    def _may_send(self) -> bool:
        return self._window > 0 and self._size < HIGH_WATER and not self.is_held_back

    def forget(self, stream: Stream) -> None:
        stream.pending = None
        self._waiting.pop(stream.number, None)

    def pump(self) -> list[int]:
        """Sends what the windows allow. The streams of whose message all is on its way."""
        drained: list[int] = []
        is_moving = True
        while is_moving and self._waiting:
            is_moving = False
            for stream in list(self._waiting.values()):
                if not self._may_send():
                    return drained
                is_moving = self._send_piece(stream) or is_moving
                if stream.pending is None:
                    del self._waiting[stream.number]
                    drained.append(stream.number)
        return drained

    def _send_piece(self, stream: Stream) -> bool:
        assert stream.pending is not None
        size = min(len(stream.pending), stream.window, self._window, self.largest_frame)
        if size <= 0:
            return False
        self._window -= size
        stream.window -= size
        self.control(HEAD.pack(size >> 8, size & 0xFF, frames.DATA, 0, stream.number))
        self._out.append(stream.pending[:size])
        self._size += size
        stream.pending = stream.pending[size:] if size < len(stream.pending) else None
        return True

    def credit(self, more: int) -> None:
        """The peer opens the connection's window. Raises Misbehaved."""
        if more == 0:
            raise Misbehaved(ErrorCode.PROTOCOL_ERROR, "a window cannot be opened by nothing")
        self._window += more
        if self._window > LARGEST_WINDOW:
            raise Misbehaved(ErrorCode.FLOW_CONTROL_ERROR, "the connection's window is too large")
