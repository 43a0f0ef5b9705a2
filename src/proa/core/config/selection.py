"""Which workloads a policy is for: by labels, or by naming an object of a cluster. Shared by the kinds that have it.

A selector without labels is all workloads of the namespace (of the mesh, in the root namespace).
"""

from collections.abc import Iterator
from typing import Final

from immutables import Map

from proa.core.config.labels import check_selector, is_object_name
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.record import Filled, Record
from proa.core.config.tree import shorten

NO_WAYPOINTS: Final = "Proa has no waypoints; a policy that names a target selects no sidecar"
_TARGETS: Final = {
    "Gateway": "gateway.networking.k8s.io",
    "GatewayClass": "gateway.networking.k8s.io",
    "Service": "",
    "ServiceEntry": "networking.istio.io",
}


class WorkloadSelector(Record, frozen=True, kw_only=True):
    match_labels: Map[str, str] = Map()


class TargetRef(Record, frozen=True, kw_only=True):
    """An object by group, kind and name; in the policy's own namespace."""

    group: str = ""
    kind: Filled
    name: Filled
    namespace: str = ""


def check_selection(
    selector: WorkloadSelector | None,
    target: TargetRef | None,
    targets: tuple[TargetRef, ...],
    namespace: str,
    *,
    gateways: bool = False,
) -> Iterator[Finding]:
    """The three ways to choose exclude each other. `gateways`: a target may be one, and then selects its proxies."""
    at: Path = ("spec",)
    if selector is not None:
        yield from check_selector(selector.match_labels, (*at, "selector", "matchLabels"))
    if target is not None and targets:
        yield Finding(at, "conflict", "only one of targetRefs and targetRef can be set; remove one")
    if selector is not None and (target is not None or targets):
        yield Finding(at, "conflict", "only one of targetRefs and selector can be set; remove one")
    if target is not None:
        yield from _check_target(target, namespace, (*at, "targetRef"), gateways)
    for index, each in enumerate(targets):
        yield from _check_target(each, namespace, (*at, "targetRefs", index), gateways)
    if len(targets) > 16:
        yield Finding(
            (*at, "targetRefs"), "too-large", "at most 16 targets can be named; write several objects"
        )


def target_faults(target: TargetRef, namespace: str) -> Iterator[tuple[str, str]]:
    """The fields that are wrong, and why. What is not written is told when it is read."""
    group = "" if target.group == "core" else target.group
    if target.kind and _TARGETS.get(target.kind) != group:
        choices = ", ".join(f"{group or 'core'}/{kind}" for kind, group in _TARGETS.items())
        named = f"{shorten(target.group)}/{shorten(target.kind)}"
        yield "kind", f'"{named}" cannot be a target; write one of {choices}'
    if target.name and not is_object_name(target.name):
        name = shorten(target.name)
        yield "name", f'"{name}" is no object name; write lower-case letters, digits, dashes and dots'
    if target.namespace not in ("", namespace):
        yield "namespace", "a target lies in the policy's own namespace; remove the field"


def _check_target(target: TargetRef, namespace: str, at: Path, gateways: bool) -> Iterator[Finding]:
    for field, why in target_faults(target, namespace):
        yield Finding((*at, field), "bad-value", why)
    if not gateways or target.kind in ("Service", "ServiceEntry"):
        yield warning(at, "no-effect", NO_WAYPOINTS)
    elif target.kind == "GatewayClass":
        message = "a whole class of gateways cannot be a target yet; name the Gateways, or use a selector"
        yield Finding((*at, "kind"), "not-supported-yet", message)
