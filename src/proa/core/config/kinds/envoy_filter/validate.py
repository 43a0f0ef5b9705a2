"""Whether an EnvoyFilter makes sense: Istio's rules for it, and Envoy's own types for the values.

Called through the kinds table. What Istio would silently ignore is a warning here.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from proa.core.config.kinds.envoy_filter.schema import ConfigPatch, EnvoyFilter, ObjectMatch
from proa.core.config.labels import check_selector
from proa.core.config.meta import Meta
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.regex import regex_fault
from proa.core.config.selection import target_faults

LISTENERS: Final = frozenset(("LISTENER", "FILTER_CHAIN", "NETWORK_FILTER", "HTTP_FILTER", "LISTENER_FILTER"))
ROUTES: Final = frozenset(("ROUTE_CONFIGURATION", "VIRTUAL_HOST", "HTTP_ROUTE"))
MERGES: Final = frozenset(("MERGE", "MERGE_AND_REPLACE_LIST"))
_ORDERED: Final = MERGES | {"ADD", "REMOVE", "REPLACE", "INSERT_BEFORE", "INSERT_AFTER", "INSERT_FIRST"}
_WHOLE: Final = MERGES | {"ADD", "REMOVE"}
OPERATIONS: Final = {
    "LISTENER": _WHOLE,
    "FILTER_CHAIN": _WHOLE,
    "NETWORK_FILTER": _ORDERED,
    "HTTP_FILTER": _ORDERED,
    "LISTENER_FILTER": _ORDERED,
    "ROUTE_CONFIGURATION": MERGES,
    "VIRTUAL_HOST": _WHOLE | {"REPLACE"},
    "HTTP_ROUTE": _ORDERED,
    "CLUSTER": _WHOLE,
    "EXTENSION_CONFIG": frozenset(("ADD",)),
}
"""What can be done to what. Everything else does nothing, as in Istio."""

_HTTP_MANAGERS: Final = ("envoy.filters.network.http_connection_manager", "envoy.http_connection_manager")
_NAMED: Final = frozenset(("LISTENER", "VIRTUAL_HOST", "CLUSTER", "EXTENSION_CONFIG"))


def validate(spec: EnvoyFilter, meta: Meta) -> Iterator[Finding]:
    at = ("spec",)
    if spec.workload_selector is not None:
        yield from check_selector(spec.workload_selector.labels, (*at, "workloadSelector", "labels"))
    yield from _check_targets(spec, meta, at)
    if not spec.config_patches:
        yield warning((*at, "configPatches"), "no-effect", "without patches it does nothing; add one")
    for number, patch in enumerate(spec.config_patches):
        yield from _check_patch(patch, (*at, "configPatches", number))


def _check_targets(spec: EnvoyFilter, meta: Meta, at: Path) -> Iterator[Finding]:
    """Of what Istio lets be named, a class and a ServiceEntry are served by no proxy of Proa's."""
    if spec.target_refs and spec.workload_selector is not None:
        yield Finding(at, "conflict", "only one of targetRefs and workloadSelector can be set; remove one")
    for number, target in enumerate(spec.target_refs):
        place = (*at, "targetRefs", number)
        for field, why in target_faults(target, meta.namespace):
            yield Finding((*place, field), "bad-value", why)
        if target.kind in ("GatewayClass", "ServiceEntry"):
            message = f"no proxy serves a {target.kind}; name a Gateway or a Service"
            yield Finding((*place, "kind"), "no-equivalent", message)


def _check_patch(patch: ConfigPatch, at: Path) -> Iterator[Finding]:
    if patch.apply_to == "BOOTSTRAP":
        message = (
            "a sidecar's bootstrap is its node agent's; change what it configures by CLUSTER or LISTENER"
        )
        yield Finding((*at, "applyTo"), "no-equivalent", message)
        return
    yield from _check_match(patch, patch.match, (*at, "match"))
    operation, value = patch.patch.operation, patch.patch.value
    if operation not in OPERATIONS[patch.apply_to]:
        known = ", ".join(sorted(OPERATIONS[patch.apply_to]))
        message = f"{operation} does nothing to a {patch.apply_to}; choose one of {known}"
        yield warning((*at, "patch", "operation"), "no-effect", message)
    if patch.patch.filter_class != "UNSPECIFIED":
        message = "has no effect, as in Istio; say where by INSERT_BEFORE or INSERT_AFTER"
        yield warning((*at, "patch", "filterClass"), "no-effect", message)
    if operation == "REMOVE":
        if value is not None:
            yield warning((*at, "patch", "value"), "no-effect", "REMOVE takes no value; remove it")
    elif value is None:
        yield Finding((*at, "patch", "value"), "required", f"{operation} needs a value; add it")
    else:
        yield from _check_value(patch, value, (*at, "patch", "value"))


