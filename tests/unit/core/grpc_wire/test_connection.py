"""What a connection makes of a client that keeps RFC 9113, and of one that does not."""

import h2.events
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.core.grpc_wire import frames
from proa.core.grpc_wire.connection import GONE_AFTER, MOST_STREAMS, PING_AFTER, ServerConnection
from proa.core.grpc_wire.events import Broken, Drained, Ended, HalfClosed, Opened, Received
from proa.core.grpc_wire.frames import ErrorCode, Setting, frame, settings_frame, window_frame
from proa.core.grpc_wire.receiving import CONNECTION_WINDOW, STREAM_WINDOW
from proa.core.grpc_wire.status import OK, Code, Status
from proa.core.grpc_wire.strain import CAPACITY
from tests.unit.core.grpc_wire.peers import (
    GREETING,
    HEADERS,
    RawClient,
    StrictClient,
    block,
    data,
    message,
    opening,
)


def test_a_call_there_and_back() -> None:
    client = StrictClient()
    number = client.open()
    client.h2.send_data(number, message(b"question"), end_stream=True)
    client.exchange()
    assert isinstance(client.events[0], Opened)
    assert client.events[0].head.path == "/service/Method"
    assert client.events[1:] == [Received(number, b"question"), HalfClosed(number)]
    assert client.server.send(number, b"answer")
    client.server.finish(number, OK)
    client.exchange()
    assert client.body_of(number) == message(b"answer")
    (trailers,) = [each for each in client.heard if isinstance(each, h2.events.TrailersReceived)]
    assert (b"grpc-status", b"0") in trailers.headers


def test_an_answer_without_messages_is_one_block() -> None:
    client = StrictClient()
    number = client.open(ends=True)
    client.server.finish(number, Status(Code.PERMISSION_DENIED, "not you: 100 % sure"))
    client.exchange()
    (answer,) = [each for each in client.heard if isinstance(each, h2.events.ResponseReceived)]
    assert (b"grpc-status", b"7") in answer.headers
    assert (b"grpc-message", b"not you: 100 %25 sure") in answer.headers


def test_a_message_larger_than_every_window_waits_for_them() -> None:
    client = StrictClient(initial_window=20_000)
    number = client.open()
    body = bytes(range(256)) * 1_000
    assert not client.server.send(number, body)
    client.exchange()
    assert Drained(number) not in client.events
    assert len(client.body_of(number)) == 20_000
    while len(client.body_of(number)) < len(message(body)):
        client.h2.acknowledge_received_data(16_000, number)
        client.exchange()
    assert client.body_of(number) == message(body)
    assert Drained(number) in client.events


def test_a_stream_whose_window_is_shut_does_not_hold_back_another() -> None:
    client = StrictClient(initial_window=10)
    shut, other = client.open(), client.open()
    client.h2.increment_flow_control_window(1_000, other)
    client.exchange()
    assert not client.server.send(shut, bytes(100))
    assert client.server.send(other, bytes(100))


def test_a_window_may_become_negative() -> None:
    """RFC 9113 6.9.2."""
    client = RawClient()
    client.say(opening(1))
    assert client.server.send(1, bytes(10_000))
    client.say(settings_frame({Setting.INITIAL_WINDOW_SIZE: 5_000}))
    assert not client.server.send(1, b"more")
    client.say(window_frame(1, 5_014))
    assert Drained(1) in client.events


@given(st.data())
def test_pieces_mean_what_the_whole_means(draw: st.DataObject) -> None:
    bodies = draw.draw(st.lists(st.binary(max_size=300), max_size=6))
    client = StrictClient()
    client.open()
    stream = b"".join(message(each) for each in bodies)
    said = GREETING + opening(1)
    while stream:
        size = draw.draw(st.integers(1, len(stream)))
        said, stream = said + data(1, stream[:size]), stream[size:]
    said += data(1, b"", frames.END_STREAM)
    server = ServerConnection()
    events = []
    while said:
        size = draw.draw(st.integers(1, len(said)))
        events += server.receive(said[:size], 0.0)
        said = said[size:]
    assert events[1:] == [*(Received(1, body) for body in bodies), HalfClosed(1)]


