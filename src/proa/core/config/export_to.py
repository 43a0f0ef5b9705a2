"""The rule of `exportTo`, shared by the kinds that have it: which namespaces may see an object."""

from collections.abc import Iterator

from proa.core.config.labels import is_namespace_name
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.tree import shorten

EVERYWHERE = "*"
OWN_NAMESPACE = "."


def check_export_to(entries: tuple[str, ...], namespace: str, at: Path) -> Iterator[Finding]:
    """`*`, or `.`. Names of namespaces are Istio's too, and not served yet."""
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        meant = namespace if entry == OWN_NAMESPACE else entry
        if meant in seen:
            yield Finding((*at, index), "duplicate", f'"{shorten(entry)}" is listed already; remove one')
        seen.add(meant)
        if entry in (EVERYWHERE, OWN_NAMESPACE):
            continue
        if entry == "~" or is_namespace_name(entry):
            message = f'exporting to "{entry}" is not supported yet; write . for this namespace or * for all'
            yield Finding((*at, index), "not-supported-yet", message)
        else:
            yield Finding((*at, index), "bad-value", f'"{shorten(entry)}" is no namespace; write . or *')
    if EVERYWHERE in seen and len(seen) > 1:
        yield Finding(at, "conflict", "* exports to all namespaces already; remove the other entries")
