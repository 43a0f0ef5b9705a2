"""The client's side of one gRPC call on a connection of its own: one request, as many answers as come, a status.

For the few questions that this process asks of others whose servers only speak gRPC, over connections that gRPC's own
client cannot make (a server known by its SPIFFE id has no host name). Sans-I/O: `take` is to be written, `receive` is
handed what came. Nothing that a server sends is kept beyond its bounds; what is no gRPC ends the call by a status.
"""

from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

import hpack

from proa.core.grpc_wire import frames, status
from proa.core.grpc_wire.cutter import Frame, FrameCutter
from proa.core.grpc_wire.frames import ErrorCode, Misbehaved, Setting, check
from proa.core.grpc_wire.header_block import MOST_HEADERS, HeaderBlock
from proa.core.grpc_wire.messages import PREFIX, Messages, NotAMessage
from proa.core.grpc_wire.status import Code, Status, literal

STREAM: Final = 1
WINDOW: Final = 1 << 20
"""Bytes that a server may have under way; it opens again as they come."""
MOST_REQUEST: Final = frames.SMALLEST_MAX_FRAME - PREFIX.size
"""Bytes of a request: what every server takes before it has said how much it takes."""
_CODES: Final = {str(int(code)): code for code in Code}
_HTTP: Final = {401: Code.UNAUTHENTICATED, 403: Code.PERMISSION_DENIED, 404: Code.UNIMPLEMENTED}


class Call:
    """`status` is None until the call has ended. Raises ValueError for a request that is too large."""

    def __init__(self, path: str, body: bytes, metadata: Iterable[tuple[str, str]] = ()) -> None:
        if len(body) > MOST_REQUEST:
            raise ValueError(f"a request has at most {MOST_REQUEST} bytes")
        self._cutter = FrameCutter(is_greeted=True)
        self._unpack = hpack.Decoder(max_header_list_size=MOST_HEADERS)
        self._messages = Messages()
        self._block: HeaderBlock | None = None
        self._has_answer = False
        self.status: Status | None = None
        said = (
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", "localhost"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            *metadata,
        )
        settings = {
            Setting.ENABLE_PUSH: 0,
            Setting.INITIAL_WINDOW_SIZE: WINDOW,
            Setting.MAX_HEADER_LIST_SIZE: MOST_HEADERS,
        }
        head = b"".join(literal(name, value) for name, value in said)
        self._out = [
            frames.PREFACE,
            frames.settings_frame(settings),
            frames.window_frame(0, WINDOW - frames.DEFAULT_WINDOW),
            frames.frame(frames.HEADERS, frames.END_HEADERS, STREAM, head),
            frames.frame(frames.DATA, frames.END_STREAM, STREAM, PREFIX.pack(0, len(body)) + body),
        ]

    def take(self) -> bytes:
        """What is to be written now."""
        found = b"".join(self._out)
        self._out.clear()
        return found

    def receive(self, data: bytes) -> list[bytes]:
        """The messages that are whole now. Nothing more comes once there is a status."""
        found: list[bytes] = []
        try:
            for frame in self._cutter.feed(data):
                if self.status is None:
                    found += self._frame(frame)
        except Misbehaved as error:
            self._end(Code.INTERNAL, f"the server broke HTTP/2: {error.reason}")
        except NotAMessage as error:
            self._end(error.status.code, error.status.message)
        return found

    def lost(self) -> None:
        """The connection ended."""
        self._end(Code.UNAVAILABLE, "the connection ended before the answer")

    def _frame(self, frame: Frame) -> list[bytes]:
        kind, flags, number, payload = frame
        if self._block is not None:
            check(kind == frames.CONTINUATION and number == STREAM, "headers are not continued")
            self._block.add(payload)
            if flags & frames.END_HEADERS:
                self._fields()
        elif kind == frames.HEADERS:
            check(number == STREAM, "nobody asked for this stream")
            self._block = HeaderBlock(flags, number, payload)
            if flags & frames.END_HEADERS:
                self._fields()
        elif kind == frames.DATA:
            return self._data(flags, number, payload)
        else:
            self._control(kind, flags, number, payload)
        return []

    def _data(self, flags: int, number: int, payload: bytes) -> list[bytes]:
        check(number == STREAM and self._has_answer, "data before an answer")
        if payload and not flags & frames.END_STREAM:
            self._out += [frames.window_frame(each, len(payload)) for each in (0, STREAM)]
        found = self._messages.feed(frames.unpadded(flags, payload))
        if flags & frames.END_STREAM:
            self._end(Code.INTERNAL, "the answer has no status")
        return found

    def _fields(self) -> None:
        block, self._block = self._block, None
        assert block is not None
        fields = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in block.unpack(self._unpack)
        }
        if not self._has_answer:
            self._has_answer = True
            http = fields.get(":status", "")
            if http != "200" or not fields.get("content-type", "").startswith("application/grpc"):
                known = _HTTP.get(int(http) if http.isdigit() else 0, Code.UNAVAILABLE)
                return self._end(known, f"no gRPC answers there (HTTP {http[:3]})")
        if "grpc-status" in fields or block.ends_stream:
            code = fields.get("grpc-status", "")
            self._end(
                _CODES.get(code, Code.UNKNOWN),
                unquote(fields.get("grpc-message", ""))[: status.LONGEST_MESSAGE],
            )
        return None

    def _control(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if kind == frames.SETTINGS and not flags & frames.ACK:
            frames.read_settings(payload)
            self._out.append(frames.frame(frames.SETTINGS, frames.ACK, 0, b""))
        elif kind == frames.PING and not flags & frames.ACK:
            check(len(payload) == 8, "a ping has eight bytes", ErrorCode.FRAME_SIZE_ERROR)
            self._out.append(frames.frame(frames.PING, frames.ACK, 0, payload))
        elif kind == frames.PUSH_PROMISE:
            raise Misbehaved(ErrorCode.PROTOCOL_ERROR, "pushes are off")
        elif kind == frames.RST_STREAM and number == STREAM:
            self._end(Code.UNAVAILABLE, "the server ended the call")
        elif kind == frames.GOAWAY and int.from_bytes(payload[:4], "big") < STREAM:
            self._end(Code.UNAVAILABLE, "the server goes away")

    def _end(self, code: Code, message: str) -> None:
        if self.status is None:
            self.status = Status(code, message)
