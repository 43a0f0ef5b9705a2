"""Whether an EnvoyFilter makes sense: Istio's rules for its fields. Called through the kinds table.

What `value` holds is Envoy's, and is not read here.
"""

from collections.abc import Iterator
from typing import Final

from proa.core.config.kinds.envoy_filter.schema import ConfigPatch, EnvoyFilter, ObjectMatch
from proa.core.config.labels import check_selector
from proa.core.config.meta import Meta
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.regex import regex_fault
from proa.core.config.selection import check_selection

SPEC: Path = ("spec",)
_HTTP_CONNECTION_MANAGER: Final = "envoy.filters.network.http_connection_manager"
_OBJECT_OF: Final = {
    "LISTENER": "listener",
    "FILTER_CHAIN": "listener",
    "NETWORK_FILTER": "listener",
    "HTTP_FILTER": "listener",
    "LISTENER_FILTER": "listener",
    "ROUTE_CONFIGURATION": "routeConfiguration",
    "VIRTUAL_HOST": "routeConfiguration",
    "HTTP_ROUTE": "routeConfiguration",
    "CLUSTER": "cluster",
}


def validate(spec: EnvoyFilter, meta: Meta) -> Iterator[Finding]:
    if spec.workload_selector is not None:
        yield from check_selector(spec.workload_selector.labels, (*SPEC, "workloadSelector", "labels"))
        if spec.target_refs:
            message = "only one of targetRefs and workloadSelector can be set; remove one"
            yield Finding(SPEC, "conflict", message)
    yield from check_selection(None, None, spec.target_refs, meta.namespace)
    if not spec.config_patches:
        yield warning((*SPEC, "configPatches"), "no-effect", "without patches nothing is changed; add one")
    for index, patch in enumerate(spec.config_patches):
        yield from _check_patch(patch, (*SPEC, "configPatches", index))


def _check_patch(patch: ConfigPatch, at: Path) -> Iterator[Finding]:
    if patch.apply_to == "INVALID":
        yield Finding((*at, "applyTo"), "required", "a patch needs what it applies to; write applyTo")
    if patch.patch is None:
        yield Finding((*at, "patch"), "required", "a patch needs its change; write patch")
    elif patch.patch.operation == "INVALID":
        yield Finding((*at, "patch", "operation"), "required", "a patch needs an operation; write it")
    elif patch.patch.operation != "REMOVE" and patch.patch.value is None:
        message = f"{patch.patch.operation} needs a value; write it"
        yield Finding((*at, "patch", "value"), "required", message)
    elif patch.patch.operation == "REMOVE" and patch.patch.value is not None:
        yield warning((*at, "patch", "value"), "no-effect", "REMOVE takes no value; remove it")
    if patch.match is not None:
        yield from _check_match(patch, patch.match, (*at, "match"))


def _check_match(patch: ConfigPatch, match: ObjectMatch, at: Path) -> Iterator[Finding]:
    objects = {
        "listener": match.listener,
        "routeConfiguration": match.route_configuration,
        "cluster": match.cluster,
        "waypoint": match.waypoint,
    }
    given = [name for name, value in objects.items() if value is not None]
    if len(given) > 1:
        yield Finding(at, "conflict", f"{' and '.join(given)} exclude each other; keep one")
    wanted = _OBJECT_OF.get(patch.apply_to)
    for name in given:
        if wanted is not None and name not in (wanted, "waypoint"):
            message = f"{patch.apply_to} is found by {wanted}; write that in place of {name}"
            yield Finding((*at, name), "conflict", message)
    if match.proxy is not None and match.proxy.proxy_version:
        if fault := regex_fault(match.proxy.proxy_version):
            yield Finding((*at, "proxy", "proxyVersion"), *fault)
    if match.context == "WAYPOINT" or match.waypoint is not None:
        yield warning(at, "no-effect", "Proa has no waypoints; the patch changes nothing")
    chain = match.listener.filter_chain if match.listener else None
    if chain is None or chain.filter is None:
        return
    place = (*at, "listener", "filterChain", "filter")
    if chain.filter.sub_filter is not None:
        if patch.apply_to != "HTTP_FILTER":
            message = "a filter inside a filter is matched with HTTP_FILTER alone; remove it"
            yield Finding((*place, "subFilter"), "conflict", message)
        elif chain.filter.name not in ("", _HTTP_CONNECTION_MANAGER, "envoy.http_connection_manager"):
            message = f"HTTP filters are inside {_HTTP_CONNECTION_MANAGER}; write that"
            yield Finding((*place, "name"), "bad-value", message)
