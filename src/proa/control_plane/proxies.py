"""Connected proxies: their protocol machines, what each still has to take, and since when.

Owner of all streams' state; the xDS server drives it with what arrives, the world with what changes. It answers
the question behind `apply --wait`: which proxies have taken everything of a generation, and which refused what.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from proa.control_plane.proxy_source import ProxySource
from proa.control_plane.scope_bundle import Name
from proa.control_plane.world import World
from proa.core.model.names import ObjectRef, WorkloadId
from proa.core.pilot.resource import ResourceType
from proa.core.pilot.scope.index import Affected
from proa.core.pilot.scope.scope import Scope
from proa.core.pilot.xds.actions import Acked, Action, Close, Rejected, Send
from proa.core.pilot.xds.delta_server import DeltaServer
from proa.core.pilot.xds.wire import Pieces

OVERDUE_S: Final = 5.0
"""How long one type's answer may take before other types stop waiting for it."""

RETURN_S: Final = 5.0
"""How long a proxy whose stream has ended is expected back."""

MAX_PUSHES: Final = 64
"""Generations that are watched until everybody has taken them. While some proxy sleeps through more than these, the
newest ones are watched as one."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One resource one proxy would not take. `generation`: the change it came with."""

    type: ResourceType
    name: str
    error: str
    objects: tuple[ObjectRef, ...]
    generation: int


class ProxyStream:
    """One open stream. Everything here is called from the event loop; the stream's writer takes from `outbox`."""

    def __init__(
        self,
        workload: WorkloadId,
        node: str,
        source: ProxySource,
        pieces: Pieces,
        generation: int,
        now: float,
        sent: Counter[ResourceType],
    ) -> None:
        self.workload = workload
        self.node = node
        self.source = source
        self.scope = source.shared.scope
        self.server = DeltaServer(source, encode=pieces.encode, sent=sent)
        self.since = now
        self.outbox: list[bytes] = []
        self.closed_because: str | None = None
        self.on_end: Callable[[], object] = lambda: None
        self.ready = asyncio.Event()
        self._generation = generation
        self._has_asked = False
        self._is_writing = False
        self._pending_since: dict[Name, int] = {}
        self._refused_at: dict[Name, int] = {}
        self.requests = 0

    def offer(self, changed: Iterable[Name], generation: int) -> None:
        self._generation = generation
        self._perform(self.server.offer(changed))

    def take(self) -> list[bytes]:
        """What is to be written, in order; it is the writer's from now on, who comes again when it is written."""
        bodies, self.outbox = self.outbox, []
        self._is_writing = bool(bodies)
        return bodies

    def end(self, reason: str) -> None:
        """Nothing more is taken from this peer; the reason reaches it."""
        self.closed_because = reason
        self.ready.set()
        self.on_end()

    def receive(self, body: bytes) -> None:
        self._has_asked = True
        self.requests += 1
        self._perform(self.server.receive(body))

    def overdue(self) -> None:
        """The clock says that answers are late: let the others go ahead. A peer that does not even read is not asked
        for answers: it has at most one response per type on its way, for however long it sleeps."""
        if self.outbox or self._is_writing:
            return
        for kind in self.server.awaited():
            self._perform(self.server.overdue(kind))

    def _perform(self, actions: Iterable[Action]) -> None:
        for action in actions:
            match action:
                case Send(body=body):
                    self.outbox.append(body)
                    self.ready.set()
                case Close(reason=reason):
                    self.end(reason)
                case Rejected(type=kind, name=name):
                    self._refused_at[(kind, name)] = self._pending_since.get((kind, name), self._generation)
                case Acked(type=kind, name=name):
                    self._refused_at.pop((kind, name), None)
                case _:
                    pass
        pending = self.server.pending()
        self._pending_since = {name: self._pending_since.get(name, self._generation) for name in pending}
        if self._refused_at:
            refused = self.server.rejected()
            self._refused_at = {name: since for name, since in self._refused_at.items() if name in refused}

    def has_taken(self, generation: int) -> bool:
        """Whether nothing of this generation or before is on its way any more. A stream on which nothing was asked yet
        has taken nothing."""
        return self._has_asked and all(since > generation for since in self._pending_since.values())

    @property
    def taken_through(self) -> int:
        """The newest generation of which nothing is on its way."""
        return min(self._pending_since.values(), default=self._generation + 1) - 1

    @property
    def is_full(self) -> bool:
        """Whether it has its first full set: its listeners, which a proxy asks for last, and nothing on its way."""
        return self.server.has_asked(ResourceType.LISTENER) and not self._pending_since

    @property
    def is_idle(self) -> bool:
        """Whether nothing is on its way after something was asked."""
        return self._has_asked and not self._pending_since

    @property
    def held(self) -> int:
        """What this stream costs while its peer sleeps, in responses: those to be written and those not answered."""
        return len(self.outbox) + self.server.responses_kept()

    def refusals(self) -> Iterator[Refusal]:
        for (kind, name), (_, error) in self.server.rejected().items():
            resource = self.source.lookup(kind, name)
            yield Refusal(
                type=kind,
                name=name,
                error=error,
                objects=resource.objects if resource else (),
                generation=self._refused_at.get((kind, name), 0),
            )


