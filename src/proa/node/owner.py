"""Holds one workload for the program it belongs to: our end of the connection that is its lease.

`proa.node.client` uses it. When the agent dies, app and sidecar go on; the connection is made again as soon as there is
an agent, for as long as the app runs, and the workload is claimed there. An owner that ends while there is no agent
ends its own sidecar.
"""

import asyncio
import random
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final

from proa.core.sidecar.local import (
    AdminAnswer,
    AgentMessage,
    Drained,
    Environment,
    Exited,
    Failed,
    Gone,
    LocalMessage,
    NodeDrained,
    OwnerEvent,
    Place,
    Placed,
    Progress,
    Refused,
    Removed,
    Restarted,
    Started,
    Stop,
    Undrained,
    Warned,
    WorkloadDrained,
    Workloads,
    WorkloadSpec,
)
from proa.home import Home
from proa.node.envoy_processes import end_sidecars_without_agent
from proa.node.local_calls import AgentConnection, AgentUnreachable, agent
from proa.runtime.backoff import Backoff
from proa.runtime.cell import Cell
from proa.runtime.exclusive import Occupied, exclusive
from proa.runtime.processes import Child
from proa.runtime.races import first_of

Notify = Callable[[OwnerEvent], None]
REMOVAL_S: Final = 10.0
CLAIM_S: Final = 10.0
"""How long an agent may take to take what it is told when we come back to it; then it is tried again."""


class NotPlaced(Exception):
    """The agent or the control plane refused; the text is for the user."""


