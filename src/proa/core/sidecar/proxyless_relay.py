"""The agent's table for a workload without a sidecar: one stream of differences above, many state streams below.

gRPC's client opens a stream per target, and a program may have several processes, so unlike `relay` there is not one
who judges. A response of the control plane is answered when every stream that wants a resource of it has judged; nobody
wanting it, at once. What is wanted above is what somebody below wants, by name. Bodies are opaque. Called by the
agent's edge; performs no I/O.
"""

from collections.abc import Iterable, Mapping

import msgspec

from proa.core.pilot.resource import ORDER, Resource, ResourceType
from proa.core.pilot.xds.actions import Acked, Actions, Close, Rejected, Send, Subscribed
from proa.core.pilot.xds.delta_client import DeltaClient, Received, Requests
from proa.core.pilot.xds.sotw_server import SotwServer
from proa.core.pilot.xds.wire import encode_request

Stream = int
"""Names a stream below; the edge chooses it and never chooses it again."""
Key = tuple[ResourceType, str]


class UpTo(msgspec.Struct, frozen=True, kw_only=True):
    """Write these bytes, one DeltaDiscoveryRequest, to the control plane."""

    body: bytes


class DownTo(msgspec.Struct, frozen=True, kw_only=True):
    """Write these bytes, one DiscoveryResponse, to that stream."""

    stream: Stream
    body: bytes


class EndUp(msgspec.Struct, frozen=True, kw_only=True):
    """The control plane broke the protocol: end that stream; the table has already done `up_lost`."""

    reason: str


