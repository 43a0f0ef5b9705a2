"""Many writes in few transactions: each caller hears of its own, when it is on disk and not before."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from proa.adapters.config_sources.sqlite.connection import Database
from proa.adapters.config_sources.sqlite.grouping import MOST, GroupedWrites
from proa.ports.failures import StorePermanent, StoreTemporary


class Scene:
    """`gate` holds the store's thread up while it is closed, so that the test says what is under way together."""

    def __init__(self, path: Path, database: Database) -> None:
        self.path = path
        self.database = database
        self.gate = threading.Event()
        self.gate.set()
        self.writes = GroupedWrites[int](database, self._write)
        self.error: Exception | None = None

    def _write(self, connection: sqlite3.Connection, value: int) -> None:
        self.gate.wait(60)
        if self.error is not None:
            raise self.error
        if value < 0:
            raise StorePermanent(f"{value} is refused")
        connection.execute("INSERT INTO numbers VALUES (?)", (value,))

    def on_disk(self) -> set[int]:
        """As somebody else sees it: what was committed."""
        with sqlite3.connect(self.path) as other:
            found = {number for (number,) in other.execute("SELECT number FROM numbers")}
        other.close()
        return found

    async def put(self, value: int) -> bool:
        """Whether it was on disk when it was told."""
        await self.writes.put(value)
        return value in self.on_disk()


Body = Callable[[Scene], Awaitable[None]]


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Body], None]:
    def run(body: Body) -> None:
        async def opened() -> None:
            database = await Database.open(tmp_path / "store.db")
            try:
                await database.run(lambda connection: connection.execute("CREATE TABLE numbers (number)"))
                async with asyncio.timeout(60):
                    await body(Scene(tmp_path / "store.db", database))
            finally:
                await database.close()

        asyncio.run(opened())

    return run


def test_what_comes_while_one_commits_goes_with_the_next(run: Callable[[Body], None]) -> None:
    async def body(scene: Scene) -> None:
        scene.gate.clear()
        async with asyncio.TaskGroup() as tasks:
            told = [tasks.create_task(scene.put(number)) for number in range(100)]
            await asyncio.sleep(0)
            assert scene.on_disk() == set()
            assert not any(each.done() for each in told)
            scene.gate.set()
        assert all(each.result() for each in told), "durable when it is told"
        assert scene.writes.commits == 2
        assert await scene.put(100)
        assert scene.writes.commits == 3, "one that comes alone does not wait"

    run(body)


def test_a_refusal_is_ones_own_affair(run: Callable[[Body], None]) -> None:
    async def body(scene: Scene) -> None:
        scene.gate.clear()
        async with asyncio.TaskGroup() as tasks:
            good = [tasks.create_task(scene.put(number)) for number in (0, 1, 2)]
            bad = tasks.create_task(refused(scene.put(-1)))
            more = tasks.create_task(scene.put(3))
            await asyncio.sleep(0)
            scene.gate.set()
        assert bad.result() == "-1 is refused"
        assert all(each.result() for each in (*good, more))
        assert scene.on_disk() == {0, 1, 2, 3}

    run(body)


def test_a_failure_is_everybodys_and_writes_nothing(run: Callable[[Body], None]) -> None:
    async def body(scene: Scene) -> None:
        scene.error = sqlite3.OperationalError("disk I/O error")
        scene.error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        async with asyncio.TaskGroup() as tasks:
            told = [tasks.create_task(refused(scene.put(number))) for number in range(5)]
        assert all("disk I/O error" in each.result() for each in told)
        scene.error = None
        assert scene.on_disk() == set()
        assert await scene.put(7)

    run(body)


def test_who_goes_away_holds_nobody_up(run: Callable[[Body], None]) -> None:
    async def body(scene: Scene) -> None:
        scene.gate.clear()
        async with asyncio.TaskGroup() as tasks:
            told = [tasks.create_task(scene.put(number)) for number in range(10)]
            await asyncio.sleep(0)
            told[0].cancel()  # under way
            told[5].cancel()  # waits
            await asyncio.sleep(0)
            scene.gate.set()
        assert all(each.result() for each in told if not each.cancelled())
        assert [each.cancelled() for each in told].count(True) == 2
        assert scene.on_disk() == set(range(10)) - {5}

    run(body)


def test_one_transaction_has_bounds(run: Callable[[Body], None]) -> None:
    async def body(scene: Scene) -> None:
        scene.gate.clear()
        async with asyncio.TaskGroup() as tasks:
            for number in range(1 + 2 * MOST):
                tasks.create_task(scene.put(number))
            await asyncio.sleep(0)
            scene.gate.set()
        assert scene.writes.commits == 3
        assert len(scene.on_disk()) == 1 + 2 * MOST

    run(body)


def test_a_store_that_is_closed_says_so(run: Callable[[Body], None]) -> None:
    async def body(scene: Scene) -> None:
        await scene.database.close()
        assert "is closed" in await refused(scene.put(1))

    run(body)


async def refused(call: Awaitable[object]) -> str:
    with pytest.raises((StorePermanent, StoreTemporary)) as caught:
        await call
    return str(caught.value)
