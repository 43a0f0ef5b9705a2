"""Where a rule sends, as destinations of today's language."""

from collections.abc import Callable, Iterable
from typing import TypeAlias

from proa.core.config.gateway_api.schema import BackendObject, BackendRef, StreamBackend
from proa.core.config.tree import Json
from proa.core.model.names import ObjectRef, service_hostname

NOWHERE = "refused.invalid"
"""Host of a backend that a route may not or cannot name: no service can have it, so its share is answered with an
error."""
Permitted: TypeAlias = Callable[[BackendObject], bool]


def shares(
    ref: ObjectRef, backends: Iterable[BackendRef | StreamBackend], permitted: Permitted
) -> list[tuple[BackendRef | StreamBackend, dict[str, Json]]]:
    """Where requests or connections go, with weights; nothing when there is nowhere to go."""
    weighted = [each for each in backends if each.weight > 0]
    if not any(permitted(each) for each in weighted):
        return []
    found: list[tuple[BackendRef | StreamBackend, dict[str, Json]]] = []
    for each in weighted:
        goal: dict[str, Json] = {"destination": {"host": NOWHERE}}
        if permitted(each):
            goal = {"destination": destination(each, ref.namespace)}
        if len(weighted) > 1:
            goal["weight"] = each.weight
        found.append((each, goal))
    return found


def destination(backend: BackendObject, namespace: str) -> Json:
    found: dict[str, Json] = {"host": service_hostname(backend.name, backend.namespace or namespace)}
    if backend.port is not None:
        found["port"] = {"number": backend.port}
    return found
