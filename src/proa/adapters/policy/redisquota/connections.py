"""Connections to one Redis: a bounded number, each for one command at a time, every call within its deadline.

The owner is a RedisPool; nobody else touches a connection. One whose answer was not read to its end is closed, so that
no call can take another's answer. Every failure is a HandlerFailure by the table below; it names the address, and never
the password.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Final

from proa.adapters.policy.redisquota.wire import Answer, RedisError, WireError, command, read_answer
from proa.core.config.redis_address import RedisAddress
from proa.ports.failures import HandlerFailure, HandlerPermanent, HandlerTemporary

DEADLINE_S: Final = 1.0
"""For a call, its wait for a connection included."""
MOST_WAITING: Final = 1000

FAILURES: Final[dict[str, type[HandlerFailure]]] = {
    "BUSY": HandlerTemporary,  # another script runs for too long
    "CLUSTERDOWN": HandlerTemporary,
    "LOADING": HandlerTemporary,
    "MASTERDOWN": HandlerTemporary,
    "MISCONF": HandlerTemporary,  # it cannot write its disk
    "OOM": HandlerTemporary,
    "READONLY": HandlerTemporary,  # a replica: its master is about to change, or the address is the wrong one
    "TRYAGAIN": HandlerTemporary,
    "UNKILLABLE": HandlerTemporary,
}
"""By the first word of Redis' error; every other one needs somebody to change something (NOAUTH, NOPERM, WRONGTYPE)."""

_LOST: Final = (OSError, EOFError, asyncio.LimitOverrunError, WireError)


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @property
    def is_open(self) -> bool:
        return not (self._reader.at_eof() or self._writer.is_closing())

    async def ask(self, words: Sequence[str | int]) -> Answer:
        self._writer.write(command(words))
        await self._writer.drain()
        return await read_answer(self._reader)

    def drop(self) -> None:
        """At once, whatever is on its way."""
        self._writer.transport.abort()

    async def close(self) -> None:
        self.drop()
        with suppress(OSError):  # it may have been lost before
            await self._writer.wait_closed()


class RedisPool:
    """Opens connections when they are needed. Used as `async with`; after it every call fails."""

    def __init__(
        self,
        address: RedisAddress,
        size: int,
        *,
        deadline_s: float = DEADLINE_S,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._address, self._deadline_s, self._most_waiting = address, deadline_s, most_waiting
        self._free = asyncio.Semaphore(size)
        self._idle: list[_Connection] = []
        self._waiting = 0
        self._is_closed = False

    async def __aenter__(self) -> "RedisPool":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_closed = True
        while self._idle:
            await self._idle.pop().close()

    async def ask(self, words: Sequence[str | int]) -> Answer:
        """What Redis answers; NOSCRIPT among it, for the caller knows the script. Other errors are raised."""
        answer = await self._ask(words)
        if isinstance(answer, RedisError) and answer.code != "NOSCRIPT":
            raise self._failure(answer)
        return answer

    async def _ask(self, words: Sequence[str | int]) -> Answer:
        try:
            async with asyncio.timeout(self._deadline_s), self._connection() as connection:
                return await connection.ask(words)
        except TimeoutError:
            raise HandlerTemporary(
                f"Redis at {self._address} has not answered within {self._deadline_s:g} s"
            ) from None
        except _LOST as error:
            raise HandlerTemporary(f"Redis at {self._address} cannot be reached: {error}") from error

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[_Connection]:
        """Ours until the block ends. It is kept when the block ends well."""
        if self._waiting >= self._most_waiting:
            raise HandlerTemporary(f"{self._waiting} calls wait for Redis at {self._address}")
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            connection = self._take() or await self._open()
            try:
                yield connection
            except BaseException:
                connection.drop()
                raise
            if self._is_closed:
                connection.drop()
            else:
                self._idle.append(connection)
        finally:
            self._free.release()

    def _take(self) -> _Connection | None:
        if self._is_closed:
            raise HandlerTemporary(f"the connections to Redis at {self._address} are closed")
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
            connection.drop()
        return None

    async def _open(self) -> _Connection:
        address = self._address
        context = ssl.create_default_context() if address.tls else None
        connection = _Connection(*await asyncio.open_connection(address.host, address.port, ssl=context))
        try:
            if address.password:
                await self._greet(connection, ("AUTH", *filter(None, (address.user,)), address.password))
            if address.database:
                await self._greet(connection, ("SELECT", address.database))
        except BaseException:
            connection.drop()
            raise
        return connection

    async def _greet(self, connection: _Connection, words: Sequence[str | int]) -> None:
        answer = await connection.ask(words)
        if isinstance(answer, RedisError):
            raise self._failure(answer)

    def _failure(self, error: RedisError) -> HandlerFailure:
        failure = FAILURES.get(error.code, HandlerPermanent)
        return failure(f"Redis at {self._address} refuses: {error.text}")
