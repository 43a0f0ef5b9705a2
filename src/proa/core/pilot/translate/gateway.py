"""From a gateway's view to its listeners' and routes' intents.

Several Gateway objects may ask for one port: their servers are merged, and the rules bound to any of them are put
together, those of one host in the order of their objects' names.
"""

import msgspec

from proa.core.model.names import ObjectRef, expand_host
from proa.core.model.notes import Note
from proa.core.pilot.scope.views import GatewayServer, GatewayView, Rules
from proa.core.pilot.translate.listeners.gateway import GatewayListenerIntent, gateway_routes_name
from proa.core.pilot.translate.routes.intents import (
    DirectResponse,
    Redirect,
    RouteIntent,
    VirtualHostIntent,
)
from proa.core.pilot.translate.rules import translate_rules


class GatewayRoutes(msgspec.Struct, frozen=True, kw_only=True):
    """One route configuration: its name and virtual hosts."""

    name: str
    hosts: tuple[VirtualHostIntent, ...]
    notes: tuple[Note, ...] = ()


def gateway_listeners(view: GatewayView, access_log: bool) -> tuple[GatewayListenerIntent, ...]:
    """Only ports that the agent has bound: the others open as soon as it has told where."""
    bound = {port.port: port.bound_port for port in view.workload.gateway_ports}
    by_port: dict[int, set[ObjectRef]] = {}
    for each in view.servers:
        by_port.setdefault(each.server.port.number, set()).add(each.ref)
    return tuple(
        GatewayListenerIntent(
            bind=view.workload.bind,
            port=port,
            bound_port=bound[port],
            access_log=access_log,
            objects=tuple(sorted(refs)),
        )
        for port, refs in sorted(by_port.items())
        if port in bound
    )


def gateway_routes(view: GatewayView) -> tuple[GatewayRoutes, ...]:
    ports = sorted({each.server.port.number for each in view.servers})
    return tuple(_routes_of_port(view, port) for port in ports)


def _routes_of_port(view: GatewayView, port: int) -> GatewayRoutes:
    servers = [each for each in view.servers if each.server.port.number == port]
    hosts: dict[str, list[RouteIntent]] = {}
    objects: dict[str, list[ObjectRef]] = {}
    notes: list[Note] = []
    for server in servers:
        if server.server.tls is not None and server.server.tls.https_redirect:
            for host in server.server.hosts:
                hosts.setdefault(_dns_name(host), []).append(_to_https())
                objects.setdefault(_dns_name(host), []).append(server.ref)
    for rules in view.rules:
        for host, admitting in _admitted(rules, servers).items():
            gateways = frozenset(f"{each.ref.namespace}/{each.ref.name}" for each in admitting)
            translated = translate_rules(rules, view.destinations, port=port, gateways=gateways)
            notes += translated.notes
            if not translated.routes:
                continue
            redirects = all(each.server.tls and each.server.tls.https_redirect for each in admitting)
            hosts.setdefault(host, []).extend((_to_https(),) if redirects else translated.routes)
            objects.setdefault(host, []).append(rules.ref)
    bound = next((each.bound_port for each in view.workload.gateway_ports if each.port == port), port)
    intents = [
        VirtualHostIntent(
            name=f"{host}:{port}",
            domains=_domains(host, port, bound),
            routes=tuple(routes),
            objects=tuple(objects[host]),
        )
        for host, routes in sorted(hosts.items())
    ]
    if "*" not in hosts:
        nothing = RouteIntent(name="blackhole", direct_response=DirectResponse(status=404))
        intents.append(VirtualHostIntent(name=f"blackhole:{port}", domains=("*",), routes=(nothing,)))
    return GatewayRoutes(
        name=gateway_routes_name(port), hosts=tuple(intents), notes=tuple(dict.fromkeys(notes))
    )


def _domains(host: str, port: int, bound: int) -> tuple[str, ...]:
    """A client writes the port it called beside the name: any for a plain name; beside a wildcard Envoy takes no
    second one, so there the port asked for and the one really bound are named."""
    if host == "*":
        return (host,)
    if host.startswith("*"):
        return tuple(dict.fromkeys((host, f"{host}:{port}", f"{host}:{bound}")))
    return (host, f"{host}:*")


def _to_https() -> RouteIntent:
    return RouteIntent(name="https_redirect", redirect=Redirect(scheme="https"))


def _dns_name(server_host: str) -> str:
    """A server's host without the namespace it may begin with."""
    return server_host.rpartition("/")[2].lower()


def _admitted(rules: Rules, servers: list[GatewayServer]) -> dict[str, list[GatewayServer]]:
    """The names under which a rule may be served, with the servers that let it: the narrower of its hosts and the
    server's, where one covers the other and the server admits rules of that namespace."""
    admitted: dict[str, list[GatewayServer]] = {}
    for each in servers:
        for entry in each.server.hosts:
            owner, slash, _ = entry.rpartition("/")
            server_host = _dns_name(entry)
            if slash and not _owner_admits(owner, rules.ref.namespace, each.ref.namespace):
                continue
            for written in rules.spec.hosts:
                host = expand_host(written, rules.ref.namespace)
                if _covers(server_host, host):
                    admitted.setdefault(host, []).append(each)
                elif _covers(host, server_host):
                    admitted.setdefault(server_host, []).append(each)
    return admitted


def _owner_admits(owner: str, rule_namespace: str, gateway_namespace: str) -> bool:
    return owner == "*" or owner == rule_namespace or (owner == "." and rule_namespace == gateway_namespace)


def _covers(wide: str, narrow: str) -> bool:
    return wide in ("*", narrow) or (wide.startswith("*.") and narrow.endswith(wide[1:]))
