"""One HTTP/2 connection as its server sees it, carrying gRPC calls.

`receive` is handed what came and returns what it means; what is to be written is fetched with `take`. The owner
(`proa.servers.grpc_edge`) reads and writes the socket, runs the handlers, and says each second that one has passed.
A peer may break any rule: its stream is reset or its connection ends with a GOAWAY that says why, and what it can make
us keep is bounded: the streams, the headers, the bytes that no handler has taken, the answers it does not fetch.
"""

from collections import OrderedDict
from typing import Final

import hpack

from proa.core.grpc_wire import frames, status
from proa.core.grpc_wire.cutter import FrameCutter
from proa.core.grpc_wire.events import Broken, Drained, Ended, Event, HalfClosed, Opened
from proa.core.grpc_wire.frames import ErrorCode, Misbehaved, Setting, check
from proa.core.grpc_wire.header_block import MOST_HEADERS, Fields, HeaderBlock
from proa.core.grpc_wire.receiving import CONNECTION_WINDOW, STREAM_WINDOW, Receiving
from proa.core.grpc_wire.request import Head, Malformed, NoCall, check_trailers, read_head
from proa.core.grpc_wire.sending import Sending
from proa.core.grpc_wire.status import Status
from proa.core.grpc_wire.strain import Strain
from proa.core.grpc_wire.stream import Stream

MOST_STREAMS: Final = 2_000
MOST_REMEMBERED: Final = 1_000
"""Streams that we ended and whose peer may still be sending."""
PING_AFTER: Final = 8
GONE_AFTER: Final = 13
"""Seconds of silence. They are counted, not measured: while this process stood still nobody was silent."""
_PING: Final = frames.frame(frames.PING, 0, 0, b"proa\0\0\0\0")
_SETTINGS_STRAIN: Final = 5.0


