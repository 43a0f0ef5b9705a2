"""Patches of route configurations, virtual hosts and routes.

A route configuration of a large scope is a join of hundreds of hosts' bytes (routes/virtual_host), so it is taken
apart along the wire's own fields and each host is patched by itself: what is known of a host that did not change is
found again.
"""

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from envoy.config.route.v3.route_components_pb2 import Route, VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration

from proa.core.config.kinds.envoy_filter.schema import (
    ApplyTo,
    Context,
    RouteConfigurationMatch,
    VirtualHostMatch,
)
from proa.core.pilot.translate.patches.patching import Applied, Patching, edit

Part: TypeAlias = tuple[bytes, frozenset[int]]
"""A piece of a configuration after its patches, with the places of those that found something in it."""
Recall: TypeAlias = Callable[[bytes, Callable[[], Part]], Part]
"""What was made of a piece before, or is made now."""

CLASSES: Final[tuple[ApplyTo, ...]] = ("ROUTE_CONFIGURATION", "VIRTUAL_HOST", "HTTP_ROUTE")
_HOSTS: Final = (2 << 3) | 2
"""The wire's tag of RouteConfiguration.virtual_hosts: field 2, length-delimited."""
EXPLICIT: Final = "http_proxy"
"""The configuration of the explicit proxy: of all ports, which its virtual hosts' names end with."""
_TUNNEL: Final = "connect"
"""The name of routes that take CONNECT: they lead into an internal listener and are only patched by name."""


def patch_routes(name: str, value: bytes, patching: Patching, recall: Recall) -> bytes:
    """A serialised RouteConfiguration and the same after its patches."""
    context = patching.context(inbound=False)
    head, hosts = split(value)
    config = RouteConfiguration.FromString(head)
    _patch_head(config, patching, context)
    config.name = name
    pieces = [config.SerializeToString(deterministic=True)]
    for piece in hosts:
        patched, seen = recall(piece, lambda piece=piece: _patch_piece(name, piece, patching, context))  # type: ignore[misc]
        patching.seen |= seen
        pieces.append(patched)
    added = RouteConfiguration(virtual_hosts=_added(name, patching, context, _has_domain(pieces[1:])))
    return b"".join((*pieces, added.SerializeToString(deterministic=True)))


def patch_inline_routes(config: RouteConfiguration, patching: Patching, context: Context) -> None:
    """A configuration inside its listener."""
    _patch_head(config, patching, context)
    kept = [host for host in config.virtual_hosts if _patch_host(host, config.name, patching, context)]
    taken = {domain.lower() for host in kept for domain in host.domains}
    added = _added(config.name, patching, context, taken.__contains__)
    hosts = RouteConfiguration(virtual_hosts=[*kept, *added]).virtual_hosts
    config.ClearField("virtual_hosts")
    config.virtual_hosts.extend(hosts)


def is_concerned(name: str, patching: Patching) -> bool:
    """Whether any patch could be for a configuration of this name. Most are not, and stay the bytes they are."""
    context = patching.context(inbound=False)
    return any(
        _is_configuration(applied.match.route_configuration, name, patching, whole=False)
        for kind in CLASSES
        for applied in patching.of(kind, context)
    )


def split(value: bytes) -> tuple[bytes, list[bytes]]:
    """The virtual hosts of a serialised RouteConfiguration, each with its tag and length, and all the rest."""
    head: list[bytes] = []
    hosts: list[bytes] = []
    at = 0
    while at < len(value):
        tag, body = _varint(value, at)
        match tag & 7:
            case 0:
                _, end = _varint(value, body)
            case 1:
                end = body + 8
            case 2:
                length, start = _varint(value, body)
                end = start + length
            case _:
                end = body + 4
        (hosts if tag == _HOSTS else head).append(value[at:end])
        at = end
    return b"".join(head), hosts


def _varint(value: bytes, at: int) -> tuple[int, int]:
    number, shift = 0, 0
    while True:
        byte = value[at]
        number |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return number, at
        shift += 7


def _patch_head(config: RouteConfiguration, patching: Patching, context: Context) -> None:
    for applied in patching.of("ROUTE_CONFIGURATION", context):
        match = applied.match.route_configuration
        if applied.merges and _is_configuration(match, config.name, patching, whole=True):
            applied.merge_into(config)


def _patch_piece(name: str, piece: bytes, patching: Patching, context: Context) -> Part:
    own = Patching(patching.patches, patching.target)
    host = RouteConfiguration.FromString(piece).virtual_hosts[0]
    if not _patch_host(host, name, own, context):
        return b"", frozenset(own.seen)
    if not own.seen:
        return piece, frozenset()
    patched = RouteConfiguration(virtual_hosts=[host]).SerializeToString(deterministic=True)
    return patched, frozenset(own.seen)


