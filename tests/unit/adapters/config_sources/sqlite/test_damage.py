"""A store that is not what was written is refused with what to do, and left as it is."""

import asyncio
import logging
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from proa.adapters.config_sources.sqlite.backups import SqliteBackups
from proa.adapters.config_sources.sqlite.config_store import SqliteConfigStore
from proa.adapters.config_sources.sqlite.connection import Database
from proa.adapters.config_sources.sqlite.copies import known_copies
from proa.adapters.config_sources.sqlite.damage import check_integrity
from proa.core.model.names import ObjectRef
from proa.ports.failures import StorePermanent
from tests.contracts.config_store import A, applied, change, put

PAGE = 4096


def zeroed_header(content: bytes) -> bytes:
    return bytes(100) + content[100:]


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2 // PAGE * PAGE]


def cut_within_a_page(content: bytes) -> bytes:
    return content[: len(content) - 1000]


def emptied(_content: bytes) -> bytes:
    return b""


def garbage_page(content: bytes) -> bytes:
    middle = len(content) // 2 // PAGE * PAGE
    return content[:middle] + b"\xa5garbage" * (PAGE // 8) + content[middle + PAGE :]


DAMAGES = (zeroed_header, truncated, cut_within_a_page, emptied, garbage_page)


async def filled(path: Path, backup: Path | None = None) -> None:
    """Enough that the tables have many pages; one object more after the backup."""
    database = await Database.open(path)
    try:
        config = SqliteConfigStore(database)
        await applied(
            config, change(*(put(ObjectRef("Gateway", "n", f"{each}"), "x" * 900) for each in range(100)))
        )
        if backup is not None:
            await SqliteBackups(database).backup(backup, 1.0e9)
        await applied(config, change(put(A)))
    finally:
        await database.close()


async def version_of(path: Path) -> int:
    database = await Database.open(path)
    try:
        return (await SqliteConfigStore(database).state()).version
    finally:
        await database.close()


def refusal_of(path: Path) -> str:
    with pytest.raises(StorePermanent) as caught:
        asyncio.run(version_of(path))
    return str(caught.value)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_store_is_refused_and_its_words_restore_it(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    home, backup = tmp_path / "a home", tmp_path / "far away" / "copy.db"
    home.mkdir()
    backup.parent.mkdir()
    path = home / "store.db"
    asyncio.run(filled(path, backup))
    path.write_bytes(damage(path.read_bytes()))
    broken = path.read_bytes()

    told = refusal_of(path)

    assert told.startswith(f"{path} is damaged (")
    assert f"The newest whole backup is {backup}: version 1, of 2001-09-09 01:46:40Z." in told
    assert path.read_bytes() == broken, "what is left may be needed"
    (command,) = (line.strip() for line in told.splitlines() if line.startswith("  "))
    subprocess.run(command, shell=True, check=True)
    assert asyncio.run(version_of(path)) == 1
    (aside,) = home.glob("damaged-*")
    assert (aside / "store.db").read_bytes() == broken


def test_without_a_backup_it_says_how_to_begin_anew(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    asyncio.run(filled(path))
    path.write_bytes(zeroed_header(path.read_bytes()))

    told = refusal_of(path)

    assert "No whole backup of it is known" in told
    assert "begin anew" in told


def test_a_backup_that_is_damaged_too_is_passed_over(tmp_path: Path) -> None:
    path, older, newer = tmp_path / "store.db", tmp_path / "older", tmp_path / "newer"
    asyncio.run(filled(path, older))
    asyncio.run(filled(path, newer))
    assert [copy.file for copy in known_copies(path)] == [str(newer), str(older)]
    for each in (path, newer):
        each.write_bytes(garbage_page(each.read_bytes()))

    assert f"The newest whole backup is {older}" in refusal_of(path)


def test_damage_found_later_says_the_same(tmp_path: Path) -> None:
    """A page goes bad while the store is open: what reads it fails with the whole advice."""

    def spoil(_connection: sqlite3.Connection) -> None:
        raise _error(sqlite3.SQLITE_CORRUPT)

    async def body() -> None:
        database = await Database.open(tmp_path / "store.db")
        try:
            with pytest.raises(StorePermanent, match=r"is damaged(.|\n)*begin anew"):
                await database.run(spoil)
        finally:
            await database.close()

    asyncio.run(body())


def test_a_check_that_takes_too_long_is_given_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "store.db"
    asyncio.run(filled(path))
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE big (x); WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n LIMIT 1000000) "
            "INSERT INTO big SELECT 'some text that fills pages' FROM n;"
        )
        with caplog.at_level(logging.WARNING):
            check_integrity(connection, path, budget_s=0.003)
        assert "opened unchecked" in caplog.text
        assert connection.execute("SELECT count(*) FROM versions").fetchone() == (2,)


def _error(code: int) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = code
    return error
