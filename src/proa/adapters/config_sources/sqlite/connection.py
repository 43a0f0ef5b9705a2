"""One connection to store.db and the one thread that uses it.

SQLite blocks, the control plane's event loop must not: jobs run on a thread of their own, one after the other,
so the connection and all that jobs keep (caches) have a single owner and need no lock. A caller that is
cancelled leaves its job running to its end; a job is a whole transaction, so nothing is ever half done.
"""

import asyncio
import os
import sqlite3
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

from proa.adapters.config_sources.sqlite.copies import SUFFIXES, copies_directory, make_copy, sync
from proa.adapters.config_sources.sqlite.damage import DAMAGE, check_integrity, damaged
from proa.adapters.config_sources.sqlite.schema import SCHEMA_VERSION, migrate, schema_version
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
}
"""By primary result code; DAMAGE is permanent too and says more. An error that is in neither is a bug and
propagates as it is."""


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

    @property
    def path(self) -> Path:
        return self._path

    async def beside(self, job: Callable[[], T]) -> T:
        """As `run`, on another thread and without the connection: for what takes long and opens its own."""
        if self.is_closed:
            raise StorePermanent(f"{self._path} is closed")
        return await self._loop.run_in_executor(None, lambda: _mapped(self._path, job))

    async def run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """What the job returns. Raises StoreTemporary, StorePermanent, or what the job raised."""
        if self.is_closed:
            raise StorePermanent(f"{self._path} is closed")
        return await self._submit(lambda: job(self._opened()))

    def submit(self, job: Callable[[sqlite3.Connection], T]) -> "asyncio.Future[T]":
        """As `run`, for who is called back. Raises StorePermanent when the store is closed."""
        if self.is_closed:
            raise StorePermanent(f"{self._path} is closed")
        return self._loop.run_in_executor(
            self._thread, lambda: _mapped(self._path, lambda: job(self._opened()))
        )

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
        if not self._path.exists():
            _make(self._path)
        elif self._path.stat().st_size == 0:  # `_make` leaves none: something emptied it
            raise damaged(self._path, "file is empty")
        self._path.chmod(0o600)  # SQLite gives its -wal and -shm files the same
        connection = _connected(self._path)
        try:
            found = schema_version(connection, str(self._path))
            check_integrity(connection, self._path)
            if found < SCHEMA_VERSION:
                before = copies_directory(self._path) / f"before-upgrade-of-schema-{found}.db"
                make_copy(self._path, before, time.time())
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
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in DAMAGE:
            raise damaged(path, str(error)) from error
        failure = FAILURES.get(code)
        if failure is None:
            raise
        raise failure(f"{path}: {error}") from error
    except OSError as error:
        raise StorePermanent(f"{path}: {error.strerror}") from error


def _connected(path: Path) -> sqlite3.Connection:
    """In WAL mode a commit is one append to the log, and readers and copies do not hold writers up. With
    synchronous FULL each commit waits for the disk: an apply that has returned and a token that was redeemed
    survive a power cut. NORMAL would only survive a killed process; EXTRA differs in other journal modes alone."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cell_size_check = ON")  # a damaged page is noticed when it is read
    except BaseException:
        connection.close()
        raise
    return connection


def _make(path: Path) -> None:
    """A new store gets its name when it is whole: a process killed on the way leaves no half-made one, and a file
    without content can only be one that was lost. Token digests and the audit are nobody else's business: 0600."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(descriptor)
    waiting = Path(name)
    try:
        connection = _connected(waiting)
        try:
            migrate(connection, str(path))
        finally:
            connection.close()
        sync(waiting)
        # Not a rename: when two make the same store, the second takes the first one's.
        with suppress(FileExistsError):
            path.hardlink_to(waiting)
        sync(path.parent)
    finally:
        for suffix in SUFFIXES:
            waiting.with_name(waiting.name + suffix).unlink(missing_ok=True)
