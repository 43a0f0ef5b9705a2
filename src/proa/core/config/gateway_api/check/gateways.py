"""Whether a GatewayClass, a Gateway, a ListenerSet or a ReferenceGrant makes sense by itself. Called through the kinds
table.
"""

from collections.abc import Iterator

from proa.core.config.gateway_api.attach import NAMESPACE_LABEL, ROUTE_KINDS, able_kinds
from proa.core.config.gateway_api.check.names import hostname_fault
from proa.core.config.gateway_api.gateway_schema import (
    Gateway,
    GatewayClass,
    Listener,
    ListenerNamespaces,
    ListenerSet,
    ReferenceGrant,
    RouteNamespaces,
)
from proa.core.config.gateway_api.schema import GROUP
from proa.core.config.hostnames import is_dns_label
from proa.core.config.legacy.draft import SPEC
from proa.core.config.meta import Meta
from proa.core.config.near_names import suggestion
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.tree import shorten


def check_class(spec: GatewayClass, meta: Meta) -> Iterator[Finding]:
    if "/" not in spec.controller_name:
        message = f'"{shorten(spec.controller_name)}" is no controller; write proa.dev/gateway-controller'
        yield Finding((*SPEC, "controllerName"), "bad-value", message)


def check_gateway(spec: Gateway, meta: Meta) -> Iterator[Finding]:
    if not spec.gateway_class_name:
        yield Finding((*SPEC, "gatewayClassName"), "required", "a class is required; write proa")
    yield from _check_listeners(spec.listeners)
    namespaces = spec.allowed_listeners.namespaces
    yield from _check_namespaces(namespaces, (*SPEC, "allowedListeners", "namespaces"))


def check_listener_set(spec: ListenerSet, meta: Meta) -> Iterator[Finding]:
    parent = spec.parent_ref
    if (parent.group, parent.kind) != (GROUP, "Gateway"):
        message = f"listeners are added to a Gateway; write group {GROUP} and kind Gateway, or leave both out"
        yield Finding((*SPEC, "parentRef", "kind"), "bad-value", message)
    yield from _check_listeners(spec.listeners)


def _check_listeners(listeners: tuple[Listener, ...]) -> Iterator[Finding]:
    if not listeners:
        yield Finding((*SPEC, "listeners"), "required", "at least one listener is needed; add one")
    names: dict[str, int] = {}
    hosts: dict[tuple[int, str], int] = {}
    protocols: dict[int, str] = {}
    for index, each in enumerate(listeners):
        at = (*SPEC, "listeners", index)
        yield from _check_listener(each, at)
        if (first := names.setdefault(each.name, index)) != index:
            yield Finding((*at, "name"), "duplicate", f"listener {first} has this name too; rename one")
        if (other := protocols.setdefault(each.port, each.protocol)) != each.protocol:
            message = f"port {each.port} is one of protocol {other} already; choose another port"
            yield Finding((*at, "protocol"), "conflict", message)
        if (first := hosts.setdefault((each.port, each.hostname.lower()), index)) != index:
            message = f"listener {first} has this port and hostname too; keep one of them"
            yield Finding((*at, "hostname" if each.hostname else "port"), "duplicate", message)


def _check_listener(listener: Listener, at: Path) -> Iterator[Finding]:
    if not is_dns_label(listener.name):
        message = f'"{shorten(listener.name)}" is no name; write lower-case letters, digits and inner dashes'
        yield Finding((*at, "name"), "bad-value", message)
    served = ", ".join(ROUTE_KINDS)
    if listener.protocol == "UDP":
        message = f"UDP listeners are not supported yet; write one of {served}"
        yield Finding((*at, "protocol"), "not-supported-yet", message)
    elif listener.protocol not in ROUTE_KINDS:
        hint = suggestion(listener.protocol, ROUTE_KINDS) or f"; write one of {served}"
        message = f'"{shorten(listener.protocol)}" is no protocol of a listener{hint}'
        yield Finding((*at, "protocol"), "bad-value", message)
    if listener.hostname and (fault := hostname_fault(listener.hostname)):
        yield Finding((*at, "hostname"), "bad-value", fault)
    if listener.hostname and listener.protocol == "TCP":
        message = "connections without TLS ask for no name; remove it"
        yield Finding((*at, "hostname"), "conflict", message)
    yield from _check_tls(listener, (*at, "tls"))
    yield from _check_allowed(listener, (*at, "allowedRoutes"))


def _check_tls(listener: Listener, at: Path) -> Iterator[Finding]:
    tls = listener.tls
    if listener.protocol not in ("HTTPS", "TLS"):
        if tls is not None:
            yield Finding(at, "conflict", f"a listener of protocol {listener.protocol} has no TLS; remove it")
        return
    if tls is None:
        yield Finding(at, "required", f"a listener of protocol {listener.protocol} needs tls; add it")
        return
    if listener.protocol == "HTTPS" and tls.mode == "Passthrough":
        message = "whoever reads requests has to end TLS; write Terminate, or protocol TLS"
        yield Finding((*at, "mode"), "conflict", message)
    elif tls.mode == "Terminate" and not tls.certificate_refs:
        message = "to end TLS takes a certificate; name a Secret"
        yield Finding((*at, "certificateRefs"), "required", message)
    for index, each in enumerate(tls.certificate_refs):
        place = (*at, "certificateRefs", index)
        if each.kind != "Secret" or each.group not in ("", "core"):
            yield Finding((*place, "kind"), "bad-value", "a certificate is kept in a Secret; name one")
        if each.namespace:
            message = "secrets are kept on the gateway's host and have no namespace; remove it"
            yield Finding((*place, "namespace"), "not-supported-yet", message)


def _check_allowed(listener: Listener, at: Path) -> Iterator[Finding]:
    allowed, able = listener.allowed_routes, able_kinds(listener)
    yield from _check_namespaces(allowed.namespaces, (*at, "namespaces"))
    for index, kind in enumerate(allowed.kinds):
        if able and (kind.group != GROUP or kind.kind not in able):
            message = f"a listener of protocol {listener.protocol} serves {' and '.join(able)} alone"
            yield warning((*at, "kinds", index), "no-effect", message)


def _check_namespaces(namespaces: RouteNamespaces | ListenerNamespaces, at: Path) -> Iterator[Finding]:
    if namespaces.from_ == "Selector" and namespaces.selector is None:
        message = "from: Selector needs a selector; add one with matchLabels"
        yield Finding((*at, "selector"), "required", message)
    for label in namespaces.selector.match_labels if namespaces.selector else ():
        if label != NAMESPACE_LABEL:
            message = f"namespaces have no labels here but {NAMESPACE_LABEL}; write that"
            yield Finding((*at, "selector", "matchLabels", label), "not-supported-yet", message)


def check_grant(spec: ReferenceGrant, meta: Meta) -> Iterator[Finding]:
    for name, entries in (("from", spec.from_), ("to", spec.to)):
        if not entries:
            yield Finding((*SPEC, name), "required", f"{name} must hold at least one entry; add one")
