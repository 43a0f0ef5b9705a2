"""The client's half of delta xDS, without the stream.

Remembers what is wanted and what is held, and says which requests to write. It gives no verdict: whoever calls
it (the agent's relay, a benchmark's swarm) decides when a response is ACKed or refused. It keeps no resources.
"""

from collections.abc import Iterable, Mapping

import msgspec

from proa.core.pilot.resource import ORDER, Resource, ResourceType
from proa.core.pilot.xds.wire import decode_response, encode_request

Requests = tuple[bytes, ...]


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """One response: to be answered with exactly one `ack(nonce)` or `nack(nonce, error)`, at any later time."""

    type: ResourceType
    nonce: str
    changed: tuple[Resource, ...] = ()
    removed: tuple[str, ...] = ()


class _Wanted:
    """Of one type: what is subscribed, and name -> version of what was ACKed."""

    __slots__ = ("held", "names", "wildcard")

    def __init__(self) -> None:
        self.names: dict[str, None] = {}
        self.wildcard = False
        self.held: dict[str, str] = {}

    def covers(self, name: str) -> bool:
        return self.wildcard or name in self.names


class DeltaClient:
    """One per subscriber; outlives streams. Every returned tuple holds serialised requests to write, in order.

    While no stream is open (before `start`, after `stop`) subscriptions are only remembered.
    """

    def __init__(self) -> None:
        self._types = {kind: _Wanted() for kind in ORDER}
        self._unanswered: dict[str, Received] = {}
        self._is_open = False

    def start(
        self, node: bytes = b"", known: Mapping[ResourceType, Mapping[str, str]] | None = None
    ) -> Requests:
        """A stream opened: `node` is a serialised envoy.config.core.v3.Node, sent once; `known`: name -> version
        of what is held, by default what this client ACKed."""
        self.stop()
        self._is_open = True
        requests = []
        for kind, wanted in self._types.items():
            if known is not None:
                wanted.held = dict(known.get(kind, {}))
            wanted.held = {name: version for name, version in wanted.held.items() if wanted.covers(name)}
            names = (*(("*",) if wanted.wildcard else ()), *wanted.names)
            if names:
                requests.append(encode_request(kind, node=node, subscribe=names, initial=wanted.held))
                node = b""
        return tuple(requests)

    def stop(self) -> None:
        """The stream ended; its nonces are void."""
        self._is_open = False
        self._unanswered.clear()

    def subscribe(self, kind: ResourceType, names: Iterable[str] = (), *, wildcard: bool = False) -> Requests:
        """Only what is new is asked for."""
        wanted = self._types[kind]
        new = [name for name in dict.fromkeys(names) if name not in wanted.names]
        wanted.names.update(dict.fromkeys(new))
        if wildcard and not wanted.wildcard:
            wanted.wildcard = True
            new.insert(0, "*")
        return (encode_request(kind, subscribe=new),) if new and self._is_open else ()

    def resubscribe(self, kind: ResourceType, name: str) -> Requests:
        """Ask to be sent this name again, though it is subscribed and held."""
        self._types[kind].names[name] = None
        return (encode_request(kind, subscribe=(name,)),) if self._is_open else ()

    def unsubscribe(
        self, kind: ResourceType, names: Iterable[str] = (), *, wildcard: bool = False
    ) -> Requests:
        wanted = self._types[kind]
        gone = [name for name in dict.fromkeys(names) if name in wanted.names]
        for name in gone:
            del wanted.names[name]
        if wildcard and wanted.wildcard:
            wanted.wildcard = False
            gone.insert(0, "*")
        dropped = list(wanted.held) if "*" in gone else gone
        for name in dropped:
            if not wanted.covers(name):
                wanted.held.pop(name, None)
        return (encode_request(kind, unsubscribe=gone),) if gone and self._is_open else ()

    def receive(self, response: bytes) -> Received:
        """Raises ValueError when the bytes are no response of a known type."""
        message = decode_response(response)
        received = Received(
            type=message.type, nonce=message.nonce, changed=message.changed, removed=message.removed
        )
        self._unanswered[message.nonce] = received
        return received

    def ack(self, nonce: str) -> Requests:
        """Unknown nonces (of an earlier stream, or answered) give nothing."""
        received = self._unanswered.pop(nonce, None)
        if received is None:
            return ()
        wanted = self._types[received.type]
        for resource in received.changed:
            if wanted.covers(resource.name):
                wanted.held[resource.name] = resource.digest
        for name in received.removed:
            wanted.held.pop(name, None)
        return (encode_request(received.type, nonce=nonce),)

    def nack(self, nonce: str, error: str) -> Requests:
        received = self._unanswered.pop(nonce, None)
        if received is None:
            return ()
        return (encode_request(received.type, nonce=nonce, error=error),)

    def held(self, kind: ResourceType) -> Mapping[str, str]:
        """name -> version of what was ACKed and is still wanted."""
        return self._types[kind].held

    def wants(self, kind: ResourceType, name: str) -> bool:
        return self._types[kind].covers(name)

    def names(self, kind: ResourceType) -> tuple[str, ...]:
        """What is subscribed by name."""
        return tuple(self._types[kind].names)
