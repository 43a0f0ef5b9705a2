"""How programs on this machine ask the node agent for a place in the mesh: `run`, `gateway`, `exec`, `list`.

The command line calls it; it prints nothing (events go to a callback) and knows no options.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, Literal, TypeVar

from proa.core.sidecar.local import (
    AdminAnswer,
    AgentMessage,
    AskAdmin,
    AskEnvironment,
    AskGone,
    AskList,
    Drained,
    Environment,
    Exited,
    Failed,
    Gone,
    LocalMessage,
    OwnerEvent,
    Place,
    Placed,
    Refused,
    Removed,
    Started,
    Stop,
    Workloads,
    WorkloadSpec,
)
from proa.home import Home
from proa.node.local_calls import AgentConnection, AgentUnreachable, NoAgent, agent
from proa.runtime.cell import Cell
from proa.runtime.processes import Child, start_child
from proa.runtime.races import first_of
from proa.runtime.shutdown import on_signals

__all__ = [
    "AgentUnreachable",
    "NoAgent",
    "NoSuchWorkload",
    "NotPlaced",
    "Notify",
    "ask_admin",
    "exec_in_workload",
    "list_workloads",
    "run_workload",
    "serve_gateway",
    "wait_gone",
    "workload_environment",
]

Notify = Callable[[OwnerEvent], None]
REMOVAL_S: Final = 10.0
ANSWER_S: Final = 15.0
"""The agent itself waits up to 10 s for an Envoy that is asked something."""
A = TypeVar("A", bound=LocalMessage)


class NotPlaced(Exception):
    """The agent or the control plane refused; the text is for the user."""


class NoSuchWorkload(Exception):
    """The name means no workload of this node, or several."""


async def run_workload(
    home: Home,
    spec: WorkloadSpec,
    argv: Sequence[str],
    notify: Notify,
    *,
    environ: Mapping[str, str] | None = None,
    log: Path | None = None,
    kill_after_s: float = 10.0,
) -> int:
    """Places the workload, runs `argv` as its app in the foreground, and removes the workload when that ends.

    SIGINT and SIGTERM drain first and are then passed on; after `kill_after_s` the app is killed. A second
    signal is passed on at once. The app gets `environ` (None: ours) with the workload's on top, a process group
    of its own, and dies with us. `log` takes its output instead of ours. Returns the app's exit code (128+N
    after signal N, 127 when there is no such program, 130 when stopped before it was placed). Raises
    AgentUnreachable, NotPlaced.
    """
    async with agent(home) as connection:
        owner = _Owner(connection, notify)
        async with on_signals(owner.asked_to_stop):
            placed = await owner.place(spec)
            if placed is None:
                return 128 + signal.SIGINT
            with ExitStack() as stack:
                child = stack.enter_context(_start_app(argv, placed, environ, log))
                return await owner.accompany(child, kill_after_s)


async def serve_gateway(home: Home, spec: WorkloadSpec, notify: Notify) -> int:
    """Places a gateway and keeps it until SIGINT or SIGTERM (0). Raises AgentUnreachable, NotPlaced."""
    async with agent(home) as connection:
        owner = _Owner(connection, notify)
        async with on_signals(owner.asked_to_stop):
            if await owner.place(spec) is not None:
                await owner.stay()
            return 0


async def exec_in_workload(home: Home, name: str, argv: Sequence[str]) -> int:
    """Runs `argv` in the foreground with the environment of the workload's app; returns its exit code. Raises
    NoSuchWorkload, AgentUnreachable.

    It shares our process group, so the terminal's signals reach it directly; those sent to us are passed on.
    """
    answer = await workload_environment(home, name)
    child = start_child(argv, env={**os.environ, **answer.env}, stdin=None, dies_with_us=signal.SIGTERM)
    with child:
        async with on_signals(lambda number: _pass_on(child, number)):
            return shell_code(await child.wait())


async def workload_environment(home: Home, name: str) -> Environment:
    """Raises NoSuchWorkload, AgentUnreachable."""
    return await _ask(home, AskEnvironment(workload=name), Environment)


async def list_workloads(home: Home, within_s: float = ANSWER_S) -> Workloads:
    """Raises AgentUnreachable."""
    return await _ask(home, AskList(), Workloads, within_s)


async def ask_admin(home: Home, name: str, path: str, method: Literal["GET", "POST"] = "GET") -> AdminAnswer:
    """A page of the Envoy's admin interface, whole. Raises NoSuchWorkload, AgentUnreachable."""
    pieces: list[str] = []
    async with _in_time(home), agent(home) as connection:
        await connection.send(AskAdmin(workload=name, path=path, method=method))
        while True:
            answer = _expected(await connection.receive(), AdminAnswer)
            pieces.append(answer.body)
            if not answer.more:
                return AdminAnswer(status=answer.status, body="".join(pieces))


async def wait_gone(home: Home, name: str, timeout_s: float) -> bool:
    """Whether nothing is left of the workload before the time is over. Raises AgentUnreachable."""
    try:
        async with asyncio.timeout(timeout_s), agent(home) as connection:
            await connection.send(AskGone(workload=name))
            _expected(await connection.receive(), Gone)
    except TimeoutError:
        return False
    return True