def test_a_large_message_comes_through_a_small_window() -> None:
    client = StrictClient()
    number = client.open()
    left = message(bytes(3 * STREAM_WINDOW))
    while left:
        size = min(client.h2.local_flow_control_window(number), client.h2.max_outbound_frame_size, len(left))
        assert size > 0, "the server never opened its window"
        client.h2.send_data(number, left[:size])
        left = left[size:]
        client.exchange()
    assert client.events[-1] == Received(number, bytes(3 * STREAM_WINDOW))


def test_messages_that_nobody_takes_hold_back_their_peer() -> None:
    client = StrictClient()
    number = client.open()
    body = bytes(16_000)

    def send_all() -> int:
        sent = 0
        while client.h2.local_flow_control_window(number) >= len(message(body)):
            client.h2.send_data(number, message(body))
            client.exchange()
            sent += 1
            assert sent < 1_000, "the window never closes"
        return sent

    first = send_all()
    assert first * len(body) <= 2 * STREAM_WINDOW
    for _ in range(first):
        client.server.consumed(number, body)
    client.exchange()
    assert send_all() > 0


def test_too_much_on_one_connection_is_refused_stream_by_stream() -> None:
    client = RawClient()
    piece, numbers = bytes(16_000), range(1, 41, 2)
    for number in numbers:
        client.say(opening(number), data(number, (2**24 - 5).to_bytes(5, "big")))
    for _ in range(400):
        for number in numbers:
            if Ended(number) not in client.events:
                client.say(data(number, piece))
    assert any(isinstance(event, Ended) for event in client.events)
    ended = next(event for event in client.events if isinstance(event, Ended))
    assert client.fields(ended.stream)["grpc-status"] == str(int(Code.RESOURCE_EXHAUSTED))
    assert client.goodbye is None


def test_a_reset_ends_the_call() -> None:
    client = StrictClient()
    number = client.open()
    client.h2.reset_stream(number, error_code=int(ErrorCode.CANCEL))
    client.exchange()
    assert client.events[-1] == Ended(number)
    assert not client.server.send(number, b"nobody listens")
    client.server.finish(number, OK)
    client.exchange()


def test_a_call_that_is_cut_in_the_middle_of_its_message_is_reset() -> None:
    client = RawClient(frames.PREFACE + settings_frame({Setting.INITIAL_WINDOW_SIZE: 8}))
    client.say(opening(1))
    client.server.send(1, b"too long for that")
    client.server.finish(1, Status(Code.UNAVAILABLE, "going"))
    client.fetch()
    assert client.reset_of(1) == ErrorCode.CANCEL


def test_a_peer_that_still_speaks_is_told_that_it_may_stop() -> None:
    client = RawClient()
    client.say(opening(1))
    client.server.finish(1, OK)
    client.fetch()
    assert client.reset_of(1) == ErrorCode.NO_ERROR
    client.say(data(1, message(b"under way")))  # it could not know
    assert client.goodbye is None
    assert len(client.of(frames.RST_STREAM)) == 1


def test_leaving_lets_calls_end_and_takes_no_more() -> None:
    client = RawClient()
    client.say(opening(1))
    client.server.leave()
    client.server.leave()
    client.fetch()
    (goodbye,) = client.of(frames.GOAWAY)
    assert goodbye[3][:8] == (1).to_bytes(4, "big") + bytes(4)
    client.say(opening(3), data(3, message(b"x")), data(1, message(b"still heard")))
    assert client.events[-1] == Received(1, b"still heard")
    assert client.server.send(1, b"still said")
    assert client.goodbye == ErrorCode.NO_ERROR


def test_a_client_that_leaves_keeps_its_calls() -> None:
    client = RawClient()
    client.say(opening(1), frame(frames.GOAWAY, 0, 0, bytes(8)), data(1, message(b"last words")))
    assert client.events[-1] == Received(1, b"last words")


def test_a_silent_peer_is_asked_and_then_gone() -> None:
    client = RawClient()
    for _ in range(PING_AFTER - 1):
        assert client.server.tick()
    client.fetch()
    assert not client.of(frames.PING)
    assert client.server.tick()
    client.fetch()
    (ping,) = client.of(frames.PING)
    client.say(frame(frames.PING, frames.ACK, 0, ping[3]))
    assert [client.server.tick() for _ in range(GONE_AFTER)] == [True] * (GONE_AFTER - 1) + [False]


