import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from proa.adapters.config_sources.sqlite import open_stores
from proa.ports.config_store import ConfigStore
from tests.contracts.config_store import A, B, ConfigStoreContract, Opened, applied, change, put


class TestSqliteConfigStore(ConfigStoreContract):
    @pytest.fixture
    def open_store(self, tmp_path: Path) -> Callable[[], Opened]:
        @asynccontextmanager
        async def open_store() -> AsyncIterator[ConfigStore]:
            async with open_stores(tmp_path / "store.db") as stores:
                yield stores.config

        return open_store


def test_what_another_process_wrote_is_seen(tmp_path: Path) -> None:
    async def body() -> None:
        path = tmp_path / "store.db"
        async with open_stores(path) as mine, open_stores(path) as others:
            await applied(mine.config, change(put(A)))
            await applied(others.config, change(put(B)))
            state = await mine.config.state()
            assert (state.version, set(state.objects)) == (2, {A, B})
            assert (await applied(mine.config, change(put(B)))).version == 2

    asyncio.run(body())


def test_an_unchanged_state_is_the_same_value(tmp_path: Path) -> None:
    async def body() -> None:
        async with open_stores(tmp_path / "store.db") as stores:
            await applied(stores.config, change(put(A)))
            assert await stores.config.state() is await stores.config.state()

    asyncio.run(body())
