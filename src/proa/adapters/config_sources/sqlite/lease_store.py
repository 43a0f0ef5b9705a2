"""Leases in store.db. Keeps the contract of ports.lease_store.LeaseStore."""

import sqlite3

from proa.adapters.config_sources.sqlite.connection import Database, transaction
from proa.ports.lease_store import Lease


class SqliteLeaseStore:
    """Made by `open_stores`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def leases(self) -> tuple[Lease, ...]:
        def job(connection: sqlite3.Connection) -> tuple[Lease, ...]:
            rows = connection.execute("SELECT node, state, time FROM leases ORDER BY node")
            return tuple(Lease(node=node, state=bytes(state), time=time) for node, state, time in rows)

        return await self._database.run(job)

    async def put_lease(self, lease: Lease) -> None:
        def job(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                connection.execute(
                    "INSERT INTO leases (node, state, time) VALUES (?, ?, ?) "
                    "ON CONFLICT (node) DO UPDATE SET state = excluded.state, time = excluded.time",
                    (lease.node, lease.state, lease.time),
                )

        await self._database.run(job)

    async def remove_lease(self, node: str, state: bytes | None = None) -> bool:
        def job(connection: sqlite3.Connection) -> bool:
            with transaction(connection):
                removed = connection.execute(
                    "DELETE FROM leases WHERE node = ? AND (? IS NULL OR state = ?)", (node, state, state)
                )
                return removed.rowcount > 0

        return await self._database.run(job)
