"""Patches that change nothing: whoever wrote them meant something else. Called when notes are asked for."""

from collections.abc import Iterable, Iterator

from proa.control_plane.patched import PATCHED_KINDS
from proa.control_plane.proxy_source import ProxySource
from proa.core.model.names import ObjectRef
from proa.core.model.notes import Note
from proa.core.pilot.scope.patches import ProxyPatch


def patch_notes(sources: Iterable[ProxySource], filters: Iterable[ObjectRef]) -> Iterator[Note]:
    """`sources` of all connected proxies, `filters` all EnvoyFilters there are."""
    told: dict[tuple[ObjectRef, int], ProxyPatch] = {}
    found: set[tuple[ObjectRef, int]] = set()
    looked: set[tuple[str, str]] = set()
    for source in sources:
        view = source.own.patched
        if view is None:
            continue
        mine = {place: (patch.ref, patch.number) for place, patch in enumerate(view.patches.all)}
        told |= {(patch.ref, patch.number): patch for patch in view.patches.all}
        if found.issuperset(mine.values()):
            continue
        # What proxies of a scope share they need not be asked for one by one.
        alike = (source.own.id.namespace, view.patches.digest)
        found |= {mine[place] for place in _seen(source, only_own=alike in looked)}
        looked.add(alike)
    for key, patch in told.items():
        if key not in found:
            message = f"configPatches[{patch.number}] ({patch.operation} {patch.apply_to}) finds nothing in any proxy"
            yield Note(code="patch-without-effect", about=patch.ref, message=message)
    for ref in set(filters) - {ref for ref, _ in told}:
        message = (
            "is for no proxy that is connected: see its namespace, workloadSelector, context and match.proxy"
        )
        yield Note(code="patch-for-nobody", about=ref, message=message)


def _seen(source: ProxySource, *, only_own: bool) -> set[int]:
    view = source.own.patched
    assert view is not None
    places = set(view.seen_by_adding(source.bare))
    for kind in PATCHED_KINDS:
        for name in source.bare_names(kind):
            if only_own and (kind, name) not in source.own.resources:
                continue
            base = source.bare(kind, name)
            if base is not None:
                places |= view.seen(base)
    return places
