"""From the texts of a directory to its state: what is in force when some of it is wrong. Pure.

An object whose text has become bad keeps its last good version, on purpose: a typing error in a file must not
take a route away. It ends when its text is really gone. Where it cannot be told which object a broken text was
(no name, or no YAML at all), every object the file had before is kept.

Of several texts with one object's name the first counts, in the order of file names, and the others are
Problems: a file has no age, so "the oldest" cannot be asked.
"""

from collections.abc import Iterable, Mapping

import msgspec

from proa.core.config import Document, Problem, examine, parse
from proa.core.config.mixer.catalogue import BUILT_IN, Catalogue
from proa.core.model.names import DEFAULT_NAMESPACE, ObjectRef, object_kind
from proa.ports.config_source import SourceObject, SourceState


class BadObject(msgspec.Struct, frozen=True, kw_only=True):
    """A document with problems; `ref` is None when it does not say whose it is."""

    ref: ObjectRef | None
    problems: tuple[Problem, ...]


class FileReading(msgspec.Struct, frozen=True, kw_only=True):
    """One file, read: its objects in their order, the problems of what is no document at all, and the warnings
    about good objects."""

    file: str
    objects: tuple[SourceObject | BadObject, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def read_text(text: str, file: str, catalogue: Catalogue = BUILT_IN) -> FileReading:
    """The objects in one file's text. `catalogue`: Mixer's adapters."""
    parsed = parse(text, file)
    objects: list[SourceObject | BadObject] = []
    warnings: list[Problem] = []
    for document in parsed.documents:
        examined = examine(document, catalogue=catalogue)
        if examined.config is None:
            objects.append(BadObject(ref=_ref_of(document), problems=examined.problems))
        else:
            objects.append(SourceObject(config=examined.config, file=file, line=document.line))
            warnings.extend(examined.problems)
    return FileReading(file=file, objects=tuple(objects), problems=parsed.problems, warnings=tuple(warnings))


def unreadable(file: str, reason: str) -> FileReading:
    """A file whose text could not be had."""
    return FileReading(file=file, problems=(Problem(file, 1, "", "unreadable", reason),))


def next_state(before: SourceState, readings: Iterable[FileReading]) -> SourceState:
    """What is in force after `before`, now that the directory reads so."""
    last_good = {each.config.ref: each for each in before.objects}
    chosen: dict[ObjectRef, SourceObject] = {}
    problems: list[Problem] = []
    for reading in sorted(readings, key=lambda each: each.file):
        problems.extend((*reading.problems, *reading.warnings))
        is_unsure = bool(reading.problems)
        for each in reading.objects:
            if isinstance(each, BadObject):
                problems.extend(each.problems)
                is_unsure = is_unsure or each.ref is None
            _claim(each, chosen, last_good, problems)
        if is_unsure:
            for kept in before.objects:
                if kept.file == reading.file:
                    chosen.setdefault(kept.config.ref, _stale(kept))
    return SourceState(
        objects=tuple(chosen[ref] for ref in sorted(chosen)),
        problems=tuple(sorted(problems)),
    )


def _claim(
    each: SourceObject | BadObject,
    chosen: dict[ObjectRef, SourceObject],
    last_good: Mapping[ObjectRef, SourceObject],
    problems: list[Problem],
) -> None:
    """Gives the object's name to the first text that has it."""
    if isinstance(each, BadObject):
        if each.ref is not None and each.ref in last_good:
            chosen.setdefault(each.ref, _stale(last_good[each.ref]))
        return
    ref = each.config.ref
    first = chosen.setdefault(ref, each)
    if first is not each:
        message = f"{ref} is defined at {first.file}:{first.line} already; that one counts"
        problems.append(Problem(each.file, each.line, "metadata.name", "duplicate", message))


def _stale(good: SourceObject) -> SourceObject:
    return msgspec.structs.replace(good, is_stale=True)


def _ref_of(document: Document) -> ObjectRef | None:
    """Whose text it seems to be, read with less demand than `examine` does."""
    kind, meta = document.value.get("kind"), document.value.get("metadata")
    if not isinstance(kind, str) or not isinstance(meta, dict):
        return None
    name, namespace = meta.get("name"), meta.get("namespace", DEFAULT_NAMESPACE)
    if not isinstance(name, str) or not isinstance(namespace, str):
        return None
    version = document.value.get("apiVersion")
    return ObjectRef(object_kind(version if isinstance(version, str) else "", kind), namespace, name)
