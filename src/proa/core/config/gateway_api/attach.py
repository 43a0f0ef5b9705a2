"""Which listeners of a Gateway or ListenerSet a route is bound to, under which host names, and why not."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

import msgspec

from proa.core.config.gateway_api.gateway_schema import (
    GrantFrom,
    GrantTo,
    Listener,
    ListenerNamespaces,
    ReferenceGrant,
    RouteNamespaces,
)
from proa.core.config.gateway_api.schema import GROUP, BackendObject, ParentRef
from proa.core.model.names import ObjectRef

_HTTP_ROUTES = ("HTTPRoute", "GRPCRoute")
ROUTE_KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"HTTP": _HTTP_ROUTES, "HTTPS": _HTTP_ROUTES, "TLS": ("TLSRoute", "TCPRoute"), "TCP": ("TCPRoute",)}
)
"""By a listener's protocol: what may be bound to it. TLS that is passed on has no TCPRoutes."""
NAMESPACE_LABEL = "kubernetes.io/metadata.name"
"""The label by which Kubernetes lets selectors name a namespace; others are not known here."""


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """As in an object's status. `status` None: unknown."""

    type: str
    status: bool | None
    reason: str
    message: str = ""


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """A listener and whose it is: number `index` of a Gateway or of a ListenerSet."""

    listener: Listener
    owner: ObjectRef
    index: int

    @property
    def is_unopened(self) -> bool:
        """Whether TLS passes it as it is."""
        return self.listener.tls is not None and self.listener.tls.mode == "Passthrough"


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    """A listener and the host names (`*` for every one) under which a route is served there."""

    door: Door
    hosts: tuple[str, ...]


def attach(
    route: ObjectRef, hostnames: tuple[str, ...], parent: ParentRef, doors: Iterable[Door]
) -> tuple[Condition, tuple[Attached, ...]]:
    """`doors` are those of the parent. The condition is Accepted, with the specification's reason."""
    named = [each for each in doors if parent.section_name in ("", each.listener.name)]
    named = [each for each in named if parent.port in (None, each.listener.port)]
    if not named:
        return refused("NoMatchingParent", "no listener has this sectionName and port"), ()
    allowed = [each for each in named if allows(each.listener, route, each.owner.namespace)]
    if not allowed:
        message = f"no listener lets {route.kind}s of namespace {route.namespace} in: see its allowedRoutes"
        return refused("NotAllowedByListeners", message), ()
    found = [
        Attached(door=each, hosts=hosts) for each in allowed if (hosts := _hosts(each.listener, hostnames))
    ]
    if not found:
        return refused("NoMatchingListenerHostname", "no listener serves any of its hostnames"), ()
    return Condition(type="Accepted", status=True, reason="Accepted"), tuple(found)


def refused(reason: str, message: str) -> Condition:
    return Condition(type="Accepted", status=False, reason=reason, message=message)


def supported_kinds(listener: Listener) -> tuple[str, ...]:
    able = able_kinds(listener)
    asked = [each.kind for each in listener.allowed_routes.kinds if each.group == GROUP]
    if not listener.allowed_routes.kinds:
        return able
    return tuple(kind for kind in dict.fromkeys(asked) if kind in able)


def able_kinds(listener: Listener) -> tuple[str, ...]:
    """What a listener can serve, whatever it is said to."""
    able = ROUTE_KINDS.get(listener.protocol, ())
    if listener.tls is not None and listener.tls.mode == "Passthrough":
        return tuple(kind for kind in able if kind != "TCPRoute")
    return able


def allows(listener: Listener, route: ObjectRef, gateway_namespace: str) -> bool:
    if route.kind not in supported_kinds(listener):
        return False
    return lets_in(listener.allowed_routes.namespaces, route.namespace, gateway_namespace)


def lets_in(namespaces: RouteNamespaces | ListenerNamespaces, namespace: str, own: str) -> bool:
    match namespaces.from_:
        case "All":
            return True
        case "Same":
            return namespace == own
        case "None":
            return False
        case "Selector":
            labels = namespaces.selector.match_labels if namespaces.selector else {}
            return all(name == NAMESPACE_LABEL and value == namespace for name, value in labels.items())


def _hosts(listener: Listener, hostnames: tuple[str, ...]) -> tuple[str, ...]:
    own = listener.hostname.lower() or "*"
    met = (intersection(own, each.lower()) for each in hostnames or ("*",))
    return tuple(dict.fromkeys(each for each in met if each))


def covers(wide: str, narrow: str) -> bool:
    """`*.example.com` covers `a.example.com`, `a.b.example.com` and `*.a.example.com`."""
    return wide in ("*", narrow) or (wide.startswith("*.") and narrow.endswith(wide[1:]))


def intersection(one: str, other: str) -> str:
    """The narrower of two names, or nothing when they do not meet."""
    if covers(one, other):
        return other
    return one if covers(other, one) else ""


def specificity(host: str) -> tuple[int, int]:
    """Orders host names, the most specific first."""
    return (int(host.startswith("*")), -len(host))


def is_service(backend: BackendObject) -> bool:
    return backend.group in ("", "core") and backend.kind == "Service"


def is_permitted(
    route: ObjectRef, backend: BackendObject, grants: Iterable[tuple[str, ReferenceGrant]]
) -> bool:
    """Whether a route may name an object: of its own namespace, or by a grant there. `grants` with namespaces."""
    namespace = backend.namespace or route.namespace
    if namespace == route.namespace:
        return True
    return any(
        _is_from(route, each_from) and _is_to(backend, each_to)
        for where, grant in grants
        if where == namespace
        for each_from in grant.from_
        for each_to in grant.to
    )


def _is_from(route: ObjectRef, source: GrantFrom) -> bool:
    return (source.group, source.kind, source.namespace) == (GROUP, route.kind, route.namespace)


def _is_to(backend: BackendObject, target: GrantTo) -> bool:
    return target.kind == backend.kind and target.group in ("", "core") and target.name in ("", backend.name)


def listener_hosts(doors: Iterable[Door], port: int) -> Iterator[tuple[str, Door]]:
    """The listeners of a port by host name."""
    for each in doors:
        if each.listener.port == port:
            yield host_of(each.listener), each


def host_of(listener: Listener) -> str:
    return listener.hostname.lower() or "*"