def test_whoever_never_greets_is_gone_though_it_speaks() -> None:
    client = RawClient(greeting=b"")
    ticks = []
    for byte in frames.PREFACE[:GONE_AFTER]:
        client.say(bytes((byte,)))
        ticks.append(client.server.tick())
    assert ticks[-1] is False


def test_a_ping_is_answered_with_its_own_bytes() -> None:
    client = RawClient()
    client.say(frame(frames.PING, 0, 0, b"12345678"))
    assert client.answers == [(frames.PING, frames.ACK, 0, b"12345678")]


def test_padding_counts_for_the_window_and_not_for_the_message() -> None:
    client = RawClient()
    padded = bytes((200,)) + message(b"x") + bytes(200)
    client.say(opening(1))
    for _ in range(STREAM_WINDOW // len(padded)):
        client.say(data(1, padded, frames.PADDED))
        client.server.consumed(1, b"x")
    client.fetch()
    assert client.events[-1] == Received(1, b"x")
    assert client.of(frames.WINDOW_UPDATE)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ((("content-type", "text/plain"),), "415"),
        (((":method", "GET"),), "405"),
    ],
)
def test_what_is_no_call_gets_an_answer_of_http(fields: tuple[tuple[str, str], ...], status: str) -> None:
    client = RawClient()
    changed = dict(HEADERS) | dict(fields)
    client.say(opening(1, tuple(changed.items())))
    assert client.fields(1)[":status"] == status
    assert not client.events


def test_a_timeout_that_is_none_is_told() -> None:
    client = RawClient()
    client.say(opening(1, (*HEADERS, ("grpc-timeout", "soon"))))
    assert client.fields(1)["grpc-status"] == str(int(Code.INTERNAL))


def test_compression_is_refused_and_the_call_with_it() -> None:
    client = RawClient()
    client.say(opening(1, (*HEADERS, ("grpc-encoding", "gzip"))), data(1, message(b"packed", flag=1)))
    assert client.fields(1)["grpc-status"] == str(int(Code.UNIMPLEMENTED))
    assert client.fields(1)["grpc-accept-encoding"] == "identity"
    assert client.events[-1] == Ended(1)


def test_trailers_end_a_request() -> None:
    client = RawClient()
    client.say(opening(1), opening(1, (("x-checksum", "1"),), ends=True))
    assert client.events[-1] == HalfClosed(1)


def test_places_are_free_again_when_handlers_are_gone_and_not_before() -> None:
    """CVE-2023-44487: streams that were reset still cost what their handlers cost."""
    client = RawClient()
    for number in range(1, 2 * MOST_STREAMS, 2):
        client.now += 0.01
        client.say(opening(number), frame(frames.RST_STREAM, 0, number, bytes(4)))
    assert client.server.calls == MOST_STREAMS
    late = 2 * MOST_STREAMS + 1
    client.say(opening(late))
    assert client.reset_of(late) == ErrorCode.REFUSED_STREAM
    client.server.release()
    client.say(opening(late + 2))
    assert client.reset_of(late + 2) is None


