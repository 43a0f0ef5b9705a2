"""The gate before new xDS streams: asks `core.pilot.xds.admission` who begins, and lets the others wait.

Owner of the waiting streams and of the measure of how late the event loop runs. A stream that is let in at once never
leaves the caller's turn of the loop; one that has to wait does so on a future, and is forgotten with its task.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from proa.control_plane.proxies import ProxyStream
from proa.control_plane.refusals import Refusals
from proa.core.pilot.xds.admission import Admission, Backlog, Bounds
from proa.core.sidecar.retry import with_retry
from proa.servers.grpc_edge import NotNow

TURN_S: Final = 0.1
"""How often the loop's lag is measured and streams that fill are looked at."""


class Place:
    """One attempt to open a stream, from the question to its first full set."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.begins: asyncio.Future[None] | None = None
        self.stream: ProxyStream | None = None
        self._requests_seen = -1

    def has_stood_still(self) -> bool:
        """Whether nothing was asked since the last look, and nothing was on its way at either: for peers that ask for
        less than a sidecar."""
        stream = self.stream
        if stream is None or not stream.is_idle:
            self._requests_seen = -1
            return False
        before, self._requests_seen = self._requests_seen, stream.requests
        return before == stream.requests


class Gate:
    """`push_age` is asked for the age of the oldest change that most wait for. `run` must run."""

    def __init__(
        self,
        push_age: Callable[[], float],
        clock: Callable[[], float],
        refusals: Refusals,
        bounds: Bounds | None = None,
    ) -> None:
        self._push_age = push_age
        self._clock = clock
        self._refusals = refusals
        self._admission: Admission[Place] = Admission(bounds or Bounds())
        self.lag_s = 0.0
        self.admitted = 0

    @property
    def waiting(self) -> int:
        return self._admission.waiting

    @property
    def filling(self) -> int:
        return len(self._admission.filling)

    async def enter(self, node: str) -> Place:
        """Returns when a stream of this node may begin. Raises NotNow when even the queue is full."""
        place = Place(node)
        turned = self._admission.ask(place, node)
        if turned is not None:
            self._refusals.count(turned.reason, node)
            raise NotNow(with_retry(f"too many streams want to begin ({turned.reason})", turned.retry_s))
        if place in self._admit():
            return place
        place.begins = asyncio.get_running_loop().create_future()
        try:
            await place.begins
        except asyncio.CancelledError:
            self.leave(place)
            raise
        return place

    def heard(self, place: Place) -> None:
        """The place's stream has moved on; those that wait need not wait for the next turn."""
        if place.stream is not None and place.stream.is_full:
            self._end(place)

    def leave(self, place: Place) -> None:
        """The stream ended, full or not."""
        self._admission.left(place)
        self._admit()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            before = self._clock()
            await asyncio.sleep(TURN_S)
            self.turn(max(0.0, self._clock() - before - TURN_S))

    def turn(self, lag_s: float) -> None:
        """One look at what fills, with how late the loop runs."""
        self.lag_s = lag_s
        for place in self._admission.filling:
            if place.has_stood_still():
                self._admission.filled(place, self._clock())
        self._admit()

    def _end(self, place: Place) -> None:
        self._admission.filled(place, self._clock())
        self._admit()

    def _admit(self) -> tuple[Place, ...]:
        if not self._admission.waiting:
            return ()
        admitted = self._admission.admit(self._clock(), Backlog(lag_s=self.lag_s, push_s=self._push_age()))
        self.admitted += len(admitted)
        for place in admitted:
            if place.begins is not None and not place.begins.done():
                place.begins.set_result(None)
        return admitted
