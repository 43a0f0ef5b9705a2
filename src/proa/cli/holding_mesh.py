"""A control plane and a node agent as child programs: started one after the other, ended the other way round.

Called by `proa up`. It decides order and time limits; flags and words for people are its caller's. An agent that is
killed is started again, and adopts what it left; when we are killed, both programs end in order.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec

from proa.cli.earlier_mesh import end_earlier, forget_programs, note_programs
from proa.cli.programs import program
from proa.core.auth.grants import BROAD
from proa.home import Home, write_private
from proa.node.client import AgentUnreachable, list_workloads
from proa.runtime.exclusive import Occupied, exclusive
from proa.runtime.holding import Held, ProgramEnded, holding
from proa.runtime.races import first_of
from proa.runtime.shutdown import shutdown_event
from proa.servers.admin.addresses import Addresses, read_addresses
from proa.servers.admin.client import AdminClient, Unreachable
from proa.servers.admin.operations import OperationFailed, TokenRequest

START_S: Final = 60.0
"""A cold start takes three seconds, on a busy machine with a cold disk many times that."""

NODE_GRACE_S: Final = 25.0
"""The agent drains its workloads first (5 s each, side by side) and then ends their Envoys."""

SERVE_GRACE_S: Final = 10.0
TOKEN_TTL_S: Final = 300


class MeshRunning(Exception):
    """Another one holds this home. `pid` is of its control plane, or of the `proa up` that starts it; 0 unknown."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"a mesh is running{f' (pid {pid})' if pid else ''}")
        self.pid = pid


class MeshPlan(msgspec.Struct, frozen=True, kw_only=True):
    """`serve_flags` are handed to `proa serve` as they are; `node` and `address` are the agent's."""

    serve_flags: tuple[str, ...]
    node: str
    address: str


class Mesh(msgspec.Struct, frozen=True, kw_only=True):
    """A mesh that is up."""

    addresses: Addresses


async def hold_mesh(
    home: Home, plan: MeshPlan, say: Callable[[str], None], ready: Callable[[Mesh], None]
) -> None:
    """Runs both until SIGINT or SIGTERM; nothing is left running when it returns or raises.

    Raises ProgramEnded when one of them ends by itself, ProgramLate, MeshRunning, HomeUnusable, OSError.
    """
    home.prepare()
    try:
        with exclusive(home.path / "up.lock"):
            await end_earlier(home, say)
            await asyncio.to_thread(_refuse_second, home)
            await _hold_both(home, plan, say, ready)
            forget_programs(home)
    except Occupied as other:
        raise MeshRunning(other.pid) from None


async def _hold_both(
    home: Home, plan: MeshPlan, say: Callable[[str], None], ready: Callable[[Mesh], None]
) -> None:
    home.endpoints.unlink(missing_ok=True)
    async with shutdown_event() as stopping:
        serve = program(home.path, "serve", *plan.serve_flags)
        async with holding(
            "the control plane", serve, log=home.logs / "serve.log", grace_s=SERVE_GRACE_S
        ) as upper:
            note_programs(home, upper.pid)
            say("starting the control plane")
            if not await _ready_or_stopped(upper, stopping, lambda: _is_serving(home)):
                return
            addresses = read_addresses(home.endpoints)
            assert addresses is not None, "_is_serving has seen it"
            token = home.path / "join-token"
            await asyncio.to_thread(_write_token, home, plan.node, token)
            try:
                await _hold_node(home, plan, Mesh(addresses=addresses), upper, stopping, token, say, ready)
            finally:
                _forget(token)
                say("ending the control plane")


async def _hold_node(
    home: Home,
    plan: MeshPlan,
    mesh: Mesh,
    upper: Held,
    stopping: asyncio.Event,
    token: Path,
    say: Callable[[str], None],
    ready: Callable[[Mesh], None],
) -> None:
    flags = (f"--address={plan.address}", f"--server={mesh.addresses.xds}", "--metrics=127.0.0.1:0")
    node = program(home.path, "node", f"--token-file={token}", *flags)
    log = home.logs / "node.log"
    is_first = True
    while True:
        async with holding("the node agent", node, log=log, grace_s=NODE_GRACE_S) as lower:
            note_programs(home, upper.pid, lower.pid)
            say("starting the node agent")
            if not await _ready_or_stopped(lower, stopping, lambda: _is_joined(home)):
                say("ending the node agent and its sidecars")
                return
            if is_first:
                _forget(token)
                ready(mesh)
            is_first, node = False, program(home.path, "node", *flags)  # it has joined
            try:
                await _stopped_or_ended(stopping, upper, lower)
            except ProgramEnded:
                if not lower.was_killed:
                    raise
                say("the node agent was killed; sidecars and programs go on, a new one takes them over")
                continue
            say("ending the node agent and its sidecars")
            return


async def _ready_or_stopped(
    held: Held, stopping: asyncio.Event, question: Callable[[], Awaitable[bool]]
) -> bool:
    """False when a signal came first."""

    async def either() -> bool:
        return stopping.is_set() or await question()

    await held.until(either, START_S)
    return not stopping.is_set()


async def _stopped_or_ended(stopping: asyncio.Event, *programs: Held) -> None:
    """Returns at a signal. Raises ProgramEnded when one of the programs ends before."""

    async def watch(held: Held) -> None:
        raise await held.wait_ended()

    await first_of(stopping.wait(), *(watch(each) for each in programs))


def _write_token(home: Home, node: str, path: Path) -> None:
    """A broad token: this host is the operator's own."""
    minted = AdminClient(home.admin_socket).mint_token(
        TokenRequest(node=node, ttl_s=TOKEN_TTL_S, placements=BROAD)
    )
    write_private(path, minted.token)


def _forget(token: Path) -> None:
    """It has been used; what is left is a secret without a use."""
    token.unlink(missing_ok=True)


def _refuse_second(home: Home) -> None:
    """An operator's own control plane. Raises MeshRunning."""
    try:
        raise MeshRunning(AdminClient(home.admin_socket).status().pid)
    except Unreachable:
        return
    except OperationFailed:
        raise MeshRunning(0) from None


async def _is_serving(home: Home) -> bool:
    if read_addresses(home.endpoints) is None:
        return False
    try:
        return (await asyncio.to_thread(AdminClient(home.admin_socket).status)).ready
    except (Unreachable, OperationFailed):
        return False


async def _is_joined(home: Home) -> bool:
    try:
        return (await list_workloads(home)).connected
    except AgentUnreachable:
        return False
