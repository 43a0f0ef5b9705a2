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
    AskDrain,
    AskEnvironment,
    AskGone,
    AskList,
    AskRestart,
    AskUndrain,
    Environment,
    Failed,
    Gone,
    LocalMessage,
    NodeDrained,
    Placed,
    Restarted,
    Undrained,
    WorkloadDrained,
    Workloads,
    WorkloadSpec,
)
from proa.home import Home
from proa.node.local_calls import AgentUnreachable, NoAgent, agent
from proa.node.owner import Notify, NotPlaced, Owner, shell_code
from proa.runtime.processes import Child, start_child
from proa.runtime.shutdown import on_signals

__all__ = [
    "AgentUnreachable",
    "NoAgent",
    "NoSuchWorkload",
    "NotPlaced",
    "Notify",
    "ask_admin",
    "drain",
    "exec_in_workload",
    "list_workloads",
    "run_workload",
    "serve_gateway",
    "undrain",
    "wait_gone",
    "workload_environment",
]

ANSWER_S: Final = 15.0
"""The agent itself waits up to 10 s for an Envoy that is asked something."""
DRAIN_S: Final = 300.0
"""The longest that an agent's own bound of a drain is believed to be."""
A = TypeVar("A", bound=LocalMessage)


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

    An agent that dies while the app runs is waited for: app and sidecar go on, and the next agent takes them over.
    """
    async with Owner(home, spec, notify) as owner, on_signals(owner.asked_to_stop):
        placed = await owner.place()
        if placed is None:
            return 128 + signal.SIGINT
        with _start_app(argv, placed, environ, log) as child:
            return await owner.accompany(child, kill_after_s)


async def serve_gateway(home: Home, spec: WorkloadSpec, notify: Notify) -> int:
    """Places a gateway and keeps it until SIGINT or SIGTERM (0). Raises AgentUnreachable, NotPlaced."""
    async with Owner(home, spec, notify) as owner, on_signals(owner.asked_to_stop):
        if await owner.place() is not None:
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


async def drain(
    home: Home, name: str, deadline_s: float | None, tell: Callable[[WorkloadDrained], None]
) -> NodeDrained:
    """No new requests for the workload, or (no name) for all of the node and no new workloads; `tell` hears of each as
    it is done. Raises NoSuchWorkload, AgentUnreachable."""
    deadline_ms = None if deadline_s is None else round(deadline_s * 1000)
    async with agent(home) as connection:
        await connection.send(AskDrain(workload=name, deadline_ms=deadline_ms))
        while True:
            async with _in_time(home, ANSWER_S + (DRAIN_S if deadline_s is None else deadline_s)):
                answer = await connection.receive()
            if not isinstance(answer, WorkloadDrained):
                return _expected(answer, NodeDrained)
            tell(answer)


async def undrain(home: Home, name: str) -> Undrained:
    """Takes it back. Raises NoSuchWorkload, AgentUnreachable."""
    return await _ask(home, AskUndrain(workload=name), Undrained)


async def restart_sidecar(home: Home, name: str, timeout_s: float) -> Restarted:
    """Replaces the workload's Envoy. Raises NoSuchWorkload, AgentUnreachable."""
    return await _ask(home, AskRestart(workload=name), Restarted, timeout_s)


async def wait_gone(home: Home, name: str, timeout_s: float) -> bool:
    """Whether nothing is left of the workload before the time is over. Raises AgentUnreachable."""
    try:
        async with asyncio.timeout(timeout_s), agent(home) as connection:
            await connection.send(AskGone(workload=name))
            _expected(await connection.receive(), Gone)
    except TimeoutError:
        return False
    return True


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
