"""gRPC streams over one HTTP/2 connection, as cheap as Python makes them: the swarm must not be what is measured.

A node's session and its workloads' streams share a connection, as an agent's do. Bytes in, bytes out; times are
taken here: when a message's first bytes came, and when what answers it was written.
"""

import asyncio
import ssl
import struct
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Final

import hpack

from proa.core.auth.template import CONTROL_PLANE_DNS
from proa.node.credentials import Credential

_WINDOW: Final = 2**31 - 1
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE, _CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
_ACK, _END_STREAM, _END_HEADERS = 1, 1, 4
_PUSH, _INITIAL_WINDOW, _MAX_FRAME = 2, 4, 5
_HEADER: Final = 9
"""RFC 9113: frame types, flags, settings, and the length of a frame's header. The server pads nothing."""

_PREFIX: Final = 5
"""A gRPC message on the wire: one byte of flags, four of length, the message."""

OnMessage = Callable[[bytes, int], None]


class Call:
    """One bidirectional call. `on_message(body, first byte's monotonic ns)`; `on_end(reason)`."""

    def __init__(self, connection: "Connection", number: int, on_message: OnMessage) -> None:
        self.on_message = on_message
        self.ended: str | None = None
        self._connection = connection
        self.number = number
        self._buffer = bytearray()
        self._first_at = 0

    def send(self, body: bytes) -> None:
        """Queues one message; `Connection.flush` writes it."""
        self._connection.queue(self.number, b"\0" + len(body).to_bytes(4, "big") + body)

    def finish(self) -> None:
        """Nothing more will be sent."""
        self._connection.end(self.number)

    def feed(self, data: bytes, now: int) -> None:
        if not self._buffer:
            self._first_at = now
        self._buffer += data
        while len(self._buffer) >= _PREFIX:
            end = _PREFIX + int.from_bytes(self._buffer[1:_PREFIX], "big")
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[_PREFIX:end])
            del self._buffer[:end]
            self.on_message(body, self._first_at)
            self._first_at = now


