"""The agent's table for one workload: what comes from above goes below unchanged, what the Envoy says goes up.

Decides when a response of the control plane is answered: when the Envoy below has judged every resource in it.
A resource is not waited for when the Envoy does not want it or holds that very version, when a newer one has
replaced it, and when it is a removal: a removal cannot be refused, and below it waits for others in
make-before-break order, which may in turn wait for the control plane. While the Envoy is away everything waits: an
ACK says that somebody serves it. What an Envoy wants is known only when it has said so (see `down_quiet`).
Called by the agent's edge; performs no I/O. Bodies are opaque: a type or field that the agent does not know passes.
"""

from collections.abc import Iterable

import msgspec

from proa.core.pilot.resource import ORDER, Resource, ResourceType
from proa.core.pilot.xds.actions import Acked, Actions, Close, Rejected, Send, Subscribed
from proa.core.pilot.xds.delta_client import DeltaClient, Received, Requests
from proa.core.pilot.xds.delta_server import DeltaServer
from proa.core.pilot.xds.order import WILDCARD_TYPES
from proa.core.sidecar.relay_shelf import LOCAL_TYPES, Refusal, Shelf

BY_NAME_TYPES = tuple(kind for kind in ORDER if kind not in WILDCARD_TYPES and kind not in LOCAL_TYPES)


class Up(msgspec.Struct, frozen=True, kw_only=True):
    """Write these bytes, one DeltaDiscoveryRequest, to the control plane."""

    body: bytes


class Down(msgspec.Struct, frozen=True, kw_only=True):
    """Write these bytes, one DeltaDiscoveryResponse, to the Envoy."""

    body: bytes


class CloseUp(msgspec.Struct, frozen=True, kw_only=True):
    """The control plane broke the protocol: end that stream; the table has already done `up_lost`."""

    reason: str


class CloseDown(msgspec.Struct, frozen=True, kw_only=True):
    """The Envoy broke the protocol: end that stream; the table has already done `down_lost`."""

    reason: str


RelayAction = Up | Down | CloseUp | CloseDown | Subscribed | Acked | Rejected
RelayActions = tuple[RelayAction, ...]


class _Owed:
    """A response from above that is not answered yet. `waiting`: name -> version the Envoy has to judge."""

    __slots__ = ("errors", "kind", "nonce", "waiting")

    def __init__(self, received: Received) -> None:
        self.kind = received.type
        self.nonce = received.nonce
        self.waiting = {resource.name: resource.digest for resource in received.changed}
        self.errors: dict[str, str] = {}