class _Owner:
    """Our end of the connection that holds one workload. `_stops` counts the signals that asked us to end,
    `_drained` and `_removed` what the agent said."""

    def __init__(self, connection: AgentConnection, notify: Notify) -> None:
        self._connection = connection
        self._notify = notify
        self._stops: Cell[int] = Cell(0)
        self._drained: Cell[bool] = Cell(False)
        self._refusal: Cell[str] = Cell("")
        self._removed: Cell[bool] = Cell(False)
        self._last_signal = signal.SIGTERM

    def asked_to_stop(self, number: signal.Signals) -> None:
        self._last_signal = number
        self._stops.set(self._stops.value + 1)

    async def place(self, spec: WorkloadSpec) -> Placed | None:
        """None when a signal came first. Raises NotPlaced."""
        await self._connection.send(Place(spec=spec))
        placed: Cell[Placed | None] = Cell(None)

        async def listen() -> None:
            while placed.value is None:
                message = await self._connection.receive()
                if isinstance(message, Placed):
                    placed.set(message)
                self._take(message)
                if isinstance(message, Refused):
                    raise NotPlaced(message.reason)

        if await first_of(listen(), self._stops.until(lambda stops: stops > 0)) == 0:
            return placed.value
        return None

    async def accompany(self, child: Child, kill_after_s: float) -> int:
        """From the app's start to the workload's removal."""
        try:
            await self._connection.send(Started(pid=child.pid))
            ended = await first_of(self._listen(), child.wait(), self._drain_when_asked())
        except AgentUnreachable:
            await self._end(child, signal.SIGTERM, kill_after_s)
            raise
        if ended == 0:
            await self._end(child, signal.SIGTERM, kill_after_s)
            raise NotPlaced(self._refusal.value or "the node agent ended the workload")
        if ended == 2:
            await self._end(child, self._last_signal, kill_after_s)
        code = shell_code(await child.wait())
        await self._leave(code)
        return code

    async def stay(self) -> None:
        """A gateway's whole life. Raises NotPlaced when the agent takes it away."""
        if await first_of(self._listen(), self._drain_when_asked()) == 0:
            raise NotPlaced(self._refusal.value or "the node agent ended the workload")
        await self._leave(0)

    async def _drain_when_asked(self) -> None:
        """Returns when the app is to be ended: a signal came and we are drained, or a second one came."""
        await self._stops.until(lambda stops: stops > 0)
        await self._connection.send(Stop())
        await first_of(self._drained.until(bool), self._stops.until(lambda stops: stops > 1))

    async def _end(self, child: Child, number: signal.Signals, kill_after_s: float) -> None:
        child.send(number)
        try:
            async with asyncio.timeout(kill_after_s):
                await child.wait()
        except TimeoutError:
            child.send(signal.SIGKILL)

    async def _leave(self, code: int) -> None:
        """The app has ended either way: an agent that cannot say goodbye does not keep us."""
        try:
            async with asyncio.timeout(REMOVAL_S):
                await self._connection.send(Exited(code=code))
                await self._listen()
        except (TimeoutError, AgentUnreachable):
            return

    async def _listen(self) -> None:
        """Until the agent has removed the workload."""
        while not self._removed.value:
            self._take(await self._connection.receive())

    def _take(self, message: AgentMessage) -> None:
        match message:
            case Drained():
                self._drained.set(True)
            case Removed():
                self._removed.set(True)
            case Refused(reason=reason):
                self._refusal.set(reason)
                self._removed.set(True)
            case Environment() | Workloads() | AdminAnswer() | Gone() | Failed():
                return
            case _:
                pass
        self._notify(message)


def shell_code(code: int) -> int:
    """-N as shells print it: 128+N."""
    return 128 - code if code < 0 else code


def _start_app(
    argv: Sequence[str], placed: Placed, environ: Mapping[str, str] | None, log: Path | None
) -> Child:
    """A terminal's input would stop a process group in the background, so the app gets none of it."""
    env = {**(os.environ if environ is None else environ), **placed.env}
    stdin = subprocess.DEVNULL if sys.stdin is None or sys.stdin.isatty() else None
    with ExitStack() as stack:
        output = None
        if log is not None:
            log.touch(mode=0o600)
            output = stack.enter_context(log.open("ab"))
        return start_child(
            argv,
            env=env,
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT if output is not None else None,
            own_group=True,
            dies_with_us=signal.SIGTERM,
        )


def _pass_on(child: Child, number: signal.Signals) -> None:
    """A SIGINT of the terminal has reached the whole group already."""
    if number != signal.SIGINT:
        child.send(number)


@asynccontextmanager
async def _in_time(home: Home, within_s: float = ANSWER_S) -> AsyncIterator[None]:
    """Around a question that is answered at once by an agent that is well. Raises AgentUnreachable."""
    try:
        async with asyncio.timeout(within_s):
            yield
    except TimeoutError:
        raise AgentUnreachable(
            f"the node agent of {home.path} is there and gives no answer within {within_s:g} s"
        ) from None


async def _ask(home: Home, question: LocalMessage, kind: type[A], within_s: float = ANSWER_S) -> A:
    async with _in_time(home, within_s), agent(home) as connection:
        await connection.send(question)
        return _expected(await connection.receive(), kind)


def _expected(answer: AgentMessage, kind: type[A]) -> A:
    if isinstance(answer, kind):
        return answer
    if isinstance(answer, Failed):
        if answer.code in ("not_found", "ambiguous"):
            raise NoSuchWorkload(answer.message)
        raise AgentUnreachable(answer.message)
    raise AgentUnreachable(f"the node agent answered with {type(answer).__name__}")
