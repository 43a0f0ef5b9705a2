"""Which patches of EnvoyFilters are for a proxy, and in what order.

Istio's: those of the root namespace before those of the proxy's own; in each the lower priority first, then the
older. Proxies with equal patches share what is made of them: `Patches.digest` is what tells.
"""

from typing import Final

import msgspec
import re2  # type: ignore[import-untyped]

from proa.core.config.config import Config
from proa.core.config.gateway_api.gateway_schema import GATEWAY_NAME_LABEL
from proa.core.config.kinds.envoy_filter.schema import (
    ApplyTo,
    ConfigPatch,
    EnvoyFilter,
    ObjectMatch,
    Operation,
    ProxyMatch,
)
from proa.core.config.selection import TargetRef
from proa.core.model.digest import digest_of
from proa.core.model.names import ObjectRef, expand_host
from proa.core.model.snapshot import MeshSnapshot
from proa.core.model.workload import Workload
from proa.core.pilot.scope.index import RuleIndex, by_age

ISTIO_VERSION: Final = "1.32.0"
"""What `proxyVersion` is compared with: the version of Istio whose language Proa speaks."""


class ProxyPatch(msgspec.Struct, frozen=True, kw_only=True):
    """One patch for a proxy; `number` is its place in its EnvoyFilter."""

    ref: ObjectRef
    number: int
    apply_to: ApplyTo
    match: ObjectMatch
    operation: Operation
    value: str

    def __str__(self) -> str:
        return f"{self.ref} configPatches[{self.number}]"


class Patches(msgspec.Struct, frozen=True, kw_only=True):
    """In the order in which they are applied. `classes` has the places of those for each `applyTo`."""

    all: tuple[ProxyPatch, ...]
    classes: dict[str, tuple[int, ...]]
    digest: str

    def has(self, *classes: ApplyTo) -> bool:
        return any(each in self.classes for each in classes)


def patches_of(snapshot: MeshSnapshot, index: RuleIndex, workload: Workload) -> Patches | None:
    """None for the proxy of a workload that no patch is for; a client without a sidecar has no proxy."""
    if not index.envoy_filters or workload.kind == "proxyless":
        return None
    found: list[ProxyPatch] = []
    for ref, spec in _filters_for(snapshot, index, workload):
        for number, patch in enumerate(spec.config_patches):
            if _is_for(patch, workload):
                found.append(_for_proxy(ref, number, patch))
    return collect(tuple(found)) if found else None


def collect(found: tuple[ProxyPatch, ...]) -> Patches:
    classes: dict[str, tuple[int, ...]] = {}
    for place, patch in enumerate(found):
        classes[patch.apply_to] = (*classes.get(patch.apply_to, ()), place)
    return Patches(all=found, classes=classes, digest=digest_of(found))


def _filters_for(
    snapshot: MeshSnapshot, index: RuleIndex, workload: Workload
) -> list[tuple[ObjectRef, EnvoyFilter]]:
    root, own = snapshot.settings.root_namespace, workload.id.namespace
    found: list[tuple[ObjectRef, EnvoyFilter]] = []
    for ref in by_age(snapshot, index.envoy_filters):
        config = snapshot.configs[ref]
        if ref.namespace in (root, own) and isinstance(config, Config):
            spec = config.spec
            if isinstance(spec, EnvoyFilter) and _selects(spec, ref.namespace, workload):
                found.append((ref, spec))
    return sorted(found, key=lambda each: (each[0].namespace != root, each[1].priority))


def _selects(spec: EnvoyFilter, namespace: str, workload: Workload) -> bool:
    if spec.target_refs:
        own = workload.id.namespace == namespace
        return own and any(_serves(workload, target) for target in spec.target_refs)
    labels = spec.workload_selector.labels if spec.workload_selector else {}
    return all(workload.labels.get(key) == value for key, value in labels.items())


def _serves(workload: Workload, target: TargetRef) -> bool:
    """A gateway started for one of Gateway API's Gateways, or an instance of a service."""
    if target.kind == "Gateway":
        return workload.kind == "gateway" and workload.labels.get(GATEWAY_NAME_LABEL) == target.name
    host = expand_host(target.name, workload.id.namespace)
    return any(expand_host(port.service, workload.id.namespace) == host for port in workload.inbound)


def _is_for(patch: ConfigPatch, workload: Workload) -> bool:
    """BOOTSTRAP is refused when it is read; waypoints there are none."""
    contexts = (
        ("ANY", "GATEWAY") if workload.kind == "gateway" else ("ANY", "SIDECAR_INBOUND", "SIDECAR_OUTBOUND")
    )
    match = patch.match
    if match.context not in contexts or match.waypoint is not None:
        return False
    return match.proxy is None or _is_proxy(match.proxy, workload)


def _is_proxy(match: ProxyMatch, workload: Workload) -> bool:
    known = metadata_of(workload)
    if match.proxy_version and not re2.search(match.proxy_version, known["ISTIO_VERSION"]):
        return False
    return all(known.get(key) == value for key, value in match.metadata.items())


def metadata_of(workload: Workload) -> dict[str, str]:
    """What `match.proxy.metadata` is compared with."""
    return {
        "ISTIO_VERSION": ISTIO_VERSION,
        "NAMESPACE": workload.id.namespace,
        "WORKLOAD_NAME": workload.id.name,
        "NODE_NAME": workload.node,
        "SERVICE_ACCOUNT": workload.account.rpartition("/")[2],
    }


def _for_proxy(ref: ObjectRef, number: int, patch: ConfigPatch) -> ProxyPatch:
    """Without what has been asked of the proxy: equal patches of different proxies are then equal."""
    return ProxyPatch(
        ref=ref,
        number=number,
        apply_to=patch.apply_to,
        match=msgspec.structs.replace(patch.match, proxy=None),
        operation=patch.patch.operation,
        value=patch.patch.value or "",
    )