class Owner:
    """`_stops` counts the signals that asked us to end, `_drained` and `_removed` are what the agent said, `_is_away`
    whether there is none. Only `_listen` makes connections after the first."""

    def __init__(self, home: Home, spec: WorkloadSpec, notify: Notify) -> None:
        self._home = home
        self._spec = spec
        self._notify = notify
        self._stack = AsyncExitStack()
        self._connection: AgentConnection | None = None
        self._placed: Placed | None = None
        self._app: int | None = None
        self._stops: Cell[int] = Cell(0)
        self._drained: Cell[bool] = Cell(False)
        self._refusal: Cell[str] = Cell("")
        self._removed: Cell[bool] = Cell(False)
        self._is_away: Cell[bool] = Cell(False)
        self._last_signal = signal.SIGTERM

    async def __aenter__(self) -> "Owner":
        """Raises AgentUnreachable."""
        self._connection = await self._stack.enter_async_context(agent(self._home))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def asked_to_stop(self, number: signal.Signals) -> None:
        self._last_signal = number
        self._stops.set(self._stops.value + 1)

    async def place(self) -> Placed | None:
        """None when a signal came first. Raises NotPlaced, AgentUnreachable."""
        connection = self._connection
        assert connection is not None
        await connection.send(Place(spec=self._spec))

        async def listen() -> None:
            while self._placed is None:
                self._take(await connection.receive())
                if self._removed.value:
                    raise NotPlaced(self._refusal.value or "the node agent ended the workload")

        if await first_of(listen(), self._stops.until(lambda stops: stops > 0)) == 0:
            return self._placed
        return None

    async def accompany(self, child: Child, kill_after_s: float) -> int:
        """From the app's start to the workload's removal. Raises NotPlaced when it is taken away."""
        self._app = child.pid
        await self._say(Started(pid=child.pid))
        ended = await first_of(self._listen(), child.wait(), self._drain_when_asked())
        if ended == 0:
            await _end(child, signal.SIGTERM, kill_after_s)
            raise NotPlaced(self._refusal.value or "the node agent ended the workload")
        if ended == 2:
            await _end(child, self._last_signal, kill_after_s)
        code = shell_code(await child.wait())
        await self._leave(code)
        return code

    async def stay(self) -> None:
        """A gateway's whole life. Raises NotPlaced when the agent takes it away."""
        if await first_of(self._listen(), self._drain_when_asked()) == 0:
            raise NotPlaced(self._refusal.value or "the node agent ended the workload")
        await self._leave(0)

    async def _drain_when_asked(self) -> None:
        """Returns when the app is to be ended: a signal came and we are drained, or a second one came, or there is
        nobody who could drain us."""
        await self._stops.until(lambda stops: stops > 0)
        await self._say(Stop())
        await first_of(
            self._drained.until(bool), self._stops.until(lambda stops: stops > 1), self._is_away.until(bool)
        )

    async def _leave(self, code: int) -> None:
        """The app has ended either way: an agent that cannot say goodbye does not keep us."""
        try:
            async with asyncio.timeout(REMOVAL_S):
                if self._connection is not None:
                    await self._connection.send(Exited(code=code))
                    while not self._removed.value:
                        self._take(await self._connection.receive())
                    return
        except TimeoutError:
            return
        except AgentUnreachable:
            pass
        await self._end_sidecar()

    async def _end_sidecar(self) -> None:
        """Without an agent nobody else would, until there is one. An agent that starts just now has the lock, and finds
        that we have ended."""
        try:
            with exclusive(self._home.node_lock):
                directory = self._home.workload_dir(str(self._spec.id))
                await end_sidecars_without_agent(self._home, directory)
        except (Occupied, OSError):
            return

    async def _listen(self) -> None:
        """Until the agent has removed the workload."""
        while not self._removed.value:
            try:
                if self._connection is None:
                    raise AgentUnreachable("no agent")
                self._take(await self._connection.receive())
            except AgentUnreachable:
                await self._come_back()

    async def _come_back(self) -> None:
        """To the next agent, whenever it comes; the delays between attempts are at most a second."""
        self._connection = None
        await self._stack.aclose()
        self._is_away.set(True)
        self._notify(
            Warned(
                code="agent_away",
                text=f"the node agent went away; {self._spec.id} goes on without it until there is one again",
            )
        )
        backoff = Backoff(random.random)
        while True:
            await asyncio.sleep(backoff.next())
            try:
                async with asyncio.timeout(CLAIM_S):
                    connection = await self._stack.enter_async_context(agent(self._home))
                    await self._claim(connection)
                break
            except (AgentUnreachable, TimeoutError):
                await self._stack.aclose()
        self._connection = connection
        self._is_away.set(False)

    async def _claim(self, connection: AgentConnection) -> None:
        """Says again everything that the last agent had been told."""
        await connection.send(Place(spec=self._spec, again=self._placed))
        if self._app is not None:
            await connection.send(Started(pid=self._app))
        if self._stops.value:
            await connection.send(Stop())

    async def _say(self, message: LocalMessage) -> None:
        """What cannot be said now is said when we are back (`_claim`)."""
        if self._connection is not None:
            try:
                await self._connection.send(message)
            except AgentUnreachable:
                return

    def _take(self, message: AgentMessage) -> None:
        match message:
            case Placed():
                if self._placed is not None:
                    self._placed_again(self._placed, message)
                    return
                self._placed = message
            case Drained():
                self._drained.set(True)
            case Removed():
                self._removed.set(True)
            case Refused(reason=reason):
                self._refusal.set(reason)
                self._removed.set(True)
            case (
                Environment()
                | Workloads()
                | AdminAnswer()
                | Gone()
                | WorkloadDrained()
                | NodeDrained()
                | Undrained()
                | Restarted()
                | Failed()
            ):
                return
            case _:
                pass
        self._notify(message)

    def _placed_again(self, before: Placed, now: Placed) -> None:
        is_same = (before.ports, before.upstreams, before.outbound_port) == (
            now.ports,
            now.upstreams,
            now.outbound_port,
        )
        if is_same:
            text = f"a node agent is there again and has taken {self._spec.id} over"
            self._notify(Progress(stage="taken_over", text=text))
        else:
            self._refusal.set("the new node agent has other ports for it than the program knows")
            self._removed.set(True)


async def _end(child: Child, number: signal.Signals, kill_after_s: float) -> None:
    child.send(number)
    try:
        async with asyncio.timeout(kill_after_s):
            await child.wait()
    except TimeoutError:
        child.send(signal.SIGKILL)


def shell_code(code: int) -> int:
    """-N as shells print it: 128+N."""
    return 128 - code if code < 0 else code
