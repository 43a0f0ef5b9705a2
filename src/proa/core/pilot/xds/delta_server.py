"""The server's half of delta xDS for one stream, without the stream.

Decides what a proxy is sent and when: the newest value of each name it wants and does not have, at most one
un-ACKed response per type, in make-before-break order (`order`), each refused response taken apart until the
guilty resource stands alone. Called by the edge that owns the stream (control plane) and by `core.sidecar.relay`
(agent). It must not keep resources: values are read from the source at the moment they are sent.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from proa.core.pilot.resource import BY_URL, ORDER, Resource, ResourceType
from proa.core.pilot.xds.actions import Acked, Action, Actions, Close, Rejected, Send
from proa.core.pilot.xds.delta_state import NEVER, Flight, Suspects, TypeState, split
from proa.core.pilot.xds.order import ANSWER_WAITS, CHANGE_WAITS, PROVIDERS, REMOVAL_WAITS, ROUND
from proa.core.pilot.xds.source import ResourceSource
from proa.core.pilot.xds.subscriptions import Touch, subscribe
from proa.core.pilot.xds.wire import Request, decode_request, encode_resource, encode_response

_CLUSTER, _ENDPOINT = ResourceType.CLUSTER, ResourceType.ENDPOINT
_EXTENSION = ResourceType.EXTENSION


class _Batch:
    """A response in the making."""

    def __init__(self) -> None:
        self.versions: dict[str, str] = {}
        self.pieces: list[bytes] = []
        self.removed: list[str] = []
        self.size = 0
        self.first = NEVER

    def fits(self, piece: bytes, limit: int) -> bool:
        return not self.versions or self.size + len(piece) <= limit

    def add(self, name: str, version: str, piece: bytes, first: int) -> None:
        self.versions[name] = version
        if version:
            self.pieces.append(piece)
        else:
            self.removed.append(name)
        self.size += len(piece)
        self.first = min(self.first, first)


class DeltaServer:
    """One per stream. Owner: the task of that stream.

    `encode` makes the wire form of a resource; pass `wire.Pieces().encode`, one for the whole process, to share
    the bytes between streams. `max_bytes` bounds one response (gRPC refuses 4 MiB); one bigger resource goes alone.
    `sent` counts the resources put into responses, without removals; it may be shared between streams.
    """

    def __init__(
        self,
        source: ResourceSource,
        *,
        encode: Callable[[Resource], bytes] = encode_resource,
        max_bytes: int = 3_500_000,
        sent: Counter[ResourceType] | None = None,
    ) -> None:
        self._source = source
        self._encode = encode
        self._max_bytes = max_bytes
        self._states = {kind: TypeState(kind) for kind in ORDER}
        self._round = tuple(self._states[kind] for kind in ROUND)
        self._seq = 0
        self._nonce = 0
        # Clusters in un-ACKed responses whose endpoints are not subscribed yet -> sequence number of the cluster.
        self._warming: dict[str, int] = {}
        self._sent = Counter[ResourceType]() if sent is None else sent

    # -- inputs --

    def receive(self, request: bytes) -> Actions:
        """A serialised DeltaDiscoveryRequest arrived. Undecodable bytes give `Close`, unknown types nothing."""
        try:
            message = decode_request(request)
        except ValueError as error:
            return (Close(reason=str(error)),)
        kind = BY_URL.get(message.type_url)
        if kind is None:
            return ()
        self._seq += 1
        state = self._states[kind]
        actions: list[Action] = []
        if message.nonce:
            actions.extend(self._answered(state, message))
        is_warming = kind is _ENDPOINT and not state.asked and not self._states[_CLUSTER].asked
        for event in subscribe(state, message, self._source, self._warming, resend=is_warming):
            if isinstance(event, Touch):
                self._touch(state, event.names, event.first)
            else:
                actions.append(event)
        actions.extend(self._pump())
        return tuple(actions)

    def offer(self, changed: Iterable[tuple[ResourceType, str]]) -> Actions:
        """These names changed, appeared or vanished in the source; all of one change in one call, so that its
        parts are ordered make-before-break against each other. Names the proxy did not ask for cost nothing."""
        self._seq += 1
        for kind, name in changed:
            state = self._states[kind]
            if state.wants(name):
                self._touch(state, [name])
        return self._pump()

    def offer_all(self, kind: ResourceType) -> Actions:
        """Look at every name of `kind` that the proxy wants: the source became complete or was replaced."""
        self._seq += 1
        state = self._states[kind]
        names = {*state.names, *state.held, *state.forced}
        if state.wildcard:
            names.update(self._source.names(kind))
        self._touch(state, [name for name in names if state.wants(name)])
        return self._pump()

    def overdue(self, kind: ResourceType) -> Actions:
        """The proxy has not answered a response of `kind` for so long (the edge's clock) that others should not
        wait for it any more. A late answer is still understood. Envoy 1.40 needs this: when a CDS response holds a
        cluster whose load balancer it refuses late, it never answers CDS again until that cluster is removed."""
        state = self._states[kind]
        for flight in state.flights.values():
            # Whether it will be taken is unknown: the next change is sent, whatever seems to be held.
            state.forced.update(name for name in flight.versions if state.wants(name))
        state.stall()
        return self._pump()

    # -- questions --

    def wants(self, kind: ResourceType, name: str) -> bool:
        return self._states[kind].wants(name)

    def has_wildcard(self, kind: ResourceType) -> bool:
        """Whether the proxy asked for all there is of `kind`."""
        return self._states[kind].wildcard

    def acked(self, kind: ResourceType) -> Mapping[str, str]:
        """name -> version that the proxy serves (read-only, live view)."""
        return MappingProxyType(self._states[kind].held)

    def rejected(self) -> Mapping[tuple[ResourceType, str], tuple[str, str]]:
        """(type, name) -> (version, error) of what the proxy refuses and that has not changed since."""
        return {
            (state.kind, name): refusal
            for state in self._states.values()
            if state.rejected
            for name, refusal in state.rejected.items()
        }

    def pending(self) -> frozenset[tuple[ResourceType, str]]:
        """What is not sent or not answered yet."""
        return frozenset(
            (kind, name)
            for kind, state in self._states.items()
            if not state.is_idle
            for name in state.pending()
        )

    def awaited(self) -> frozenset[ResourceType]:
        """Types with an un-ACKed response that is not overdue: the edge runs its clock by these."""
        return frozenset(kind for kind, state in self._states.items() if state.is_busy)

    @property
    def is_settled(self) -> bool:
        """Nothing pending; rejected resources count as settled."""
        return not any(state.has_work or state.flights or state.unanswered for state in self._states.values())

    @property
    def subscriptions(self) -> int:
        """Names the proxy asked for, over all types: what its wishes cost in memory."""
        return sum(len(state.names) for state in self._states.values())

    def has_asked(self, kind: ResourceType) -> bool:
        """Whether there was any request of this type."""
        return self._states[kind].asked

    def responses_kept(self) -> int:
        """Un-ACKed responses whose answer would still be understood, over all types."""
        return sum(len(state.flights) for state in self._states.values())

    # -- answers --

    def _answered(self, state: TypeState, message: Request) -> list[Action]:
        flight = state.flights.pop(message.nonce, None)
        if flight is None:  # a stale nonce: only its subscriptions count
            return []
        if message.error is None:
            return self._accepted(state, flight)
        if len(flight.versions) == 1:
            return self._refused(state, flight, message.error)
        # Envoy may have applied a part of what it refused, so none of these versions is known to be held.
        state.forced.update(name for name in flight.versions if state.wants(name))
        for part in split(flight.versions, message.error):
            if part:
                state.suspects.append(Suspects(versions=part, first=flight.first))
        return []

    def _accepted(self, state: TypeState, flight: Flight) -> list[Action]:
        actions: list[Action] = []
        for name, version in flight.versions.items():
            if state.kind is _CLUSTER:
                self._warming.pop(name, None)
            if not state.wants(name):
                continue
            state.unanswered.discard(name)
            state.rejected.pop(name, None)
            if version:
                state.held[name] = version
            else:
                state.held.pop(name, None)
            actions.append(Acked(type=state.kind, name=name, version=version))
        return actions

    def _refused(self, state: TypeState, flight: Flight, error: str) -> list[Action]:
        ((name, version),) = flight.versions.items()
        if state.kind is _CLUSTER:
            self._warming.pop(name, None)
        if not state.wants(name):
            return []
        state.unanswered.discard(name)
        if version:
            state.rejected[name] = (version, error)
            if state.held.get(name) == version:  # ACKed once, refused now: nobody knows what it serves
                del state.held[name]
        else:  # a refused removal cannot be asked for again: it counts as done
            state.held.pop(name, None)
        return [Rejected(type=state.kind, name=name, version=version, error=error)]

    # -- sending --

    def _touch(self, state: TypeState, names: list[str], first: int | None = None) -> None:
        absent = {name for name in names if self._source.lookup(state.kind, name) is None}
        if state.kind is _EXTENSION:
            # A listener that is gone serves its open connections for a while, by filters it looks up by name: without
            # them it would answer 500. The client lets go of the name when the last of them is over.
            names = [name for name in names if name not in absent or name not in state.held]
            absent.intersection_update(names)
        state.touch(names, self._seq, first=self._seq if first is None else first, absent=absent)

    def _pump(self) -> Actions:
        sent: list[Action] = []
        for state in self._round:
            if state.has_work and not state.is_busy and (send := self._flush(state)) is not None:
                sent.append(send)
        return tuple(sent)

    def _flush(self, state: TypeState) -> Send | None:
        """For a state that has work and is not busy."""
        batch = self._next_suspects(state)
        if not batch.versions:
            self._collect_updates(state, batch)
            self._collect_removals(state, batch)
        is_owed = state.greeting and not state.updates and self._source.knows_all(state.kind)
        if not batch.versions and not is_owed:
            return None
        return self._send(state, batch)

    def _send(self, state: TypeState, batch: _Batch) -> Send:
        self._nonce += 1
        nonce = str(self._nonce)
        state.greeting = False
        state.forced.difference_update(batch.versions)
        state.flights[nonce] = Flight(versions=batch.versions, first=batch.first)
        if state.kind is _CLUSTER:
            self._warm(batch)
        if batch.pieces:
            self._sent[state.kind] += len(batch.pieces)
        return Send(body=encode_response(state.kind, nonce, batch.pieces, batch.removed))

    def _warm(self, batch: _Batch) -> None:
        """A sent cluster warms by its endpoints: they are sent (again) after it, and count as part of its change."""
        endpoints = self._states[_ENDPOINT]
        subscribed: list[str] = []
        for name, version in batch.versions.items():
            if not version:
                self._warming.pop(name, None)
            elif name in endpoints.names:
                subscribed.append(name)
            else:
                self._warming[name] = batch.first
        endpoints.forced.update(subscribed)
        self._touch(endpoints, subscribed, batch.first)

    def _next_suspects(self, state: TypeState) -> _Batch:
        """The next part of a refused response. What has changed since has a cell of its own and is left to that."""
        batch = _Batch()
        while state.suspects and not batch.versions:
            group = state.suspects.popleft()
            for name, version in group.versions.items():
                resource = self._source.lookup(state.kind, name)
                if state.wants(name) and (resource.digest if resource else "") == version:
                    batch.add(name, version, self._encode(resource) if resource else b"", group.first)
        return batch

    def _bound(self, waits: tuple[ResourceType, ...], *, with_removals: bool = False) -> int:
        return min((self._states[kind].oldest(with_removals=with_removals) for kind in waits), default=NEVER)

    def _collect_updates(self, state: TypeState, batch: _Batch) -> None:
        if not state.updates:
            return
        change, answer = self._bound(CHANGE_WAITS[state.kind]), self._bound(ANSWER_WAITS[state.kind])
        highest = answer if state.forced else change
        done: list[str] = []
        for name, cell in state.updates.items():
            if cell.first >= highest:
                break
            if cell.last >= (answer if name in state.forced else change):
                continue
            resource = self._source.lookup(state.kind, name)
            if resource is not None and self._is_due(state, resource):
                piece = self._encode(resource)
                if not batch.fits(piece, self._max_bytes):
                    break
                batch.add(name, resource.digest, piece, cell.first)
            done.append(name)
        for name in done:
            del state.updates[name]

    def _is_due(self, state: TypeState, resource: Resource) -> bool:
        name = resource.name
        if not state.wants(name):
            return False
        refusal = state.rejected.get(name)
        if refusal is not None:
            is_same = refusal[0] == resource.digest
            # Endpoints are forced by a cluster that warms: refusing them again ends that, silence does not.
            if is_same and not (state.kind is _ENDPOINT and name in state.forced):
                state.forced.discard(name)
                return False
            del state.rejected[name]
        return name in state.forced or state.held.get(name) != resource.digest

    def _collect_removals(self, state: TypeState, batch: _Batch) -> None:
        if not state.removals:
            return
        change = self._bound(REMOVAL_WAITS[state.kind], with_removals=state.kind in PROVIDERS)
        answer = self._bound(ANSWER_WAITS[state.kind])
        done: list[str] = []
        for name, cell in state.removals.items():
            # "It does not exist" may be what the proxy is waiting for; only a cluster in use is never cut short.
            is_answer = name in state.forced and (state.kind is not _CLUSTER or name not in state.held)
            if cell.last >= (answer if is_answer else change):
                continue
            done.append(name)
            if state.wants(name) and self._source.knows(state.kind, name):
                state.rejected.pop(name, None)
                if name in state.forced or name in state.held:
                    batch.add(name, "", b"", cell.first)
        for name in done:
            del state.removals[name]