class EndDown(msgspec.Struct, frozen=True, kw_only=True):
    """A client broke the protocol: end that stream; the table has already done `down_lost`."""

    stream: Stream
    reason: str


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A client took (no error) or refused a version; for the log."""

    verdict: Acked | Rejected


ProxylessAction = UpTo | DownTo | EndUp | EndDown | Judged
ProxylessActions = tuple[ProxylessAction, ...]


class _Shelf:
    """The `ResourceSource` of all streams below: the newest value of each name, or that there is none."""

    def __init__(self) -> None:
        self.newest: dict[Key, Resource] = {}
        self.absent: set[Key] = set()

    def lookup(self, kind: ResourceType, name: str) -> Resource | None:
        return self.newest.get((kind, name))

    def names(self, kind: ResourceType) -> Iterable[str]:
        return tuple(name for each, name in self.newest if each is kind)

    def knows(self, kind: ResourceType, name: str) -> bool:
        return (kind, name) in self.newest or (kind, name) in self.absent

    def knows_all(self, kind: ResourceType) -> bool:
        return False  # everything is asked for by name

    def forget(self, key: Key) -> None:
        self.newest.pop(key, None)
        self.absent.discard(key)


class _Owed:
    """A response from above that is not answered yet. `waiting`: (stream, name) -> version to be judged."""

    def __init__(self, received: Received) -> None:
        self.kind = received.type
        self.nonce = received.nonce
        self.waiting: dict[tuple[Stream, str], str] = {}
        self.errors: dict[str, str] = {}


class ProxylessTable:
    """One per proxyless workload. Owner: the agent's task for that workload."""

    def __init__(self, *, node: bytes = b"") -> None:
        """`node`: serialised Node for the control plane."""
        self._node = node
        self._shelf = _Shelf()
        self._client = DeltaClient()
        self._servers: dict[Stream, SotwServer] = {}
        self._owed: list[_Owed] = []

    # -- above --

    def up_connected(self) -> ProxylessActions:
        """A stream to the control plane opened: subscriptions and known versions go up. When nobody wants anything,
        that is said: a stream on which nothing was asked would be waited for."""
        self._owed.clear()
        requests = self._client.start(self._node, self._known())
        return _up(requests or (encode_request(ResourceType.ROUTE, node=self._node),))

    def _known(self) -> Mapping[ResourceType, Mapping[str, str]]:
        """What every client has judged. The rest is claimed by no version, so that it is sent and answered."""
        pending = {key for server in self._servers.values() for key in server.pending()}
        refused = {key for server in self._servers.values() for key in server.rejected()}
        known: dict[ResourceType, dict[str, str]] = {kind: {} for kind in ORDER}
        for (kind, name), resource in self._shelf.newest.items():
            is_judged = (kind, name) not in pending and (kind, name) not in refused
            known[kind][name] = resource.digest if is_judged else ""
        return known

    def up_received(self, response: bytes) -> ProxylessActions:
        """One DeltaDiscoveryResponse of the control plane."""
        try:
            received = self._client.receive(response)
        except ValueError as error:
            return (*self.up_lost(), EndUp(reason=str(error)))
        kind, owed = received.type, _Owed(received)
        wanted = [each for each in received.changed if self._client.wants(kind, each.name)]
        gone = [name for name in received.removed if self._client.wants(kind, name)]
        for resource in wanted:
            self._shelf.newest[kind, resource.name] = resource
            self._shelf.absent.discard((kind, resource.name))
        for name in gone:
            self._shelf.forget((kind, name))
            self._shelf.absent.add((kind, name))
        names = [*(each.name for each in wanted), *gone]
        self._supersede(kind, names)
        for stream, server in self._servers.items():
            for resource in wanted:
                self._await(owed, stream, server, resource)
        self._owed.append(owed)
        actions: list[ProxylessAction] = []
        for stream in tuple(self._servers):
            actions += self._below(stream, self._servers[stream].offer([(kind, name) for name in names]))
        return (*actions, *self._answer())

    def up_lost(self) -> ProxylessActions:
        """Clients keep being served from the table."""
        self._client.stop()
        self._owed.clear()
        return ()

    # -- below --

    def down_connected(self, stream: Stream) -> ProxylessActions:
        self._servers[stream] = SotwServer(self._shelf)
        return ()

    def down_received(self, stream: Stream, request: bytes) -> ProxylessActions:
        """One DiscoveryRequest of a client."""
        server = self._servers.get(stream)
        if server is None:
            return ()
        return (*self._below(stream, server.receive(request)), *self._answer())

    def down_lost(self, stream: Stream) -> ProxylessActions:
        """Its wishes go with it."""
        self._servers.pop(stream, None)
        for owed in self._owed:
            owed.waiting = {key: version for key, version in owed.waiting.items() if key[0] != stream}
        actions = [action for kind in ORDER for action in self._unwanted(kind, self._client.names(kind))]
        return (*actions, *self._answer())

    def down_overdue(self) -> ProxylessActions:
        """Clients have not answered for long (the edge's clock): nobody else waits for them any more."""
        actions: list[ProxylessAction] = []
        for stream, server in tuple(self._servers.items()):
            for kind in server.awaited():
                actions += self._below(stream, server.overdue(kind))
        return tuple(actions)

    def awaited(self) -> frozenset[tuple[Stream, ResourceType]]:
        """Who has not answered what yet."""
        return frozenset(
            (stream, kind) for stream, server in self._servers.items() for kind in server.awaited()
        )

    # -- inside --

    def _await(self, owed: _Owed, stream: Stream, server: SotwServer, resource: Resource) -> None:
        kind, name = owed.kind, resource.name
        if not server.wants(kind, name) or server.acked(kind).get(name) == resource.digest:
            return
        version, error = server.rejected().get((kind, name), ("", ""))
        if version == resource.digest:
            owed.errors[name] = error  # it will not be asked again
        else:
            owed.waiting[stream, name] = resource.digest

    def _supersede(self, kind: ResourceType, names: list[str]) -> None:
        for owed in self._owed:
            if owed.kind is kind:
                owed.waiting = {key: version for key, version in owed.waiting.items() if key[1] not in names}

    def _below(self, stream: Stream, actions: Actions) -> ProxylessActions:
        found: list[ProxylessAction] = []
        for action in actions:
            match action:
                case Send(body=body):
                    found.append(DownTo(stream=stream, body=body))
                case Close(reason=reason):
                    return (*found, *self.down_lost(stream), EndDown(stream=stream, reason=reason))
                case Subscribed():
                    found += _up(self._client.subscribe(action.type, action.added))
                    self._excuse(stream, action.type, action.removed)
                    found += self._unwanted(action.type, action.removed)
                case Acked() | Rejected():
                    found.append(Judged(verdict=action))
                    self._judge(stream, action)
        return tuple(found)

    def _excuse(self, stream: Stream, kind: ResourceType, names: tuple[str, ...]) -> None:
        for owed in self._owed:
            if owed.kind is kind:
                for name in names:
                    owed.waiting.pop((stream, name), None)

    def _judge(self, stream: Stream, verdict: Acked | Rejected) -> None:
        for owed in self._owed:
            key = (stream, verdict.name)
            if owed.kind is verdict.type and owed.waiting.get(key) == verdict.version:
                del owed.waiting[key]
                if isinstance(verdict, Rejected):
                    owed.errors[verdict.name] = verdict.error

    def _unwanted(self, kind: ResourceType, names: Iterable[str]) -> ProxylessActions:
        """Of these names, those that nobody wants leave the table."""
        servers = self._servers.values()
        gone = [name for name in names if not any(server.wants(kind, name) for server in servers)]
        for name in gone:
            self._shelf.forget((kind, name))
        return _up(self._client.unsubscribe(kind, gone))

    def _answer(self) -> ProxylessActions:
        """ACK or NACK every response from above of which nothing is waited for any more."""
        actions: list[ProxylessAction] = []
        for owed in self._owed:
            if owed.waiting:
                continue
            if owed.errors:
                text = "\n".join(f"{name}: {error}" for name, error in owed.errors.items())
                actions += _up(self._client.nack(owed.nonce, text))
            else:
                actions += _up(self._client.ack(owed.nonce))
        self._owed = [owed for owed in self._owed if owed.waiting]
        return tuple(actions)


def _up(requests: Requests) -> ProxylessActions:
    return tuple(UpTo(body=body) for body in requests)
