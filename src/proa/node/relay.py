"""One workload's relay: moves bytes between the control plane's stream, the Envoy's stream and the table that
decides (`core.sidecar.relay`). Started and owned by the workload; the Envoy keeps being served while the
control plane is away.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from proa.core.model.names import WorkloadId
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.xds.actions import Acked, Rejected, Subscribed
from proa.core.pilot.xds.wire import decode_request
from proa.core.sidecar.relay import CloseDown, CloseUp, Down, RelayActions, RelayTable, Up
from proa.core.sidecar.relay_shelf import LOCAL_TYPES
from proa.node.session import Session
from proa.node.uplink import Uplink
from proa.node.upstream import Upstream
from proa.node.workers import Workers
from proa.runtime.adopted import start_time
from proa.runtime.cell import Cell
from proa.runtime.outlet import Outlet

OVERDUE_S: Final = 5.0
TURN_S: Final = 1.0
LISTENER_URL: Final = ResourceType.LISTENER.value.encode()
log = logging.getLogger("proa.node.relay")


class Relay:
    """A `servers.xds_local.Downstream`. Everything happens in one event loop and each table call is performed
    at once, so the order of the table is the order on the wires. In a hot restart two Envoys are below: the one that
    was started last is the table's, the elder keeps what it has, unless it is left alone again: then its stream is
    ended, and it comes back saying what that is. What an Envoy says about listeners counts when its workers have them:
    a change that is live is live for the next connection. `down` tells whether the Envoy is there, `asked` which
    secrets it wants; `taken` is called when it has accepted something that the table keeps, or dropped it."""

    def __init__(
        self,
        workload: WorkloadId,
        table: RelayTable,
        uplink: Uplink,
        session: Session,
        taken: Callable[[], None],
        workers: Workers,
    ) -> None:
        self._workload = workload
        self._table = table
        self._taken = taken
        self._workers = workers
        self._holding = 0
        self._held: asyncio.Queue[tuple[Outlet, bytes]] = asyncio.Queue()
        self._above = Upstream(workload, uplink, session, self)
        self._below: Outlet | None = None
        self._born = 0
        self._elders: set[Outlet] = set()
        self._has_spoken = False
        self._steps: Cell[int] = Cell(0)
        self.down: Cell[bool] = Cell(False)
        self.asked: Cell[frozenset[str]] = Cell(frozenset())

    # -- the Envoy's side --

    def connected(self, outlet: Outlet, pid: int) -> None:
        born = start_time(pid) or 0
        if self._below is not None:
            if born < self._born:
                self._elders.add(outlet)
                return
            if born > self._born:
                self._elders.add(self._below)
            else:
                self._below.close()
            self._perform(self._table.down_lost())
        self._below, self._born = outlet, born
        self._workers.start_anew()
        self.asked.set(frozenset())
        self._perform(self._table.down_connected())
        self.down.set(True)

    def received(self, outlet: Outlet, request: bytes) -> None:
        if outlet is not self._below:
            return
        self._has_spoken = True
        if LISTENER_URL in request and (self._holding or _is_answer(request)):
            self._holding += 1
            self._held.put_nowait((outlet, request))
        else:
            self._perform(self._table.down_received(request))

    async def run_held(self) -> None:
        """Passes on what Envoys say about listeners, in their order. Until cancelled."""
        while True:
            outlet, request = await self._held.get()
            if outlet is self._below:
                await self._workers.have_listeners()
            self._holding -= 1
            if outlet is self._below:
                self._perform(self._table.down_received(request))

    def lost(self, outlet: Outlet) -> None:
        self._elders.discard(outlet)
        if outlet is self._below:
            self._perform(self._table.down_lost())
            self._nobody_is_below()

    def _nobody_is_below(self) -> None:
        self._below = None
        self.down.set(False)
        for elder in self._elders:
            elder.close()

    # -- the agent's own --

    def set_secret(self, secret: Resource) -> None:
        self._perform(self._table.set_local(secret))

    async def took(self, *taken: Resource) -> None:
        """Returns when the Envoy has these, or has said all that it wants, and they are not among it."""
        await self._steps.until(
            lambda _: all(self._table.has_taken(each.type, each.name, each.digest) for each in taken)
        )

    # -- the control plane's side --

    async def run_up(self) -> None:
        """Keeps a stream to the control plane whenever the workload is accepted there. Until cancelled."""
        await self._above.run()

    def up_connected(self) -> None:
        self._perform(self._table.up_connected())

    def up_received(self, body: bytes) -> None:
        self._perform(self._table.up_received(body))

    def up_lost(self) -> None:
        self._perform(self._table.up_lost())

    async def run_clock(self) -> None:
        """Tells the table what the Envoy owes for too long, so that the rest need not wait for it, and when it has
        said nothing for a whole turn. One that does not even read is given nothing more to read."""
        since: dict[ResourceType, float] = {}
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(TURN_S)
            if not self._has_spoken:
                self._perform(self._table.down_quiet())
            self._has_spoken = False
            awaited = self._table.awaited()
            since = {kind: since.get(kind, loop.time()) for kind in awaited}
            if self._below is not None and self._below.unwritten:
                continue
            for kind, began in since.items():
                if loop.time() - began >= OVERDUE_S:
                    log.warning("%s: the Envoy has not answered %s", self._workload, kind.name)
                    self._perform(self._table.down_overdue(kind))

    def _perform(self, actions: RelayActions) -> None:
        for action in actions:
            match action:
                case Up(body=body):
                    self._above.put(body)
                case Down(body=body):
                    if self._below is not None:
                        self._below.put(body)
                case CloseUp(reason=reason):
                    log.error("%s: the control plane broke the protocol: %s", self._workload, reason)
                    self._above.close()
                case CloseDown(reason=reason):
                    log.error("%s: the Envoy broke the protocol: %s", self._workload, reason)
                    if self._below is not None:
                        self._below.close()
                        self._nobody_is_below()
                case Rejected(type=kind, name=name, error=error):
                    log.error("%s: the Envoy refuses %s %s: %s", self._workload, kind.name, name, error)
                case Acked(type=kind) if kind not in LOCAL_TYPES:
                    self._taken()
                case Subscribed(type=kind, added=added, removed=removed) if kind in LOCAL_TYPES:
                    self.asked.set(self.asked.value.union(added).difference(removed))
                case Acked() | Subscribed():
                    pass
        self._steps.set(self._steps.value + 1)


def _is_answer(request: bytes) -> bool:
    """An acceptance or a refusal; what cannot be read is for the table to judge."""
    try:
        return bool(decode_request(request).nonce)
    except ValueError:
        return False
