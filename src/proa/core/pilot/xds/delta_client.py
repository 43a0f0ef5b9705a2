"""The client's half of delta xDS, without the stream."""

from collections.abc import Iterable, Mapping

import msgspec

from proa.core.pilot.resource import Resource, ResourceType


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """One response: to be answered with exactly one `ack(nonce)` or `nack(nonce, error)`, at any later time."""

    type: ResourceType
    nonce: str
    changed: tuple[Resource, ...] = ()
    removed: tuple[str, ...] = ()


class DeltaClient:
    """One per subscriber; outlives streams. Every returned tuple holds serialised requests to write, in order.

    While no stream is open (before `start`, after `stop`) subscriptions are only remembered.
    """

    def __init__(self) -> None:
        raise NotImplementedError

    def start(
        self, node: bytes = b"", known: Mapping[ResourceType, Mapping[str, str]] | None = None
    ) -> tuple[bytes, ...]:
        """A stream opened: `node` is a serialised envoy.config.core.v3.Node, sent once; `known` the versions held."""
        raise NotImplementedError

    def stop(self) -> None:
        """The stream ended; its nonces are void."""
        raise NotImplementedError

    def subscribe(self, kind: ResourceType, names: Iterable[str] = (), *, wildcard: bool = False) -> tuple[bytes, ...]:
        raise NotImplementedError

    def unsubscribe(self, kind: ResourceType, names: Iterable[str]) -> tuple[bytes, ...]:
        raise NotImplementedError

    def receive(self, response: bytes) -> Received:
        """Raises ValueError when the bytes are no response of a known type."""
        raise NotImplementedError

    def ack(self, nonce: str) -> tuple[bytes, ...]:
        """Unknown nonces (of an earlier stream) give nothing."""
        raise NotImplementedError

    def nack(self, nonce: str, error: str) -> tuple[bytes, ...]:
        raise NotImplementedError
