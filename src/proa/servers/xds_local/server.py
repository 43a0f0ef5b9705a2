"""A gRPC server on a workload's own Unix socket: ADS as raw bytes, differences for the one Envoy behind the socket,
states of the world for a program that is its own proxy.

Identity is the socket: who can open it is the workload's Envoy, so it is 0600 in a directory that is 0700, and
there is one for each workload. Modes can be changed by mistake, and processes of one user can open each other's
sockets: so the kernel is asked whose process it is, and who serves knows which process should be there (`Guard`). The
relay of `proa.node` is the Downstream; nothing of the bytes is looked at here.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Protocol

from proa.runtime.outlet import Outlet
from proa.servers.asgi import bind_unix, unbind_unix
from proa.servers.grpc_edge import LocalStream, PeerRefused, service, serving_grpc

SERVICE: Final = "envoy.service.discovery.v3.AggregatedDiscoveryService"
DELTA: Final = "DeltaAggregatedResources"
STATE_OF_THE_WORLD: Final = "StreamAggregatedResources"
GRACE_S: Final = 0.2
LEADING: Final = frozenset((0, os.geteuid()))
"""Users whose processes may be here: this one, and root."""


class Guard(Protocol):
    async def expects(self, pid: int) -> bool:
        """Whether this process should be at the socket. Takes as long as it takes to know."""

    def denied(self, pid: int, *, is_stranger: bool) -> None:
        """It was refused; `is_stranger`: it is another user's."""


class Downstream(Protocol):
    """Who answers the Envoy. Every call is made in the event loop and returns at once."""

    def connected(self, outlet: Outlet, pid: int) -> None:
        """A stream of that process began. It takes the place of the process's earlier one, if it is an Envoy."""

    def received(self, outlet: Outlet, request: bytes) -> None: ...

    def lost(self, outlet: Outlet) -> None:
        """The stream of that outlet ended."""


@asynccontextmanager
async def serve_xds(
    socket: Path, downstream: Downstream, method: str = DELTA, guard: Guard | None = None
) -> AsyncIterator[None]:
    """Serves that method while the block runs. The socket is gone afterwards. Raises OSError when it cannot be made."""

    async def handle(wire: LocalStream) -> None:
        await admit(wire, guard)
        await _serve(wire, downstream)

    with bind_unix(socket) as listener:
        try:
            async with serving_grpc([service(SERVICE, {method: handle})], [listener], None, GRACE_S):
                yield
        finally:
            unbind_unix(socket)


async def admit(wire: LocalStream, guard: Guard | None) -> None:
    """Raises PeerRefused for who should not be at a workload's socket."""
    is_stranger = wire.peer_user not in LEADING
    if not is_stranger and (guard is None or await guard.expects(wire.peer_pid)):
        return
    if guard is not None:
        guard.denied(wire.peer_pid, is_stranger=is_stranger)
    raise PeerRefused(
        f"process {wire.peer_pid} of user {wire.peer_user} is not the one that this socket is for"
        + (": it is another user's" if is_stranger else "")
    )


async def _serve(wire: LocalStream, downstream: Downstream) -> None:
    outlet = Outlet()
    downstream.connected(outlet, wire.peer_pid)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_read(wire, downstream, outlet), name="envoy's requests")
            async for body in outlet.drain():
                await wire.write(body)
    finally:
        outlet.close()
        downstream.lost(outlet)


async def _read(wire: LocalStream, downstream: Downstream, outlet: Outlet) -> None:
    while (request := await wire.read()) is not None:
        downstream.received(outlet, request)
    outlet.close()
