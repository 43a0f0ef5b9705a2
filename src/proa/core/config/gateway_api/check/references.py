"""Whether the objects that a route names can be what it names them for: its parents, and where it sends. Called by
`routes` and `filters`.
"""

from collections.abc import Iterator

from proa.core.config.gateway_api.attach import is_service
from proa.core.config.gateway_api.schema import GROUP, LISTENER_SETS, BackendObject, ParentRef
from proa.core.config.legacy.draft import SPEC
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.tree import shorten


def check_parents(parents: tuple[ParentRef, ...]) -> Iterator[Finding]:
    if not parents:
        message = "without a parent the route is for nobody; name a Gateway or a Service"
        yield warning((*SPEC, "parentRefs"), "no-effect", message)
    for index, parent in enumerate(parents):
        yield from _check_parent(parent, (*SPEC, "parentRefs", index))
        if parent in parents[:index]:
            yield Finding(
                (*SPEC, "parentRefs", index), "duplicate", "this parent is named already; remove it"
            )


def _check_parent(parent: ParentRef, at: Path) -> Iterator[Finding]:
    if (parent.group, parent.kind) in ((GROUP, "Gateway"), *LISTENER_SETS):
        return
    if parent.kind == "Service" and parent.group in ("", "core"):
        return
    written = f"{parent.group}/{parent.kind}" if parent.group else parent.kind
    hint = "; for a Service write group: ''" if parent.kind == "Service" else "; write Gateway, or Service"
    message = f"{shorten(written)} is no parent that is served{hint}"
    yield Finding((*at, "kind"), "bad-value", message)


def check_target(backend: BackendObject, at: Path) -> Iterator[Finding]:
    if is_service(backend):
        if backend.port is None:
            yield Finding((*at, "port"), "required", "a Service is called at a port; add port")
    else:
        message = f"a backend of kind {shorten(backend.kind)} is not served: its share is refused"
        yield warning((*at, "kind"), "no-effect", message)