def _patch_host(host: VirtualHost, name: str, patching: Patching, context: Context) -> bool:
    """False when it is to be removed."""
    for applied in patching.of("VIRTUAL_HOST", context):
        if applied.operation == "ADD" or not _is_host(applied, name, host, patching):
            continue
        applied.hit()
        if applied.operation == "REMOVE":
            return False
        if applied.operation == "REPLACE":
            host.CopyFrom(applied.value)  # type: ignore[arg-type]  # read as a VirtualHost
        elif applied.merges:
            applied.merge_into(host)
    for applied in patching.of("HTTP_ROUTE", context):
        if _is_host(applied, name, host, patching):
            edit(
                host.routes,
                applied,
                lambda route, applied=applied: _is_route(applied, route),  # type: ignore[misc]
                says_which=_says_which(applied),
            )
    return True


def _added(
    name: str, patching: Patching, context: Context, is_taken: Callable[[str], bool]
) -> Iterator[VirtualHost]:
    """Hosts that patches ADD. An Envoy refuses a configuration with one domain twice: the first who has it keeps it,
    and a patch none of whose domains is left has found no place."""
    added: set[str] = set()
    for applied in patching.of("VIRTUAL_HOST", context):
        match = applied.match.route_configuration
        if applied.operation != "ADD" or not _is_configuration(match, name, patching, whole=True):
            continue
        value = VirtualHost()
        value.CopyFrom(applied.value)  # type: ignore[arg-type]  # read as a VirtualHost
        wanted = {domain.lower(): domain for domain in reversed(value.domains)}
        free = [domain for key, domain in reversed(wanted.items()) if key not in added and not is_taken(key)]
        if not free:
            continue
        applied.hit()
        added.update(domain.lower() for domain in free)
        value.domains[:] = free
        yield value


def _has_domain(pieces: list[bytes]) -> Callable[[str], bool]:
    """Whether one of the serialised hosts has a domain, in lower case; only those are read that bear its letters."""

    def has(domain: str) -> bool:
        letters = domain.encode()
        return any(
            domain
            in (
                each.lower()
                for host in RouteConfiguration.FromString(piece).virtual_hosts
                for each in host.domains
            )
            for piece in pieces
            if letters in piece.lower()
        )

    return has


def _is_configuration(
    match: RouteConfigurationMatch | None, name: str, patching: Patching, *, whole: bool
) -> bool:
    """Not `whole`: a port may be that of one of its hosts."""
    if match is None:
        return True
    if match.name not in ("", name):
        return False
    if match.gateway and match.gateway not in patching.target.gateways:
        return False
    if match.port_name and match.port_name != _port_name(name):
        return False
    if not match.port_number or (name == EXPLICIT and not whole):
        return True
    return match.port_number == routes_port(name)


def routes_port(name: str) -> int:
    """`9080`, `http.80`, `https.443.name.gateway.namespace`, `inbound|9080||`; 0 where there are many."""
    for part in name.replace("|", ".").split("."):
        if part.isascii() and part.isdigit():
            return int(part)
    return 0


def _port_name(name: str) -> str:
    """Only the routes of a server that ends TLS are its own, and bear its port's name, as in
    `https.443.name.gateway.namespace`. Those of plain HTTP are of all servers of the port, as in Istio."""
    parts = name.split(".")
    return parts[2] if parts[0] == "https" and len(parts) >= 5 else ""


def _is_host(applied: Applied, name: str, host: VirtualHost, patching: Patching) -> bool:
    match = applied.match.route_configuration
    if not _is_configuration(match, name, patching, whole=False):
        return False
    if match is None:
        return True
    if match.port_number and name == EXPLICIT:
        if host.name.rpartition(":")[2] != str(match.port_number):
            return False
    return match.vhost is None or _is_named(match.vhost, host)


def _is_named(match: VirtualHostMatch, host: VirtualHost) -> bool:
    return match.name in ("", host.name) and (not match.domain_name or match.domain_name in host.domains)


def _route_match(applied: Applied) -> tuple[str, str]:
    match = applied.match.route_configuration
    if match is None or match.vhost is None or match.vhost.route is None:
        return "", "ANY"
    return match.vhost.route.name, match.vhost.route.action


def _says_which(applied: Applied) -> bool:
    """A REMOVE without a route's name is for all routes of the hosts it matches, as in Istio."""
    return applied.operation == "REMOVE" or _route_match(applied) != ("", "ANY")


def _is_route(applied: Applied, route: Route) -> bool:
    name, action = _route_match(applied)
    if route.match.HasField("connect_matcher") and name != _TUNNEL:
        return False
    if name not in ("", route.name):
        return False
    return action == "ANY" or route.HasField(action.lower())  # type: ignore[arg-type]  # route, redirect, direct_response