class RelayTable:
    """One per workload. Owner: the agent's task for that workload. `Subscribed`, `Acked` and `Rejected` tell what
    the Envoy below did; after an `Acked` that is not of a SECRET, `stored()` is worth writing to disk."""

    def __init__(
        self, *, node: bytes = b"", stored: Iterable[Resource] = (), max_bytes: int = 3_500_000
    ) -> None:
        """`node`: serialised Node for the control plane; `stored`: the table of an earlier run, taken as ACKed;
        `max_bytes`: bound of one response to the Envoy."""
        self._node = node
        self._max_bytes = max_bytes
        self._shelf = Shelf(stored)
        self._client = DeltaClient()
        self._server: DeltaServer | None = None
        self._is_introduced = False
        self._owed: list[_Owed] = []
        # Asked for before the Envoy comes, so that it starts without a round trip.
        for kind in (ResourceType.CLUSTER, ResourceType.LISTENER):
            self._client.subscribe(kind, wildcard=True)
        for resource in self._shelf.stored():
            if resource.type not in WILDCARD_TYPES:
                self._client.subscribe(resource.type, (resource.name,))

    # -- above --

    def up_connected(self) -> RelayActions:
        """A stream to the control plane opened: subscriptions and known versions go up."""
        self._owed.clear()
        pending = self._server.pending() if self._server else frozenset()
        return _up(self._client.start(self._node, self._shelf.versions(pending)))

    def up_received(self, response: bytes) -> RelayActions:
        """One DeltaDiscoveryResponse of the control plane."""
        try:
            received = self._client.receive(response)
        except ValueError as error:
            return (*self.up_lost(), CloseUp(reason=str(error)))
        kind = received.type
        owed = _Owed(received)
        for resource in received.changed:
            if not self._client.wants(kind, resource.name):
                # It was on its way when the Envoy dropped it: no verdict will ever come.
                del owed.waiting[resource.name]
                continue
            refusal = self._shelf.put(resource)
            if refusal is not None:
                owed.errors[resource.name] = refusal.error
                del owed.waiting[resource.name]
        for name in received.removed:
            self._shelf.remove(kind, name)
        for earlier in self._owed:
            if earlier.kind is kind:
                for name in (*owed.waiting, *received.removed):
                    earlier.waiting.pop(name, None)
        self._owed.append(owed)
        is_news = self._shelf.complete(kind)
        below = self._below(
            ((kind, name) for name in (*owed.waiting, *received.removed)), all_of=kind if is_news else None
        )
        self._excuse(owed)
        return (*below, *self._drop_unwanted(kind, received.removed), *self._answer())

    def up_lost(self) -> RelayActions:
        """The Envoy keeps being served from the table."""
        self._client.stop()
        self._owed.clear()
        return ()

    # -- below --

    def down_connected(self) -> RelayActions:
        """The Envoy opened a stream; an earlier one is forgotten."""
        self._server = DeltaServer(self._shelf, max_bytes=self._max_bytes)
        self._is_introduced = False
        return ()

    def down_received(self, request: bytes) -> RelayActions:
        """One DeltaDiscoveryRequest of the Envoy."""
        if self._server is None:
            return ()
        actions: list[RelayAction] = []
        for action in self._server.receive(request):
            match action:
                case Send():
                    actions.append(Down(body=action.body))
                case Close():
                    return (*actions, *self.down_lost(), CloseDown(reason=action.reason))
                case Subscribed():
                    actions.append(action)
                    actions.extend(self._wished(action))
                case Acked():
                    actions.append(action)
                    self._judged(action.type, action.name, action.version, None)
                case Rejected():
                    actions.append(action)
                    is_owed = self._judged(action.type, action.name, action.version, action.error)
                    if not is_owed and action.type not in LOCAL_TYPES:
                        # An earlier Envoy took it, or it was excused: have it sent again, to refuse it truthfully.
                        actions.extend(_up(self._client.resubscribe(action.type, action.name)))
        actions.extend(self._answer())
        return tuple(actions)

    def down_lost(self) -> RelayActions:
        """What is waited for waits for the Envoy's return."""
        self._server = None
        self._is_introduced = False
        return ()

    def down_quiet(self) -> RelayActions:
        """The Envoy has said nothing for a while (the edge's clock). When it then owes no answer and has asked for
        clusters and listeners, it has said all it wants: other resources, asked for on behalf of an earlier Envoy,
        are not waited for any more. Sooner one cannot know: it asks for routes only after it has ACKed listeners."""
        server = self._server
        if server is None or self._is_introduced or not server.is_settled:
            return ()
        if not all(server.has_wildcard(kind) for kind in WILDCARD_TYPES):
            return ()
        self._is_introduced = True
        actions: list[RelayAction] = []
        for kind in BY_NAME_TYPES:
            actions.extend(self._drop_unwanted(kind, self._client.names(kind)))
        for owed in self._owed:
            self._excuse(owed)
        return (*actions, *self._answer())

    def down_overdue(self, kind: ResourceType) -> RelayActions:
        """See `DeltaServer.overdue`."""
        return _down(self._server.overdue(kind)) if self._server else ()

    def awaited(self) -> frozenset[ResourceType]:
        """Types that the Envoy has not answered yet (`DeltaServer.awaited`)."""
        return self._server.awaited() if self._server else frozenset()

    # -- the agent's own --

    def set_local(self, resource: Resource) -> RelayActions:
        """The agent's own resource, a SECRET: offered below, never sent up."""
        if resource.type not in LOCAL_TYPES:
            raise ValueError(f"{resource.type.name} belongs to the control plane")
        self._shelf.put(resource)
        return self._below(((resource.type, resource.name),))

    def drop_local(self, kind: ResourceType, name: str) -> RelayActions:
        self._shelf.remove(kind, name)
        return self._below(((kind, name),))

    def has_taken(self, kind: ResourceType, name: str, version: str) -> bool:
        """Whether the Envoy below works with that version, or has said all that it wants, and this is not among it."""
        if self._server is None:
            return False
        if self._server.wants(kind, name):
            return self._server.acked(kind).get(name) == version
        return self._is_introduced

    def stored(self) -> tuple[Resource, ...]:
        """What the Envoy last accepted (or the newest it never saw), without local resources."""
        return self._shelf.stored()

    # -- inside --

    def _below(
        self, changed: Iterable[tuple[ResourceType, str]], *, all_of: ResourceType | None = None
    ) -> RelayActions:
        if self._server is None:
            return ()
        return _down(self._server.offer(changed) if all_of is None else self._server.offer_all(all_of))

    def _excuse(self, owed: _Owed) -> None:
        """Strike what the Envoy need not judge, or has judged: a version that it refused before is not sent to it
        again, so its old verdict is the answer."""
        server, kind = self._server, owed.kind
        if server is None:
            return
        refused = server.rejected()
        may_be_unwanted = kind in BY_NAME_TYPES and (self._is_introduced or self._is_blocking(server, kind))
        for name, version in list(owed.waiting.items()):
            is_held = server.acked(kind).get(name) == version
            known_version, error = refused.get((kind, name), ("", ""))
            if error and known_version == version:
                del owed.waiting[name]
                owed.errors[name] = error
                self._shelf.refuse(kind, name, Refusal(version=version, error=error))
            elif is_held or (may_be_unwanted and not server.wants(kind, name)):
                del owed.waiting[name]

    def _is_blocking(self, server: DeltaServer, kind: ResourceType) -> bool:
        """The Envoy waits for another answer of this type, and the control plane sends no second response of a
        type before the first is answered."""
        return any(
            server.wants(kind, name) and not self._shelf.knows(kind, name)
            for name in self._client.names(kind)
        )

    def _judged(self, kind: ResourceType, name: str, version: str, error: str | None) -> bool:
        """True when the control plane waits for this verdict."""
        is_owed = False
        if error is None:
            self._shelf.prove(kind, name, version)
        elif version:
            self._shelf.refuse(kind, name, Refusal(version=version, error=error))
        for owed in self._owed:
            if owed.kind is kind and owed.waiting.get(name) == version:
                del owed.waiting[name]
                is_owed = True
                if error is not None:
                    owed.errors[name] = error
        return is_owed

    def _wished(self, event: Subscribed) -> RelayActions:
        """The Envoy's wishes go up. What it no longer wants leaves the table and is not waited for."""
        if event.type in LOCAL_TYPES:
            return ()
        requests = self._client.subscribe(event.type, event.added)
        for owed in self._owed:
            if owed.kind is event.type:
                self._excuse(owed)
        return (*_up(requests), *self._drop_unwanted(event.type, event.removed))

    def _drop_unwanted(self, kind: ResourceType, names: Iterable[str]) -> RelayActions:
        """Of these names, those that the Envoy (when it is there) does not want. The relay's own wildcards stay."""
        server = self._server
        gone = [name for name in names if server is not None and not server.wants(kind, name)]
        for name in gone:
            for owed in self._owed:
                if owed.kind is kind:
                    owed.waiting.pop(name, None)
            if kind not in WILDCARD_TYPES:
                self._shelf.forget(kind, name)
        return _up(self._client.unsubscribe(kind, gone))

    def _answer(self) -> RelayActions:
        """ACK or NACK every response from above of which nothing is waited for any more."""
        actions: list[RelayAction] = []
        for owed in self._owed:
            if owed.waiting:
                continue
            if owed.errors:
                text = "\n".join(f"{name}: {error}" for name, error in owed.errors.items())
                actions.extend(_up(self._client.nack(owed.nonce, text)))
            else:
                actions.extend(_up(self._client.ack(owed.nonce)))
        self._owed = [owed for owed in self._owed if owed.waiting]
        return tuple(actions)


def _up(requests: Requests) -> RelayActions:
    return tuple(Up(body=body) for body in requests)


def _down(actions: Actions) -> RelayActions:
    return tuple(Down(body=action.body) for action in actions if isinstance(action, Send))
