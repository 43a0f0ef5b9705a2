"""Delta ADS on the wire: carries bytes between a peer and its stream's protocol machine.

Decides nothing about configuration. One reader and one writer per stream; the writer sends what the machine put
into the outbox, so a slow peer holds back only itself (the machine has at most one response per type on its way).
"""

import asyncio
from typing import Final, Protocol

from proa.core.model.names import WorkloadId, parse_workload_id
from proa.servers.grpc_edge import ByteStream, PeerRefused, Service, node_name, service, stream_method

SERVICE: Final = "envoy.service.discovery.v3.AggregatedDiscoveryService"
WORKLOAD_KEY: Final = "proa-workload"
"""Metadata key by which an agent says whose stream this is; the node's certificate says whether it may."""


class DeltaStream(Protocol):
    """A stream's state as its owner keeps it. `ready` is set when `take` has something or the stream must end."""

    ready: asyncio.Event
    closed_because: str | None

    def take(self) -> list[bytes]: ...


class DeltaStreams(Protocol):
    """The owner of all streams."""

    def open(self, workload: WorkloadId, node: str) -> DeltaStream:
        """Raises NotNow while the workload is not registered by that node."""

    def received(self, stream: DeltaStream, body: bytes) -> None: ...

    def close(self, stream: DeltaStream) -> None: ...


def delta_service(streams: DeltaStreams, trust_domain: str) -> Service:
    async def handle(wire: ByteStream) -> None:
        workload = _workload(wire)
        node = node_name(wire.peer, trust_domain)
        stream = streams.open(workload, node)
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(_write(wire, stream), name=f"xds writer {workload}")
                reader = tasks.create_task(_read(wire, streams, stream), name=f"xds reader {workload}")
                await asyncio.wait((writer, reader), return_when=asyncio.FIRST_COMPLETED)
                writer.cancel()
                reader.cancel()
        finally:
            streams.close(stream)
        if stream.closed_because:
            raise PeerRefused(stream.closed_because)

    return service(SERVICE, {"DeltaAggregatedResources": stream_method(handle)})


def _workload(wire: ByteStream) -> WorkloadId:
    text = wire.metadata.get(WORKLOAD_KEY)
    if not text:
        raise PeerRefused(f"metadata {WORKLOAD_KEY} is missing: which workload's configuration is asked for?")
    return parse_workload_id(text)


async def _read(wire: ByteStream, streams: DeltaStreams, stream: DeltaStream) -> None:
    while (body := await wire.read()) is not None:
        streams.received(stream, body)


async def _write(wire: ByteStream, stream: DeltaStream) -> None:
    while stream.closed_because is None:
        await stream.ready.wait()
        stream.ready.clear()
        for body in stream.take():
            await wire.write(body)
