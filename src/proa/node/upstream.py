"""A workload's stream to the control plane: kept whenever the workload is accepted there, made anew after a pause
when it ends. The relays of sidecars and of programs without one have one each and decide what travels on it.
"""

import asyncio
import logging
import random
from typing import Final, Protocol

from proa.core.model.names import WorkloadId
from proa.core.sidecar.retry import retry_after
from proa.node.byte_stream import ByteStream, StreamLost, losses
from proa.node.session import Session
from proa.node.uplink import Uplink
from proa.runtime.backoff import Backoff
from proa.runtime.outlet import Outlet

ADS: Final = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
WORKLOAD_KEY: Final = "proa-workload"
log = logging.getLogger("proa.node.upstream")


class Listener(Protocol):
    """Told in order: connected, any number of received, lost. After `Upstream.close` nothing more is told of that
    stream: who closed it knows."""

    def up_connected(self) -> None: ...
    def up_received(self, body: bytes) -> None: ...
    def up_lost(self) -> None: ...


class Upstream:
    def __init__(self, workload: WorkloadId, uplink: Uplink, session: Session, listener: Listener) -> None:
        self._workload = workload
        self._uplink = uplink
        self._session = session
        self._listener = listener
        self._outlet: Outlet | None = None

    def put(self, body: bytes) -> None:
        """Dropped while there is no stream: the next one begins with what is known."""
        if self._outlet is not None:
            self._outlet.put(body)

    def close(self) -> None:
        if self._outlet is not None:
            self._outlet.close()
            self._outlet = None

    async def run(self) -> None:
        """Until cancelled."""
        backoff = Backoff(random.random)
        while True:
            await self._session.accepted(self._workload)
            try:
                with losses():
                    await self._stream(backoff)
                reason = "ended by the control plane"
            except StreamLost as lost:
                reason = str(lost)
            log.info("%s: stream to the control plane: %s", self._workload, reason)
            await asyncio.sleep(backoff.next(retry_after(reason)))

    async def _stream(self, backoff: Backoff) -> None:
        channel = await self._uplink.ready()
        stream = ByteStream(channel, ADS, ((WORKLOAD_KEY, str(self._workload)),))
        outlet = self._outlet = Outlet()
        try:
            self._listener.up_connected()
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(_write(stream, outlet), name=f"xds up {self._workload}")
                while (body := await stream.read()) is not None and self._outlet is outlet:
                    backoff.succeeded()
                    self._listener.up_received(body)
                writer.cancel()
        finally:
            stream.close()
            if self._outlet is outlet:
                self._outlet = None
                self._listener.up_lost()


async def _write(stream: ByteStream, outlet: Outlet) -> None:
    async for body in outlet.drain():
        await stream.write(body)
    stream.close()
