"""Delta ADS on the wire: carries bytes between a peer and its stream's protocol machine.

Decides nothing about configuration. One reader and one writer per stream; the writer sends what the machine put
into the outbox, so a slow peer holds back only itself (the machine has at most one response per type on its way).
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from proa.core.model.names import WorkloadId, parse_workload_id
from proa.servers.grpc_edge import ByteStream, PeerRefused, Service, node_name, service

SERVICE: Final = "envoy.service.discovery.v3.AggregatedDiscoveryService"
WORKLOAD_KEY: Final = "proa-workload"
"""Metadata key by which an agent says whose stream this is; the node's certificate says whether it may."""


class DeltaStream(Protocol):
    """A stream's state as its owner keeps it. `ready` is set when `take` has something or the stream must end. Whoever
    has written what `take` gave calls it again: so the owner knows of a peer that does not read. `on_end` is called
    when `closed_because` is set: such a peer's stream ends too."""

    ready: asyncio.Event
    closed_because: str | None
    on_end: Callable[[], object]

    def take(self) -> list[bytes]: ...


class DeltaStreams(Protocol):
    """The owner of all streams."""

    async def open(self, workload: WorkloadId, node: str) -> DeltaStream:
        """Takes as long as the stream has to wait for its turn. Raises NotNow while the workload is not registered by
        that node, or when there are too many already."""

    async def received(self, stream: DeltaStream, body: bytes) -> None:
        """Takes as long as the peer should wait with its next message."""

    def close(self, stream: DeltaStream) -> None: ...


def delta_service(streams: DeltaStreams, trust_domain: str) -> Service:
    async def handle(wire: ByteStream) -> None:
        await serve_stream(wire, streams, trust_domain)

    return service(SERVICE, {"DeltaAggregatedResources": handle})


async def serve_stream(wire: ByteStream, streams: DeltaStreams, trust_domain: str) -> None:
    """One stream from its metadata to its end. Raises PeerRefused, NotNow."""
    workload = _workload(wire)
    node = node_name(wire.peer, trust_domain)
    stream = await streams.open(workload, node)
    try:
        async with asyncio.TaskGroup() as tasks:
            writer = tasks.create_task(_write(wire, stream), name=f"xds writer {workload}")
            reader = tasks.create_task(_read(wire, streams, stream), name=f"xds reader {workload}")
            stream.on_end = reader.cancel
            if stream.closed_because:
                reader.cancel()
            await asyncio.wait((writer, reader), return_when=asyncio.FIRST_COMPLETED)
            writer.cancel()
            reader.cancel()
    finally:
        streams.close(stream)
    if stream.closed_because:
        raise PeerRefused(stream.closed_because)


def _workload(wire: ByteStream) -> WorkloadId:
    text = wire.metadata.get(WORKLOAD_KEY)
    if not text:
        raise PeerRefused(f"metadata {WORKLOAD_KEY} is missing: which workload's configuration is asked for?")
    return parse_workload_id(text)


async def _read(wire: ByteStream, streams: DeltaStreams, stream: DeltaStream) -> None:
    while (body := await wire.read()) is not None:
        await streams.received(stream, body)


async def _write(wire: ByteStream, stream: DeltaStream) -> None:
    while stream.closed_because is None:
        await stream.ready.wait()
        stream.ready.clear()
        while bodies := stream.take():
            for body in bodies:
                await wire.write(body)
            # This name would keep the last response until the next change: megabytes of routes, on each stream its own.
            del body
