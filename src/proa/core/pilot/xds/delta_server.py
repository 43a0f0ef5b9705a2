"""The server's half of delta xDS for one stream, without the stream."""

from collections.abc import Callable, Iterable, Mapping

from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.xds.actions import Actions
from proa.core.pilot.xds.source import ResourceSource


class DeltaServer:
    """One per stream. Owner: the task of that stream.

    `encode` makes the wire form of a resource (default `wire.encode_resource`); pass `wire.Pieces().encode`, one
    for the whole process, to share the bytes between streams. `max_bytes` bounds one response (gRPC refuses
    4 MiB); one bigger resource goes alone.
    """

    def __init__(
        self, source: ResourceSource, *, encode: Callable[[Resource], bytes] | None = None, max_bytes: int = 3_500_000
    ) -> None:
        raise NotImplementedError

    def receive(self, request: bytes) -> Actions:
        """A serialised DeltaDiscoveryRequest arrived. Undecodable bytes give `Close`, unknown types nothing."""
        raise NotImplementedError

    def offer(self, changed: Iterable[tuple[ResourceType, str]]) -> Actions:
        """These names changed, appeared or vanished in the source; all of one change in one call, so that its
        parts are ordered make-before-break against each other. Names the proxy did not ask for cost nothing."""
        raise NotImplementedError

    def offer_all(self, kind: ResourceType) -> Actions:
        """Look at every name of `kind` that the proxy wants: the source became complete or was replaced."""
        raise NotImplementedError

    def wants(self, kind: ResourceType, name: str) -> bool:
        raise NotImplementedError

    def acked(self, kind: ResourceType) -> Mapping[str, str]:
        """name -> version that the proxy serves (read-only view)."""
        raise NotImplementedError

    def rejected(self) -> Mapping[tuple[ResourceType, str], tuple[str, str]]:
        """(type, name) -> (version, error) of what the proxy refuses and that has not changed since."""
        raise NotImplementedError

    def pending(self) -> frozenset[tuple[ResourceType, str]]:
        """What is not sent or not answered yet."""
        raise NotImplementedError

    @property
    def is_settled(self) -> bool:
        """Nothing pending; rejected resources count as settled."""
        raise NotImplementedError