CALM = ErrorCode.ENHANCE_YOUR_CALM
FLOODS = {
    "resets": lambda n: opening(2 * n + 1) + frame(frames.RST_STREAM, 0, 2 * n + 1, bytes(4)),
    "pings": lambda n: frame(frames.PING, 0, 0, bytes(8)),
    "settings": lambda n: settings_frame({Setting.INITIAL_WINDOW_SIZE: 1_000 + n}),
    "priorities": lambda n: frame(frames.PRIORITY, 0, 1, bytes(5)),
    "unknown frames": lambda n: frame(77, 0, 0, b""),
    "empty data": lambda n: (opening(1) if n == 0 else b"") + data(1, b""),
    "headers that are malformed": lambda n: opening(2 * n + 1, ((":path", "/"),)),
    "data for a stream that is over": lambda n: (
        opening(1) + frame(frames.RST_STREAM, 0, 1, bytes(4)) if n == 0 else data(1, b"x")
    ),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_ends_the_connection(flood: str) -> None:
    client = RawClient()
    for number in range(CAPACITY + 10):
        client.say(FLOODS[flood](number))
        if client.goodbye is not None:
            break
        while client.server.calls:
            client.server.release()
    assert client.goodbye == CALM
    assert isinstance(client.events[-1], Broken)
    assert client.say(opening(99_999)) == []


@pytest.mark.parametrize("flood", ["pings", "resets"])
def test_the_same_over_time_is_no_flood(flood: str) -> None:
    client = RawClient()
    for number in range(CAPACITY + 10):
        client.now += 0.05
        client.say(FLOODS[flood](number))
        while client.server.calls:
            client.server.release()
    assert client.goodbye is None


def test_headers_without_end_end_the_connection() -> None:
    client = RawClient()
    client.say(frame(frames.HEADERS, 0, 1, block()))
    for _ in range(20):
        client.say(frame(frames.CONTINUATION, 0, 1, b""))
    assert client.goodbye == CALM


def test_answers_that_nobody_fetches_are_bounded() -> None:
    server = ServerConnection()
    events = server.receive(GREETING, 0.0)
    ping = frame(frames.PING, 0, 0, bytes(8))
    now = 0.0
    while not events:
        now += 1.0
        assert now < 10_000
        events = server.receive(ping * 150, now)
    assert events == [Broken("our answers are not fetched")]


PROTOCOL, SIZE, FLOW = ErrorCode.PROTOCOL_ERROR, ErrorCode.FRAME_SIZE_ERROR, ErrorCode.FLOW_CONTROL_ERROR
MISDEEDS = {
    "data before settings": (data(1, b"x"), PROTOCOL, frames.PREFACE),
    "an ACK before settings": (frame(frames.SETTINGS, frames.ACK, 0, b""), PROTOCOL, frames.PREFACE),
    "headers before settings": (opening(1), PROTOCOL, frames.PREFACE),
    "no preface": (b"GET / HTTP/1.1\r\nHost: server\r\n\r\n", PROTOCOL, b""),
    "a frame that is too large": (data(1, bytes(16_385)), SIZE, None),
    "data on the connection": (data(0, b"x"), PROTOCOL, None),
    "data on a stream that was never opened": (data(1, b"x"), PROTOCOL, None),
    "data on a stream of ours": (opening(3) + data(2, b"x"), PROTOCOL, None),
    "headers on an even stream": (opening(2), PROTOCOL, None),
    "headers on the connection": (opening(0), PROTOCOL, None),
    "a reset of a stream that was never opened": (frame(frames.RST_STREAM, 0, 1, bytes(4)), PROTOCOL, None),
    "a reset of three bytes": (opening(1) + frame(frames.RST_STREAM, 0, 1, bytes(3)), SIZE, None),
    "a window of a stream that was never opened": (window_frame(1, 1), PROTOCOL, None),
    "a window that opens by nothing": (window_frame(0, 0), PROTOCOL, None),
    "a window that is too large": (window_frame(0, 2**31 - 1), FLOW, None),
    "a window of five bytes": (frame(frames.WINDOW_UPDATE, 0, 0, bytes(5)), SIZE, None),
    "a stream's window that becomes too large": (
        opening(1) + window_frame(1, 2**31 - 1 - 65_535) + settings_frame({Setting.INITIAL_WINDOW_SIZE: 65_536}),
        FLOW,
        None,
    ),
    "an initial window that is too large": (settings_frame({Setting.INITIAL_WINDOW_SIZE: 2**31}), FLOW, None),
    "a largest frame that is too small": (settings_frame({Setting.MAX_FRAME_SIZE: 16_383}), PROTOCOL, None),
    "a push that is neither on nor off": (settings_frame({Setting.ENABLE_PUSH: 2}), PROTOCOL, None),
    "settings of seven bytes": (frame(frames.SETTINGS, 0, 0, bytes(7)), SIZE, None),
    "settings of a stream": (frame(frames.SETTINGS, 0, 1, b""), PROTOCOL, None),
    "an ACK that says something": (frame(frames.SETTINGS, frames.ACK, 0, bytes(6)), SIZE, None),
    "a ping of seven bytes": (frame(frames.PING, 0, 0, bytes(7)), SIZE, None),
    "a ping of a stream": (frame(frames.PING, 0, 1, bytes(8)), PROTOCOL, None),
    "a GOAWAY of a stream": (frame(frames.GOAWAY, 0, 1, bytes(8)), PROTOCOL, None),
    "a GOAWAY that is cut short": (frame(frames.GOAWAY, 0, 0, bytes(7)), SIZE, None),
    "a priority of the connection": (frame(frames.PRIORITY, 0, 0, bytes(5)), PROTOCOL, None),
    "a priority of four bytes": (frame(frames.PRIORITY, 0, 1, bytes(4)), SIZE, None),
    "a push": (frame(frames.PUSH_PROMISE, 0, 1, bytes(4)), PROTOCOL, None),
    "a continuation of nothing": (frame(frames.CONTINUATION, 0, 1, b""), PROTOCOL, None),
    "data within headers": (frame(frames.HEADERS, 0, 1, block()) + data(1, b"x"), PROTOCOL, None),
    "a continuation of another stream": (
        frame(frames.HEADERS, 0, 1, block()) + frame(frames.CONTINUATION, 4, 3, b""),
        PROTOCOL,
        None,
    ),
    "padding longer than its frame": (opening(1) + data(1, b"\x05abc", frames.PADDED), PROTOCOL, None),
    "headers that cannot be unpacked": (frame(frames.HEADERS, 4, 1, b"\xff\xff\xff\xff\xff\xff"),
                                        ErrorCode.COMPRESSION_ERROR, None),
    "headers that are too large": (opening(1, (*HEADERS, *(("x-long", "y" * 1_500),) * 12)), CALM, None),
    "more than the connection's window": (
        opening(1) + b"".join(data(1, bytes(16_384)) for _ in range(CONNECTION_WINDOW // 16_384)),
        None,
        None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_a_misdeed_on_the_connection_ends_it(misdeed: str) -> None:
    said, code, greeting = MISDEEDS[misdeed]
    client = RawClient(GREETING if greeting is None else greeting)
    client.say(said)
    assert client.goodbye == code
    assert isinstance(client.events[-1], Broken) == (code is not None)


CLOSED = ErrorCode.STREAM_CLOSED
STREAM_MISDEEDS = {
    "data after its end": (opening(1, ends=True) + data(1, b"x"), CLOSED),
    "headers after its end": (opening(1, ends=True) + opening(1, ends=True), CLOSED),
    "data after its reset": (opening(1) + frame(frames.RST_STREAM, 0, 1, bytes(4)) + data(1, b"x"), CLOSED),
    "trailers that end nothing": (opening(1) + opening(1, (("x-more", "1"),)), PROTOCOL),
    "trailers with a path": (opening(1) + opening(1, ends=True), PROTOCOL),
    "a window that opens by nothing": (opening(1) + window_frame(1, 0), PROTOCOL),
    "a window that is too large": (opening(1) + window_frame(1, 2**31 - 1), FLOW),
    "more than its window": (opening(1) + data(1, bytes(16_384), 0) * (STREAM_WINDOW // 16_384 + 1), None),
    "an upper case name": (opening(1, (*HEADERS, ("X-Upper", "1"))), PROTOCOL),
    "a connection's field": (opening(1, (*HEADERS, ("connection", "close"))), PROTOCOL),
    "a path that is missing": (opening(1, tuple(each for each in HEADERS if each[0] != ":path")), PROTOCOL),
    "a path twice": (opening(1, (HEADERS[2], *HEADERS)), PROTOCOL),
    "a path too late": (opening(1, (*HEADERS[:2], *HEADERS[3:], HEADERS[2])), PROTOCOL),
    "a line break in a value": (opening(1, (*HEADERS, ("x-evil", "a\r\nb: c"))), PROTOCOL),
}


@pytest.mark.parametrize("misdeed", STREAM_MISDEEDS)
def test_a_misdeed_on_a_stream_ends_the_stream_alone(misdeed: str) -> None:
    said, code = STREAM_MISDEEDS[misdeed]
    client = RawClient()
    client.say(said)
    assert client.goodbye is None
    if code is not None:
        assert client.reset_of(1) == code
    client.say(opening(3))
    assert any(isinstance(event, Opened) and event.stream == 3 for event in client.events)
