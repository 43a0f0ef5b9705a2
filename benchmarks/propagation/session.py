"""A node's session as an agent holds it, over the swarm's connection."""

import asyncio
import time

from benchmarks.propagation.h2_client import Call, Connection
from proa.core.sidecar.session import NodeState, Registration, SessionState, decode, encode

PATH = "/proa.node.v1.Node/Session"
PATIENCE_S = 60.0


class Session:
    """`tell` sends a state; `answered` waits for the answer to the last one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._call: Call = connection.call(PATH, {}, self._receive)
        self._version = 0
        self._answer: SessionState | None = None
        self._news = asyncio.Event()

    def _receive(self, body: bytes, first_at: int) -> None:
        self._answer = decode(body, SessionState)
        self._news.set()

    def tell(self, workloads: tuple[Registration, ...]) -> int:
        """Sends everything the node has now. Returns the monotonic ns at which it was handed to the socket."""
        self._version += 1
        self._call.send(encode(NodeState(version=self._version, workloads=workloads)))
        now = time.monotonic_ns()
        self._connection.flush()
        return now

    def close(self) -> None:
        """Ends the connection, and so the session."""
        self._connection.close()

    async def answered(self) -> SessionState:
        async with asyncio.timeout(PATIENCE_S):
            while self._answer is None or self._answer.version < self._version:
                if self._call.ended is not None:
                    raise RuntimeError(f"the session ended: {self._call.ended}")
                self._news.clear()
                await self._news.wait()
        return self._answer


async def open_session(connection: Connection, workloads: tuple[Registration, ...]) -> Session:
    """Raises RuntimeError when a workload is refused."""
    session = Session(connection)
    session.tell(workloads)
    answer = await session.answered()
    if answer.refused:
        raise RuntimeError(f"{answer.refused[0].id} was refused: {answer.refused[0].reason}")
    return session