def _check_value(patch: ConfigPatch, value: str, at: Path) -> Iterator[Finding]:
    # Here and not above: only those who have EnvoyFilters pay for loading Envoy's types.
    from proa.core.config.kinds.envoy_filter.messages import MESSAGES
    from proa.core.config.kinds.envoy_filter.value import check_value

    tree = msgspec.json.decode(value)
    yield from check_value(MESSAGES[patch.apply_to], tree, at)
    if patch.patch.operation == "ADD" and patch.apply_to in _NAMED and not tree.get("name"):
        message = f"a {patch.apply_to} that is added needs a name; add it"
        yield Finding((*at, "name"), "required", message)


def _check_match(patch: ConfigPatch, match: ObjectMatch, at: Path) -> Iterator[Finding]:
    if match.context == "WAYPOINT" or match.waypoint is not None:
        place = "waypoint" if match.waypoint is not None else "context"
        yield warning((*at, place), "no-effect", "Proa has no waypoints: this patch does nothing")
    if match.proxy is not None and match.proxy.proxy_version:
        fault = regex_fault(match.proxy.proxy_version)
        if fault is not None:
            yield Finding((*at, "proxy", "proxyVersion"), *fault)
    yield from _check_class(patch, match, at)
    if match.listener is not None:
        yield from _check_listener(patch, match, at)
    if match.route_configuration is not None and match.route_configuration.port_name:
        if match.context not in ("ANY", "GATEWAY"):
            message = "ports of Gateways have names; write the context GATEWAY, or portNumber"
            yield warning((*at, "routeConfiguration", "portName"), "no-effect", message)
    if match.route_configuration is not None and match.route_configuration.gateway:
        gateway = match.route_configuration.gateway
        if gateway.count("/") != 1:
            message = f'"{gateway}" is no Gateway; write namespace/name'
            yield Finding((*at, "routeConfiguration", "gateway"), "bad-value", message)


def _check_class(patch: ConfigPatch, match: ObjectMatch, at: Path) -> Iterator[Finding]:
    """A cluster is not matched by listeners, and so on."""
    given = {
        "listener": match.listener is not None,
        "routeConfiguration": match.route_configuration is not None,
        "cluster": match.cluster is not None,
    }
    wanted = (
        "listener"
        if patch.apply_to in LISTENERS
        else "routeConfiguration"
        if patch.apply_to in ROUTES
        else "cluster"
        if patch.apply_to == "CLUSTER"
        else ""
    )
    for name in given:
        if given[name] and name != wanted:
            instead = f"match it by {wanted}" if wanted else "remove it"
            message = f"a {patch.apply_to} is not matched by {name}; {instead}"
            yield Finding((*at, name), "conflict", message)


def _check_listener(patch: ConfigPatch, match: ObjectMatch, at: Path) -> Iterator[Finding]:
    listener = match.listener
    assert listener is not None
    place: Path = (*at, "listener")
    if listener.port_name:
        yield warning((*place, "portName"), "no-effect", "has no effect, as in Istio; write portNumber")
    chain = listener.filter_chain
    if chain is None or chain.filter is None:
        return
    wanted, inner = chain.filter, (*place, "filterChain", "filter")
    if patch.apply_to in ("LISTENER", "FILTER_CHAIN"):
        yield warning(inner, "no-effect", f"a {patch.apply_to} is not matched by its filters; remove it")
    if wanted.sub_filter is None:
        return
    if patch.apply_to != "HTTP_FILTER":
        message = f"a {patch.apply_to} is not matched by HTTP filters; remove it"
        yield Finding((*inner, "subFilter"), "conflict", message)
    elif wanted.name not in _HTTP_MANAGERS:
        message = f"HTTP filters are in {_HTTP_MANAGERS[0]}; write that name beside subFilter"
        yield Finding((*inner, "name"), "conflict", message)
