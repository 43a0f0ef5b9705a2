"""Accepts connections, shakes hands, and ends in order."""

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from immutables import Map

from proa.core.auth.denial import Denial
from proa.servers.grpc_edge.calls import Service, StreamHandler
from proa.servers.grpc_edge.connection import Connection, Judge
from proa.servers.grpc_edge.credentials import Credentials, why_no_handshake

HANDSHAKE_S: Final = 10.0
MOST_HANDSHAKES: Final = 512
"""Under way at once: whoever reaches the port may begin one. When they are so many, the slow ones are cut."""
SLOW_HANDSHAKE_S: Final = 2.0
FAREWELL_S: Final = 1.0
"""For TLS to close, and for a peer to take what was written."""
TICK_S: Final = 1.0
BACKLOG: Final = 4096
"""All agents of a mesh come back at once. The kernel takes no more than its `somaxconn`."""
ACCEPTED_AT_ONCE: Final = 64
_FULL: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))

log = logging.getLogger("proa.servers.grpc")


@asynccontextmanager
async def serving_grpc(
    services: Sequence[Service],
    sockets: Sequence[socket.socket],
    credentials: Credentials | None,
    grace_s: float,
    judge: Judge | None = None,
    denied: Callable[[Denial, str], None] = lambda reason, peer: None,
) -> AsyncIterator[None]:
    """Serves on these listening sockets while the block runs, and closes them. Without credentials in plain text:
    for Unix sockets. Whom `judge` refuses his calls end, within a second also those that are open; `denied` is told
    of handshakes that fail for the client's certificate. At the end peers are told to go; calls may end by
    themselves within the grace."""
    methods: Map[str, StreamHandler] = Map(
        {path: handler for each in services for path, handler in each.methods.items()}
    )
    async with asyncio.TaskGroup() as tasks:
        server = _Server(methods, credentials, tasks, judge, denied)
        clock = tasks.create_task(server.keep_time(), name="gRPC clock")
        try:
            for each in sockets:
                server.listen(each)
            yield
        finally:
            server.stop_listening()
            await server.part(grace_s)
            clock.cancel()


def send_at_once(accepted: socket.socket) -> None:
    """asyncio does it for sockets that were made for TCP by its number, which listeners are not. The end of an answer
    would wait for the peer's delayed ACK, 40 ms, and with it the request that asked."""
    if accepted.family in (socket.AF_INET, socket.AF_INET6):
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class _Server:
    """Owner of the connections."""

    def __init__(
        self,
        methods: Map[str, StreamHandler],
        credentials: Credentials | None,
        tasks: asyncio.TaskGroup,
        judge: Judge | None,
        denied: Callable[[Denial, str], None],
    ) -> None:
        self._methods = methods
        self._credentials = credentials
        self._judge = judge
        self._denied = denied
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self._listening: list[socket.socket] = []
        self._handshakes: dict[asyncio.Task[None], float] = {}
        self._connections: set[Connection] = set()
        self._is_full = self._is_leaving = False
        self._gone = asyncio.Event()

    def listen(self, listener: socket.socket) -> None:
        listener.setblocking(False)
        listener.listen(BACKLOG)
        self._listening.append(listener)
        self._loop.add_reader(listener, self._accept, listener)

    def stop_listening(self) -> None:
        for listener in self._listening:
            self._loop.remove_reader(listener)
            listener.close()
        self._listening.clear()

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            if len(self._handshakes) >= MOST_HANDSHAKES:
                self._pause()
                return
            try:
                accepted, _ = listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _FULL:
                    log.error("no connection can be taken: %s", error)
                    self._pause()
                    return
                continue  # that one was given up by its peer meanwhile
            self._welcome(accepted)

    def _pause(self) -> None:
        """Until the next tick."""
        self._is_full = True
        for listener in self._listening:
            self._loop.remove_reader(listener)

    def _welcome(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        send_at_once(accepted)
        task = self._tasks.create_task(self._shake_hands(accepted), name="gRPC handshake")
        self._handshakes[task] = self._loop.time()
        task.add_done_callback(self._handshakes.pop)

    async def _shake_hands(self, accepted: socket.socket) -> None:
        tls = self._credentials.context if self._credentials is not None else None
        timeouts = {"ssl_handshake_timeout": HANDSHAKE_S, "ssl_shutdown_timeout": FAREWELL_S} if tls else {}
        try:
            await self._loop.connect_accepted_socket(self._connection, accepted, ssl=tls, **timeouts)
        except (OSError, ssl.SSLError, TimeoutError) as error:
            log.debug("no handshake: %s", error)
            reason = why_no_handshake(error)
            if reason is not None:
                self._denied(reason, "(handshake)")

    def _connection(self) -> Connection:
        return Connection(
            self._methods, self._tasks, self._begun, self._connections_end, self._judge, self._denied
        )

    def _begun(self, connection: Connection) -> None:
        self._connections.add(connection)
        if self._is_leaving:
            connection.leave()

    def _connections_end(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._gone.set()

    async def keep_time(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            # Of a peer on this host the kernel tells; an Envoy that loads much answers no ping for longer than that.
            if self._credentials is not None:
                for connection in tuple(self._connections):
                    connection.tick()
            if self._is_full:
                self._resume()

    def _resume(self) -> None:
        self._is_full = False
        if len(self._handshakes) >= MOST_HANDSHAKES:
            now = self._loop.time()
            for task, began in tuple(self._handshakes.items()):
                if now - began > SLOW_HANDSHAKE_S:
                    task.cancel()
        for listener in self._listening:
            self._loop.add_reader(listener, self._accept, listener)

    async def part(self, grace_s: float) -> None:
        """Ends all connections: those without calls now, the others within the grace, whoever does not go by force."""
        self._is_leaving = True
        await asyncio.sleep(0)  # a task cancelled before its first step would leave its socket open
        for task in tuple(self._handshakes):
            task.cancel()
        for connection in tuple(self._connections):
            connection.leave()
        if await self._all_gone(grace_s):
            return
        for connection in tuple(self._connections):
            connection.end()
        if not await self._all_gone(FAREWELL_S):
            for connection in tuple(self._connections):
                connection.abort()
            await self._all_gone(FAREWELL_S)

    async def _all_gone(self, within_s: float) -> bool:
        try:
            async with asyncio.timeout(within_s):
                while self._connections:
                    self._gone.clear()
                    await self._gone.wait()
        except TimeoutError:
            return False
        return True
