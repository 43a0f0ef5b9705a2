"""What a transaction does to a state: the decision that every store makes before anything is written. Pure."""

import msgspec
from immutables import Map

from proa.core.model.names import ObjectRef
from proa.ports.config_store import (
    Action,
    Applied,
    Delete,
    ObjectResult,
    Put,
    StoredObject,
    StoreState,
    Transaction,
)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`answer` and `state` are what the store says and holds afterwards. `written` has the objects to write with
    their action, `moved` those of which only file and line differ, `deleted` those to remove."""

    answer: Applied
    state: StoreState
    written: tuple[tuple[StoredObject, Action], ...]
    moved: tuple[StoredObject, ...]
    deleted: tuple[StoredObject, ...]

    @property
    def makes_version(self) -> bool:
        return bool(self.written or self.deleted)


def plan(state: StoreState, transaction: Transaction) -> Plan:
    """The last change of an object counts. A version is made only when an object really changes."""
    last: dict[ObjectRef, Put | Delete] = {change.ref: change for change in transaction.changes}
    next_version = state.version + 1
    results: list[ObjectResult] = []
    written: list[tuple[StoredObject, Action]] = []
    moved: list[StoredObject] = []
    deleted: list[StoredObject] = []
    for ref, change in last.items():
        before = state.objects.get(ref)
        match change:
            case Put():
                after = _stored(change, before, transaction, next_version)
                action = _action(before, after)
                if action != "unchanged":
                    written.append((after, action))
                elif after != before:
                    moved.append(after)
            case Delete():
                action = "absent" if before is None else "deleted"
                if before is not None:
                    deleted.append(before)
        results.append(ObjectResult(ref=ref, action=action))
    version = next_version if written or deleted else state.version
    objects = _edited(state.objects, (*(each for each, _ in written), *moved), deleted)
    return Plan(
        answer=Applied(version=version, results=tuple(results)),
        state=StoreState(version=version, objects=objects),
        written=tuple(written),
        moved=tuple(moved),
        deleted=tuple(deleted),
    )


def _stored(put: Put, before: StoredObject | None, transaction: Transaction, version: int) -> StoredObject:
    created = (
        put.created if put.created is not None else transaction.time if before is None else before.created
    )
    if before is not None and (before.api_version, before.manifest, before.created) == (
        put.api_version,
        put.manifest,
        created,
    ):
        return msgspec.structs.replace(before, file=put.file, line=put.line)
    return StoredObject(
        ref=put.ref,
        api_version=put.api_version,
        manifest=put.manifest,
        file=put.file,
        line=put.line,
        version=version,
        author=transaction.author,
        time=transaction.time,
        created=created,
    )


def _action(before: StoredObject | None, after: StoredObject) -> Action:
    if before is None:
        return "created"
    return "unchanged" if before.version == after.version else "changed"


def _edited(
    objects: Map[ObjectRef, StoredObject],
    kept: tuple[StoredObject, ...],
    deleted: list[StoredObject],
) -> Map[ObjectRef, StoredObject]:
    edited = objects.mutate()
    for each in kept:
        edited[each.ref] = each
    for each in deleted:
        del edited[each.ref]
    return edited.finish()
