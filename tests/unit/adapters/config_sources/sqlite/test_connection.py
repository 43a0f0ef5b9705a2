import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from stat import S_IMODE

import pytest

from proa.adapters.config_sources.sqlite import open_stores
from proa.adapters.config_sources.sqlite.connection import Database, transaction
from proa.adapters.config_sources.sqlite.schema import APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION
from proa.ports.failures import StorePermanent, StoreTemporary
from tests.contracts.config_store import A, applied, change, put


async def opened(path: Path) -> None:
    async with open_stores(path):
        pass


def modes_in(directory: Path) -> dict[str, int]:
    return {path.name: S_IMODE(path.stat().st_mode) for path in directory.iterdir()}


def test_the_files_are_their_owners_alone(tmp_path: Path) -> None:
    async def body() -> None:
        async with open_stores(tmp_path / "store.db") as stores:
            await applied(stores.config, change(put(A)))
            assert modes_in(tmp_path) == {"store.db": 0o600, "store.db-wal": 0o600, "store.db-shm": 0o600}

    asyncio.run(body())


def test_a_newer_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    asyncio.run(opened(path))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 3}")
    with pytest.raises(StorePermanent, match="was written by a newer Proa"):
        asyncio.run(opened(path))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION + 3,)


def test_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    with pytest.raises(StorePermanent, match="not Proa's"):
        asyncio.run(opened(path))
    path.write_text("no database at all, and long enough to be sure of it" * 100)
    with pytest.raises(StorePermanent, match="not a database"):
        asyncio.run(opened(path))


def test_a_directory_that_is_not_there_is_permanent(tmp_path: Path) -> None:
    with pytest.raises(StorePermanent):
        asyncio.run(opened(tmp_path / "missing" / "store.db"))


def test_a_busy_file_is_temporary(tmp_path: Path) -> None:
    async def body() -> None:
        path = tmp_path / "store.db"
        async with open_stores(path) as stores:
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                with pytest.raises(StoreTemporary):
                    await stores.config.apply(change(put(A)))
            assert (await applied(stores.config, change(put(A)))).version == 1

    asyncio.run(body())


def test_a_caller_that_is_cancelled_leaves_nothing_half_done(tmp_path: Path) -> None:
    async def body() -> None:
        async with open_stores(tmp_path / "store.db") as stores:
            watch = stores.config.watch()
            assert (await anext(watch)).version == 0
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await stores.config.apply(change(put(A)))
            version = (await stores.config.state()).version
            assert version in (0, 1)
            if version == 1:
                assert (await anext(watch)).version == 1

    asyncio.run(body())


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    async def body() -> None:
        async with open_stores(tmp_path / "store.db") as stores:
            pass
        with pytest.raises(StorePermanent, match="is closed"):
            await stores.config.state()

    asyncio.run(body())


def test_a_failed_transaction_is_rolled_back(tmp_path: Path) -> None:
    def job(connection: sqlite3.Connection) -> None:
        with transaction(connection):
            connection.execute("INSERT INTO versions VALUES (1, 'ada', 1.0, '')")
            raise KeyError("a bug")

    def count(connection: sqlite3.Connection) -> int:
        return int(connection.execute("SELECT count(*) FROM versions").fetchone()[0])

    async def body() -> None:
        database = await Database.open(tmp_path / "store.db")
        try:
            with pytest.raises(KeyError):
                await database.run(job)
            assert await database.run(count) == 0
        finally:
            await database.close()
            await database.close()

    asyncio.run(body())


def test_an_upgrade_keeps_a_copy_that_the_older_program_can_use(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in MIGRATIONS[0].split(";"):
            connection.execute(statement)
        connection.execute("INSERT INTO versions VALUES (1, 'ada', 1.0)")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")

    asyncio.run(opened(path))
    asyncio.run(opened(path))

    (copy,) = (tmp_path / "backups").glob("*.db")
    assert copy.name == "before-upgrade-of-schema-1.db"
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("SELECT version, author FROM versions").fetchall() == [(1, "ada")]


def test_two_that_make_the_same_store_have_one(tmp_path: Path) -> None:
    async def body() -> None:
        path = tmp_path / "store.db"
        async with asyncio.TaskGroup() as tasks:
            made = [tasks.create_task(Database.open(path)) for _ in range(4)]
        for each in made:
            await each.result().close()

    asyncio.run(body())
    assert [each.name for each in tmp_path.iterdir()] == ["store.db"]
