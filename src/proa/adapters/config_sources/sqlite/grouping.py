"""Many small writes as few transactions: what comes while one is committed goes with the next, all of it at once.

A commit waits for the disk, and waits as long for fifty rows as for one. Nobody waits for company: the first write is
committed at once, and so is one that comes alone. Each caller hears of its own write, after the commit and not before.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from proa.adapters.config_sources.sqlite.connection import Database, transaction
from proa.ports.failures import StoreFailure

T = TypeVar("T")
MOST: Final = 256
"""Writes of one transaction: some milliseconds of other jobs' time on the store's one thread."""

Waiting = tuple[T, "asyncio.Future[None]"]


class GroupedWrites(Generic[T]):
    """`write` puts one value, inside a transaction; it may refuse it by a StoreFailure, which the others do not notice,
    if it has changed nothing then. Belongs to one event loop."""

    def __init__(self, database: Database, write: Callable[[sqlite3.Connection, T], None]) -> None:
        self._database = database
        self._write = write
        self._waiting: list[Waiting[T]] = []
        self._is_committing = False
        self.commits = 0

    async def put(self, value: T) -> None:
        """Durable when it returns. Who is cancelled meanwhile may have written."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((value, done))
        if not self._is_committing:
            self._commit()
        await done

    def _commit(self) -> None:
        group = [each for each in self._waiting if not each[1].done()][:MOST]
        taken = {id(done) for _, done in group}
        self._waiting = [each for each in self._waiting if id(each[1]) not in taken and not each[1].done()]
        if not group:
            return
        values = [value for value, _ in group]
        try:
            job = self._database.submit(lambda connection: self._put_all(connection, values))
        except StoreFailure as error:
            self._fail(group, error)
            return
        self._is_committing = True
        self.commits += 1
        job.add_done_callback(lambda ended: self._committed(group, ended))

    def _put_all(
        self, connection: sqlite3.Connection, values: Sequence[T]
    ) -> tuple[StoreFailure | None, ...]:
        """In the store's thread. What became of each."""
        outcomes: list[StoreFailure | None] = []
        with transaction(connection):
            for value in values:
                try:
                    self._write(connection, value)
                    outcomes.append(None)
                except StoreFailure as refused:
                    outcomes.append(refused)
        return tuple(outcomes)

    def _committed(
        self, group: Sequence[Waiting[T]], job: "asyncio.Future[tuple[StoreFailure | None, ...]]"
    ) -> None:
        self._is_committing = False
        error = asyncio.CancelledError() if job.cancelled() else job.exception()
        if error is not None:
            self._fail(group, error)
        else:
            for (_, done), outcome in zip(group, job.result(), strict=True):
                if done.done():
                    continue
                if outcome is None:
                    done.set_result(None)
                else:
                    done.set_exception(outcome)
        if self._waiting:
            self._commit()

    def _fail(self, group: Sequence[Waiting[T]], error: BaseException) -> None:
        for _, done in group:
            if not done.done():
                done.set_exception(error)
