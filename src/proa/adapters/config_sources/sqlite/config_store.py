"""The ConfigStore over SQLite. The last state read is kept, so that reading an unchanged store costs one row.

Everything named `_in_job` runs on the database's thread, which owns `_state`.
"""

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import aclosing

from immutables import Map

from proa.adapters.config_sources.sqlite.connection import Database, transaction
from proa.adapters.config_sources.sqlite.plan import Plan, plan
from proa.core.model.names import ObjectRef
from proa.ports.config_store import (
    Applied,
    Conflict,
    HistoryEntry,
    StoredObject,
    StoreState,
    Transaction,
)


class SqliteConfigStore:
    """Keeps the contract of ports.config_store.ConfigStore; the database's owner opens and closes it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changed = database.wakeups()
        self._state = StoreState(version=0)

    async def apply(self, change: Transaction) -> Applied | Conflict:
        return await self._database.run(lambda connection: self._apply_in_job(connection, change))

    async def state(self) -> StoreState:
        return await self._database.run(self._read_in_job)

    async def history(self, ref: ObjectRef | None = None, limit: int = 100) -> tuple[HistoryEntry, ...]:
        return await self._database.run(lambda connection: _history(connection, ref, limit))

    async def watch(self) -> AsyncGenerator[StoreState]:
        seen: int | None = None
        async with aclosing(self._database.watch(self._changed, self._read_in_job)) as states:
            async for state in states:
                if state.version != seen:
                    seen = state.version
                    yield state

    def _apply_in_job(self, connection: sqlite3.Connection, change: Transaction) -> Applied | Conflict:
        with transaction(connection):
            state = self._read_in_job(connection)
            if change.expected_version is not None and change.expected_version != state.version:
                return Conflict(expected=change.expected_version, actual=state.version)
            planned = plan(state, change)
            _write(connection, planned, change)
        self._state = planned.state
        if planned.makes_version:
            self._database.wake_from_job(self._changed)
        return planned.answer

    def _read_in_job(self, connection: sqlite3.Connection) -> StoreState:
        """The kept state when its version still stands; another process may have written meanwhile."""
        (version,) = connection.execute("SELECT coalesce(max(version), 0) FROM versions").fetchone()
        if version != self._state.version:
            self._state = StoreState(version=version, objects=_load(connection))
        return self._state


def _load(connection: sqlite3.Connection) -> Map[ObjectRef, StoredObject]:
    rows = connection.execute(
        "SELECT kind, namespace, name, api_version, manifest, file, line, version, author, time, created "
        "FROM objects JOIN versions USING (version)"
    )
    objects = Map[ObjectRef, StoredObject]().mutate()
    for kind, namespace, name, api_version, manifest, file, line, version, author, time, created in rows:
        ref = ObjectRef(kind, namespace, name)
        objects[ref] = StoredObject(
            ref=ref,
            api_version=api_version,
            manifest=manifest,
            file=file,
            line=line,
            version=version,
            author=author,
            time=time,
            created=created,
        )
    return objects.finish()


def _write(connection: sqlite3.Connection, planned: Plan, change: Transaction) -> None:
    if planned.makes_version:
        connection.execute(
            "INSERT INTO versions VALUES (?, ?, ?)", (planned.answer.version, change.author, change.time)
        )
    for each, _ in planned.written:
        connection.execute("INSERT OR REPLACE INTO objects VALUES (?,?,?,?,?,?,?,?,?)", _object_row(each))
    for each in planned.moved:
        connection.execute(
            "UPDATE objects SET file = ?, line = ? WHERE kind = ? AND namespace = ? AND name = ?",
            (each.file, each.line, *_key(each.ref)),
        )
    for each in planned.deleted:
        connection.execute(
            "DELETE FROM objects WHERE kind = ? AND namespace = ? AND name = ?", _key(each.ref)
        )
    changes = [
        (each.version, *_key(each.ref), action, each.api_version, each.manifest, each.file, each.line)
        for each, action in planned.written
    ]
    changes.extend(
        (planned.answer.version, *_key(each.ref), "deleted", "", "", "", 0) for each in planned.deleted
    )
    connection.executemany("INSERT INTO changes VALUES (?,?,?,?,?,?,?,?,?)", changes)


def _key(ref: ObjectRef) -> tuple[str, str, str]:
    return ref.kind, ref.namespace, ref.name


def _object_row(each: StoredObject) -> tuple[str | int | float, ...]:
    return (
        *_key(each.ref),
        each.api_version,
        each.manifest,
        each.file,
        each.line,
        each.version,
        each.created,
    )


def _history(connection: sqlite3.Connection, ref: ObjectRef | None, limit: int) -> tuple[HistoryEntry, ...]:
    condition = "" if ref is None else "WHERE kind = ? AND namespace = ? AND name = ? "
    rows = connection.execute(
        "SELECT version, author, time, kind, namespace, name, action, api_version, manifest, file, line "
        f"FROM changes JOIN versions USING (version) {condition}"
        "ORDER BY version DESC, kind, namespace, name LIMIT ?",
        (*(() if ref is None else _key(ref)), limit),
    )
    return tuple(
        HistoryEntry(
            version=version,
            author=author,
            time=time,
            ref=ObjectRef(kind, namespace, name),
            action=action,
            api_version=api_version,
            manifest=manifest,
            file=file,
            line=line,
        )
        for version, author, time, kind, namespace, name, action, api_version, manifest, file, line in rows
    )
