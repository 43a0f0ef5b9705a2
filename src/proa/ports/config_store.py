"""Where applied configuration lives: whole transactions in, versioned state out.

Adapters implement `ConfigStore`; the admin API applies through it, the world watches it. The store keeps
documents as they were accepted and does not know what they mean.

Every change of the state has a version, an integer that only grows, and every version an author and a time.
Times are unix seconds and arguments: a store has no clock.
"""

from collections.abc import AsyncGenerator
from typing import Literal, Protocol

import msgspec
from immutables import Map

from proa.core.model.names import ObjectRef

Action = Literal["created", "changed", "unchanged", "deleted", "absent"]
"""What a change did. `absent`: asked to delete what was not there."""


class Put(msgspec.Struct, frozen=True, kw_only=True):
    """Create the object or replace it. `manifest` is its JSON text, in a form where equal text means equal
    object; `file` and `line` say where the user wrote it. `created`, when given, is the age of an object that is
    brought back; else a new object begins now and a known one keeps its own."""

    ref: ObjectRef
    api_version: str
    manifest: str
    file: str = ""
    line: int = 0
    created: float | None = None


class Delete(msgspec.Struct, frozen=True, kw_only=True):
    """Remove the object; absent objects are no error."""

    ref: ObjectRef


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """Changes that happen together or not at all. With several for one object the last one counts.

    `expected_version`, when given, is the state's version on which the author's decision rests. `note` is kept
    with the version, for those who read its history.
    """

    changes: tuple[Put | Delete, ...]
    author: str
    time: float
    expected_version: int | None = None
    note: str = ""


class ObjectResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one object of a transaction."""

    ref: ObjectRef
    action: Action


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """The state's version after the transaction (the one before when nothing changed), and each object's result
    in the transaction's order."""

    version: int
    results: tuple[ObjectResult, ...]


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """The state was not at `expected` but at `actual`; nothing was applied."""

    expected: int
    actual: int


class StoredObject(msgspec.Struct, frozen=True, kw_only=True):
    """One object in force. `version`, `author` and `time` are of its last change; `created` is kept over
    changes, so that "the oldest wins" survives a re-apply."""

    ref: ObjectRef
    api_version: str
    manifest: str
    file: str
    line: int
    version: int
    author: str
    time: float
    created: float


class StoreState(msgspec.Struct, frozen=True, kw_only=True):
    """All objects at one version; version 0 is the empty store."""

    version: int
    objects: Map[ObjectRef, StoredObject] = Map()


class HistoryEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One object's change at one version. `manifest` and `api_version` are empty for a deletion, `before`, the
    manifest until then, for a creation; `note` is the transaction's."""

    version: int
    author: str
    time: float
    ref: ObjectRef
    action: Action
    api_version: str
    manifest: str
    file: str
    line: int
    before: str = ""
    note: str = ""


class ConfigStore(Protocol):
    """Every method may raise StoreTemporary or StorePermanent, and has then changed nothing."""

    async def apply(self, transaction: Transaction) -> Applied | Conflict:
        """Applies all changes or none; durable when it returns.

        An object put with the text it already has is `unchanged`: it keeps version, author and times, only file
        and line are taken over. A transaction without an effect makes no version and wakes no watcher.
        """

    async def state(self) -> StoreState:
        """What is in force now."""

    async def state_at(self, version: int) -> StoreState | None:
        """What was in force at a version; None for one that does not exist (yet). 0 is the empty store.

        File and line are those of each object's last change up to then.
        """

    async def history(self, ref: ObjectRef | None = None, limit: int = 100) -> tuple[HistoryEntry, ...]:
        """All changes of the newest `limit` versions, the newest first; with `ref` those of one object, and of the
        newest `limit` versions that changed it."""

    def watch(self) -> AsyncGenerator[StoreState]:
        """Level-triggered: the state at once, then the newest state whenever its version has changed since the
        last one yielded. A slow reader skips versions and never misses the newest. Ends when the store closes.
        """
