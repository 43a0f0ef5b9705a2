"""The windows that we open."""

import pytest

from proa.core.grpc_wire.events import Event, Received
from proa.core.grpc_wire.frames import ErrorCode, Misbehaved
from proa.core.grpc_wire.messages import LARGEST
from proa.core.grpc_wire.receiving import CONNECTION_WINDOW, MOST_KEPT, STREAM_WINDOW, Receiving
from proa.core.grpc_wire.status import Code
from proa.core.grpc_wire.stream import Stream
from tests.unit.core.grpc_wire.peers import cut, message


class Desk:
    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.events: list[Event] = []
        self.receiving = Receiving(self.frames.append, self.events.append)

    def opened(self) -> list[tuple[int, int]]:
        """(stream, by how much)"""
        return [(each[2], int.from_bytes(each[3], "big")) for each in cut(b"".join(self.frames))]


def stream(number: int = 1) -> Stream:
    return Stream(number, 0, STREAM_WINDOW)


def test_the_connections_window_opens_when_half_is_used() -> None:
    desk = Desk()
    desk.receiving.count(CONNECTION_WINDOW // 2)
    assert desk.opened() == []
    desk.receiving.count(1)
    assert desk.opened() == [(0, CONNECTION_WINDOW // 2 + 1)]


def test_more_than_the_connections_window_is_a_misdeed() -> None:
    desk = Desk()
    with pytest.raises(Misbehaved) as raised:
        desk.receiving.count(CONNECTION_WINDOW + 1)
    assert raised.value.code is ErrorCode.FLOW_CONTROL_ERROR


def test_a_streams_window_opens_in_the_middle_of_a_message() -> None:
    desk, one = Desk(), stream()
    part = b"\0" + LARGEST.to_bytes(4, "big") + bytes(STREAM_WINDOW - 5)
    assert one.take_from_window(len(part))
    assert desk.receiving.bytes_of(one, part, False) is None
    assert desk.opened() == [(1, STREAM_WINDOW)]


def test_a_streams_window_stays_shut_until_its_messages_are_taken() -> None:
    desk, one = Desk(), stream()
    body = bytes(STREAM_WINDOW - 5)
    one.take_from_window(STREAM_WINDOW)
    desk.receiving.bytes_of(one, message(body), False)
    assert desk.events == [Received(1, body)]
    assert desk.opened() == []
    desk.receiving.consumed(one, body)
    assert desk.opened() == [(1, STREAM_WINDOW)]
    assert one.kept == 0


def test_what_all_streams_keep_is_bounded_and_given_back() -> None:
    desk = Desk()
    part = b"\0" + LARGEST.to_bytes(4, "big") + bytes(LARGEST - 5)
    streams = [stream(number) for number in range(MOST_KEPT // len(part) + 1)]
    endings = [desk.receiving.bytes_of(each, part, False) for each in streams]
    assert endings[:-1] == [None] * (len(streams) - 1)
    assert endings[-1] is not None
    assert endings[-1].code is Code.RESOURCE_EXHAUSTED
    desk.receiving.forget(streams[-1])
    desk.receiving.forget(streams[0])
    assert desk.receiving.bytes_of(stream(99), part, False) is None


def test_an_end_within_a_message_is_told() -> None:
    ending = Desk().receiving.bytes_of(stream(), message(b"whole")[:-1], True)
    assert ending is not None
    assert ending.code is Code.INTERNAL
