"""What comes in on one connection: the windows that we open, and the messages of each stream.

A stream's window opens again as its handler takes messages, so one whose handler does not read holds back its own
peer. In the middle of a message it opens at once, because a message may be larger than any window. The connection's
opens as bytes come: a stream that is not read must not hold back the others. What all of them keep together is
bounded beside that.
"""

from collections.abc import Callable
from typing import Final

from proa.core.grpc_wire import frames
from proa.core.grpc_wire.events import Event, Received
from proa.core.grpc_wire.frames import ErrorCode, check
from proa.core.grpc_wire.messages import PREFIX_SIZE, NotAMessage
from proa.core.grpc_wire.status import Code, Status
from proa.core.grpc_wire.stream import Stream

STREAM_WINDOW: Final = 256 * 1024
CONNECTION_WINDOW: Final = 16 * 1024 * 1024
MOST_KEPT: Final = 64 * 1024 * 1024
"""Bytes of all streams of a connection together that no handler has taken."""


class Receiving:
    """Owner of the windows that the peer sends into. `control` writes a frame, `tell` an event."""

    def __init__(self, control: Callable[[bytes], None], tell: Callable[[Event], None]) -> None:
        self._control = control
        self._tell = tell
        self._receivable = CONNECTION_WINDOW
        self._kept = 0

    def count(self, size: int) -> None:
        """Bytes of a DATA frame, padding included. Raises Misbehaved when they are too many."""
        self._receivable -= size
        check(self._receivable >= 0, "more than the connection's window", ErrorCode.FLOW_CONTROL_ERROR)
        if self._receivable < CONNECTION_WINDOW // 2:
            self._control(frames.window_frame(0, CONNECTION_WINDOW - self._receivable))
            self._receivable = CONNECTION_WINDOW

    def bytes_of(self, stream: Stream, payload: bytes, ends: bool) -> Status | None:
        """How the call has to end because of them; None when it goes on."""
        try:
            bodies = stream.messages.feed(payload) if payload else ()
        except NotAMessage as error:
            return error.status
        for body in bodies:
            self._tell(Received(stream.number, body))
        stream.kept += len(payload)
        self._kept += len(payload)
        if self._kept > MOST_KEPT:
            return Status(Code.RESOURCE_EXHAUSTED, "too much is on its way on this connection")
        if ends:
            return (
                Status(Code.INTERNAL, "the last message is cut short") if stream.messages.unfinished else None
            )
        self._open(stream)
        return None

    def consumed(self, stream: Stream, body: bytes) -> None:
        size = len(body) + PREFIX_SIZE
        stream.kept -= size
        self._kept -= size
        if not stream.is_half_closed:
            self._open(stream)

    def forget(self, stream: Stream) -> None:
        self._kept -= stream.kept
        stream.kept = 0

    def _open(self, stream: Stream) -> None:
        if stream.receivable >= STREAM_WINDOW // 2:
            return
        if stream.kept - stream.messages.unfinished < STREAM_WINDOW:
            self._control(frames.window_frame(stream.number, STREAM_WINDOW - stream.receivable))
            stream.receivable = STREAM_WINDOW
