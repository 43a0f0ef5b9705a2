"""The ConfigStore over SQLite. The last state read is kept, so that reading an unchanged store costs one row.

Everything named `_in_job` runs on the database's thread, which owns `_state`.
"""

import sqlite3
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Any, Final

from immutables import Map

from proa.adapters.config_sources.sqlite.connection import Database, transaction
from proa.core.model.names import ObjectRef
from proa.ports.config_plan import Plan, plan
from proa.ports.config_store import (
    Applied,
    Conflict,
    HistoryEntry,
    StoredObject,
    StoreState,
    Transaction,
)

STORED_COLUMNS: Final = (
    "kind, namespace, name, api_version, manifest, file, line, version, author, time, created"
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

    async def state_at(self, version: int) -> StoreState | None:
        return await self._database.run(lambda connection: self._state_at_in_job(connection, version))

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

    def _state_at_in_job(self, connection: sqlite3.Connection, version: int) -> StoreState | None:
        state = self._read_in_job(connection)
        if not 0 <= version <= state.version:
            return None
        return (
            state
            if version == state.version
            else StoreState(version=version, objects=_past(connection, version))
        )

    def _read_in_job(self, connection: sqlite3.Connection) -> StoreState:
        """The kept state when its version still stands; another process may have written meanwhile."""
        (version,) = connection.execute("SELECT coalesce(max(version), 0) FROM versions").fetchone()
        if version != self._state.version:
            self._state = StoreState(version=version, objects=_load(connection))
        return self._state


def _load(connection: sqlite3.Connection) -> Map[ObjectRef, StoredObject]:
    rows = connection.execute(f"SELECT {STORED_COLUMNS} FROM objects JOIN versions USING (version)")
    return _stored(rows)


def _past(connection: sqlite3.Connection, version: int) -> Map[ObjectRef, StoredObject]:
    """Each object's last change up to the version, unless that was its deletion. An index answers the inner
    question per object, so the cost is that of the objects there ever were, not of all changes."""
    rows = connection.execute(
        f"SELECT {STORED_COLUMNS} FROM ("
        " SELECT kind, namespace, name, max(version) AS version FROM changes WHERE version <= ?"
        " GROUP BY kind, namespace, name"
        ") JOIN changes USING (kind, namespace, name, version) JOIN versions USING (version)"
        "WHERE action != 'deleted'",
        (version,),
    )
    return _stored(rows)


def _stored(rows: Iterable[tuple[Any, ...]]) -> Map[ObjectRef, StoredObject]:
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
            "INSERT INTO versions (version, author, time, note) VALUES (?, ?, ?, ?)",
            (planned.answer.version, change.author, change.time, change.note),
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
        (
            *(each.version, *_key(each.ref), action),
            *(each.api_version, each.manifest, each.file, each.line, each.created),
        )
        for each, action in planned.written
    ]
    changes.extend(
        (planned.answer.version, *_key(each.ref), "deleted", "", "", "", 0, 0.0) for each in planned.deleted
    )
    connection.executemany("INSERT INTO changes VALUES (?,?,?,?,?,?,?,?,?,?)", changes)


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
    of_object = "TRUE" if ref is None else "kind = ? AND namespace = ? AND name = ?"
    key = () if ref is None else _key(ref)
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    rows = cursor.execute(
        "SELECT version, author, time, note, kind, namespace, name, action, api_version, manifest, file, line, "
        "coalesce(("
        " SELECT manifest FROM changes AS earlier WHERE earlier.kind = changes.kind"
        " AND earlier.namespace = changes.namespace AND earlier.name = changes.name"
        " AND earlier.version < changes.version ORDER BY earlier.version DESC LIMIT 1"
        "), '') AS before FROM changes JOIN versions USING (version) "
        f"WHERE version IN (SELECT DISTINCT version FROM changes WHERE {of_object} ORDER BY version DESC LIMIT ?) "
        f"AND {of_object} ORDER BY version DESC, kind, namespace, name",
        (*key, limit, *key),
    )
    return tuple(
        HistoryEntry(
            version=row["version"],
            author=row["author"],
            time=row["time"],
            ref=ObjectRef(row["kind"], row["namespace"], row["name"]),
            action=row["action"],
            api_version=row["api_version"],
            manifest=row["manifest"],
            file=row["file"],
            line=row["line"],
            before=row["before"],
            note=row["note"],
        )
        for row in rows
    )
