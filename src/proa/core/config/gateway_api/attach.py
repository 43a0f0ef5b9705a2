"""Which listeners of a Gateway a route is bound to, under which host names, and why not."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

import msgspec

from proa.core.config.gateway_api.gateway_schema import Gateway, GrantFrom, GrantTo, Listener, ReferenceGrant
from proa.core.config.gateway_api.schema import GROUP, BackendObject, ParentRef
from proa.core.model.names import ObjectRef

_HTTP_ROUTES = ("HTTPRoute", "GRPCRoute")
ROUTE_KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"HTTP": _HTTP_ROUTES, "HTTPS": _HTTP_ROUTES, "TLS": ("TLSRoute",), "TCP": ("TCPRoute",)}
)
"""By a listener's protocol: what may be bound to it."""
NAMESPACE_LABEL = "kubernetes.io/metadata.name"
"""The label by which Kubernetes lets selectors name a namespace; others are not known here."""


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """As in an object's status. `status` None: unknown."""

    type: str
    status: bool | None
    reason: str
    message: str = ""


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    """A listener and the host names (`*` for every one) under which a route is served there."""

    listener: Listener
    hosts: tuple[str, ...]


def attach(
    route: ObjectRef, hostnames: tuple[str, ...], parent: ParentRef, owner: ObjectRef, gateway: Gateway
) -> tuple[Condition, tuple[Attached, ...]]:
    """`owner` is the Gateway's name. The condition is Accepted, with the specification's reason."""
    named = [each for each in gateway.listeners if parent.section_name in ("", each.name)]
    named = [each for each in named if parent.port in (None, each.port)]
    if not named:
        return _refused("NoMatchingParent", "no listener has this sectionName and port"), ()
    allowed = [each for each in named if allows(each, route, owner.namespace)]
    if not allowed:
        message = f"no listener lets {route.kind}s of namespace {route.namespace} in: see its allowedRoutes"
        return _refused("NotAllowedByListeners", message), ()
    found = [Attached(listener=each, hosts=hosts) for each in allowed if (hosts := _hosts(each, hostnames))]
    if not found:
        return _refused("NoMatchingListenerHostname", "no listener serves any of its hostnames"), ()
    return Condition(type="Accepted", status=True, reason="Accepted"), tuple(found)


def _refused(reason: str, message: str) -> Condition:
    return Condition(type="Accepted", status=False, reason=reason, message=message)


def supported_kinds(listener: Listener) -> tuple[str, ...]:
    able = ROUTE_KINDS.get(listener.protocol, ())
    asked = [each.kind for each in listener.allowed_routes.kinds if each.group == GROUP]
    if not listener.allowed_routes.kinds:
        return able
    return tuple(kind for kind in dict.fromkeys(asked) if kind in able)


def allows(listener: Listener, route: ObjectRef, gateway_namespace: str) -> bool:
    if route.kind not in supported_kinds(listener):
        return False
    namespaces = listener.allowed_routes.namespaces
    match namespaces.from_:
        case "All":
            return True
        case "Same":
            return route.namespace == gateway_namespace
        case "None":
            return False
        case "Selector":
            labels = namespaces.selector.match_labels if namespaces.selector else {}
            return all(name == NAMESPACE_LABEL and value == route.namespace for name, value in labels.items())


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


def listener_hosts(gateway: Gateway, port: int) -> Iterator[tuple[str, Listener]]:
    """The listeners of a port by host name."""
    for each in gateway.listeners:
        if each.port == port:
            yield each.hostname.lower() or "*", each
