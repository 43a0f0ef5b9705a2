"""One connection to store.db and the one thread that uses it.

SQLite blocks, the control plane's event loop must not: jobs run on a thread of their own, one after the other,
so the connection and all that jobs keep (caches) have a single owner and need no lock. A caller that is
cancelled leaves its job running to its end; a job is a whole transaction, so nothing is ever half done.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from proa.adapters.config_sources.sqlite.schema import migrate
from proa.ports.failures import StoreFailure, StorePermanent, StoreTemporary

T = TypeVar("T")
BUSY_TIMEOUT_MS: Final = 2000

FAILURES: Final[dict[int, type[StoreFailure]]] = {
    sqlite3.SQLITE_BUSY: StoreTemporary,
    sqlite3.SQLITE_LOCKED: StoreTemporary,
    sqlite3.SQLITE_FULL: StoreTemporary,
    sqlite3.SQLITE_IOERR: StoreTemporary,
    sqlite3.SQLITE_PERM: StorePermanent,
    sqlite3.SQLITE_READONLY: StorePermanent,
    sqlite3.SQLITE_CANTOPEN: StorePermanent,
    sqlite3.SQLITE_CORRUPT: StorePermanent,
    sqlite3.SQLITE_NOTADB: StorePermanent,
}
"""By primary result code; an error that is not here is a bug and propagates as it is."""


class Wakeups:
    """Tells watchers to look again. Belongs to the event loop's thread."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Event] = set()

    def wake(self) -> None:
        for event in self._waiting:
            event.set()

    @contextmanager
    def subscribed(self) -> Iterator[asyncio.Event]:
        """An event that is set by each wake() from now on."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            yield event
        finally:
            self._waiting.discard(event)


class Database:
    """Made by `open`, ended by `close`. Jobs get the connection in autocommit mode and use `transaction`."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._path = path
        self._loop = loop
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="proa-store")
        self._connection: sqlite3.Connection | None = None
        self._wakeups: list[Wakeups] = []
        self.is_closed = False

    @classmethod
    async def open(cls, path: Path) -> "Database":
        """Opens the file, makes it when missing (0600), brings its schema up to date.

        Raises StoreTemporary or StorePermanent.
        """
        database = cls(path, asyncio.get_running_loop())
        try:
            await database._submit(database._connect)
        except BaseException:
            database._thread.submit(database._disconnect)  # when cancelled, it may still open
            database._thread.shutdown(wait=False)
            raise
        return database

    async def close(self) -> None:
        """Waits for the jobs under way, closes the file and ends every watch. Idempotent."""
        if self.is_closed:
            return
        self.is_closed = True
        for wakeups in self._wakeups:
            wakeups.wake()
        try:
            await asyncio.shield(self._submit(self._disconnect))
        finally:
            self._thread.shutdown(wait=False)

    async def run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """What the job returns. Raises StoreTemporary, StorePermanent, or what the job raised."""
        if self.is_closed:
            raise StorePermanent(f"{self._path} is closed")
        return await self._submit(lambda: job(self._opened()))

    def wakeups(self) -> Wakeups:
        """A bell for one kind of watcher; also rung when the store closes."""
        made = Wakeups()
        self._wakeups.append(made)
        return made

    def wake_from_job(self, wakeups: Wakeups) -> None:
        """Rings from within a job, after its transaction: also when the caller was cancelled meanwhile."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(wakeups.wake)

    async def watch(self, wakeups: Wakeups, read: Callable[[sqlite3.Connection], T]) -> AsyncGenerator[T]:
        """What `read` gives now, and whenever the bell rang and it gives something else."""
        with wakeups.subscribed() as woken:
            last: T | None = None
            while not self.is_closed:
                woken.clear()
                value = await self.run(read)
                if last is None or value != last:
                    last = value
                    yield value
                await woken.wait()

    async def _submit(self, job: Callable[[], T]) -> T:
        return await self._loop.run_in_executor(self._thread, lambda: _mapped(self._path, job))

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StorePermanent(f"{self._path} is closed")
        return self._connection

    def _connect(self) -> None:
        _make_private(self._path)
        connection = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")  # a returned apply or redeemed token is on disk
            connection.execute("PRAGMA foreign_keys = ON")
            migrate(connection, str(self._path))
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Takes the write lock first, so that what is read inside still holds when it is written."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _mapped(path: Path, job: Callable[[], T]) -> T:
    try:
        return job()
    except sqlite3.Error as error:
        failure = FAILURES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
        if failure is None:
            raise
        raise failure(f"{path}: {error}") from error
    except OSError as error:
        raise StorePermanent(f"{path}: {error.strerror}") from error


def _make_private(path: Path) -> None:
    """SQLite gives its -wal and -shm files the mode of the main file. Token digests and the audit are nobody
    else's business, but they are no keys: an open file is closed, not refused."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
