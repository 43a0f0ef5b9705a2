"""The server's half of state-of-the-world xDS for one stream, without the stream.

Order, latest values, one un-ACKed response per type and the search for the guilty resource are `DeltaServer`'s, one
of which works inside: a stream of the world's states is a stream of differences whose client keeps no table, so the
table is kept here. This module decides what that costs: which names a request adds and takes away, what a whole state
consists of, and when one may be told. Called by the agent's edge for gRPC's own client. Differences of the protocol:

- Clusters and listeners travel whole: what a response leaves out does not exist. So a state is told only when each name
  that the client asked for is known, one way or the other; and one that is refused stays at the version last ACKed.
- Of other types a response holds what changed. That one of them is gone cannot be said; the client hears it from
  the cluster or listener that used it.
- Wishes count in every request, also in one that crossed a response on the wire: requests come in order, and a name
  that was dropped and wished for again must be sent again. A nonce says only whether it is an answer.
- A new stream starts from nothing. A version says what was ACKed once, not what a client still holds that has changed
  its wishes since.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from proa.core.model.digest import combine
from proa.core.pilot.resource import BY_URL, ORDER, Resource, ResourceType
from proa.core.pilot.xds.actions import Action, Actions, Close, Send
from proa.core.pilot.xds.delta_server import DeltaServer
from proa.core.pilot.xds.order import WILDCARD_TYPES
from proa.core.pilot.xds.sotw_wire import SotwRequest, decode_sotw_request, encode_sotw_response
from proa.core.pilot.xds.source import ResourceSource
from proa.core.pilot.xds.wire import Response, decode_response, encode_request

WHOLE_TYPES = WILDCARD_TYPES
_UNBOUNDED = 1 << 40
"""A whole state cannot be cut into several responses."""


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    """A response on its way: the flights it holds, and whether it holds something besides."""

    flights: tuple[str, ...]
    filled: bool = False


class _Table:
    """Of one type: the client's wishes, what it has ACKed, and what is on its way to it."""

    __slots__ = (
        "careful",
        "content",
        "flights",
        "has_named",
        "kind",
        "names",
        "newest",
        "probe",
        "told",
        "wildcard",
    )

    def __init__(self, kind: ResourceType) -> None:
        self.kind = kind
        self.wildcard = False
        self.has_named = False  # from then on a request without names wants nothing
        self.names: tuple[str, ...] = ()
        self.content: dict[str, Resource] = {}
        self.flights: dict[
            str, Response
        ] = {}  # un-ACKed differences by the inner machine's nonce, oldest first
        self.told: dict[str, _Told] = {}  # un-ACKed responses by our nonce
        self.newest = ""  # nonce of the last response
        self.careful: list[str] = []  # flights to be told one by one, to find whom to blame
        self.probe = ""  # nonce of the response that told one of them

    @property
    def is_whole(self) -> bool:
        return self.kind in WHOLE_TYPES

    @property
    def has_news(self) -> bool:
        """A whole state is to be told. Never while a probe is out: it would not be known who is refused."""
        if not self.is_whole or not self.flights or self.probe in self.told:
            return False
        return not all(any(nonce in told.flights for told in self.told.values()) for nonce in self.flights)

    def wish(self, names: tuple[str, ...]) -> tuple[list[str], list[str]]:
        """(subscribe, unsubscribe) in delta's words."""
        unnamed = not names and self.is_whole and not self.has_named
        wildcard = self.is_whole and ("*" in names or unnamed)
        named = tuple(dict.fromkeys(name for name in names if name != "*"))
        self.has_named = self.has_named or bool(names)
        added = [name for name in named if name not in self.names]
        gone = [name for name in self.names if name not in named]
        if wildcard and not self.wildcard:
            added.insert(0, "*")
        if self.wildcard and not wildcard:
            gone.insert(0, "*")
        self.names, self.wildcard = named, wildcard
        self.content = self._wanted(self.content)
        return added, gone

    def state(self, nonces: Iterable[str]) -> dict[str, Resource]:
        """What the client holds once it takes these flights."""
        state = dict(self.content)
        for nonce in nonces:
            state.update({resource.name: resource for resource in self.flights[nonce].changed})
            for name in self.flights[nonce].removed:
                state.pop(name, None)
        return self._wanted(state)

    def land(self, nonce: str, *, taken: bool) -> None:
        """A flight is answered."""
        if taken:
            self.content = self.state((nonce,))
        del self.flights[nonce]

    def _wanted(self, state: dict[str, Resource]) -> dict[str, Resource]:
        return state if self.wildcard else {name: state[name] for name in self.names if name in state}