class ServerConnection:
    def __init__(self) -> None:
        self._cutter = FrameCutter()
        self._unpack = hpack.Decoder(max_header_list_size=MOST_HEADERS)
        self._strain = Strain()
        self._sending = Sending()
        self._events: list[Event] = []
        self._receiving = Receiving(self._sending.control, self._events.append)
        self._streams: dict[int, Stream] = {}
        self._ended_here: OrderedDict[int, None] = OrderedDict()
        self._block: HeaderBlock | None = None
        self._running = self._last_stream = self._silent = 0
        self._is_greeted = self._is_leaving = self._is_broken = self._has_written_headers = False
        self._now = 0.0
        settings = {
            Setting.MAX_CONCURRENT_STREAMS: MOST_STREAMS,
            Setting.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
            Setting.MAX_HEADER_LIST_SIZE: MOST_HEADERS,
        }
        self._sending.control(frames.settings_frame(settings))
        self._sending.control(frames.window_frame(0, CONNECTION_WINDOW - frames.DEFAULT_WINDOW))

    # What the owner says.

    @property
    def calls(self) -> int:
        """Handlers that have not ended."""
        return self._running

    @property
    def output(self) -> int:
        """Bytes that `take` would give."""
        return self._sending.output

    def take(self) -> bytes:
        """Everything to be written now; `proceed` afterwards."""
        return self._sending.take()

    def hold_back(self, is_held_back: bool) -> None:
        """Whether the socket takes no more for now. `proceed` when it does again."""
        self._sending.is_held_back = is_held_back

    def proceed(self) -> list[Event]:
        """Messages that were held back may go on."""
        return [Drained(number) for number in self._sending.pump()]

    def send(self, number: int, body: bytes) -> bool:
        """Whether the message is on its way; else `Drained` says when. Nothing follows for a stream that is over."""
        stream = self._streams.get(number)
        if stream is None:
            return False
        if not stream.has_answered:
            stream.has_answered = True
            self._headers(number, status.HEADERS, ends=False)
        return self._sending.message(stream, body)

    def consumed(self, number: int, body: bytes) -> None:
        """The handler took that message."""
        stream = self._streams.get(number)
        if stream is not None:
            self._receiving.consumed(stream, body)

    def finish(self, number: int, ending: Status) -> None:
        """The call's last word. Nothing happens when the stream is over already."""
        stream = self._streams.get(number)
        if stream is None:
            return
        if stream.pending is not None:  # in the middle of a message no status can be said
            self._reset(stream, ErrorCode.CANCEL)
            return
        block = status.trailers(ending)
        self._last_word(stream, block if stream.has_answered else status.HEADERS + block)

    def release(self) -> None:
        """A handler has ended. Counted beside the streams: a peer that resets one has its place again only when its
        handler is gone (CVE-2023-44487)."""
        self._running -= 1

    def leave(self) -> None:
        """Takes no new calls; those that run go on. A client may repeat elsewhere what this GOAWAY does not cover."""
        if not self._is_leaving and not self._is_broken:
            self._is_leaving = True
            self._sending.control(frames.goodbye_frame(self._last_stream, ErrorCode.NO_ERROR, ""))

    def tick(self) -> bool:
        """A second has passed. False when the peer is gone."""
        self._silent += 1
        if self._silent == PING_AFTER:
            self._sending.control(_PING)
        return self._silent < GONE_AFTER

    def receive(self, data: bytes, now: float) -> list[Event]:
        """`now` is monotonic, in seconds."""
        if self._is_broken:
            return []
        if self._is_greeted:
            self._silent = 0
        self._now = now
        try:
            for kind, flags, number, payload in self._cutter.feed(data):
                self._take(kind, flags, number, payload)
            check(not self._sending.is_flooded, "our answers are not fetched", ErrorCode.ENHANCE_YOUR_CALM)
        except Misbehaved as error:
            self._is_broken = True
            self._sending.control(frames.goodbye_frame(self._last_stream, error.code, error.reason))
            self._events.append(Broken(error.reason))
        events = self._events.copy()
        self._events.clear()
        return events

    # Frame by frame.

    def _take(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if kind == frames.DATA and self._block is None and self._is_greeted:
            self._data(flags, number, payload)
            return
        if self._block is not None:
            check(kind == frames.CONTINUATION and number == self._block.number, "headers were not continued")
            self._block.add(payload)
            self._unpack_if_whole(flags)
            return
        check(self._is_greeted or (kind == frames.SETTINGS and not flags & frames.ACK), "settings come first")
        match kind:
            case frames.HEADERS:
                self._block = HeaderBlock(flags, number, payload)
                self._unpack_if_whole(flags)
            case frames.WINDOW_UPDATE:
                _check_size(payload, 4)
                self._credit(number, int.from_bytes(payload, "big") & frames.STREAM_MASK)
            case frames.SETTINGS:
                check(number == 0, "settings are of the connection")
                self._settings(flags, payload)
            case frames.PING:
                check(number == 0, "pings are of the connection")
                _check_size(payload, 8)
                if not flags & frames.ACK:
                    self._strained(1)
                    self._sending.control(frames.frame(frames.PING, frames.ACK, 0, payload))
            case frames.RST_STREAM:
                _check_size(payload, 4)
                self._peer_reset(number)
            case frames.GOAWAY:  # it will open no more streams; those that are open go on
                check(number == 0, "a GOAWAY is of the connection")
                check(len(payload) >= 8, "a GOAWAY is cut short", ErrorCode.FRAME_SIZE_ERROR)
                self._strained(1)
            case frames.PRIORITY:
                check(number != 0, "priorities are of streams")
                _check_size(payload, 5)
                self._strained(1)
            case frames.PUSH_PROMISE | frames.CONTINUATION:
                raise Misbehaved(ErrorCode.PROTOCOL_ERROR, "a frame that has no place here")
            case _:
                self._strained(1)

    def _strained(self, cost: float) -> None:
        calm = self._strain.add(cost, self._now)
        check(calm, "too much that means nothing", ErrorCode.ENHANCE_YOUR_CALM)

    def _data(self, flags: int, number: int, payload: bytes) -> None:
        size = len(payload)
        self._receiving.count(size)
        if flags & frames.PADDED:
            payload = frames.unpadded(flags, payload)
        stream = self._streams.get(number)
        if stream is None:
            self._on_closed(number)
            return
        ends = bool(flags & frames.END_STREAM)
        if not payload and not ends:
            self._strained(1)
        if stream.is_half_closed:
            self._fail(stream, ErrorCode.STREAM_CLOSED)
        elif not stream.take_from_window(size):
            self._fail(stream, ErrorCode.FLOW_CONTROL_ERROR)
        else:
            refusal = self._receiving.bytes_of(stream, payload, ends)
            if refusal is not None:
                self._refuse(stream, refusal)
            elif ends:
                self._half_close(stream)

    def _half_close(self, stream: Stream) -> None:
        stream.is_half_closed = True
        self._events.append(HalfClosed(stream.number))

    def _on_closed(self, number: int) -> None:
        """Something came for a stream that is not there."""
        self._check_not_idle(number)
        if number not in self._ended_here:
            self._strained(1)
            self._sending.control(frames.reset_frame(number, ErrorCode.STREAM_CLOSED))

    def _check_not_idle(self, number: int) -> None:
        check(number & 1 == 1 and number <= self._last_stream, "a stream that was never opened")

    def _unpack_if_whole(self, flags: int) -> None:
        block = self._block
        if block is None or not flags & frames.END_HEADERS:
            return
        self._block = None
        fields = block.unpack(self._unpack)
        stream = self._streams.get(block.number)
        if stream is not None:
            self._trailers(stream, block, fields)
        elif block.number <= self._last_stream:
            self._on_closed(block.number)
        else:
            self._last_stream = block.number
            self._open(block, fields)

    def _trailers(self, stream: Stream, block: HeaderBlock, fields: Fields) -> None:
        if stream.is_half_closed:
            self._fail(stream, ErrorCode.STREAM_CLOSED)
            return
        try:
            check_trailers(fields)
        except Malformed:
            self._fail(stream, ErrorCode.PROTOCOL_ERROR)
            return
        if not block.ends_stream:
            self._fail(stream, ErrorCode.PROTOCOL_ERROR)
        elif (refusal := self._receiving.bytes_of(stream, b"", True)) is not None:
            self._refuse(stream, refusal)
        else:
            self._half_close(stream)

    def _open(self, block: HeaderBlock, fields: Fields) -> None:
        number = block.number
        if self._is_leaving:
            self._remember(number)
            return
        stream = Stream(number, self._sending.initial_window, STREAM_WINDOW)
        stream.is_half_closed = block.ends_stream
        if self._running >= MOST_STREAMS:
            self._strained(1)
            self._reset(stream, ErrorCode.REFUSED_STREAM)
            return
        try:
            head = read_head(fields)
        except Malformed:
            self._strained(1)
            self._reset(stream, ErrorCode.PROTOCOL_ERROR)
            return
        match head:
            case NoCall(http_status=http_status):
                self._last_word(stream, status.http_error(http_status))
            case Status():
                self._last_word(stream, status.HEADERS + status.trailers(head))
            case Head():
                self._begin(stream, head)

    def _begin(self, stream: Stream, head: Head) -> None:
        stream.messages.is_compressed = head.is_compressed
        self._streams[stream.number] = stream
        self._running += 1
        self._events.append(Opened(stream.number, head))
        if stream.is_half_closed:
            self._events.append(HalfClosed(stream.number))

    def _peer_reset(self, number: int) -> None:
        self._check_not_idle(number)
        self._strained(1)
        stream = self._streams.get(number)
        if stream is not None:
            self._forget(stream)
            self._events.append(Ended(number))

    def _credit(self, number: int, more: int) -> None:
        if number == 0:
            self._sending.credit(more)
        else:
            stream = self._streams.get(number)
            if stream is None:
                self._check_not_idle(number)
                return
            stream.window += more
            if more == 0:
                self._fail(stream, ErrorCode.PROTOCOL_ERROR)
            elif stream.window > frames.LARGEST_WINDOW:
                self._fail(stream, ErrorCode.FLOW_CONTROL_ERROR)
        self._events += self.proceed()

    def _settings(self, flags: int, payload: bytes) -> None:
        if flags & frames.ACK:
            _check_size(payload, 0)
            return
        self._strained(_SETTINGS_STRAIN)
        self._is_greeted = True
        found = frames.read_settings(payload)
        self._sending.largest_frame = found.get(Setting.MAX_FRAME_SIZE, self._sending.largest_frame)
        window = found.get(Setting.INITIAL_WINDOW_SIZE, self._sending.initial_window)
        difference, self._sending.initial_window = window - self._sending.initial_window, window
        for stream in self._streams.values():
            stream.window += difference
            check(
                stream.window <= frames.LARGEST_WINDOW,
                "a window is too large",
                ErrorCode.FLOW_CONTROL_ERROR,
            )
        self._sending.control(frames.frame(frames.SETTINGS, frames.ACK, 0, b""))
        self._events += self.proceed()

    # How streams end.

    def _headers(self, number: int, block: bytes, *, ends: bool) -> None:
        if not self._has_written_headers:
            self._has_written_headers = True
            block = status.FIRST + block
        flags = frames.END_HEADERS | (frames.END_STREAM if ends else 0)
        self._sending.control(frames.frame(frames.HEADERS, flags, number, block))

    def _last_word(self, stream: Stream, block: bytes) -> None:
        """RFC 9113 8.1: a peer that is still speaking may stop."""
        self._headers(stream.number, block, ends=True)
        if stream.is_half_closed:
            self._forget(stream)
        else:
            self._reset(stream, ErrorCode.NO_ERROR)

    def _reset(self, stream: Stream, code: ErrorCode) -> None:
        self._sending.control(frames.reset_frame(stream.number, code))
        self._remember(stream.number)
        self._forget(stream)

    def _fail(self, stream: Stream, code: ErrorCode) -> None:
        """The peer broke a rule on this stream."""
        self._strained(1)
        self._reset(stream, code)
        self._events.append(Ended(stream.number))

    def _refuse(self, stream: Stream, ending: Status) -> None:
        self.finish(stream.number, ending)
        self._events.append(Ended(stream.number))

    def _forget(self, stream: Stream) -> None:
        self._streams.pop(stream.number, None)
        self._sending.forget(stream)
        self._receiving.forget(stream)

    def _remember(self, number: int) -> None:
        self._ended_here[number] = None
        if len(self._ended_here) > MOST_REMEMBERED:
            self._ended_here.popitem(last=False)


def _check_size(payload: bytes, size: int) -> None:
    check(len(payload) == size, "a frame has the wrong size", ErrorCode.FRAME_SIZE_ERROR)
