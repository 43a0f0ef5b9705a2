"""The rules of `exportTo`, shared by the kinds that have it: which namespaces may see an object."""

from collections.abc import Iterator

from proa.core.config.labels import is_namespace_name
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.tree import shorten

EVERYWHERE = "*"
OWN_NAMESPACE = "."


NOWHERE = "~"


def visible_in(entries: tuple[str, ...], owner: str) -> tuple[str, ...]:
    """The namespaces that see an object of `owner`, in order; `*` alone for all. Nothing said is all."""
    if not entries or EVERYWHERE in entries:
        return (EVERYWHERE,)
    return tuple(
        sorted({owner if entry == OWN_NAMESPACE else entry for entry in entries if entry != NOWHERE})
    )


def sees(visible: tuple[str, ...], namespace: str) -> bool:
    """Whether a namespace is among those of `visible_in`."""
    return EVERYWHERE in visible or namespace in visible


def check_export_to(
    entries: tuple[str, ...], namespace: str, at: Path, *, may_hide: bool = False
) -> Iterator[Finding]:
    """`*`, `.` and names of namespaces; with `may_hide` also `~`, which nobody sees."""
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        meant = namespace if entry == OWN_NAMESPACE else entry
        if meant in seen:
            yield Finding((*at, index), "duplicate", f'"{shorten(entry)}" is listed already; remove one')
        seen.add(meant)
        if entry == NOWHERE and not may_hide:
            message = (
                "only a ServiceEntry can be hidden from all; write . for this namespace, or delete the object"
            )
            yield Finding((*at, index), "bad-value", message)
        elif entry not in (EVERYWHERE, OWN_NAMESPACE, NOWHERE) and not is_namespace_name(entry):
            message = f'"{shorten(entry)}" is no namespace; write a name, . for this one or * for all'
            yield Finding((*at, index), "bad-value", message)
    if EVERYWHERE in seen and len(seen) > 1:
        yield Finding(at, "conflict", "* exports to all namespaces already; remove the other entries")
    elif NOWHERE in seen and len(seen) > 1:
        yield Finding(at, "conflict", "~ hides it from all namespaces; remove it, or the other entries")
