"""The other end of a `ServerConnection`: frames made by hand, and the h2 library as a client that knows the rules."""

from collections.abc import Sequence

import h2.config
import h2.connection
import h2.events
import hpack
from h2.settings import SettingCodes

from proa.core.grpc_wire import frames
from proa.core.grpc_wire.connection import ServerConnection
from proa.core.grpc_wire.cutter import Frame
from proa.core.grpc_wire.events import Event
from proa.core.grpc_wire.frames import HEAD, HEAD_SIZE, frame, settings_frame

HEADERS = (
    (":method", "POST"),
    (":scheme", "https"),
    (":path", "/service/Method"),
    (":authority", "server"),
    ("content-type", "application/grpc"),
    ("te", "trailers"),
)
GREETING = frames.PREFACE + settings_frame({})


def block(fields: Sequence[tuple[str, str]] = HEADERS) -> bytes:
    """Without the tables, so that blocks can be used in any order."""
    return b"".join(bytes(hpack.Encoder().encode([hpack.NeverIndexedHeaderTuple(*each)])) for each in fields)


def opening(number: int = 1, fields: Sequence[tuple[str, str]] = HEADERS, *, ends: bool = False) -> bytes:
    flags = frames.END_HEADERS | (frames.END_STREAM if ends else 0)
    return frame(frames.HEADERS, flags, number, block(fields))


def message(body: bytes, flag: int = 0) -> bytes:
    return bytes((flag,)) + len(body).to_bytes(4, "big") + body


def data(number: int, payload: bytes, flags: int = 0) -> bytes:
    return frame(frames.DATA, flags, number, payload)


def cut(output: bytes) -> list[Frame]:
    found: list[Frame] = []
    while output:
        high, low, kind, flags, number = HEAD.unpack_from(output)
        end = HEAD_SIZE + (high << 8 | low)
        found.append((kind, flags, number, output[HEAD_SIZE:end]))
        output = output[end:]
    return found


class RawClient:
    """Says bytes to a connection and keeps what it answers. `now` is the time at which it speaks."""

    def __init__(self, greeting: bytes = GREETING) -> None:
        self.server = ServerConnection()
        self.events: list[Event] = []
        self.answers: list[Frame] = []
        self.now = 0.0
        if greeting:
            self.say(greeting)
            self.answers.clear()

    def say(self, *pieces: bytes) -> list[Event]:
        events = self.server.receive(b"".join(pieces), self.now)
        self.events += events
        self.fetch()
        return events

    def fetch(self) -> None:
        while self.server.output:
            self.answers += cut(self.server.take())
            self.events += self.server.proceed()

    def of(self, kind: int) -> list[Frame]:
        return [each for each in self.answers if each[0] == kind]

    @property
    def goodbye(self) -> int | None:
        """The code of the GOAWAY, if there was one."""
        return next((int.from_bytes(each[3][4:8], "big") for each in self.of(frames.GOAWAY)), None)

    def reset_of(self, number: int) -> int | None:
        found = [each for each in self.of(frames.RST_STREAM) if each[2] == number]
        return int.from_bytes(found[0][3], "big") if found else None

    def fields(self, number: int) -> dict[str, str]:
        """Of all header blocks of that stream."""
        decoder = hpack.Decoder()
        found: dict[str, str] = {}
        for _, _, each, payload in self.of(frames.HEADERS):
            fields = decoder.decode(payload)
            if each == number:
                found.update((str(key), str(value)) for key, value in fields)
        return found


class StrictClient:
    """The h2 library: what it says is right, and it raises when what it hears is not."""

    def __init__(self, initial_window: int | None = None) -> None:
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.server = ServerConnection()
        self.h2.initiate_connection()
        if initial_window is not None:
            self.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: initial_window})
        self.events: list[Event] = []
        self.heard: list[h2.events.Event] = []
        self.exchange()

    def exchange(self) -> None:
        """Until neither has anything more to say."""
        while True:
            said = self.h2.data_to_send()
            if said:
                self.events += self.server.receive(said, 0.0)
            output = self.server.take()
            self.events += self.server.proceed()
            if output:
                self.heard += self.h2.receive_data(output)
            if not said and not output and not self.server.output:
                return

    def open(self, *, ends: bool = False) -> int:
        number = self.h2.get_next_available_stream_id()
        self.h2.send_headers(number, HEADERS, end_stream=ends)
        self.exchange()
        return number

    def body_of(self, number: int) -> bytes:
        """All DATA of that stream, taken off its windows."""
        found = b""
        for event in self.heard:
            if isinstance(event, h2.events.DataReceived) and event.stream_id == number:
                found += event.data
        return found
