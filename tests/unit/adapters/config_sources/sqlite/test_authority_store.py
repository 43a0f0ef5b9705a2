from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from proa.adapters.config_sources.sqlite import open_stores
from proa.ports.authority_store import AuthorityStore
from tests.contracts.authority_store import AuthorityStoreContract, Opened


class TestSqliteAuthorityStore(AuthorityStoreContract):
    @pytest.fixture
    def open_authority_store(self, tmp_path: Path) -> Callable[[], Opened]:
        @asynccontextmanager
        async def open_authority_store() -> AsyncIterator[AuthorityStore]:
            async with open_stores(tmp_path / "store.db") as stores:
                yield stores.authority

        return open_authority_store