class _Push:
    """A generation on its way (or some, merged): when the first was pushed, to how many, and who has not taken all of
    it yet."""

    def __init__(self, at: float) -> None:
        self.at = at
        self.told = 0
        self.waiting: set[ProxyStream] = set()


_NOTHING: Final[set[Name]] = set()


class Proxies:
    """Owner of the streams, by workload. A second stream of a workload takes the place of the first."""

    def __init__(self, world: World, clock: Callable[[], float]) -> None:
        self._world = world
        self._clock = clock
        self._pieces = Pieces()
        self._streams: dict[WorkloadId, ProxyStream] = {}
        self._of_scope: dict[Scope, dict[WorkloadId, ProxyStream]] = {}
        self._lost: dict[WorkloadId, float] = {}
        self._changed = asyncio.Event()
        self.revision = 0
        self.nacks = 0
        self.resources_sent: Counter[ResourceType] = Counter()
        self._pushes: dict[int, _Push] = {}
        self.convergence: Callable[[float], None] = lambda seconds: None
        world.subscribe(self._on_round)

    def open(self, workload: WorkloadId, node: str) -> ProxyStream:
        source = self._world.source_for(workload)
        stream = ProxyStream(
            workload,
            node,
            source,
            self._pieces,
            self._world.generation,
            self._clock(),
            self.resources_sent,
        )
        previous = self._streams.get(workload)
        if previous is not None:
            previous.end("another stream of this workload has taken over")
        self._streams[workload] = stream
        self._lost.pop(workload, None)
        self._enter(stream)
        self._notify()
        return stream

    def close(self, stream: ProxyStream) -> None:
        if self._streams.get(stream.workload) is stream:
            del self._streams[stream.workload]
            self._lost = {workload: at for workload, at in self._lost.items() if self._is_recent(at)}
            self._lost[stream.workload] = self._clock()
            self._leave(stream)
            self._world.release(stream.workload)
        self._settle(stream, is_gone=True)
        self._notify()

    def _enter(self, stream: ProxyStream) -> None:
        stream.scope = stream.source.shared.scope
        self._of_scope.setdefault(stream.scope, {})[stream.workload] = stream

    def _leave(self, stream: ProxyStream) -> None:
        left = self._of_scope[stream.scope]
        del left[stream.workload]
        if not left:
            del self._of_scope[stream.scope]

    def received(self, stream: ProxyStream, body: bytes) -> None:
        before = len(stream.server.rejected())
        stream.receive(body)
        self.nacks += max(0, len(stream.server.rejected()) - before)
        self._settle(stream)
        self._notify()

    def check_overdue(self) -> None:
        for stream in self._streams.values():
            stream.overdue()

    def streams(self) -> tuple[ProxyStream, ...]:
        return tuple(self._streams.values())

    def expected_back(self) -> tuple[WorkloadId, ...]:
        """Whose streams ended in the last seconds: an agent whose certificate is renewed, or that finds another control
        plane, brings all of its proxies back, and what they have not been told meanwhile they do not know."""
        return tuple(workload for workload, at in self._lost.items() if self._is_recent(at))

    def _is_recent(self, at: float) -> bool:
        return 0 <= self._clock() - at < RETURN_S

    def stream_of(self, workload: WorkloadId) -> ProxyStream | None:
        return self._streams.get(workload)

    async def changed(self, seen: int) -> int:
        """Returns the revision as soon as it is another than `seen`: read `revision` first, look, then wait, and no
        change in between is missed."""
        while self.revision == seen:
            await self._changed.wait()
        return self.revision

    def look_again(self) -> None:
        """Something else that those who wait for `changed` look at is different now."""
        self._notify()

    def _notify(self) -> None:
        self.revision += 1
        self._changed.set()
        self._changed = asyncio.Event()

    def _settle(self, stream: ProxyStream, *, is_gone: bool = False) -> None:
        """Strike a stream off the generations it has taken, and tell how long those took that all have taken."""
        for generation, push in list(self._pushes.items()):
            if stream in push.waiting and (is_gone or stream.has_taken(generation)):
                push.waiting.discard(stream)
                if not push.waiting:
                    del self._pushes[generation]
                    self.convergence(self._clock() - push.at)

    def _on_round(
        self,
        generation: int,
        affected: Affected,
        scopes: dict[Scope, set[Name]],
        workloads: dict[WorkloadId, set[Name]],
    ) -> None:
        push = _Push(at=self._clock())
        self._follow(workloads)
        for stream in self._concerned(scopes, workloads):
            changed = scopes.get(stream.scope, _NOTHING)
            own = workloads.get(stream.workload)
            if own:
                changed = changed | own
            stream.offer(changed, generation)
            if not stream.has_taken(generation):
                push.waiting.add(stream)
        if push.waiting:
            self._watch(generation, push)
        self._notify()

    def _follow(self, workloads: Iterable[WorkloadId]) -> None:
        """Streams whose workloads are of another scope now; the round names those, too."""
        for workload in workloads:
            stream = self._streams.get(workload)
            if stream is not None and stream.scope != stream.source.shared.scope:
                self._leave(stream)
                self._enter(stream)

    def _concerned(
        self, scopes: dict[Scope, set[Name]], workloads: dict[WorkloadId, set[Name]]
    ) -> Iterator[ProxyStream]:
        """The streams that a round has something for; no other is visited."""
        for scope, changed in scopes.items():
            if changed:
                yield from self._of_scope.get(scope, {}).values()
        for workload, own in workloads.items():
            stream = self._streams.get(workload)
            if own and stream is not None and not scopes.get(stream.scope):
                yield stream

    def _watch(self, generation: int, push: _Push) -> None:
        if len(self._pushes) >= MAX_PUSHES:
            # One that waits for the older waits for the newer, too: told a little too long rather than not at all.
            _, newest = self._pushes.popitem()
            push.waiting |= newest.waiting
            push.at = newest.at
        push.told = len(push.waiting)
        self._pushes[generation] = push

    @property
    def pushes_watched(self) -> int:
        return len(self._pushes)

    def push_age(self) -> float:
        """Since when most of those whom a change concerns wait for it, in seconds. Where it is only a few, or where
        answers are overdue, the delay is theirs and not this server's."""
        now = self._clock()
        ages = (now - push.at for push in self._pushes.values() if 2 * len(push.waiting) > push.told)
        return max((age for age in ages if age < OVERDUE_S), default=0.0)
