import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from proa.adapters.config_sources.sqlite.backups import SqliteBackups
from proa.adapters.config_sources.sqlite.config_store import SqliteConfigStore
from proa.adapters.config_sources.sqlite.connection import Database
from proa.ports.store_backup import BackupRefused
from tests.contracts.store_backups import Open, Opened, Pair, StoreBackupsContract


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Pair]:
    database = await Database.open(path)
    try:
        yield Pair(config=SqliteConfigStore(database), backups=SqliteBackups(database))
    finally:
        await database.close()


class TestSqliteBackups(StoreBackupsContract):
    @pytest.fixture
    def open_pair(self, tmp_path_factory: pytest.TempPathFactory) -> Open:
        directory = tmp_path_factory.mktemp("store")

        def open_pair(backup: Path | None) -> Opened:
            if backup is None:
                return opened(directory / "store.db")
            shutil.copy(backup, directory / "restored.db")
            return opened(directory / "restored.db")

        return open_pair


def test_a_store_in_use_is_never_replaced(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path / "store.db") as mine, opened(tmp_path / "other.db"):
            for name in ("store.db", "store.db-wal", "other.db"):
                assert isinstance(await mine.backups.backup(tmp_path / name, 1.0), BackupRefused)

    asyncio.run(body())


def test_a_refused_backup_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    async def body() -> None:
        async with opened(tmp_path / "store.db") as mine:
            before = set(os.listdir(tmp_path))
            assert isinstance(await mine.backups.backup(tmp_path / "file" / "copy", 1.0), BackupRefused)
            assert set(os.listdir(tmp_path)) == before

    asyncio.run(body())
