"""The ConfigStore over etcd: a log. Each entry is one transaction, whole, under the next number; who makes that key
first has that number. What is in force is the fold of the log, which every control plane keeps and continues by what
is new.

One key per transaction is what makes it whole for every reader, whatever its size: etcd bounds a transaction's
operations and bytes, and a value folded into parts is bounded by neither. Entries are never changed, so nobody needs to
hold anything while somebody else writes.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

import msgspec
from immutables import Map

from proa.adapters.stores.etcd.blobs import Blobs
from proa.adapters.stores.etcd.client import Etcd
from proa.adapters.stores.etcd.following import Bells
from proa.adapters.stores.etcd.wire import Range, end_of
from proa.core.model.names import ObjectRef
from proa.ports.config_plan import Plan, plan
from proa.ports.config_store import (
    Action,
    Applied,
    Conflict,
    HistoryEntry,
    StoredObject,
    StoreState,
    Transaction,
)
from proa.ports.failures import StorePermanent, StoreTemporary

LOG: Final = "log/"
PAGE: Final = 50
TRIES: Final = 50
"""So often somebody else may be first before we give up; one of those who try at once always succeeds."""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """`before` is the manifest until then, empty for a creation."""

    object: StoredObject
    action: Action
    before: str = ""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction. `version` is the state's after it; one that only moves objects in their files makes no new
    one."""

    version: int
    author: str
    time: float
    note: str = ""
    written: tuple[Written, ...] = ()
    moved: tuple[StoredObject, ...] = ()
    deleted: tuple[StoredObject, ...] = ()

    @property
    def makes_version(self) -> bool:
        return bool(self.written or self.deleted)


class EtcdConfigStore:
    """Keeps the contract of ports.config_store.ConfigStore; made by `open_etcd_stores`."""

    def __init__(self, etcd: Etcd, bells: Bells) -> None:
        self._etcd = etcd
        self._bells = bells
        self._blobs = Blobs(etcd)
        self._state = StoreState(version=0)
        self._number = 0
        self._catching_up = asyncio.Lock()

    async def apply(self, change: Transaction) -> Applied | Conflict:
        for _ in range(TRIES):
            state, number = await self._caught_up()
            if change.expected_version is not None and change.expected_version != state.version:
                return Conflict(expected=change.expected_version, actual=state.version)
            planned = plan(state, change)
            if planned.state == state:
                return planned.answer
            owner = _key(number + 1)
            value = await self._blobs.fold(owner, _encoded(_entry(state, planned, change)))
            if await self._etcd.settle(owner, value, modified=0):
                return planned.answer
            await self._blobs.discard(owner, value)
        raise StoreTemporary(
            f"{self._etcd.label}: others keep changing the configuration; nothing was applied"
        )

    async def state(self) -> StoreState:
        return (await self._caught_up())[0]

    async def state_at(self, version: int) -> StoreState | None:
        state, number = await self._caught_up()
        if version == state.version:
            return state
        if not 0 <= version < state.version:
            return None
        objects: Map[ObjectRef, StoredObject] = Map()
        at = 0
        while at < number:
            for entry in await self._entries_after(at):
                if entry.version > version:
                    return StoreState(version=version, objects=objects)
                at += 1
                objects = _folded(objects, msgspec.structs.replace(entry, moved=()))
        return StoreState(version=version, objects=objects)

    async def history(self, ref: ObjectRef | None = None, limit: int = 100) -> tuple[HistoryEntry, ...]:
        told: list[HistoryEntry] = []
        versions = 0
        below = (await self._caught_up())[1]
        while below > 0 and versions < limit:
            first = max(0, below - PAGE)
            for entry in reversed(await self._entries_after(first, below)):
                found = [each for each in _told(entry) if ref in (None, each.ref)]
                if found and versions < limit:
                    versions += 1
                    told += found
            below = first
        return tuple(told)

    async def watch(self) -> AsyncGenerator[StoreState]:
        seen: int | None = None
        async for state in self._bells.follow((LOG,), self.state):
            if state.version != seen:
                seen = state.version
                yield state

    async def _caught_up(self) -> tuple[StoreState, int]:
        """The state with everything that is committed now, and the number of the last entry."""
        async with self._catching_up:
            while entries := await self._entries_after(self._number):
                for entry in entries:
                    self._state = StoreState(
                        version=entry.version, objects=_folded(self._state.objects, entry)
                    )
                    self._number += 1
                if len(entries) < PAGE:
                    break
            return self._state, self._number

    async def _entries_after(self, number: int, through: int | None = None) -> list[Entry]:
        end = end_of(LOG) if through is None else _key(through + 1)
        found = await self._etcd.find(Range(key=_key(number + 1), end=end, limit=PAGE))
        entries = []
        for expected, each in enumerate(found.values, start=number + 1):
            body = await self._blobs.unfold(each.key, each.value)
            if body is None or each.key != _key(expected):
                raise StorePermanent(
                    f"{self._etcd.label}: {self._etcd.prefix}{_key(expected)} is missing or has lost its parts; "
                    "somebody removed keys: restore etcd from a snapshot"
                )
            entries.append(msgspec.json.decode(body, type=Entry))
        return entries


def _key(number: int) -> str:
    return f"{LOG}{number:012d}"


def _encoded(entry: Entry) -> bytes:
    """Raises TypeError for a manifest that is no text, before anything is written."""
    for each in entry.written:
        if not isinstance(each.object.manifest, str):
            raise TypeError(f"the manifest of {each.object.ref} is {type(each.object.manifest).__name__}")
    return msgspec.json.encode(entry)


def _entry(before: StoreState, planned: Plan, change: Transaction) -> Entry:
    known = before.objects
    return Entry(
        version=planned.answer.version,
        author=change.author,
        time=change.time,
        note=change.note,
        written=tuple(
            Written(object=each, action=action, before=known[each.ref].manifest if each.ref in known else "")
            for each, action in planned.written
        ),
        moved=planned.moved,
        deleted=planned.deleted,
    )


def _folded(objects: Map[ObjectRef, StoredObject], entry: Entry) -> Map[ObjectRef, StoredObject]:
    edited = objects.mutate()
    for each in (*(written.object for written in entry.written), *entry.moved):
        edited[each.ref] = each
    for each in entry.deleted:
        edited.pop(each.ref, None)
    return edited.finish()


def _told(entry: Entry) -> list[HistoryEntry]:
    """In the order of refs, as every store tells it."""
    by_ref: dict[ObjectRef, HistoryEntry] = {}
    common = {"version": entry.version, "author": entry.author, "time": entry.time, "note": entry.note}
    for each in entry.written:
        by_ref[each.object.ref] = HistoryEntry(
            **common,  # type: ignore[arg-type]
            ref=each.object.ref,
            action=each.action,
            api_version=each.object.api_version,
            manifest=each.object.manifest,
            file=each.object.file,
            line=each.object.line,
            before=each.before,
        )
    for gone in entry.deleted:
        by_ref[gone.ref] = HistoryEntry(
            **common,  # type: ignore[arg-type]
            ref=gone.ref,
            action="deleted",
            api_version="",
            manifest="",
            file="",
            line=0,
            before=gone.manifest,
        )
    return [by_ref[ref] for ref in sorted(by_ref)]
