"""What a connection tells its owner. Streams are named by their numbers."""

import msgspec

from proa.core.grpc_wire.request import Head


class Opened(msgspec.Struct, frozen=True):
    """A call began. The owner says `release` when its handler has ended."""

    stream: int
    head: Head


class Received(msgspec.Struct, frozen=True):
    """A whole message. The owner says `consumed` when its handler has taken it."""

    stream: int
    body: bytes


class HalfClosed(msgspec.Struct, frozen=True):
    """The peer sends no more messages on this stream."""

    stream: int


class Drained(msgspec.Struct, frozen=True):
    """The message that `send` had to hold back is on its way."""

    stream: int


class Ended(msgspec.Struct, frozen=True):
    """The call is over before its handler is: the peer reset it, or its bytes were no messages. Nobody hears its
    handler any more."""

    stream: int


class Broken(msgspec.Struct, frozen=True):
    """The connection is over; what is in `take` tells the peer why. Nothing follows."""

    reason: str


Event = Opened | Received | HalfClosed | Drained | Ended | Broken