class SotwServer:
    """One per stream. Owner: the task of that stream. Inputs, questions and actions are those of `DeltaServer`; a
    `Send` holds a serialised DiscoveryResponse."""

    def __init__(self, source: ResourceSource) -> None:
        self._source = source
        self._delta = DeltaServer(source, max_bytes=_UNBOUNDED)
        self._tables = {kind: _Table(kind) for kind in ORDER}
        self._nonce = 0

    # -- inputs --

    def receive(self, request: bytes) -> Actions:
        """A serialised DiscoveryRequest arrived. Undecodable bytes give `Close`, unknown types nothing."""
        try:
            message = decode_sotw_request(request)
        except ValueError as error:
            return (Close(reason=str(error)),)
        kind = BY_URL.get(message.type_url)
        if kind is None:
            return ()
        table = self._tables[kind]
        actions = self._answered(table, message)
        added, gone = table.wish(message.names)
        if added or gone:
            difference = encode_request(kind, subscribe=added, unsubscribe=gone)
            actions += self._told(self._delta.receive(difference))
        return (*actions, *self._tell_states())

    def offer(self, changed: Iterable[tuple[ResourceType, str]]) -> Actions:
        """See `DeltaServer.offer`."""
        return (*self._told(self._delta.offer(changed)), *self._tell_states())

    def offer_all(self, kind: ResourceType) -> Actions:
        """See `DeltaServer.offer_all`."""
        return (*self._told(self._delta.offer_all(kind)), *self._tell_states())

    def overdue(self, kind: ResourceType) -> Actions:
        """See `DeltaServer.overdue`."""
        table = self._tables[kind]
        table.careful, table.probe = [], ""
        return (*self._told(self._delta.overdue(kind)), *self._tell_states())

    # -- questions --

    def wants(self, kind: ResourceType, name: str) -> bool:
        return self._delta.wants(kind, name)

    def has_wildcard(self, kind: ResourceType) -> bool:
        """Whether the client asked for all there is of `kind`."""
        return self._delta.has_wildcard(kind)

    def acked(self, kind: ResourceType) -> Mapping[str, str]:
        """name -> version that the client serves (read-only, live view)."""
        return self._delta.acked(kind)

    def rejected(self) -> Mapping[tuple[ResourceType, str], tuple[str, str]]:
        """(type, name) -> (version, error) of what the client refuses and that has not changed since."""
        return self._delta.rejected()

    def pending(self) -> frozenset[tuple[ResourceType, str]]:
        """What is not sent or not answered yet."""
        return self._delta.pending()

    def awaited(self) -> frozenset[ResourceType]:
        """Types with a response that is not answered and not overdue."""
        return self._delta.awaited()

    @property
    def is_settled(self) -> bool:
        """Nothing pending; rejected resources count as settled."""
        return self._delta.is_settled

    # -- inside --

    def _answered(self, table: _Table, message: SotwRequest) -> list[Action]:
        told = table.told.pop(message.nonce, None)
        if told is None:
            return []  # a change of wishes
        flights = [nonce for nonce in told.flights if nonce in table.flights]
        if message.error is not None and (told.filled or len(told.flights) > 1):
            # The machine blames a flight for what is said of it: so each is told alone before it is blamed.
            table.careful = flights
            return []
        actions: list[Action] = []
        for nonce in flights:
            table.land(nonce, taken=message.error is None)
            answer = encode_request(table.kind, nonce=nonce, error=message.error)
            actions += self._told(self._delta.receive(answer))
        return actions

    def _told(self, actions: Actions) -> list[Action]:
        """The machine's differences, in its order; whole states only as soon as they may be told."""
        told: list[Action] = []
        for action in actions:
            if not isinstance(action, Send):
                told.append(action)
                continue
            flight = decode_response(action.body)
            table = self._tables[flight.type]
            table.flights[flight.nonce] = flight
            if table.is_whole:
                told += self._tell(table)
            elif flight.changed:
                told.append(self._sent(table, (flight.nonce,), flight.changed))
            else:  # it cannot be told, so it will not be answered
                table.land(flight.nonce, taken=True)
                told += self._told(self._delta.receive(encode_request(flight.type, nonce=flight.nonce)))
        return told

    def _tell_states(self) -> Iterator[Send]:
        for table in self._tables.values():
            yield from self._tell(table)

    def _tell(self, table: _Table) -> Iterator[Send]:
        if not table.has_news:
            return
        table.careful = [nonce for nonce in table.careful if nonce in table.flights]
        if table.careful:
            alone = (table.careful.pop(0),)
            yield self._sent(table, alone, table.state(alone).values())
            table.probe = table.newest
            return
        nonces = tuple(table.flights)
        state = table.state(nonces)
        known_gone = {name for nonce in nonces for name in table.flights[nonce].removed}
        missing = [name for name in table.names if name not in state and name not in known_gone]
        if all(self._source.knows(table.kind, name) for name in missing):
            filled = self._fill(table, missing)
            yield self._sent(table, nonces, [*state.values(), *filled], filled=bool(filled))

    def _fill(self, table: _Table, missing: list[str]) -> list[Resource]:
        """What the client asked for by name and is not due yet: to leave it out would say that there is none. It will
        be sent again when it is due."""
        found = [self._source.lookup(table.kind, name) for name in missing]
        refused = self._delta.rejected()
        return [
            each
            for each in found
            if each is not None and refused.get((table.kind, each.name), ("", ""))[0] != each.digest
        ]

    def _sent(
        self, table: _Table, flights: tuple[str, ...], resources: Iterable[Resource], *, filled: bool = False
    ) -> Send:
        self._nonce += 1
        table.newest = str(self._nonce)
        table.told[table.newest] = _Told(flights=flights, filled=filled)
        chosen = sorted(resources, key=lambda resource: resource.name)
        version = combine(f"{resource.name} {resource.digest}" for resource in chosen)
        return Send(body=encode_sotw_response(table.kind, chosen, version=version, nonce=table.newest))
