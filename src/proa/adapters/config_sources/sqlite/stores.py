"""Opens store.db and hands out the stores that live in it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from proa.adapters.config_sources.sqlite.authority_store import SqliteAuthorityStore
from proa.adapters.config_sources.sqlite.backups import SqliteBackups
from proa.adapters.config_sources.sqlite.config_store import SqliteConfigStore
from proa.adapters.config_sources.sqlite.connection import Database
from proa.adapters.config_sources.sqlite.lease_store import SqliteLeaseStore


class Stores(msgspec.Struct, frozen=True, kw_only=True):
    """All are valid until the `open_stores` block ends."""

    config: SqliteConfigStore
    authority: SqliteAuthorityStore
    leases: SqliteLeaseStore
    backups: SqliteBackups


@asynccontextmanager
async def open_stores(path: Path) -> AsyncIterator[Stores]:
    """The stores in the file at `path`, which is made when missing; its directory must exist.

    Raises StoreTemporary or StorePermanent when it cannot be used. Leaving ends every watch.
    """
    database = await Database.open(path)
    try:
        yield Stores(
            config=SqliteConfigStore(database),
            authority=SqliteAuthorityStore(database),
            leases=SqliteLeaseStore(database),
            backups=SqliteBackups(database),
        )
    finally:
        await database.close()
