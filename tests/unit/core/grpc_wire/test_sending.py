"""Windows, and what waits for them. That every message arrives whole is in test_connection."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.core.grpc_wire import frames
from proa.core.grpc_wire.frames import ErrorCode, Misbehaved
from proa.core.grpc_wire.sending import HIGH_WATER, Sending
from proa.core.grpc_wire.stream import Stream
from tests.unit.core.grpc_wire.peers import cut, message

WIDE = 2**30


def stream(number: int = 1, window: int = WIDE) -> Stream:
    return Stream(number, window, 0)


def wide() -> Sending:
    sending = Sending()
    sending.credit(WIDE)
    return sending


def test_a_message_that_fits_is_one_frame() -> None:
    sending = wide()
    assert sending.message(stream(5), b"body")
    assert cut(sending.take()) == [(frames.DATA, 0, 5, message(b"body"))]
    assert not sending.output


def test_bodies_are_not_copied_until_they_are_written() -> None:
    """One change for a thousand streams is one body."""
    sending, body = wide(), bytes(1_000)
    sending.message(stream(1), body)
    assert any(each is body for each in sending._out)


@given(
    st.lists(st.binary(max_size=60_000), min_size=1, max_size=5),
    st.lists(st.integers(1, 50_000), max_size=30),
)
def test_windows_are_kept_and_all_arrives(bodies: list[bytes], credits: list[int]) -> None:
    sending = Sending()
    streams = {2 * place + 1: stream(2 * place + 1) for place in range(len(bodies))}
    waiting = {n for n, body in zip(streams, bodies, strict=True) if not sending.message(streams[n], body)}
    allowed, output = frames.DEFAULT_WINDOW, sending.take()
    for more in [*credits, 10**6]:
        assert sum(len(each[3]) for each in cut(output)) <= allowed
        sending.credit(more)
        allowed += more
        while True:
            waiting -= set(sending.pump())
            if not sending.output:
                break
            output += sending.take()
    assert not waiting
    for number, body in zip(streams, bodies, strict=True):
        pieces = [each[3] for each in cut(output) if each[2] == number]
        assert b"".join(pieces) == message(body)
        assert all(len(piece) <= frames.SMALLEST_MAX_FRAME for piece in pieces)


def test_streams_take_turns() -> None:
    sending = wide()
    sending.is_held_back = True
    one, two = stream(1), stream(3)
    assert not sending.message(one, bytes(40_000))
    assert not sending.message(two, bytes(40_000))
    sending.is_held_back = False
    assert sending.pump() == [1, 3]
    assert [each[2] for each in cut(sending.take())] == [1, 3, 1, 3, 1, 3]


def test_a_socket_that_takes_nothing_holds_messages_back_and_answers_not() -> None:
    sending = wide()
    sending.is_held_back = True
    assert not sending.message(stream(), b"later")
    sending.control(frames.window_frame(0, 1))
    assert [each[0] for each in cut(sending.take())] == [frames.WINDOW_UPDATE]
    sending.is_held_back = False
    assert sending.pump() == [1]


def test_what_waits_to_be_taken_is_bounded() -> None:
    sending = wide()
    assert not sending.message(stream(), bytes(2 * HIGH_WATER))
    assert len(sending.take()) <= HIGH_WATER + frames.SMALLEST_MAX_FRAME + frames.HEAD_SIZE
    assert sending.pump() in ([], [1])


def test_a_stream_that_is_over_sends_nothing_more() -> None:
    sending = Sending()
    gone = stream()
    sending.message(gone, bytes(100_000))
    sending.take()
    sending.forget(gone)
    sending.credit(WIDE)
    assert sending.pump() == []
    assert not sending.output


@pytest.mark.parametrize(
    ("more", "code"), [(0, ErrorCode.PROTOCOL_ERROR), (2**31 - 1, ErrorCode.FLOW_CONTROL_ERROR)]
)
def test_windows_that_cannot_be(more: int, code: ErrorCode) -> None:
    with pytest.raises(Misbehaved) as raised:
        Sending().credit(more)
    assert raised.value.code is code
