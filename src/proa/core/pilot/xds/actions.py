"""What the protocol machines ask of their edges.

`DeltaServer` returns these; the edge performs `Send` and `Close` and feeds the rest to whoever keeps status.
Nothing here acts.
"""

import msgspec

from proa.core.pilot.resource import ResourceType


class Send(msgspec.Struct, frozen=True, kw_only=True):
    """Write these bytes, one serialised DeltaDiscoveryResponse, to the stream; order matters."""

    body: bytes


class Subscribed(msgspec.Struct, frozen=True, kw_only=True):
    """What the proxy wants of one type has changed. `wildcard` is the state after the change."""

    type: ResourceType
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    wildcard: bool = False


class Acked(msgspec.Struct, frozen=True, kw_only=True):
    """The proxy serves this version now; the empty version means that it has dropped the resource.

    Also returned for a resource that the proxy already held when the stream began.
    """

    type: ResourceType
    name: str
    version: str


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """The proxy refused this one resource, sent alone; it keeps what it had. `error` is the proxy's text."""

    type: ResourceType
    name: str
    version: str
    error: str


class Close(msgspec.Struct, frozen=True, kw_only=True):
    """The peer broke the protocol: end the stream; the machine takes no further input."""

    reason: str


Action = Send | Subscribed | Acked | Rejected | Close
Actions = tuple[Action, ...]
