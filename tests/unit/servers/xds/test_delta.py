"""What a stream's tasks keep while nothing happens."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Literal

from proa.core.auth.spiffe import SpiffeId, node_id
from proa.core.model.names import WorkloadId
from proa.servers.xds.delta import WORKLOAD_KEY, DeltaStream, serve_stream


class Body(bytes):
    """Bytes that tell when nobody has them any more."""

    gone: Callable[[], object] = staticmethod(lambda: None)

    def __del__(self) -> None:
        self.gone()


class Ready(asyncio.Event):
    """Tells when somebody has begun to wait for the second time: all that there was is written."""

    def __init__(self) -> None:
        super().__init__()
        self.rests = asyncio.Event()
        self._waits = 0

    async def wait(self) -> Literal[True]:
        self._waits += 1
        if self._waits == 2:
            self.rests.set()
        return await super().wait()


class OneResponse:
    """A stream and its owner, with one thing to be written."""

    def __init__(self, body: Body) -> None:
        watched = Ready()
        watched.set()
        self.ready: asyncio.Event = watched
        self.rests = watched.rests
        self.closed_because: str | None = None
        self.on_end: Callable[[], object] = lambda: None
        self._bodies: list[bytes] = [body]

    def take(self) -> list[bytes]:
        bodies, self._bodies = self._bodies, []
        return bodies

    async def open(self, workload: WorkloadId, node: str) -> DeltaStream:
        return self

    async def received(self, stream: DeltaStream, body: bytes) -> None: ...

    def close(self, stream: DeltaStream) -> None: ...


class Wire:
    """Takes what is written, keeps only its length, and brings nothing until it is hung up."""

    peer: SpiffeId = node_id("cluster.local", "node")
    is_local = True
    certificate = None
    address = ""
    peer_pid = 0
    peer_user = -1
    metadata: Mapping[str, str] = {WORKLOAD_KEY: "default/a"}

    def __init__(self) -> None:
        self.hung_up = asyncio.Event()
        self.written: list[int] = []

    async def read(self) -> bytes | None:
        await self.hung_up.wait()
        return None

    async def write(self, body: bytes) -> None:
        self.written.append(len(body))


def test_a_response_that_is_written_is_not_kept() -> None:
    async def scene() -> None:
        body = Body(b"a megabyte of routes")
        left: list[str] = []
        body.gone = lambda: left.append("nobody has it")
        stream, wire = OneResponse(body), Wire()
        del body
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            tasks.create_task(serve_stream(wire, stream, "cluster.local"))
            await stream.rests.wait()
            assert wire.written == [20]
            assert left
            wire.hung_up.set()

    asyncio.run(scene())
