"""A gRPC server on a workload's own Unix socket: ADS as raw bytes, differences for the one Envoy behind the socket,
states of the world for a program that is its own proxy.

Identity is the socket: who can open it is the workload's Envoy, so it is 0600 in a directory that is 0700, from
the moment it exists. gRPC shows a handler neither peer credentials nor the socket a call came in on: hence one
server object per workload. The relay of `proa.node` is the Downstream; nothing of the bytes is looked at here.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import grpc

from proa.runtime.outlet import Outlet

SERVICE: Final = "envoy.service.discovery.v3.AggregatedDiscoveryService"
DELTA: Final = "DeltaAggregatedResources"
STATE_OF_THE_WORLD: Final = "StreamAggregatedResources"
GRACE_S: Final = 0.2
_UNLIMITED: Final = -1
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", _UNLIMITED),
    ("grpc.max_send_message_length", _UNLIMITED),
)


class Downstream(Protocol):
    """Who answers the Envoy. Every call is made in the event loop and returns at once."""

    def connected(self, outlet: Outlet) -> None:
        """A stream began. Of an Envoy it takes the place of an earlier one."""

    def received(self, outlet: Outlet, request: bytes) -> None: ...

    def lost(self, outlet: Outlet) -> None:
        """The stream of that outlet ended."""


@asynccontextmanager
async def serve_xds(socket: Path, downstream: Downstream, method: str = DELTA) -> AsyncIterator[None]:
    """Serves that method while the block runs. The socket is gone afterwards. Raises OSError when it cannot be made."""
    server = grpc.aio.server(options=_OPTIONS)
    handler = grpc.stream_stream_rpc_method_handler(_Streams(downstream).serve)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {method: handler}),))
    _bind(server, socket)
    await server.start()
    try:
        yield
    finally:
        await server.stop(GRACE_S)
        _remove(socket)


def _bind(server: grpc.aio.Server, socket: Path) -> None:
    """gRPC binds inside this call: with the umask narrowed the socket never has another mode."""
    _remove(socket)
    before = os.umask(0o177)
    try:
        server.add_insecure_port(f"unix:{socket}")
    except RuntimeError as error:
        raise OSError(f"{socket}: {error}") from None
    finally:
        os.umask(before)
    socket.chmod(0o600)


def _remove(socket: Path) -> None:
    socket.unlink(missing_ok=True)


class _Streams:
    def __init__(self, downstream: Downstream) -> None:
        self._downstream = downstream

    async def serve(
        self, requests: AsyncIterator[bytes], context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> None:
        outlet = Outlet()
        self._downstream.connected(outlet)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(requests, outlet), name="envoy's requests")
                async for body in outlet.drain():
                    await context.write(body)
        except* (grpc.RpcError, grpc.aio.UsageError):
            pass  # the Envoy went away in the middle of a word; `lost` says so
        finally:
            outlet.close()
            self._downstream.lost(outlet)

    async def _read(self, requests: AsyncIterator[bytes], outlet: Outlet) -> None:
        async for request in requests:
            self._downstream.received(outlet, request)
        outlet.close()