class Connection(asyncio.Protocol):
    """Owner of the socket and of its calls. `after_batch(ns)` runs when all that came with one read was handled
    and the answers are written. Frames are cut by hand: a library that checks all of them costs ten times as much,
    and the peer is a real gRPC server."""

    def __init__(self) -> None:
        self.after_batch: Callable[[int], None] = lambda now: None
        self._transport: asyncio.Transport | None = None
        self._calls: dict[int, Call] = {}
        self._next = 1
        self._hpack, self._unpack = hpack.Encoder(), hpack.Decoder()
        self._in = bytearray()
        self._out: list[bytes] = []
        self._headers = b""
        self._window = self._stream_window = 65_535
        self._windows: dict[int, int] = {}
        self._largest = 16_384
        self._held_back: list[tuple[int, bytes]] = []
        self._uncredited = 0
        self.is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        settings = struct.pack(">HIHI", _PUSH, 0, _INITIAL_WINDOW, _WINDOW)
        credit = (_WINDOW - 65_535).to_bytes(4, "big")
        self._out += [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", _frame(_SETTINGS, 0, 0, settings)]
        self._out.append(_frame(_WINDOW_UPDATE, 0, 0, credit))
        self.flush()

    def call(self, path: str, metadata: Mapping[str, str], on_message: OnMessage) -> Call:
        number, self._next = self._next, self._next + 2
        headers = [
            (":method", "POST"),
            (":scheme", "https"),
            (":path", path),
            (":authority", CONTROL_PLANE_DNS[0]),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            *metadata.items(),
        ]
        self._out.append(_frame(_HEADERS, _END_HEADERS, number, self._hpack.encode(headers)))
        self._windows[number] = self._stream_window
        call = self._calls[number] = Call(self, number, on_message)
        return call

    def queue(self, number: int, data: bytes) -> None:
        """Sends what the peer's windows allow; the rest goes when they open."""
        if self._held_back or len(data) > self._room(number):
            self._held_back.append((number, data))
            self._send_held_back()
        else:
            self._send(number, data)

    def end(self, number: int) -> None:
        """To be called when all that was queued has gone out."""
        self._out.append(_frame(_DATA, _END_STREAM, number, b""))

    def _room(self, number: int) -> int:
        return min(self._window, self._windows[number], self._largest)

    def _send(self, number: int, data: bytes) -> None:
        self._window -= len(data)
        self._windows[number] -= len(data)
        self._out.append(_frame(_DATA, 0, number, data))

    def _send_held_back(self) -> None:
        while self._held_back:
            number, data = self._held_back[0]
            room = self._room(number)
            if room <= 0:
                return
            self._send(number, data[:room])
            if len(data) > room:
                self._held_back[0] = (number, data[room:])
            else:
                self._held_back.pop(0)

    def flush(self) -> None:
        if self._out and self._transport is not None:
            self._transport.write(b"".join(self._out))
            self._out.clear()

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        self._in += data
        at, there = 0, len(self._in)
        while there - at >= _HEADER:
            end = at + _HEADER + int.from_bytes(self._in[at : at + 3], "big")
            if end > there:
                break
            number = int.from_bytes(self._in[at + 5 : at + _HEADER], "big")
            self._take(self._in[at + 3], self._in[at + 4], number, bytes(self._in[at + _HEADER : end]), now)
            at = end
        del self._in[:at]
        self.flush()
        self.after_batch(time.monotonic_ns())

    def _take(self, kind: int, flags: int, number: int, body: bytes, now: int) -> None:
        if kind == _DATA:
            self._uncredited += len(body)
            if self._uncredited > _WINDOW // 4:
                self._out.append(_frame(_WINDOW_UPDATE, 0, 0, self._uncredited.to_bytes(4, "big")))
                self._uncredited = 0
            if (call := self._calls.get(number)) is not None:
                call.feed(body, now)
        elif kind == _WINDOW_UPDATE:
            self._credit(number, int.from_bytes(body, "big"))
        elif kind == _SETTINGS and not flags & _ACK:
            self._set(body)
        elif kind == _PING and not flags & _ACK:
            self._out.append(_frame(_PING, _ACK, 0, body))
        elif kind in (_HEADERS, _CONTINUATION):
            self._headers += body
            if flags & _END_HEADERS:
                headers = {str(key): str(value) for key, value in self._unpack.decode(self._headers)}
                self._check_status(number, headers)
                self._headers = b""
        elif kind == _RESET:
            self._end(number, f"reset with code {int.from_bytes(body, 'big')}")
        elif kind == _GOAWAY:
            self._end_all(f"the server says goodbye: {body[8:]!r}")

    def _credit(self, number: int, more: int) -> None:
        if number == 0:
            self._window += more
        elif number in self._windows:
            self._windows[number] += more
        self._send_held_back()

    def _set(self, body: bytes) -> None:
        for key, value in struct.iter_unpack(">HI", body):
            if key == _INITIAL_WINDOW:
                for number in self._windows:
                    self._windows[number] += value - self._stream_window
                self._stream_window = value
            elif key == _MAX_FRAME:
                self._largest = value
        self._out.append(_frame(_SETTINGS, _ACK, 0, b""))
        self._send_held_back()

    def _check_status(self, number: int, headers: Mapping[str, str]) -> None:
        if "grpc-status" in headers:
            self._end(number, f"gRPC status {headers['grpc-status']}: {headers.get('grpc-message', '')}")

    def _end(self, number: int, reason: str) -> None:
        call = self._calls.get(number)
        if call is not None and call.ended is None:
            call.ended = reason

    def _end_all(self, reason: str) -> None:
        for number in self._calls:
            self._end(number, reason)

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost = True
        self._end_all(f"connection lost: {error}")
        self.after_batch(time.monotonic_ns())

    def ended(self) -> list[str]:
        """Why calls ended that should not have."""
        return [call.ended for call in self._calls.values() if call.ended is not None]

    def forget(self, call: Call) -> None:
        """It has ended, and somebody knows."""
        self._calls.pop(call.number, None)
        self._windows.pop(call.number, None)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _frame(kind: int, flags: int, number: int, body: bytes) -> bytes:
    return b"".join((len(body).to_bytes(3, "big"), bytes((kind, flags)), number.to_bytes(4, "big"), body))


async def connect(credential: Credential) -> Connection:
    """Over mTLS, as the node that the credential is of."""
    context = ssl.create_default_context(cadata=credential.roots_pem)
    context.set_alpn_protocols(["h2"])
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(credential.key_pem + credential.chain_pem)
        file.flush()
        context.load_cert_chain(file.name)
    host, _, port = credential.servers[0].rpartition(":")
    _, connection = await asyncio.get_running_loop().create_connection(
        Connection, host, int(port), ssl=context, server_hostname=CONTROL_PLANE_DNS[0]
    )
    return connection
