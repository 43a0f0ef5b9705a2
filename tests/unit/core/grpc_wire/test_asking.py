"""One call as its client sees it: what is sent is what a server of ours reads, and every answer ends in a status."""

import hpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.core.grpc_wire import frames, status
from proa.core.grpc_wire.asking import MOST_REQUEST, STREAM, Call
from proa.core.grpc_wire.connection import ServerConnection
from proa.core.grpc_wire.events import HalfClosed, Opened, Received
from proa.core.grpc_wire.frames import ErrorCode, Setting
from proa.core.grpc_wire.messages import PREFIX
from proa.core.grpc_wire.status import Code, Status, literal

GREETING = frames.settings_frame({Setting.MAX_CONCURRENT_STREAMS: 100})
HEADERS = frames.frame(frames.HEADERS, frames.END_HEADERS, STREAM, status.FIRST + status.HEADERS)


def message(body: bytes) -> bytes:
    return PREFIX.pack(0, len(body)) + body


def data(payload: bytes, flags: int = 0) -> bytes:
    return frames.frame(frames.DATA, flags, STREAM, payload)


def ending(end: Status) -> bytes:
    flags = frames.END_HEADERS | frames.END_STREAM
    return frames.frame(frames.HEADERS, flags, STREAM, status.trailers(end))


def called() -> Call:
    call = Call("/a.B/C", b"question")
    call.take()
    return call


def test_a_server_of_ours_reads_it() -> None:
    call = Call("/a.B/C", b"question", (("workload.spiffe.io", "true"),))
    events = ServerConnection().receive(call.take(), 0.0)
    opened, received, closed = events
    assert isinstance(opened, Opened)
    assert opened.head.path == "/a.B/C"
    assert ("workload.spiffe.io", "true") in opened.head.metadata
    assert isinstance(received, Received)
    assert received.body == b"question"
    assert isinstance(closed, HalfClosed)
    assert call.take() == b""


@given(st.lists(st.binary(max_size=300), max_size=4), st.lists(st.integers(1, 40), max_size=60))
def test_answers_come_however_their_bytes_are_cut(bodies: list[bytes], cuts: list[int]) -> None:
    whole = GREETING + HEADERS + b"".join(data(message(body)) for body in bodies)
    whole += ending(Status(Code.PERMISSION_DENIED, "nö: 100%"))
    call, found, at = called(), list[bytes](), 0
    for cut in (*cuts, len(whole)):
        found += call.receive(whole[at : at + cut])
        at += cut
    assert found == bodies
    assert call.status == Status(Code.PERMISSION_DENIED, "nö: 100%")


def test_one_message_in_many_frames() -> None:
    call = called()
    body = message(b"x" * 1000)
    assert call.receive(HEADERS + data(body[:7]) + data(body[7:500])) == []
    assert call.receive(data(body[500:])) == [b"x" * 1000]


def test_pings_and_settings_are_answered_and_windows_open_again() -> None:
    call = called()
    ping = frames.frame(frames.PING, 0, 0, b"12345678")
    call.receive(GREETING + ping + HEADERS + data(message(b"1234")))
    assert call.take() == (
        frames.frame(frames.SETTINGS, frames.ACK, 0, b"")
        + frames.frame(frames.PING, frames.ACK, 0, b"12345678")
        + frames.window_frame(0, 9)
        + frames.window_frame(STREAM, 9)
    )


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (ending(Status(Code.NOT_FOUND, "none")), Code.NOT_FOUND, "none"),  # trailers alone
        (HEADERS + data(b"", frames.END_STREAM), Code.INTERNAL, "no status"),
        (HEADERS + ending(Status(Code.OK)), Code.OK, ""),
        (frames.reset_frame(STREAM, ErrorCode.CANCEL), Code.UNAVAILABLE, "ended the call"),
        (frames.goodbye_frame(0, ErrorCode.NO_ERROR, ""), Code.UNAVAILABLE, "goes away"),
        (data(message(b"x")), Code.INTERNAL, "data before an answer"),
        (frames.frame(frames.PUSH_PROMISE, 0, STREAM, b"abcd"), Code.INTERNAL, "pushes are off"),
        (frames.frame(frames.PING, 0, 0, b"1"), Code.INTERNAL, "eight bytes"),
        (frames.frame(frames.HEADERS, 0, STREAM, b"") + GREETING, Code.INTERNAL, "not continued"),
        (frames.frame(frames.HEADERS, 4, 3, b""), Code.INTERNAL, "nobody asked"),
        (HEADERS + data(b"\1\0\0\0\1x"), Code.INTERNAL, "begins with 1"),
        (HEADERS + data(b"\0\xff\xff\xff\xff"), Code.RESOURCE_EXHAUSTED, "larger than"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n" * 999, Code.INTERNAL, "broke HTTP/2"),
    ],
)
def test_what_ends_a_call(answer: bytes, code: Code, said: str) -> None:
    call = called()
    if code is Code.NOT_FOUND:
        block = status.HEADERS + status.trailers(Status(Code.NOT_FOUND, "none"))
        answer = frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, STREAM, block)
    call.receive(GREETING + answer)
    assert call.status is not None
    assert call.status.code is code
    assert said in call.status.message
    assert call.receive(HEADERS + data(message(b"late"))) == []


@pytest.mark.parametrize(
    ("http", "code"),
    [("404", Code.UNIMPLEMENTED), ("403", Code.PERMISSION_DENIED), ("502", Code.UNAVAILABLE)],
)
def test_what_is_no_grpc(http: str, code: Code) -> None:
    call = called()
    block = literal(":status", http) + literal("content-type", "text/html")
    call.receive(frames.frame(frames.HEADERS, frames.END_HEADERS, STREAM, block))
    assert call.status is not None
    assert call.status.code is code


def test_headers_in_pieces_and_with_tables() -> None:
    call = called()
    encoder = hpack.Encoder()
    first = encoder.encode([(":status", "200"), ("content-type", "application/grpc+proto"), ("x", "y" * 50)])
    last = encoder.encode([("grpc-status", "7"), ("grpc-message", "no"), ("x", "y" * 50)])
    call.receive(frames.frame(frames.HEADERS, 0, STREAM, first[:5]))
    call.receive(frames.frame(frames.CONTINUATION, frames.END_HEADERS, STREAM, first[5:]))
    call.receive(frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, STREAM, last))
    assert call.status == Status(Code.PERMISSION_DENIED, "no")


def test_a_connection_that_ends() -> None:
    call = called()
    call.lost()
    assert call.status is not None
    assert call.status.code is Code.UNAVAILABLE
    with pytest.raises(ValueError, match="at most"):
        Call("/a", b"x" * (MOST_REQUEST + 1))


@given(st.binary(max_size=400))
def test_any_bytes_are_read_without_a_bug(noise: bytes) -> None:
    call = called()
    call.receive(noise)
    call.receive(GREETING + HEADERS)
