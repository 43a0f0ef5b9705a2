"""What leads from the state in force to one that was: the decision, before anything is written.

Called by the configuration's operations; it changes nothing.
"""

import msgspec

from proa.control_plane.configuration import document_of
from proa.core.config import Config, Problem, load
from proa.core.config.mixer.catalogue import BUILT_IN, Catalogue
from proa.core.model.names import ObjectRef
from proa.ports.config_store import Action, Delete, ObjectResult, Put, StoredObject, StoreState


class Rollback(msgspec.Struct, frozen=True, kw_only=True):
    """`changes` make the one state the other; `results` foretell what becomes of each object that differs. With
    `problems`, which are those of objects to be brought back, it must not be done."""

    changes: tuple[Put | Delete, ...]
    results: tuple[ObjectResult, ...]
    problems: tuple[Problem, ...]


def plan_rollback(now: StoreState, then: StoreState, catalogue: Catalogue = BUILT_IN) -> Rollback:
    """What an older program accepted and this one refuses is a problem where the rollback would bring it back. Where
    it is in both states it is not this rollback's doing and does not stand in its way."""
    changes: list[Put | Delete] = []
    results: list[ObjectResult] = []
    problems: list[Problem] = []
    for ref in sorted({*now.objects, *then.objects}):
        before, after = now.objects.get(ref), then.objects.get(ref)
        action = _action(before, after)
        if action == "unchanged":
            continue
        results.append(ObjectResult(ref=ref, action=action))
        changes.append(_change(ref, after))
        if after is not None:
            loaded = load(document_of(after), catalogue=catalogue)
            problems += () if isinstance(loaded, Config) else loaded
    return Rollback(changes=tuple(changes), results=tuple(results), problems=tuple(problems))


def _action(before: StoredObject | None, after: StoredObject | None) -> Action:
    if before is None:
        return "created"
    if after is None:
        return "deleted"
    return "unchanged" if _kept(before) == _kept(after) else "changed"


def _kept(stored: StoredObject) -> tuple[str, str, float]:
    """What makes an object the same one: its text, and its age, by which some conflicts are decided."""
    return stored.api_version, stored.manifest, stored.created


def _change(ref: ObjectRef, after: StoredObject | None) -> Put | Delete:
    if after is None:
        return Delete(ref=ref)
    return Put(
        ref=ref,
        api_version=after.api_version,
        manifest=after.manifest,
        file=after.file,
        line=after.line,
        created=after.created,
    )
