from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from proa.adapters.config_sources.sqlite import open_stores
from proa.ports.lease_store import LeaseStore
from tests.contracts.lease_store import LeaseStoreContract, Opened


class TestSqliteLeaseStore(LeaseStoreContract):
    @pytest.fixture
    def open_lease_store(self, tmp_path: Path) -> Callable[[], Opened]:
        @asynccontextmanager
        async def open_lease_store() -> AsyncIterator[LeaseStore]:
            async with open_stores(tmp_path / "store.db") as stores:
                yield stores.leases

        return open_lease_store
